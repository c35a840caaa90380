#include "payment/cashier.hpp"

#include "payment/payment_house.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace firstcome::payment {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

template <typename C>
FakeEngine::Fails fails(FailureCode code, std::shared_ptr<std::atomic<int>> times) {
  return [code, times](const Command& command) -> std::optional<Failure> {
    if (!std::holds_alternative<C>(command) || times->fetch_sub(1) <= 0) return std::nullopt;
    return Failure{code, "as told"};
  };
}

TEST(Cashier, ConfirmsWhatIsCharged) {
  PaymentHouse house;
  house.create_sale(1);
  const ReservationRef ref = house.reserve("ann").ref;
  const PaymentResult result = house.pay(ref).get();
  ASSERT_TRUE(result) << result.error().detail;
  EXPECT_EQ(result->outcome, Outcome::done);
  EXPECT_EQ(result->reservation.state, ReservationState::confirmed);
  EXPECT_EQ(result->reservation.payment, (Payment{"paid-" + house.key(ref), "110-1"}));
  EXPECT_EQ(house.gateway.last().key, house.key(ref));
  EXPECT_EQ(house.gateway.last().amount, 150);
  EXPECT_EQ(house.gateway.last().currency, "KRW");
  EXPECT_EQ(house.payments->counters().charged, 1U);
}

TEST(Cashier, AnswersASecondPaymentWithoutAskingTheGateway) {
  PaymentHouse house;
  house.create_sale(1);
  const ReservationRef ref = house.reserve("ann").ref;
  EXPECT_EQ(house.outcome_of_paying(ref), Outcome::done);
  EXPECT_EQ(house.outcome_of_paying(ref), Outcome::unchanged);
  EXPECT_EQ(house.gateway.requests(), 1U);
}

TEST(Cashier, GivesTheUnitsBackWhenTheChargeIsDeclined) {
  PaymentHouse house;
  house.gateway.say(ChargeOutcome::declined);
  house.create_sale(1);
  const ReservationRef ref = house.reserve("ann").ref;
  EXPECT_EQ(house.outcome_of_paying(ref), Outcome::payment_failed);
  EXPECT_EQ(house.sale().available, 1);
  EXPECT_EQ(house.outcome_of_paying(ref), Outcome::payment_failed);
  EXPECT_EQ(house.gateway.requests(), 1U);
  EXPECT_EQ(house.payments->counters().declined, 1U);
}

TEST(Cashier, KeepsTheHoldWhenTheGatewayIsUnreachable) {
  PaymentHouse house;
  house.gateway.say([](const std::string&, int attempt) {
    return attempt == 1 ? ChargeOutcome::unreachable : ChargeOutcome::charged;
  });
  house.create_sale(1);
  const ReservationRef ref = house.reserve("ann").ref;
  EXPECT_EQ(house.outcome_of_paying(ref), Outcome::gateway_unavailable);
  EXPECT_EQ(house.reservation(ref).state, ReservationState::held);
  EXPECT_EQ(house.payments->counters().unreachable, 1U);
  EXPECT_EQ(house.outcome_of_paying(ref), Outcome::done);
}

TEST(Cashier, AsksAgainWithTheSameKeyUntilTheOutcomeIsKnown) {
  PaymentHouse house;
  house.gateway.say(
      [](const std::string&, int attempt) { return attempt < 4 ? ChargeOutcome::unknown : ChargeOutcome::charged; });
  house.create_sale(1);
  const ReservationRef ref = house.reserve("ann").ref;
  EXPECT_EQ(house.outcome_of_paying(ref), Outcome::done);
  EXPECT_THAT(house.gateway.attempts(), ElementsAre(Pair(house.key(ref), 4)));
  EXPECT_EQ(house.payments->counters().asked_again, 3U);
}

// The request whose outcome is unknown may have charged; that the gateway cannot be reached now says nothing of it.
TEST(Cashier, DoesNotTakeUnreachableForNotChargedAfterAnUnknownOutcome) {
  PaymentHouse house;
  house.gateway.say([](const std::string&, int attempt) {
    if (attempt == 1) return ChargeOutcome::unknown;
    return attempt < 4 ? ChargeOutcome::unreachable : ChargeOutcome::charged;
  });
  house.create_sale(1);
  EXPECT_EQ(house.outcome_of_paying(house.reserve("ann").ref), Outcome::done);
  EXPECT_EQ(house.gateway.requests(), 4U);
}

TEST(Cashier, TellsTheCustomerInTimeThatTheOutcomeIsUnknownAndGoesOn) {
  PaymentOptions options = quick();
  options.cashier.answer_within = 30ms;
  PaymentHouse house(options);
  std::atomic<bool> back = false;
  house.gateway.say(
      [&back](const std::string&, int) { return back ? ChargeOutcome::charged : ChargeOutcome::unknown; });
  house.create_sale(1);
  const ReservationRef ref = house.reserve("ann").ref;
  const PaymentResult result = house.pay(ref).get();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, FailureCode::outcome_unknown);
  EXPECT_EQ(house.outcome_of_paying(ref), Outcome::request_in_progress);
  back = true;
  EXPECT_TRUE(eventually([&] { return house.idle(); }));
  EXPECT_EQ(house.outcome_of_paying(ref), Outcome::unchanged);
}

TEST(Cashier, ChargesOnceWhenACustomerClicksTwice) {
  PaymentHouse house;
  house.gateway.hold_back();
  house.create_sale(1);
  const ReservationRef ref = house.reserve("ann").ref;
  std::future<PaymentResult> first = house.pay(ref);
  ASSERT_TRUE(house.gateway.wait_for_requests(1));
  EXPECT_EQ(house.outcome_of_paying(ref), Outcome::request_in_progress);
  house.gateway.release();
  EXPECT_EQ(first.get()->outcome, Outcome::done);
  EXPECT_EQ(house.gateway.requests(), 1U);
}

TEST(Cashier, StoresTheChargeWhenTheStoreTakesItAgain) {
  for (const FailureCode code : {FailureCode::overloaded, FailureCode::store_unavailable}) {
    PaymentHouse house;
    house.engine.fail(fails<FinishPayment>(code, std::make_shared<std::atomic<int>>(5)));
    house.create_sale(1);
    const ReservationRef ref = house.reserve("ann").ref;
    EXPECT_EQ(house.outcome_of_paying(ref), Outcome::done);
    EXPECT_EQ(house.gateway.requests(), 1U);
    EXPECT_EQ(house.payments->counters().stored_again, 5U);
  }
}

TEST(Cashier, ChargesNobodyWhoseClaimWasNotStored) {
  PaymentHouse house;
  house.create_sale(1);
  const ReservationRef ref = house.reserve("ann").ref;
  house.engine.fail(fails<BeginPayment>(FailureCode::store_unavailable, std::make_shared<std::atomic<int>>(1)));
  const PaymentResult result = house.pay(ref).get();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, FailureCode::store_unavailable);
  EXPECT_EQ(house.gateway.requests(), 0U);
}

TEST(Cashier, HandsOnWhyThereIsNothingToPay) {
  PaymentHouse house;
  house.create_sale(2);
  const ReservationRef cancelled = house.reserve("ann").ref;
  const ReservationRef expired = house.reserve("bob").ref;
  house.engine.ask(Cancel{cancelled});
  EXPECT_EQ(house.outcome_of_paying(cancelled), Outcome::not_held);
  house.engine.advance(71s);
  EXPECT_EQ(house.outcome_of_paying(expired), Outcome::hold_expired);
  EXPECT_EQ(house.outcome_of_paying({expired.sale, Number{77}}), Outcome::reservation_not_found);
  EXPECT_EQ(house.gateway.requests(), 0U);
}

TEST(Cashier, RefusesOnePaymentMoreThanItsLimit) {
  PaymentOptions options = quick();
  options.cashier.payments = 2;
  PaymentHouse house(options);
  house.gateway.hold_back();
  house.create_sale(3);
  std::future<PaymentResult> first = house.pay(house.reserve("ann").ref);
  std::future<PaymentResult> second = house.pay(house.reserve("bob").ref);
  const ReservationRef third = house.reserve("eve").ref;
  const PaymentResult refused = house.pay(third).get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, FailureCode::overloaded);
  house.gateway.release();
  EXPECT_EQ(first.get()->outcome, Outcome::done);
  EXPECT_EQ(second.get()->outcome, Outcome::done);
  EXPECT_EQ(house.outcome_of_paying(third), Outcome::done);
  EXPECT_EQ(house.payments->counters().overloaded, 1U);
}

/// A hold whose charge is still running when it ends, and whose unit somebody else may have got.
class LateCharge : public ::testing::Test {
 protected:
  LateCharge() {
    house.gateway.hold_back();
    house.create_sale(1);
    ref = house.reserve("ann").ref;
    paying = house.pay(ref);
    EXPECT_TRUE(house.gateway.wait_for_requests(1));
    house.engine.advance(71s);
  }

  PaymentHouse house;
  ReservationRef ref;
  std::future<PaymentResult> paying;
};

TEST_F(LateCharge, TakesTheUnitAgainWhereItIsStillThere) {
  house.gateway.release();
  EXPECT_EQ(paying.get()->outcome, Outcome::done);
  EXPECT_EQ(house.sale().sold, 1);
  EXPECT_TRUE(house.gateway.refunds().empty());
}

TEST_F(LateCharge, IsPaidBackExactlyOnceWhereTheUnitHasGone) {
  EXPECT_EQ(house.reserve("bob").outcome, Outcome::done);
  house.gateway.release();
  EXPECT_EQ(paying.get()->outcome, Outcome::paid_unfulfilled);
  EXPECT_TRUE(eventually([&] { return house.payments->counters().refunds == 1 && house.idle(); }));
  house.restart();
  house.engine.ask(GetSale{"sale"});
  EXPECT_EQ(house.outcome_of_paying(ref), Outcome::paid_unfulfilled);
  EXPECT_THAT(house.gateway.refunds(), ElementsAre(Pair(house.key(ref), 1)));
  EXPECT_EQ(house.gateway.requests(), 1U);
}

TEST_F(LateCharge, IsPaidBackInTheEndWhenRefundsFailAndTheStoreIsAway) {
  EXPECT_EQ(house.reserve("bob").outcome, Outcome::done);
  house.gateway.fail_refunds(3);
  house.engine.fail(fails<FinishRefund>(FailureCode::store_unavailable, std::make_shared<std::atomic<int>>(2)));
  house.gateway.release();
  EXPECT_EQ(paying.get()->outcome, Outcome::paid_unfulfilled);
  EXPECT_TRUE(eventually([&] { return house.payments->counters().refunds == 1 && house.idle(); }));
  EXPECT_THAT(house.gateway.refunds(), ElementsAre(Pair(house.key(ref), 1)));
}

TEST_F(LateCharge, IsFoundAgainAfterACrashThatSwallowedTheAnswer) {
  house.gateway.say(ChargeOutcome::declined);  // as it would be now; but the first request was charged
  house.restart();
  EXPECT_TRUE(eventually([&] { return house.payments->counters().settled == 1; }));
  EXPECT_EQ(house.reservation(ref).state, ReservationState::confirmed);
  EXPECT_EQ(house.gateway.charged(), 1U);
}

TEST(Cashier, SettlesAClaimThatACrashLeftBehind) {
  struct Case {
    ChargeOutcome outcome;
    ReservationState state;
  };
  for (const Case& one : {Case{ChargeOutcome::charged, ReservationState::confirmed},
                          Case{ChargeOutcome::declined, ReservationState::cancelled}}) {
    PaymentHouse house;
    house.create_sale(1);
    const ReservationRef ref = house.reserve("ann").ref;
    BeginPayment claim;
    claim.ref = ref;
    ASSERT_EQ(house.engine.ask(claim).outcome, Outcome::done);
    house.gateway.say(one.outcome);
    house.restart();
    EXPECT_TRUE(eventually([&] { return house.payments->counters().settled == 1; }));
    EXPECT_EQ(house.reservation(ref).state, one.state);
    EXPECT_EQ(house.gateway.requests(), 1U);
    EXPECT_EQ(house.gateway.last().currency, "KRW");
  }
}

// The charge of before the crash may have come through; only the gateway knows.
TEST(Cashier, DoesNotGiveUpAClaimOfBeforeACrashBecauseTheGatewayIsUnreachable) {
  PaymentHouse house;
  house.create_sale(1);
  const ReservationRef ref = house.reserve("ann").ref;
  BeginPayment claim;
  claim.ref = ref;
  ASSERT_EQ(house.engine.ask(claim).outcome, Outcome::done);
  house.gateway.book(house.key(ref));
  house.gateway.say([](const std::string&, int attempt) {
    return attempt < 4 ? ChargeOutcome::unreachable : ChargeOutcome::declined;
  });
  house.restart();
  EXPECT_TRUE(eventually([&] { return house.payments->counters().settled == 1; }));
  EXPECT_EQ(house.reservation(ref).state, ReservationState::confirmed);
  EXPECT_EQ(house.gateway.requests(), 4U);
}

TEST(Cashier, ChargesOnceWhenTheProcessEndsBetweenTheAnswerAndTheStore) {
  PaymentHouse house;
  house.create_sale(1);
  const ReservationRef ref = house.reserve("ann").ref;
  house.engine.fail(fails<FinishPayment>(FailureCode::store_unavailable, std::make_shared<std::atomic<int>>(1 << 30)));
  std::future<PaymentResult> paying = house.pay(ref);
  ASSERT_TRUE(eventually([&] { return house.payments->counters().stored_again > 0; }));
  house.payments->stop(std::chrono::steady_clock::now(), nullptr);
  EXPECT_EQ(paying.get().error().code, FailureCode::outcome_unknown);
  house.engine.fail(nullptr);
  house.restart();
  EXPECT_TRUE(eventually([&] { return house.payments->counters().settled == 1; }));
  EXPECT_EQ(house.reservation(ref).state, ReservationState::confirmed);
  EXPECT_EQ(house.gateway.charged(), 1U);
}

TEST(PaymentService, FinishesWhatRunsBeforeItStops) {
  PaymentHouse house;
  house.gateway.hold_back();
  house.create_sale(1);
  std::future<PaymentResult> paying = house.pay(house.reserve("ann").ref);
  ASSERT_TRUE(house.gateway.wait_for_requests(1));
  int calls = 0;
  house.payments->stop(std::chrono::steady_clock::now() + 10s, [&] {
    if (++calls == 3) house.gateway.release();
  });
  EXPECT_EQ(paying.get()->outcome, Outcome::done);
  EXPECT_EQ(house.sale().sold, 1);
}

TEST(PaymentService, LeavesWhatDoesNotEndToTheNextStart) {
  PaymentHouse house;
  house.gateway.hold_back();
  house.create_sale(1);
  const ReservationRef ref = house.reserve("ann").ref;
  std::future<PaymentResult> paying = house.pay(ref);
  ASSERT_TRUE(house.gateway.wait_for_requests(1));
  house.payments->stop(std::chrono::steady_clock::now() + 20ms, nullptr);
  EXPECT_EQ(paying.get().error().code, FailureCode::outcome_unknown);
  EXPECT_EQ(house.reservation(ref).state, ReservationState::held);
  house.restart();
  EXPECT_TRUE(eventually([&] { return house.payments->counters().settled == 1; }));
  EXPECT_EQ(house.reservation(ref).state, ReservationState::confirmed);
  EXPECT_EQ(house.gateway.charged(), 1U);
}

TEST(PaymentService, RefusesNewPaymentsWhileItStops) {
  PaymentHouse house;
  house.gateway.hold_back();
  house.create_sale(2);
  std::future<PaymentResult> paying = house.pay(house.reserve("ann").ref);
  const ReservationRef late = house.reserve("bob").ref;
  ASSERT_TRUE(house.gateway.wait_for_requests(1));
  std::optional<std::future<PaymentResult>> refused;
  int calls = 0;
  house.payments->stop(std::chrono::steady_clock::now() + 10s, [&] {
    if (++calls == 10) refused = house.pay(late);
    if (calls == 20) house.gateway.release();
  });
  EXPECT_EQ(paying.get()->outcome, Outcome::done);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->get().error().code, FailureCode::stopping);
}

}  // namespace
}  // namespace firstcome::payment
