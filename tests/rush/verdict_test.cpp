// Every kind of broken promise, one at a time, against a sale that is otherwise in order.
#include "rush/verdict.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace firstcome::rush {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using State = ReservationState;

std::string id(std::uint64_t number) { return "r" + std::to_string(number); }

/// A click that was told of the reservation with that number, sent and answered at these times.
Told yes(std::uint32_t customer, std::uint64_t number, State state, std::int64_t sent, std::int64_t answered) {
  Told told;
  told.customer = told.request = customer;
  told.word = state == State::queued ? Word::waiting : Word::yes;
  told.reservation = id(number);
  told.number = number;
  told.state = state;
  told.sent_at = Moment{sent};
  told.answered_at = Moment{answered};
  return told;
}

/// Three customers, three units: the first two have one each, the third was told to wait, and never paid.
struct Case {
  std::vector<Told> told;
  Truth truth;

  Case() {
    for (std::uint32_t customer = 0; customer < 3; ++customer) {
      std::uint64_t number = customer + 1;
      told.push_back(yes(customer, number, State::confirmed, customer * 10, customer * 10 + 5));
      truth.reservations.push_back({.id = id(number),
                                    .customer = customer,
                                    .number = number,
                                    .quantity = 1,
                                    .state = State::confirmed,
                                    .expires_at_ms = 1'000 + customer});
    }
    told[2].state = State::held;
    truth.reservations[2].state = State::expired;
    SaleSeen sale;
    sale.id = "s";
    sale.state = "open";
    sale.stock = 3;
    sale.available = 1;
    sale.sold = 2;
    sale.limit_per_customer = 1;
    truth.before = sale;
    truth.left = truth.after = sale;
    truth.audit.ok = true;
  }

  Verdict judged() const { return judge(told, truth); }

  Told& refused(std::uint32_t customer, const std::string& code) {
    Told click;
    click.customer = customer;
    click.request = customer;
    click.word = Word::no;
    click.code = code;
    return told.emplace_back(click);
  }
  TrueReservation& also(std::uint32_t customer, std::uint64_t number, State state) {
    TrueReservation more{.id = id(number),
                         .customer = customer,
                         .number = number,
                         .quantity = 1,
                         .state = state,
                         .expires_at_ms = std::nullopt};
    return truth.reservations.emplace_back(more);
  }
};

/// That nothing but `broken` was found.
void expect_only(const Verdict& verdict, const Finding Verdict::* broken, std::uint64_t count) {
  const std::vector<std::pair<const char*, const Finding Verdict::*>> all{
      {"oversold", &Verdict::oversold},
      {"undersold", &Verdict::undersold},
      {"lost", &Verdict::lost},
      {"duplicated", &Verdict::duplicated},
      {"order", &Verdict::out_of_order},
      {"limit", &Verdict::over_limit},
      {"refused wrongly", &Verdict::refused_wrongly},
      {"altered", &Verdict::altered},
      {"equation", &Verdict::equation},
      {"audit", &Verdict::audit},
      {"no order", &Verdict::no_order}};
  for (const auto& [name, finding] : all)
    EXPECT_EQ((verdict.*finding).count, finding == broken ? count : 0)
        << name << ": " << ::testing::PrintToString((verdict.*finding).first);
  EXPECT_EQ(verdict.kept(), broken == nullptr);
}

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

TEST(Verdict, SeesTheSaleSayThatItOversold) {
  Case oversold;
  oversold.truth.after.sold = 5;
  oversold.truth.after.available = -2;
  expect_only(oversold.judged(), &Verdict::oversold, 2);
}

TEST(Verdict, SeesMoreReservationsThanUnits) {
  Case oversold;
  for (std::uint32_t customer : {3U, 4U}) {
    oversold.told.push_back(yes(customer, customer + 1, State::confirmed, 100, 101));
    oversold.also(customer, customer + 1, State::confirmed);
  }
  Verdict verdict = oversold.judged();
  expect_only(verdict, &Verdict::oversold, 1);
  EXPECT_THAT(verdict.oversold.first, ElementsAre("its reservations hold or have 4 of 3 units",
                                                  "customers were told that they have 4 of 3 units"));
}

TEST(Verdict, SeesMoreUnitsToldOfThanThereAre) {
  Case hidden;
  for (std::uint32_t customer : {3U, 4U})
    hidden.told.push_back(yes(customer, customer + 1, State::confirmed, 100, 101));
  Verdict verdict = hidden.judged();
  EXPECT_EQ(verdict.oversold.count, 1U);
  EXPECT_EQ(verdict.lost.count, 2U);
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

TEST(Verdict, SeesUnitsLeftForOneWhoWaits) {
  Case waiting;
  waiting.told[2].word = Word::waiting;
  waiting.told[2].state = waiting.truth.reservations[2].state = State::queued;
  waiting.truth.reservations[2].expires_at_ms.reset();
  expect_only(waiting.judged(), &Verdict::undersold, 1);
  waiting.truth.settled = false;  // the queue still moves
  expect_only(waiting.judged(), nullptr, 0);
}

TEST(Verdict, SeesUnitsLeftForOneWhoWasToldToTryAgain) {
  Case again;
  again.refused(3, "sold-out-holds-pending").word = Word::again;
  expect_only(again.judged(), &Verdict::undersold, 1);
  again.truth.sent_home = true;  // it was the customer who gave up
  expect_only(again.judged(), nullptr, 0);
  again.truth.sent_home = false;
  again.truth.left.available = 0;  // it came back after the customer had gone
  expect_only(again.judged(), nullptr, 0);
}

TEST(Verdict, SeesUnitsLeftForOneWhoWasToldSoldOut) {
  Case early;
  early.refused(3, "sold-out");
  early.refused(4, "sold-out");
  Verdict verdict = early.judged();
  expect_only(verdict, &Verdict::undersold, 1);
  EXPECT_THAT(verdict.undersold.first, SizeIs(1)) << "one unit is left for one of them";
}

TEST(Verdict, SeesUnitsLeftForOneWhoWaitedAndWasTurnedAway) {
  Case early;
  early.told[2].state = early.truth.reservations[2].state = State::refused;
  early.told[2].code = "sold-out";
  expect_only(early.judged(), &Verdict::undersold, 1);
}

TEST(Verdict, DoesNotCallItUndersoldWhereNobodyCouldHaveTakenIt) {
  Case fine;
  Told& greedy = fine.refused(3, "not-enough");
  greedy.quantity = 2;
  Told& more = fine.refused(4, "sold-out");
  more.quantity = 2;
  expect_only(fine.judged(), nullptr, 0);
  fine.refused(5, "sold-out");
  fine.truth.after.state = "closed";
  expect_only(fine.judged(), nullptr, 0);
}

TEST(Verdict, DoesNotHoldALaterRestockAgainstASoldOut) {
  Case restocked;
  restocked.refused(3, "sold-out");
  restocked.truth.before.stock = 2;
  expect_only(restocked.judged(), nullptr, 0);
}

TEST(Verdict, SeesUnitsLeftForOneWhoWasToldNotEnough) {
  Case early;
  early.refused(3, "not-enough");
  expect_only(early.judged(), &Verdict::undersold, 1);
}

TEST(Verdict, CountsADoubleClickThatWasTurnedAwayOnce) {
  Case twice;
  twice.truth.after.available = twice.truth.left.available = 2;
  twice.truth.after.sold = 1;
  twice.refused(3, "sold-out");
  twice.refused(3, "sold-out");
  expect_only(twice.judged(), &Verdict::undersold, 1);
}

TEST(Verdict, SeesALimitThatTheCustomerHasNotReached) {
  Case limited;
  limited.refused(0, "limit-exceeded");
  expect_only(limited.judged(), nullptr, 0);
  limited.refused(3, "limit-exceeded");
  limited.refused(3, "limit-exceeded");
  expect_only(limited.judged(), &Verdict::refused_wrongly, 1);
  Case greedy;
  greedy.refused(3, "limit-exceeded").quantity = 2;
  expect_only(greedy.judged(), nullptr, 0);
  greedy.truth.after.limit_per_customer.reset();
  expect_only(greedy.judged(), &Verdict::refused_wrongly, 1);
}

TEST(Verdict, SeesHoursThatTheSaleDoesNotHave) {
  Case hours;
  hours.refused(3, "sale-closed");
  expect_only(hours.judged(), &Verdict::refused_wrongly, 1);
  hours.truth.after.state = "closed";
  expect_only(hours.judged(), nullptr, 0);
  hours.refused(4, "sale-not-open").word = Word::again;
  hours.truth.before.state = "scheduled";
  expect_only(hours.judged(), nullptr, 0);
  hours.truth.before.state = "open";
  expect_only(hours.judged(), &Verdict::refused_wrongly, 1);
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

TEST(Verdict, SeesMoreUnitsAtOneMomentThanThereAre) {
  Case healed;  // three units; in the end two are sold, and one hold has ended
  healed.told[0].confirmed_at = Moment{5};
  healed.told[1].confirmed_at = Moment{15};
  for (std::uint32_t customer : {3U, 4U}) {
    Told more = yes(customer, customer + 1, State::held, 20, 21);
    more.held_from = Moment{21};
    more.held_until = Moment{customer == 3 ? 30 : 40};
    healed.told.push_back(more);
    healed.also(customer, customer + 1, State::expired);
  }
  Verdict verdict = healed.judged();
  expect_only(verdict, &Verdict::oversold, 1);
  EXPECT_THAT(verdict.oversold.first, ElementsAre("at one moment customers had 4 of 3 units"));
  healed.told[3].held_until = Moment{21};  // it may have ended before the other began
  expect_only(healed.judged(), nullptr, 0);
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

TEST(Verdict, SeesAGrantWhileALowerNumberWaits) {
  Case overtaken;
  overtaken.truth.after.available = 0;
  overtaken.truth.after.held = 1;
  overtaken.told[0].word = Word::waiting;
  overtaken.told[0].state = overtaken.truth.reservations[0].state = State::queued;
  overtaken.truth.reservations[0].expires_at_ms.reset();
  EXPECT_EQ(overtaken.judged().out_of_order.count, 2U);
}

TEST(Verdict, SeesACustomerOverTheLimit) {
  Case over;
  over.told[1].customer = 0;
  over.truth.reservations[1].customer = 0;
  expect_only(over.judged(), &Verdict::over_limit, 1);
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
