// Engine, gateway and payments put together for a test, with short waits.
#pragma once

#include "payment/fake_engine.hpp"
#include "payment/fake_gateway.hpp"
#include "payment/payment_service.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace firstcome::payment {

using namespace std::chrono_literals;

/// Hands everything on to a gateway that the test keeps.
class Forward final : public Gateway {
 public:
  explicit Forward(Gateway& to) : to_(to) {}
  void charge(ChargeRequest request, std::move_only_function<void(ChargeResult)> done) override {
    to_.charge(std::move(request), std::move(done));
  }
  void refund(std::string key, std::move_only_function<void(RefundOutcome)> done) override {
    to_.refund(std::move(key), std::move(done));
  }

 private:
  Gateway& to_;
};

/// Looks until `condition` holds. False after ten seconds.
template <typename Condition>
bool eventually(const Condition& condition) {
  std::mutex mutex;
  std::condition_variable nobody;
  std::unique_lock lock(mutex);
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    nobody.wait_for(lock, 1ms);
  }
  return true;
}

inline PaymentOptions quick() {
  PaymentOptions options;
  options.cashier.gateway = {1ms, 5ms};
  options.cashier.store = {1ms, 5ms};
  options.worker.charges = {{1ms, 5ms}, {1ms, 5ms}};
  options.worker.engine = {1ms, 5ms};
  return options;
}

class PaymentHouse {
 public:
  explicit PaymentHouse(PaymentOptions options = quick()) : options_(options) { open(); }
  ~PaymentHouse() {
    gateway.release();
    payments->stop(std::chrono::steady_clock::now() + 10s, nullptr);
  }

  /// As after a crash of the process: nothing is kept but what the engine stored and the gateway's books.
  void restart() {
    payments->stop(std::chrono::steady_clock::now(), nullptr);
    gateway.forget();
    payments.reset();
    engine.restart();
    open();
  }

  void create_sale(Units stock, PaymentMode mode = PaymentMode::client, Standby standby = Standby::no,
                   const std::string& id = "sale") {
    CreateSale command;
    command.terms.id = id;
    command.terms.name = "Sale";
    command.terms.stock = stock;
    command.terms.unit_price = 150;
    command.terms.payment = mode;
    command.terms.standby = standby;
    ASSERT_EQ(engine.ask(command).outcome, Outcome::done);
  }

  ReserveAnswer reserve(const std::string& customer, const std::string& sale = "sale") {
    Reserve command;
    command.sale = sale;
    command.customer = customer;
    return engine.ask(command);
  }

  std::future<PaymentResult> pay(ReservationRef ref) {
    auto promise = std::make_shared<std::promise<PaymentResult>>();
    payments->cashier().pay(ref, BeginPayment::By::client,
                            [promise](PaymentResult result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }

  /// Pays and waits for the outcome. REQUIRES: it is not a failure.
  Outcome outcome_of_paying(ReservationRef ref) {
    const PaymentResult result = pay(ref).get();
    if (!result) throw std::runtime_error("paying failed: " + result.error().detail);
    return result->outcome;
  }

  ReservationView reservation(ReservationRef ref) { return engine.ask(GetReservation{ref}).reservation; }
  SaleView sale(const std::string& id = "sale") { return engine.ask(GetSale{id}).sale; }
  bool idle() const { return payments->counters().running == 0; }

  std::string key(ReservationRef ref) {
    const engine::ReservationIdText text = ids().encode(ref);
    return {text.begin(), text.end()};
  }

  FakeEngine engine;
  FakeGateway gateway;
  std::unique_ptr<PaymentService> payments;

 private:
  static engine::ReservationIds ids() { return engine::ReservationIds(engine::StoreSecret{1, 2, 3}); }

  void open() {
    const MakeGateway make = [this](IoExecutor) { return std::make_unique<Forward>(gateway); };
    payments = std::make_unique<PaymentService>(engine, ids(), make, options_);
    payments->start();
  }

  PaymentOptions options_;
};

}  // namespace firstcome::payment
