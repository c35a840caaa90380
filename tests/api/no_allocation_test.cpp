// The hot path allocates nothing once a connection has served a request like it.
#include "api/api.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string>

namespace {
thread_local std::size_t allocations = 0;

void* counted_or_null(std::size_t size) noexcept {
  ++allocations;
  return std::malloc(size == 0 ? 1 : size);
}

void* counted(std::size_t size) {
  void* const memory = counted_or_null(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted_or_null(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted_or_null(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace firstcome::api {
namespace {

/// Answers from where it stands: the test is one thread without sockets.
class ImmediateExchange final : public net::Exchange {
 public:
  const net::HttpRequest& request() const override { return asked; }
  void respond(unsigned status, std::string_view, std::string_view body, std::span<const net::HttpField>) override {
    ++answers;
    last_status = status;
    last_size = body.size();
  }

  net::HttpRequest asked;
  int answers = 0;
  unsigned last_status = 0;
  std::size_t last_size = 0;
};

/// Gives every reserve the same answer.
class OneAnswerEngine final : public Engine {
 public:
  void submit(Operation& operation) override { waiting = &operation; }
  Readiness readiness() const override { return {}; }
  std::string_view name() const override { return "embedded"; }
  void on_payment_work(std::function<void()>) override {}
  void complete(const ReserveAnswer& said) {
    waiting->answer = said;
    waiting->completed();
  }

  Operation* waiting = nullptr;
};

class NoAllocation : public ::testing::Test {
 protected:
  NoAllocation() {
    exchange.asked.method = net::Method::post;
    exchange.asked.target = exchange.asked.path = "/v1/sales/summer/reservations";
    exchange.asked.content_type = "application/json";
    exchange.asked.idempotency_key = "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"";
    exchange.asked.idempotency_keys = 1;
    exchange.asked.body = R"({"customer":"customer-number-123456","quantity":2,"reference":"my-order-7000000000"})";
  }

  void round(const ReserveAnswer& said, unsigned status) {
    api.handle(exchange);
    engine.complete(said);
    ASSERT_EQ(exchange.last_status, status);
  }

  void expect_none(const ReserveAnswer& said, unsigned status) {
    round(said, status);
    const std::size_t before = allocations;
    for (int i = 0; i < 100; ++i) round(said, status);
    EXPECT_EQ(allocations - before, 0U);
    EXPECT_EQ(exchange.answers, 101);
    EXPECT_GT(exchange.last_size, 100U);
  }

  OneAnswerEngine engine;
  Api api{engine, engine::ReservationIds({7}), nullptr, {}};
  ImmediateExchange exchange;
};

TEST_F(NoAllocation, OfAReservation) {
  ReserveAnswer said;
  said.outcome = Outcome::done;
  said.ref = {SaleHandle{1}, Number{77}};
  said.state = ReservationState::held;
  said.hold = Milliseconds{60'000};
  said.currency = "KRW";
  expect_none(said, 201);
}

TEST_F(NoAllocation, OfOneThatWaits) {
  ReserveAnswer said;
  said.outcome = Outcome::waiting;
  said.ref = {SaleHandle{1}, Number{77}};
  said.position = 5;
  said.retry_after = Milliseconds{1'500};
  said.currency = "KRW";
  expect_none(said, 202);
}

TEST_F(NoAllocation, OfARefusal) {
  ReserveAnswer said;
  said.outcome = Outcome::sold_out;
  expect_none(said, 410);
  exchange.answers = 0;
  said.outcome = Outcome::limit_exceeded;
  said.ref = {SaleHandle{1}, Number{7}};
  expect_none(said, 409);
}

TEST_F(NoAllocation, ThoughTheTextHasEscapes) {
  exchange.asked.body = R"({"customer":"\u0063ustomer-\"number\"-123456789","quantity":2})";
  ReserveAnswer said;
  said.outcome = Outcome::sold_out;
  expect_none(said, 410);
}

}  // namespace
}  // namespace firstcome::api
