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
  fine.refused(5, "sale-closed");
  fine.refused(6, "sold-out-holds-pending").word = Word::again;
  fine.truth.after.state = "closed";
  expect_only(fine.judged(), nullptr, 0);
  fine.refused(7, "sold-out");  // that was not so, whatever the sale did later
  expect_only(fine.judged(), &Verdict::undersold, 1);
}

TEST(Verdict, SeesUnitsLeftForOneWhoWasRefusedInTheQueueAfterItLastLooked) {
  Case early;
  early.told[2].word = Word::waiting;
  early.told[2].state = State::queued;
  early.truth.reservations[2].state = State::refused;
  early.truth.reservations[2].expires_at_ms.reset();
  expect_only(early.judged(), &Verdict::undersold, 1);
  early.truth.before.stock = 2;  // the unit came when it had been refused
  expect_only(early.judged(), nullptr, 0);
}

TEST(Verdict, SeesAHoldThatNeverEnds) {
  Case for_ever;
  for_ever.truth.reservations[2].state = State::held;
  for (SaleSeen* const sale : {&for_ever.truth.before, &for_ever.truth.left, &for_ever.truth.after}) {
    sale->hold = Milliseconds{100};
    sale->available = 0;
    sale->held = 1;
  }
  const Verdict verdict = for_ever.judged();
  expect_only(verdict, &Verdict::undersold, 1);
  EXPECT_THAT(verdict.undersold.first, ElementsAre("r3 (number 3, held, 1 units): its hold never ended"));
  for_ever.truth.settled = false;  // it may end yet
  expect_only(for_ever.judged(), nullptr, 0);
}

/// Nobody gave anything back, and at 100 customer 3 was told that nothing was left.
struct SoldInOrder : Case {
  SoldInOrder() {
    told[2].state = truth.reservations[2].state = State::confirmed;
    truth.left.available = truth.after.available = 0;
    truth.left.sold = truth.after.sold = 3;
    refused(3, "sold-out").refused_at = Moment{100};
  }
  /// The last unit went to a request of then.
  void sold_at(std::int64_t sent) {
    told[2].sent_at = Moment{sent};
    told[2].answered_at = Moment{sent + 5};
  }
};

TEST(Verdict, SeesUnitsThatWentToALaterRequest) {
  SoldInOrder fair;
  expect_only(fair.judged(), nullptr, 0);
  fair.sold_at(99);  // at the same time
  expect_only(fair.judged(), nullptr, 0);

  SoldInOrder unfair;
  unfair.sold_at(101);
  unfair.told[3].request = 3;
  unfair.told.push_back(unfair.told[3]);  // a double click is one request
  const Verdict verdict = unfair.judged();
  expect_only(verdict, &Verdict::refused_wrongly, 1);
  EXPECT_THAT(verdict.refused_wrongly.first,
              ElementsAre("customer 3 was told sold-out; customer 2 asked after that for 1 and got r3"));
  unfair.told[1].state = unfair.truth.reservations[1].state = State::cancelled;  // it may have been this one's
  expect_only(unfair.judged(), nullptr, 0);
}

TEST(Verdict, LetsALaterRequestForFewerHaveWhatWasNotEnough) {
  SoldInOrder fair;
  fair.sold_at(101);
  fair.told[3].code = "not-enough";
  fair.told[3].quantity = 2;
  expect_only(fair.judged(), nullptr, 0);
  fair.told[3].quantity = 1;
  expect_only(fair.judged(), &Verdict::refused_wrongly, 1);
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
  Case roomy;
  roomy.truth.before.limit_per_customer = roomy.truth.after.limit_per_customer = 2;
  roomy.refused(0, "limit-exceeded");  // and has one
  expect_only(roomy.judged(), &Verdict::refused_wrongly, 1);
  roomy.truth.reservations[0].state = State::returned;  // of which it may have given back some
  expect_only(roomy.judged(), nullptr, 0);
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

TEST(Verdict, SeesACustomerOverTheLimitAtOneMoment) {
  Case healed;
  healed.told[0].confirmed_at = Moment{5};
  Told more = yes(0, 4, State::held, 20, 21);
  more.request = 9;
  more.held_from = Moment{21};
  more.held_until = Moment{30};
  healed.told.push_back(more);
  healed.also(0, 4, State::expired);
  expect_only(healed.judged(), &Verdict::over_limit, 1);
  healed.told[0].confirmed_at = Moment{30};  // the other had ended by then
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
