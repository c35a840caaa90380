#include "payment/worker.hpp"

#include "payment/payment_house.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <string>

namespace firstcome::payment {
namespace {

using ::testing::Each;
using ::testing::Pair;
using ::testing::SizeIs;

TEST(PaymentWorker, ChargesEveryHoldOfAnAutomaticSaleExactlyOnce) {
  constexpr int customers = 500;
  SimulatedGatewayOptions simulation;
  simulation.before = 0.2;
  simulation.during = 0.2;
  PaymentOptions options = quick();
  options.worker.concurrency = 16;
  PaymentHouse house(options);
  house.gateway.say([simulation](const std::string& key, int) { return simulated_outcome(simulation, key).outcome; });
  house.create_sale(customers, PaymentMode::automatic);
  for (int i = 0; i < customers; ++i) EXPECT_EQ(house.reserve(std::to_string(i)).outcome, Outcome::done);
  ASSERT_TRUE(eventually([&] { return house.sale().held == 0 && house.idle(); }));
  EXPECT_THAT(house.gateway.attempts(), SizeIs(customers));
  EXPECT_THAT(house.gateway.attempts(), Each(Pair(::testing::_, 1)));
  const SaleView sale = house.sale();
  EXPECT_EQ(sale.sold, static_cast<Units>(house.gateway.charged()));
  EXPECT_EQ(sale.sold, static_cast<Units>(house.payments->counters().charged));
  EXPECT_EQ(sale.available, customers - sale.sold);
  EXPECT_GT(sale.sold, customers / 2);
  EXPECT_LT(sale.sold, customers * 8 / 10);
}

TEST(PaymentWorker, ChargesWhoeverGetsAUnitThatCameBack) {
  PaymentHouse house;
  house.gateway.hold_back();
  house.create_sale(1, PaymentMode::automatic, Standby::yes);
  // Said before anybody is charged: the worker is quick. Whose charge comes first is declined.
  house.gateway.say([declined = std::string()](const std::string& key, int) mutable {
    if (declined.empty()) declined = key;
    return key == declined ? ChargeOutcome::declined : ChargeOutcome::charged;
  });
  EXPECT_EQ(house.reserve("ann").outcome, Outcome::done);
  const ReserveAnswer second = house.reserve("bob");
  EXPECT_EQ(second.outcome, Outcome::waiting);
  house.gateway.release();
  EXPECT_TRUE(eventually([&] { return house.reservation(second.ref).state == ReservationState::confirmed; }));
}

TEST(PaymentWorker, ChargesHoldsThatWereThereBeforeItStarted) {
  PaymentHouse house;
  house.payments->stop(std::chrono::steady_clock::now(), nullptr);
  house.create_sale(20, PaymentMode::automatic);
  for (int i = 0; i < 20; ++i) house.reserve(std::to_string(i));
  house.restart();
  EXPECT_TRUE(eventually([&] { return house.sale().sold == 20; }));
  EXPECT_EQ(house.gateway.requests(), 20U);
}

TEST(PaymentWorker, HasNoMoreThanItsNumberOfChargesUnderWay) {
  PaymentOptions options = quick();
  options.worker.concurrency = 4;
  PaymentHouse house(options);
  house.gateway.hold_back();
  house.create_sale(40, PaymentMode::automatic);
  for (int i = 0; i < 40; ++i) house.reserve(std::to_string(i));
  ASSERT_TRUE(house.gateway.wait_for_requests(4));
  EXPECT_EQ(house.payments->counters().running, 4U);
  house.gateway.release();
  ASSERT_TRUE(eventually([&] { return house.sale().sold == 40; }));
  EXPECT_EQ(house.gateway.most_waiting(), 4U);
}

TEST(PaymentWorker, TriesAgainWhileTheGatewayIsUnreachable) {
  PaymentHouse house;
  house.gateway.say([](const std::string&, int attempt) {
    return attempt < 4 ? ChargeOutcome::unreachable : ChargeOutcome::charged;
  });
  house.create_sale(10, PaymentMode::automatic);
  for (int i = 0; i < 10; ++i) house.reserve(std::to_string(i));
  ASSERT_TRUE(eventually([&] { return house.sale().sold == 10; }));
  EXPECT_THAT(house.gateway.attempts(), Each(Pair(::testing::_, 4)));
  EXPECT_EQ(house.payments->counters().unreachable, 30U);
}

TEST(PaymentWorker, StopsTryingWhenTheHoldHasGone) {
  PaymentHouse house;
  house.gateway.say(ChargeOutcome::unreachable);
  house.create_sale(1, PaymentMode::automatic);
  const ReservationRef ref = house.reserve("ann").ref;
  ASSERT_TRUE(house.gateway.wait_for_requests(3));
  house.engine.advance(71s);
  EXPECT_EQ(house.reservation(ref).state, ReservationState::expired);
  EXPECT_TRUE(eventually([&] { return house.idle(); }));  // whatever is tried from now on begins after the hold's end
  house.gateway.say(ChargeOutcome::charged);
  // It would have been charged by the time that a later hold is.
  const ReservationRef later = house.reserve("bob").ref;
  EXPECT_TRUE(eventually([&] { return house.reservation(later).state == ReservationState::confirmed; }));
  EXPECT_TRUE(eventually([&] { return house.idle(); }));
  EXPECT_EQ(house.gateway.charged(), 1U);
}

TEST(PaymentWorker, LosesNoHoldWhenTheEngineIsBusyOrItsStoreAway) {
  PaymentHouse house;
  house.create_sale(10, PaymentMode::automatic);
  std::atomic<int> count = 0;
  house.engine.fail([&count](const Command& command) -> std::optional<Failure> {
    const bool ours = std::holds_alternative<TakePaymentTasks>(command) ||
                      std::holds_alternative<BeginPayment>(command) || std::holds_alternative<FinishPayment>(command);
    if (!ours || ++count % 3 == 0) return std::nullopt;
    return Failure{count % 3 == 1 ? FailureCode::overloaded : FailureCode::store_unavailable, "as told"};
  });
  for (int i = 0; i < 10; ++i) house.reserve(std::to_string(i));
  EXPECT_TRUE(eventually([&] { return house.sale().sold == 10; }));
  EXPECT_EQ(house.gateway.requests(), 10U);
}

TEST(PaymentWorker, StopsAtOnceWhileTheGatewayIsUnreachable) {
  PaymentOptions options = quick();
  options.worker.charges = {{1h, 1h}, {1h, 1h}};
  PaymentHouse house(options);
  house.gateway.say(ChargeOutcome::unreachable);
  house.create_sale(5, PaymentMode::automatic);
  for (int i = 0; i < 5; ++i) house.reserve(std::to_string(i));
  ASSERT_TRUE(house.gateway.wait_for_requests(1));
  const auto start = std::chrono::steady_clock::now();
  house.payments->stop(start + 1h, nullptr);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
  house.gateway.say(ChargeOutcome::charged);
  house.restart();
  EXPECT_TRUE(eventually([&] { return house.sale().sold == 5; }));
}

/// Keys of the first `count` reservations of a sale.
std::set<std::string> reserve_many(PaymentHouse& house, const std::string& sale, int count) {
  std::set<std::string> keys;
  for (int i = 0; i < count; ++i) keys.insert(house.key(house.reserve(std::to_string(i), sale).ref));
  return keys;
}

PaymentOptions few_places() {
  PaymentOptions options = quick();
  options.worker.concurrency = 4;
  options.worker.others = 2;
  options.worker.charges = {{1ms, 1h}, {1ms, 1h}};
  options.cashier.gateway = {1h, 1h};
  return options;
}

TEST(PaymentWorker, ChargesTheOtherSalesWhileOneIsRefused) {
  PaymentHouse house(few_places());
  house.create_sale(400, PaymentMode::automatic, Standby::no, "refused");
  house.create_sale(400, PaymentMode::automatic, Standby::no, "fine");
  house.gateway.say(ChargeOutcome::unreachable);
  const std::set<std::string> refused = reserve_many(house, "refused", 300);
  house.gateway.say([refused](const std::string& key, int) {
    return refused.contains(key) ? ChargeOutcome::unreachable : ChargeOutcome::charged;
  });
  const ReservationRef fine = house.reserve("ann", "fine").ref;
  EXPECT_TRUE(eventually([&] { return house.reservation(fine).state == ReservationState::confirmed; }));
  EXPECT_EQ(house.sale("refused").held, 300);
}

TEST(PaymentWorker, ChargesTheOtherSalesWhileTheOutcomesOfOneAreUnknown) {
  PaymentHouse house(few_places());
  house.create_sale(400, PaymentMode::automatic, Standby::no, "unknown");
  house.create_sale(400, PaymentMode::automatic, Standby::no, "fine");
  house.gateway.say(ChargeOutcome::unknown);
  const std::set<std::string> unknown = reserve_many(house, "unknown", 300);
  house.gateway.say([unknown](const std::string& key, int) {
    return unknown.contains(key) ? ChargeOutcome::unknown : ChargeOutcome::charged;
  });
  const ReservationRef fine = house.reserve("ann", "fine").ref;
  EXPECT_TRUE(eventually([&] { return house.reservation(fine).state == ReservationState::confirmed; }));
  house.payments->stop(std::chrono::steady_clock::now(), nullptr);  // what is unknown would be waited for
}

TEST(PaymentWorker, PaysBackWhileNothingCanBeCharged) {
  PaymentHouse house(few_places());
  // Paid too late, and no unit is left: we owe it back.
  house.create_sale(1, PaymentMode::client, Standby::no, "late");
  const ReservationRef late = house.reserve("ann", "late").ref;
  house.gateway.hold_back();
  std::future<PaymentResult> paying = house.pay(late);
  ASSERT_TRUE(house.gateway.wait_for_requests(1));
  house.engine.advance(71s);
  house.reserve("bob", "late");
  house.create_sale(400, PaymentMode::automatic, Standby::no, "refused");
  const std::string key = house.key(late);
  house.gateway.say([key](const std::string& asked, int) {
    return asked == key ? ChargeOutcome::charged : ChargeOutcome::unreachable;
  });
  reserve_many(house, "refused", 300);
  house.gateway.release();
  ASSERT_TRUE(paying.get());
  EXPECT_TRUE(eventually([&] { return house.gateway.refunds().contains(key); }));
}

TEST(PaymentWorker, AsksSeldomWhileNothingOfASaleCanBeCharged) {
  PaymentOptions options = quick();
  options.worker.charges = {{1ms, 1ms}, {1h, 1h}};
  PaymentHouse house(options);
  house.gateway.say(ChargeOutcome::unreachable);
  house.create_sale(300, PaymentMode::automatic, Standby::no, "refused");
  reserve_many(house, "refused", 300);
  ASSERT_TRUE(house.gateway.wait_for_requests(1));
  // What the worker would do wrong it does before this one is tried.
  house.create_sale(1, PaymentMode::automatic, Standby::no, "later");
  const std::string key = house.key(house.reserve("ann", "later").ref);
  ASSERT_TRUE(eventually([&] { return house.gateway.attempts().contains(key); }));
  EXPECT_THAT(house.gateway.attempts(), Each(Pair(::testing::_, 1)));
}

TEST(PaymentWorker, LooksForTasksThoughNobodyRings) {
  PaymentOptions options = quick();
  options.worker.poll = 5ms;
  PaymentHouse house(options);
  house.engine.on_payment_work([] {});  // the bell is broken
  house.create_sale(1, PaymentMode::automatic);
  const ReservationRef ref = house.reserve("ann").ref;
  EXPECT_TRUE(eventually([&] { return house.reservation(ref).state == ReservationState::confirmed; }));
}

TEST(PaymentWorker, TellsHowManyHoldsWaitToBeChargedAgain) {
  PaymentOptions options = quick();
  options.worker.charges = {{1h, 1h}, {1h, 1h}};
  PaymentHouse house(options);
  house.gateway.say(ChargeOutcome::unreachable);
  house.create_sale(1, PaymentMode::automatic);
  EXPECT_EQ(house.payments->charges_waiting(), 0U);
  house.reserve("ann");
  EXPECT_TRUE(eventually([&] { return house.payments->charges_waiting() == 1; }));
}

}  // namespace
}  // namespace firstcome::payment
