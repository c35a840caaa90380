// How a store is asked whether it still knows what somebody was told.
#include "events/checked_sink.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace firstcome::events {
namespace {

constexpr engine::StoreSecret secret{1, 2, 3};

/// Keeps what it is asked, and knows everything.
class AskedEngine final : public Engine {
 public:
  void submit(Operation& operation) override {
    asked.push_back(std::get<ComparePast>(operation.command));
    answering = std::jthread([&operation] {  // never before this returns
      LossesAnswer answer;
      answer.outcome = Outcome::unchanged;
      operation.answer = Answer{std::move(answer)};
      operation.completed();
    });
  }
  Readiness readiness() const override { return {}; }
  std::string_view name() const override { return "asked"; }
  void on_payment_work(std::function<void()>) override {}

  std::vector<ComparePast> asked;
  std::jthread answering;
};

/// Of so many sales, the last first.
std::vector<Told> told_of(std::uint64_t sales) {
  engine::ReservationIds ids(secret);
  std::vector<Told> all;
  for (std::uint64_t handle = sales; handle > 0; --handle) {
    const auto id = ids.encode({SaleHandle{handle}, Number{1}});
    all.push_back({.sale = fmt::format("sale-{}", handle),
                   .handle = SaleHandle{handle},
                   .incarnation = no_incarnation,
                   .reservation = {id.begin(), id.end()},
                   .number = 1,
                   .sequence = 2});
  }
  return all;
}

TEST(PastCheck, AsksSoMuchAtOnceAndNoMore) {
  AskedEngine engine;
  Witness witness{.name = "the orders", .ask = [](const std::stop_token&) { return told_of(2'500); }};
  PastCheck check(engine, engine::ReservationIds(secret), std::move(witness));
  const auto found = check.run({});
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, PastCheck::Found::nothing);
  std::vector<std::size_t> sizes;
  std::vector<SaleHandle> sales;
  for (const ComparePast& asked : engine.asked) {
    sizes.push_back(asked.memories.size());
    for (const Memory& memory : asked.memories) sales.push_back(memory.sale);
  }
  EXPECT_EQ(sizes, (std::vector{memories_at_once, memories_at_once, std::size_t{500}}));
  EXPECT_EQ(sales.size(), 2'500U);
  EXPECT_TRUE(std::ranges::is_sorted(sales));
}

}  // namespace
}  // namespace firstcome::events
