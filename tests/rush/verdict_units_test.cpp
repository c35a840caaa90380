// Every kind of broken promise about units, one at a time.
#include "rush/verdict_case.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firstcome::rush {
namespace {

using testing::Case;
using ::testing::ElementsAre;
using testing::expect_only;
using testing::id;
using ::testing::SizeIs;
using testing::State;
using testing::yes;

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
  EXPECT_THAT(verdict.oversold.first, ElementsAre("customers were told that they have 4 of 3 units at one moment"));
  healed.told[3].held_until = Moment{21};  // it may have ended before the other began
  expect_only(healed.judged(), nullptr, 0);
}

TEST(Verdict, SeesACustomerOverTheLimit) {
  Case over;
  over.told[1].customer = 0;
  over.truth.reservations[1].customer = 0;
  expect_only(over.judged(), &Verdict::over_limit, 1);
}

}  // namespace
}  // namespace firstcome::rush
