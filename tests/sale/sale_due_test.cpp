// Time: ends of holds, hours, ticks, and who is served when.
#include "sale/shop.hpp"

#include <random>

namespace firstcome::sale {
namespace {

using ::testing::ElementsAre;

TEST(Holds, EndAtTheirInstantAndNotBefore) {
  Shop shop(plain_terms(1));
  const ReservationRef ref = shop.has("ann");
  shop.wait(60s - 1ms);
  EXPECT_EQ(shop.get(ref).expires_in, 1ms);
  EXPECT_EQ(shop.reserve("bob").outcome, Outcome::sold_out_holds_pending);
  shop.wait(1ms);
  EXPECT_EQ(shop.reserve("bob").outcome, Outcome::done) << "judged at the decision, without a sweeper";
  EXPECT_EQ(shop.state(ref), ReservationState::expired);
  EXPECT_EQ(shop.get(ref).expires_in, std::nullopt);
}

TEST(Holds, AreOfferedToTheNextWhenTheyEnd) {
  Shop shop(standby_terms(2));
  shop.has("ann");
  shop.wait(1s);
  shop.has("bob");
  const ReservationRef cid = shop.has("cid");
  const ReservationRef dan = shop.has("dan");
  shop.wait_awake(59s);
  EXPECT_EQ(shop.state(cid), ReservationState::held);
  EXPECT_EQ(shop.get(cid).expires_at, day_one + 120s);
  EXPECT_EQ(shop.state(dan), ReservationState::queued);
  shop.wait_awake(1s);
  EXPECT_EQ(shop.get(dan).expires_at, day_one + 121s);
}

TEST(Holds, GrantedLateLastTheirWholeTime) {
  Shop shop(standby_terms(1));
  shop.has("ann");
  const ReservationRef bob = shop.has("bob");
  shop.wait(1h);  // nobody was awake
  EXPECT_EQ(shop.get(bob).expires_at, shop.now() + 60s);
}

TEST(Holds, OfThoseWhoLeftDoNotStopTheLater) {
  Shop shop(plain_terms(5));
  const ReservationRef ann = shop.has("ann");
  const ReservationRef bob = shop.has("bob");
  shop.wait(1s);
  shop.has("cid");
  shop.cancel(ann);
  shop.buy(bob);
  EXPECT_EQ(shop.ledger().next_deadline(), day_one + 61s);
  shop.wait(60s);
  EXPECT_EQ(shop.sale().available, 4);
  EXPECT_EQ(shop.ledger().next_deadline(), std::nullopt);
}

TEST(Advance, EndsAtMostAsManyHoldsAsItMayAndSaysThatMoreAreDue) {
  Shop shop(plain_terms(100));
  for (int index = 0; index < 100; ++index) shop.has("ann");
  shop.wait(60s);
  shop.new_events();
  EXPECT_EQ(shop.ledger().advance(shop.now(), 30), Ledger::Due::more);
  EXPECT_EQ(shop.new_events().size(), 30u);
  EXPECT_EQ(shop.ledger().next_deadline(), shop.now()) << "it is still due";
  EXPECT_EQ(shop.ledger().advance(shop.now(), 1'000), Ledger::Due::none);
  EXPECT_EQ(shop.new_events().size(), 70u);
}

TEST(Advance, FindsTheSalesThatAreDueAmongAThousand) {
  Shop shop;
  for (int index = 0; index < 1'000; ++index) {
    SaleTerms terms = plain_terms();
    terms.id = "sale-" + std::to_string(index);
    terms.closes_at = day_one + Milliseconds{1'000 + index};
    shop.create(terms);
  }
  shop.new_events();
  EXPECT_EQ(shop.ledger().next_deadline(), day_one + 1s);
  shop.wait(1'009ms);
  shop.ledger().advance(shop.now(), 100);
  EXPECT_EQ(shop.new_events().size(), 10u);
  EXPECT_EQ(shop.ledger().next_deadline(), day_one + 1'010ms);
}

TEST(Hours, WakeTheEngineOnceEach) {
  SaleTerms terms = plain_terms();
  terms.opens_at = day_one + 10s;
  terms.closes_at = day_one + 20s;
  Shop shop(terms);
  EXPECT_EQ(shop.ledger().next_deadline(), day_one + 10s);
  shop.wait(10s);
  shop.ledger().advance(shop.now(), 10);
  EXPECT_EQ(shop.sale().state, SaleState::open);
  EXPECT_EQ(shop.ledger().next_deadline(), day_one + 20s);
  shop.wait(10s);
  shop.ledger().advance(shop.now(), 10);
  EXPECT_EQ(shop.sale().state, SaleState::closed);
  EXPECT_EQ(shop.ledger().next_deadline(), std::nullopt);
}

TEST(Hours, AHoldThatEndsAsTheSaleClosesIsOfferedFirst) {
  SaleTerms terms = standby_terms(1);
  terms.closes_at = day_one + 60s;
  Shop shop(terms);
  shop.has("ann");
  const ReservationRef bob = shop.has("bob");
  shop.wait(60s);
  EXPECT_EQ(shop.state(bob), ReservationState::held);
  EXPECT_EQ(shop.sale().state, SaleState::closed);
}

TEST(Closing, RefusesAllWhoWaitAndOffersNothingMore) {
  SaleTerms terms = standby_terms(2);
  terms.limit_per_customer = 2;
  Shop shop(terms);
  const ReservationRef ann = shop.has("ann", 2);
  const ReservationRef bob = shop.has("bob");
  const ReservationRef cid = shop.has("cid");
  shop.new_events();
  EXPECT_EQ(shop.close(), Outcome::done);
  EXPECT_THAT(shop.new_events(), ElementsAre(EventType::sale_closed));
  EXPECT_EQ(shop.stored().events.back().number, cid.number);
  for (const ReservationRef ref : {bob, cid}) {
    EXPECT_EQ(shop.state(ref), ReservationState::refused);
    EXPECT_EQ(shop.reason(ref), Reason::sale_closed);
    EXPECT_EQ(shop.position(ref), 0u);
  }
  EXPECT_EQ(shop.sale().queued, 0u);
  EXPECT_EQ(shop.sale().serving, cid.number);
  shop.cancel(ann);
  EXPECT_EQ(shop.sale().available, 2);
  EXPECT_EQ(shop.reserve("dan").outcome, Outcome::sale_closed);
}

TEST(Closing, ReasonsStayWhatTheyWere) {
  Shop shop(standby_terms(1));
  const ReservationRef ann = shop.has("ann");
  const ReservationRef bob = shop.has("bob");
  shop.buy(ann);
  shop.patch_stock(2);
  shop.has("cid");
  const ReservationRef dan = shop.has("dan");
  shop.close();
  EXPECT_EQ(shop.reason(bob), Reason::sold_out);
  EXPECT_EQ(shop.reason(dan), Reason::sale_closed);
}

TEST(Standby, AHeadThatCanNeverBeServedDoesNotBlock) {
  Shop shop(standby_terms(3));
  const ReservationRef ann = shop.has("ann");
  shop.has("bob", 2);
  const ReservationRef three = shop.has("cid", 3);
  const ReservationRef two = shop.has("dan", 2);
  shop.new_events();
  shop.buy(ann);  // two are left: three can never be served
  EXPECT_EQ(shop.state(three), ReservationState::refused);
  EXPECT_EQ(shop.reason(three), Reason::sold_out);
  EXPECT_EQ(shop.position(two), 1u);
  EXPECT_THAT(shop.new_events(),
              ElementsAre(EventType::payment_begun, EventType::reservation_confirmed, EventType::reservation_refused));
  shop.wait(60s);
  EXPECT_EQ(shop.state(two), ReservationState::held);
}

TEST(Standby, ABigHeadWaitsForAllItsUnitsAndNobodyOvertakes) {
  Shop shop(standby_terms(3));
  const ReservationRef ann = shop.has("ann");
  const ReservationRef bob = shop.has("bob");
  shop.has("cid");
  const ReservationRef three = shop.has("dan", 3);
  const ReservationRef one = shop.has("eve");
  shop.cancel(ann);
  shop.cancel(bob);
  EXPECT_EQ(shop.sale().available, 2);
  EXPECT_EQ(shop.state(one), ReservationState::queued);
  shop.wait(60s);
  EXPECT_EQ(shop.state(three), ReservationState::held);
  EXPECT_EQ(shop.state(one), ReservationState::queued);
}

TEST(Queue, GrantsOnlyAtTicksAndAtMostSoMany) {
  Shop shop(queue_terms(10, 2));
  std::vector<ReservationRef> refs;
  for (const auto* name : {"a", "b", "c", "d", "e"}) refs.push_back(shop.has(name));
  EXPECT_EQ(shop.ledger().next_deadline(), day_one + 1s);
  shop.wait_awake(999ms);
  EXPECT_EQ(shop.sale().queued, 5u);
  shop.wait_awake(1ms);
  EXPECT_EQ(shop.state(refs[1]), ReservationState::held);
  EXPECT_EQ(shop.get(refs[1]).expires_at, day_one + 61s);
  EXPECT_EQ(shop.state(refs[2]), ReservationState::queued);
  EXPECT_EQ(shop.position(refs[4]), 3u);
  shop.wait_awake(1s);
  EXPECT_EQ(shop.sale().queued, 1u);
  EXPECT_EQ(shop.sale().serving, Number{4});
}

TEST(Queue, TicksThatNobodyMadeAreNotSavedUp) {
  Shop shop(queue_terms(10, 1));
  for (const auto* name : {"a", "b", "c", "d"}) shop.has(name);
  shop.wait(10'500ms);  // nobody was awake
  EXPECT_EQ(shop.sale().queued, 3u);
  EXPECT_EQ(shop.ledger().next_deadline(), day_one + 11s);
}

TEST(Queue, WhoComesAfterTheTickWaitsForTheNext) {
  Shop shop(queue_terms(10, 5));
  shop.wait(1'001ms);
  const ReservationRef ann = shop.has("ann");
  shop.wait(998ms);
  EXPECT_EQ(shop.state(ann), ReservationState::queued);
  shop.wait(1ms);
  EXPECT_EQ(shop.state(ann), ReservationState::held);
}

TEST(Queue, UnitsThatComeBackWaitForTheNextTick) {
  Shop shop(queue_terms(1, 5));
  const ReservationRef ann = shop.has("ann");
  const ReservationRef bob = shop.has("bob");
  shop.wait_awake(1s);
  EXPECT_EQ(shop.ledger().next_deadline(), day_one + 61s) << "no tick can grant anything before";
  shop.wait_awake(4'500ms);
  shop.cancel(ann);
  EXPECT_EQ(shop.state(bob), ReservationState::queued);
  EXPECT_EQ(shop.sale().available, 1);
  shop.wait_awake(499ms);
  EXPECT_EQ(shop.state(bob), ReservationState::queued);
  shop.wait_awake(1ms);
  EXPECT_EQ(shop.state(bob), ReservationState::held);
}

TEST(Queue, AHoldThatEndsAtATickIsGrantedInIt) {
  SaleTerms terms = queue_terms(1, 5);
  terms.hold = 3s;
  Shop shop(terms);
  shop.has("ann");
  const ReservationRef bob = shop.has("bob");
  shop.wait_awake(4s);  // ann is granted at 1 s, ends at 4 s
  EXPECT_EQ(shop.state(bob), ReservationState::held);
}

TEST(Queue, CountsTicksFromTheOpening) {
  SaleTerms terms = queue_terms(5, 5);
  terms.opens_at = day_one + 10'300ms;
  Shop shop(terms);
  shop.wait_awake(10'300ms);
  const ReservationRef ann = shop.has("ann");
  EXPECT_EQ(shop.ledger().next_deadline(), day_one + 11'300ms);
  shop.wait_awake(1s);
  EXPECT_EQ(shop.state(ann), ReservationState::held);
}

TEST(Queue, HeadsThatCanNeverBeServedAreRefusedAtOnceAndTakeNoTurn) {
  Shop shop(queue_terms(4, 1));
  const ReservationRef big = shop.has("ann", 4);
  const ReservationRef small = shop.has("bob", 1);
  EXPECT_EQ(shop.patch_stock(3), Outcome::done);
  EXPECT_EQ(shop.state(big), ReservationState::refused);
  EXPECT_EQ(shop.position(small), 1u);
  shop.wait(1s);
  EXPECT_EQ(shop.state(small), ReservationState::held);
}

TEST(Queue, ConfirmsAtTheTickWhereThereIsNoHold) {
  SaleTerms terms = queue_terms(2, 5);
  terms.hold = 0ms;
  Shop shop(terms);
  const ReservationRef ann = shop.has("ann");
  shop.has("bob");
  const ReservationRef cid = shop.has("cid");
  shop.wait(1s);
  EXPECT_EQ(shop.state(ann), ReservationState::confirmed);
  EXPECT_EQ(shop.state(cid), ReservationState::refused);
}

TEST(Queue, CancelMovesEveryoneBehindUp) {
  Shop shop(queue_terms(1));
  std::vector<ReservationRef> refs;
  for (int index = 0; index < 10'000; ++index) refs.push_back(shop.has("c" + std::to_string(index)));
  EXPECT_EQ(shop.position(refs[9'999]), 10'000u);
  for (std::size_t index = 1; index < 9'000; index += 2) shop.cancel(refs[index]);
  EXPECT_EQ(shop.position(refs[9'999]), 5'500u);
  EXPECT_EQ(shop.position(refs[8'000]), 4'001u);
  shop.cancel(refs[0]);
  EXPECT_EQ(shop.position(refs[2]), 1u);
  EXPECT_EQ(shop.sale().serving, Number{2}) << "the second left before";
  EXPECT_EQ(shop.position(refs[9'999]), 5'499u);
  EXPECT_EQ(shop.sale().queued, 5'499u);
}

TEST(Eta, IsNullUntilSomethingIsGrantedAndComesFromTheRate) {
  Shop shop(queue_terms(1'000, 10));
  std::vector<ReservationRef> refs;
  for (int index = 0; index < 500; ++index) refs.push_back(shop.has("c" + std::to_string(index)));
  EXPECT_EQ(shop.get(refs.back()).eta, std::nullopt);
  shop.wait_awake(20s);
  const auto eta = shop.get(refs.back()).eta;  // 300 wait, ten are granted a second
  ASSERT_TRUE(eta);
  EXPECT_GE(*eta, 25s);
  EXPECT_LE(*eta, 35s);
  EXPECT_EQ(shop.get(refs[0]).eta, std::nullopt) << "it does not wait any more";
}

TEST(Eta, IsNullUntilSomebodyWasServedFromTheLineAndAMinuteAfterTheLast) {
  SaleTerms terms = standby_terms(2);
  terms.hold = 1h;
  Shop shop(terms);
  const ReservationRef ann = shop.has("ann");
  shop.has("ben");
  shop.has("bob");
  const ReservationRef cid = shop.has("cid");
  EXPECT_EQ(shop.get(cid).eta, std::nullopt) << "units that were simply there tell nothing of the line";
  shop.wait(10s);
  shop.cancel(ann);
  EXPECT_TRUE(shop.get(cid).eta) << "the one before was served";
  shop.wait(61s);
  EXPECT_EQ(shop.get(cid).eta, std::nullopt);
}

TEST(Restocking, ServesThoseWhoWaitAtOnceOrAtTheNextTick) {
  Shop standby(standby_terms(1));
  standby.has("ann");
  const ReservationRef bob = standby.has("bob");
  standby.patch_stock(2);
  EXPECT_EQ(standby.state(bob), ReservationState::held);
  Shop queue(queue_terms(1, 5));
  queue.has("ann");
  const ReservationRef next = queue.has("bob");
  queue.wait_awake(1s);
  queue.patch_stock(2);
  EXPECT_EQ(queue.state(next), ReservationState::queued);
  queue.wait_awake(1s);
  EXPECT_EQ(queue.state(next), ReservationState::held);
}

/// The whole life of a queue: 30 000 customers, 1 000 units, 100 a tick, some never pay, some leave.
TEST(Queue, ThirtyThousandCustomersForAThousandUnits) {
  constexpr int customers = 30'000;
  constexpr Units stock = 1'000;
  SaleTerms terms = queue_terms(stock, 100);
  terms.hold = 5s;
  terms.limit_per_customer = 1;
  Shop shop(terms);
  std::mt19937 random(1);
  std::vector<ReservationRef> refs;
  for (int index = 0; index < customers; ++index) {
    refs.push_back(shop.has("customer-" + std::to_string(index)));
    ASSERT_EQ(value(refs.back().number), static_cast<std::uint64_t>(index) + 1) << "numbers in arrival order";
    if (index % 50 == 0) shop.wait(1ms);
  }
  for (std::size_t index = 5; index < refs.size(); index += 17) EXPECT_EQ(shop.cancel(refs[index]), Outcome::done);
  shop.restart();  // places are kept
  Units sold = 0;
  std::uint64_t granted_upto = 0;
  for (int tick = 0; tick < 200 && shop.sale().state != SaleState::sold_out; ++tick) {
    shop.wait_awake(1s);
    const std::uint64_t before = granted_upto;
    granted_upto = value(shop.sale().serving);
    for (std::uint64_t number = before + 1; number <= granted_upto; ++number) {
      const ReservationRef ref{SaleHandle{1}, Number{number}};
      if (shop.state(ref) != ReservationState::held || random() % 5 == 0) continue;  // left, or never pays
      EXPECT_EQ(shop.confirm(ref), Outcome::done);
      ++sold;
    }
  }
  EXPECT_EQ(shop.sale().sold, stock) << "every unit sold";
  EXPECT_EQ(sold, stock);
  EXPECT_EQ(shop.sale().queued, 0u);
  std::uint64_t last_confirmed = 0;
  std::map<ReservationState, int> ends;
  for (const ReservationRef ref : refs) {
    const ReservationView view = shop.get(ref);
    ++ends[view.state];
    if (view.state == ReservationState::confirmed) last_confirmed = value(ref.number);
    if (view.state == ReservationState::refused) {
      EXPECT_GT(value(ref.number), last_confirmed) << "refused in front of one who was served";
      EXPECT_EQ(view.reason, Reason::sold_out);
    }
  }
  EXPECT_EQ(ends[ReservationState::queued] + ends[ReservationState::held], 0) << "each is told how it ended";
  EXPECT_EQ(ends[ReservationState::confirmed], stock);
}

}  // namespace
}  // namespace firstcome::sale
