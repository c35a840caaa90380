// Every kind of broken promise about reservations and their order, one at a time.
#include "rush/verdict_case.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace firstcome::rush {
namespace {

using testing::Case;
using ::testing::ElementsAre;
using testing::expect_only;
using ::testing::HasSubstr;
using testing::id;
using ::testing::SizeIs;
using testing::State;
using testing::yes;

TEST(Verdict, KeepsQuietWhereAllIsWell) {
  Verdict verdict = Case().judged();
  expect_only(verdict, nullptr, 0);
  EXPECT_EQ(verdict.told_yes_has_it, 2U);
  EXPECT_EQ(verdict.told_yes_let_go, 1U);
  EXPECT_EQ(verdict.unknown, 0U);
}

TEST(Verdict, IgnoresStrangersButForTheirUnits) {
  Case stranger;
  stranger.also(0, 4, State::confirmed).customer.reset();
  stranger.truth.after.sold = 3;
  stranger.truth.after.available = 0;
  expect_only(stranger.judged(), nullptr, 0);
  stranger.also(0, 5, State::confirmed).customer.reset();
  expect_only(stranger.judged(), &Verdict::oversold, 1);
}

TEST(Verdict, SeesAnAcknowledgedReservationThatIsNotThere) {
  Case lost;
  lost.truth.reservations.erase(lost.truth.reservations.begin());
  Verdict verdict = lost.judged();
  expect_only(verdict, &Verdict::lost, 1);
  EXPECT_THAT(verdict.lost.first, ElementsAre(HasSubstr("r1")));
  EXPECT_EQ(verdict.told_yes_has_none, 1U);
}

TEST(Verdict, SeesAnAcknowledgedReservationWhoseIdWentToAnother) {
  Case failover;
  failover.truth.reservations[0].customer = 7;
  failover.told.push_back(yes(7, 1, State::confirmed, 0, 5));
  Verdict verdict = failover.judged();
  expect_only(verdict, &Verdict::lost, 1);
  EXPECT_THAT(verdict.lost.first, ElementsAre(HasSubstr("told confirmed, is another customer's")));
}

TEST(Verdict, SeesASaleThatWasTakenBack) {
  for (State state : {State::expired, State::cancelled, State::queued, State::held, State::refused}) {
    Case taken;
    taken.truth.reservations[1].state = state;
    EXPECT_EQ(taken.judged().lost.count, 1U);
  }
}

TEST(Verdict, TakesAReturnedReservationForGivenBack) {
  Case returned;
  returned.truth.reservations[1].state = State::returned;
  expect_only(returned.judged(), nullptr, 0);
}

TEST(Verdict, SeesASecondReservationThatNobodyToldOf) {
  for (State state : {State::confirmed, State::held, State::queued, State::expired, State::cancelled}) {
    Case doubled;
    doubled.truth.after.limit_per_customer.reset();
    doubled.also(0, 4, state);
    expect_only(doubled.judged(), &Verdict::duplicated, 1);
  }
}

TEST(Verdict, SeesTwoReservationsForOneKey) {
  Case doubled;
  doubled.truth.after.limit_per_customer.reset();
  Told twin = doubled.told[0];
  twin.reservation = id(4);
  twin.number = 4;
  doubled.told.push_back(twin);
  doubled.also(0, 4, State::confirmed);
  Verdict verdict = doubled.judged();
  EXPECT_EQ(verdict.duplicated.count, 1U);
  EXPECT_THAT(verdict.duplicated.first, ElementsAre(HasSubstr("r1 and r4")));
}

TEST(Verdict, TakesTwoAnswersToOneKeyForOne) {
  Case twins;
  Told twin = twins.told[0];
  twin.state = State::held;  // the second click stops looking when it has been told of the first one's reservation
  twins.told.push_back(twin);
  expect_only(twins.judged(), nullptr, 0);
}

TEST(Verdict, SeesAReservationOfOneWhoWasTurnedAway) {
  Case refused;
  refused.refused(3, "limit-exceeded");
  refused.also(3, 4, State::confirmed);
  Verdict verdict = refused.judged();
  expect_only(verdict, &Verdict::duplicated, 1);
  EXPECT_EQ(verdict.told_no_has_it, 1U);
}

TEST(Verdict, SeesADeclinedPaymentThatKeptItsUnit) {
  Case declined;
  declined.told[0].state = State::cancelled;
  Verdict verdict = declined.judged();
  expect_only(verdict, &Verdict::duplicated, 1);
  EXPECT_EQ(verdict.told_no_has_it, 1U);
}

TEST(Verdict, LetsALateChargeTakeItsUnitAgain) {
  Case late;
  late.told[0].state = State::expired;
  EXPECT_EQ(late.judged().duplicated.count, 1U) << "nobody was paying";
  late.told[0].charge_open = true;
  expect_only(late.judged(), nullptr, 0);
}

TEST(Verdict, PromisesNothingToThoseWhoNeverFoundOut) {
  Case unknown;
  Told click;
  click.customer = click.request = 3;
  click.unsure = 1;
  unknown.told.push_back(click);
  unknown.also(3, 4, State::confirmed);
  Verdict verdict = unknown.judged();
  expect_only(verdict, nullptr, 0);
  EXPECT_EQ(verdict.unknown, 1U);
  unknown.also(3, 5, State::expired);
  EXPECT_EQ(unknown.judged().duplicated.count, 1U) << "one attempt makes one reservation";
}

TEST(Verdict, LeavesNothingUnknownWhereTheSameKeyWasAnswered) {
  Case answered;
  Told twin;
  twin.customer = twin.request = 0;
  twin.unsure = 1;
  answered.told.push_back(twin);
  answered.truth.after.limit_per_customer.reset();
  answered.also(0, 4, State::expired);
  EXPECT_EQ(answered.judged().duplicated.count, 1U);
}

TEST(Verdict, SeesAnotherQuantityThanWasAskedFor) {
  Case less;
  less.told[0].quantity = 3;
  EXPECT_EQ(less.judged().altered.count, 1U);
  Case told;
  told.told[0].quantity_told = 3;
  expect_only(told.judged(), &Verdict::altered, 1);
}

TEST(Verdict, SeesAWrongAmountAndAnotherCustomersName) {
  Case charged;
  charged.truth.after.unit_price = 500;
  for (TrueReservation& has : charged.truth.reservations) has.amount = 500;
  expect_only(charged.judged(), nullptr, 0);
  charged.truth.reservations[1].amount = 1'500;
  expect_only(charged.judged(), &Verdict::altered, 1);
  Case named;
  named.told[0].named_another = true;
  expect_only(named.judged(), &Verdict::altered, 1);
}

TEST(Verdict, SeesAnotherQuantityOfOneThatMayHaveBeenMade) {
  Case unsure;
  Told silent;
  silent.customer = silent.request = 3;
  silent.unsure = 1;
  unsure.told.push_back(silent);
  TrueReservation& made = unsure.also(3, 4, State::expired);
  expect_only(unsure.judged(), nullptr, 0);
  made.quantity = 2;
  expect_only(unsure.judged(), &Verdict::altered, 1);
}

TEST(Verdict, SeesASaleThatNobodyPaidFor) {
  Case given;
  given.truth.after.payment = "client";
  given.truth.reservations[2].state = State::confirmed;
  expect_only(given.judged(), &Verdict::altered, 1);
  given.told[2].paid = true;  // and never heard what became of it
  expect_only(given.judged(), nullptr, 0);
}

TEST(Verdict, SeesAHoldThatEndedBeforeItsTime) {
  Case early;
  early.told[2].state = State::expired;
  early.told[2].promised_until = Moment{std::chrono::milliseconds{300}};
  early.told[2].ended_at = Moment{std::chrono::milliseconds{300}};
  expect_only(early.judged(), nullptr, 0);
  early.told[2].ended_at = Moment{std::chrono::milliseconds{200}};
  Verdict verdict = early.judged();
  expect_only(verdict, &Verdict::lost, 1);
  EXPECT_THAT(verdict.lost.first, ElementsAre(HasSubstr("ended 100 ms before its time")));
}

TEST(Verdict, SeesALaterRequestWithALowerNumber) {
  Case inverted;
  inverted.told[0].number = inverted.truth.reservations[0].number = 2;
  inverted.told[1].number = inverted.truth.reservations[1].number = 1;
  inverted.truth.reservations[0].expires_at_ms = 1'001;
  inverted.truth.reservations[1].expires_at_ms = 1'000;
  Verdict verdict = inverted.judged();
  expect_only(verdict, &Verdict::out_of_order, 1);
  EXPECT_THAT(verdict.out_of_order.first, ElementsAre(HasSubstr("r1 has number 2 and was answered before r2")));
}

TEST(Verdict, LetsRequestsThatOverlapComeInAnyOrder) {
  Case overlapping;
  overlapping.told[0].number = overlapping.truth.reservations[0].number = 2;
  overlapping.told[1].number = overlapping.truth.reservations[1].number = 1;
  overlapping.truth.reservations[0].expires_at_ms = 1'001;
  overlapping.truth.reservations[1].expires_at_ms = 1'000;
  overlapping.told[1].sent_at = overlapping.told[0].answered_at;  // at the same moment: not before
  expect_only(overlapping.judged(), nullptr, 0);
}

TEST(Verdict, FindsAsManyInversionsAsAnExhaustiveSearch) {
  constexpr std::uint64_t seed = 4711;
  SCOPED_TRACE(seed);
  std::uint64_t state = seed;
  auto random = [&state](std::uint64_t below) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (state >> 33) % below;
  };
  for (int round = 0; round < 200; ++round) {
    Case crowd;
    crowd.told.clear();
    crowd.truth.reservations.clear();
    crowd.truth.after.stock = crowd.truth.after.available = 100;
    crowd.truth.after.sold = 0;
    std::vector<std::uint64_t> numbers;
    for (std::uint32_t i = 0; i < 12; ++i) numbers.push_back(i + 1);
    for (std::size_t i = numbers.size(); i > 1; --i) std::swap(numbers[i - 1], numbers[random(i)]);
    for (std::uint32_t i = 0; i < 12; ++i) {
      auto sent = static_cast<std::int64_t>(random(40));
      crowd.told.push_back(yes(i, numbers[i], State::expired, sent, sent + 1 + static_cast<std::int64_t>(random(10))));
      crowd.also(i, numbers[i], State::expired);
    }
    std::uint64_t expected = 0;  // requests that somebody answered before overtook
    for (const Told& later : crowd.told)
      expected += std::ranges::any_of(crowd.told, [&](const Told& earlier) {
        return earlier.answered_at < later.sent_at && earlier.number > later.number;
      });
    EXPECT_EQ(crowd.judged().out_of_order.count, expected) << "round " << round;
  }
}

TEST(Verdict, SeesANumberGivenTwice) {
  Case twice;
  twice.told[1].number = twice.truth.reservations[1].number = 1;
  twice.told[1].sent_at = Moment{0};
  expect_only(twice.judged(), &Verdict::out_of_order, 1);
}

TEST(Verdict, SeesAGrantThatOvertook) {
  Case overtaken;
  overtaken.truth.reservations[0].expires_at_ms = 5'000;
  EXPECT_EQ(overtaken.judged().out_of_order.count, 2U) << "numbers 2 and 3 were granted before number 1";
}

TEST(Verdict, KnowsThatAHoldMayHaveBeenProlonged) {
  Case prolonged;
  prolonged.truth.reservations[0].expires_at_ms = 5'000;
  const auto behind = *prolonged.truth.reservations[1].expires_at_ms;
  prolonged.truth.after.extend = Milliseconds{5'000 - behind};
  EXPECT_EQ(prolonged.judged().out_of_order.count, 0U);
  prolonged.truth.after.extend -= Milliseconds{1};
  EXPECT_GE(prolonged.judged().out_of_order.count, 1U);
}

TEST(Verdict, SeesAGrantWhileALowerNumberWaits) {
  Case overtaken;
  overtaken.truth.after.available = 0;
  overtaken.truth.after.held = 1;
  overtaken.told[0].word = Word::waiting;
  overtaken.told[0].state = overtaken.truth.reservations[0].state = State::queued;
  overtaken.truth.reservations[0].expires_at_ms.reset();
  EXPECT_EQ(overtaken.judged().out_of_order.count, 2U);
}

TEST(Verdict, BelievesTheAuditsBadNews) {
  Case audited;
  audited.truth.audit = {.ok = false, .customers_over_limit = 2, .number_inversions = 3, .mismatches = {"a", "b"}};
  Verdict verdict = audited.judged();
  EXPECT_EQ(verdict.over_limit.count, 2U);
  EXPECT_EQ(verdict.out_of_order.count, 3U);
  EXPECT_THAT(verdict.audit.first, ElementsAre("a", "b"));
}

TEST(Verdict, DoesNotTakeAnAuditThatIsNotOkForOk) {
  Case audited;
  audited.truth.audit.ok = false;
  expect_only(audited.judged(), &Verdict::audit, 1);
}

TEST(Verdict, MissesOrdersThatNeverCame) {
  Case audited;
  audited.truth.audit.orders = 5;
  expect_only(audited.judged(), nullptr, 0);
  audited.truth.audit.orders_pending = 3;
  expect_only(audited.judged(), &Verdict::no_order, 3);
}

TEST(Verdict, SeesSumsThatAreWrong) {
  Case wrong;
  wrong.truth.unequal = {"1 available + 1 held + 2 sold, of a stock of 3"};
  expect_only(wrong.judged(), &Verdict::equation, 1);
}

TEST(Verdict, NamesTheFirstTwentyAndCountsAll) {
  Case lost;
  for (std::uint32_t customer = 10; customer < 60; ++customer)
    lost.told.push_back(yes(customer, customer, State::queued, 100, 200));
  Verdict verdict = lost.judged();
  expect_only(verdict, &Verdict::lost, 50);
  EXPECT_THAT(verdict.lost.first, SizeIs(Finding::named_most));
}

}  // namespace
}  // namespace firstcome::rush
