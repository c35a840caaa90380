// Reserve: each row of API.md's table, and their order.
#include "sale/shop.hpp"

#include <firstcome/limits.hpp>

namespace firstcome::sale {
namespace {

using ::testing::ElementsAre;

TEST(Reserve, HoldsUnitsThatAreAvailable) {
  Shop shop(plain_terms());
  const ReserveAnswer answer = shop.reserve("ann", 2);
  EXPECT_EQ(answer.outcome, Outcome::done);
  EXPECT_EQ(answer.state, ReservationState::held);
  EXPECT_EQ(answer.ref.number, Number{1});
  EXPECT_EQ(answer.position, 0u);
  EXPECT_EQ(answer.hold, 60s);
  EXPECT_EQ(answer.amount, 200);
  EXPECT_EQ(answer.currency, "KRW");
  EXPECT_EQ(answer.created_at, shop.now());
  const SaleView sale = shop.sale();
  EXPECT_EQ(sale.available, 8);
  EXPECT_EQ(sale.held, 2);
  EXPECT_EQ(sale.serving, Number{1});
}

TEST(Reserve, ConfirmsAtOnceWhereThereIsNoHold) {
  Shop shop(instant_terms());
  const ReserveAnswer answer = shop.reserve("ann", 2);
  EXPECT_EQ(answer.state, ReservationState::confirmed);
  EXPECT_EQ(shop.sale().sold, 2);
  const ReservationView view = shop.get(answer.ref);
  EXPECT_EQ(view.state, ReservationState::confirmed);
  EXPECT_EQ(view.payment, std::nullopt);
  EXPECT_EQ(view.expires_at, std::nullopt);
}

TEST(Reserve, NumbersRiseInOrderOfArrivalAndRefusalsTakeNone) {
  Shop shop(plain_terms(3));
  EXPECT_EQ(shop.reserve("ann").ref.number, Number{1});
  EXPECT_EQ(shop.reserve("bob", 5).outcome, Outcome::not_enough);
  EXPECT_EQ(shop.reserve("cid").ref.number, Number{2});
}

TEST(Reserve, RefusesTheUnitAfterTheLast) {
  Shop shop(instant_terms(2));
  shop.has("ann");
  shop.has("bob");
  EXPECT_EQ(shop.reserve("cid").outcome, Outcome::sold_out);
  EXPECT_EQ(shop.sale().state, SaleState::sold_out);
}

TEST(Reserve, SaysThatHoldsMayComeBack) {
  Shop shop(plain_terms(2));
  shop.has("ann");
  shop.wait(10s);
  shop.has("bob");
  const ReserveAnswer answer = shop.reserve("cid");
  EXPECT_EQ(answer.outcome, Outcome::sold_out_holds_pending);
  EXPECT_EQ(answer.left, 2);
  EXPECT_EQ(answer.retry_after, 50s);
}

TEST(Reserve, SaysHowManyAreLeftWhereMoreWereAsked) {
  Shop shop(plain_terms(3));
  shop.has("ann");
  const ReserveAnswer answer = shop.reserve("bob", 4);
  EXPECT_EQ(answer.outcome, Outcome::not_enough);
  EXPECT_EQ(answer.left, 2);
}

TEST(Reserve, WaitsInStandbyWhileHoldsMayComeBack) {
  Shop shop(standby_terms(1));
  shop.has("ann");
  const ReserveAnswer bob = shop.reserve("bob");
  EXPECT_EQ(bob.outcome, Outcome::waiting);
  EXPECT_EQ(bob.state, ReservationState::queued);
  EXPECT_EQ(bob.position, 1u);
  EXPECT_EQ(bob.retry_after, 1s);
  EXPECT_EQ(shop.reserve("cid").position, 2u);
  EXPECT_EQ(shop.sale().queued, 2u);
  EXPECT_EQ(shop.sale().serving, Number{1});
  EXPECT_EQ(shop.reserve("dan", 2).outcome, Outcome::not_enough);
}

TEST(Reserve, WaitsBehindWhoeverWaitsEvenIfUnitsAreAvailable) {
  Shop shop(standby_terms(3));
  shop.has("ann", 2);
  EXPECT_EQ(shop.reserve("bob", 2).outcome, Outcome::waiting);  // one is available
  EXPECT_EQ(shop.reserve("cid", 1).outcome, Outcome::waiting);
  EXPECT_EQ(shop.sale().available, 1);
}

TEST(Reserve, AlwaysWaitsInAQueueAndSaysHowOftenToAsk) {
  for (const auto& [tick, ask] : {std::pair{10ms, 1'000ms}, {3'000ms, 3'000ms}, {3'600'000ms, 10'000ms}}) {
    SaleTerms terms = queue_terms();
    terms.queue->tick = tick;
    Shop shop(terms);
    const ReserveAnswer answer = shop.reserve("ann");
    EXPECT_EQ(answer.outcome, Outcome::waiting);
    EXPECT_EQ(answer.retry_after, ask);
  }
}

TEST(Reserve, RefusesInAQueueWhatCanNeverBeServed) {
  Shop shop(queue_terms(2));
  EXPECT_EQ(shop.reserve("ann", 3).outcome, Outcome::not_enough);
  Shop empty(queue_terms(0));
  EXPECT_EQ(empty.reserve("ann").outcome, Outcome::sold_out);
}

TEST(Reserve, AnswersTheSameKeyWithTheFirstAnswer) {
  Shop shop(standby_terms(1));
  const ReserveAnswer first = shop.reserve("ann", 1, 11, "order-1");
  shop.reserve("bob");
  const ReserveAnswer waiting = shop.reserve("cid", 1, 12);
  shop.wait(5s);
  shop.cancel(first.ref);
  const ReserveAnswer again = shop.reserve("ann", 1, 11, "order-1");
  EXPECT_EQ(again.outcome, Outcome::unchanged);
  EXPECT_EQ(again.ref, first.ref);
  EXPECT_EQ(again.state, ReservationState::held);  // as decided
  EXPECT_EQ(again.created_at, first.created_at);
  EXPECT_EQ(again.amount, first.amount);
  const ReserveAnswer waiting_again = shop.reserve("cid", 1, 12);
  EXPECT_EQ(waiting_again.outcome, Outcome::unchanged);
  EXPECT_EQ(waiting_again.state, ReservationState::queued);
  EXPECT_EQ(waiting_again.position, waiting.position);
  EXPECT_EQ(waiting_again.retry_after, waiting.retry_after);
  EXPECT_EQ(shop.sale().queued, 1u);
}

TEST(Reserve, RefusesAKeyWithAnotherQuantityOrReference) {
  Shop shop(plain_terms());
  shop.reserve("ann", 1, 11, "order-1");
  EXPECT_EQ(shop.reserve("ann", 2, 11, "order-1").outcome, Outcome::idempotency_key_reused);
  EXPECT_EQ(shop.reserve("ann", 1, 11, "order-2").outcome, Outcome::idempotency_key_reused);
  EXPECT_EQ(shop.reserve("ann", 1, 11).outcome, Outcome::idempotency_key_reused);
  EXPECT_EQ(shop.sale().held, 1);
}

TEST(Reserve, ForgetsAKeyAfterADay) {
  Shop shop(instant_terms());
  const ReservationRef first = shop.reserve("ann", 1, 11).ref;
  shop.wait(24h - 1ms);
  EXPECT_EQ(shop.reserve("ann", 1, 11).ref, first);
  shop.wait(1ms);
  const ReserveAnswer again = shop.reserve("ann", 1, 11);
  EXPECT_EQ(again.outcome, Outcome::done);
  EXPECT_NE(again.ref, first);
  EXPECT_EQ(shop.reserve("ann", 1, 11).ref, again.ref);  // the young one is found, not the old one
}

TEST(Reserve, KeepsYoungKeysWhileOldOnesAreDropped) {
  Shop shop(instant_terms(1'000'000));
  std::map<std::uint64_t, ReservationRef> refs;
  for (std::uint64_t hour = 0; hour < 60; ++hour) {
    for (std::uint64_t key = hour * 200 + 1; key <= (hour + 1) * 200; ++key)
      refs[key] = shop.reserve("ann", 1, key).ref;
    shop.wait(1h);
    for (std::uint64_t key = hour > 22 ? (hour - 22) * 200 + 1 : 1; key <= (hour + 1) * 200; key += 7) {
      ASSERT_EQ(shop.reserve("ann", 1, key).ref, refs[key]) << "hour " << hour << ", key " << key;
    }
  }
  EXPECT_EQ(shop.sale().sold, 60 * 200);
}

TEST(Reserve, AnswersAFinalRefusalAgainByItsKey) {
  SaleTerms terms = instant_terms(3);
  terms.limit_per_customer = 2;
  Shop shop(terms);
  const ReservationRef latest = shop.has("ann", 2);
  const ReserveAnswer limit = shop.reserve("ann", 1, 1);
  EXPECT_EQ(limit.outcome, Outcome::limit_exceeded);
  shop.has("bob");
  EXPECT_EQ(shop.reserve("cid", 1, 2).outcome, Outcome::sold_out);
  EXPECT_EQ(shop.patch_stock(10), Outcome::done);
  shop.give_back(latest);
  const ReserveAnswer again = shop.reserve("cid", 1, 2);
  EXPECT_EQ(again.outcome, Outcome::sold_out);
  EXPECT_TRUE(again.replayed_refusal);
  const ReserveAnswer limit_again = shop.reserve("ann", 1, 1);
  EXPECT_EQ(limit_again.outcome, Outcome::limit_exceeded);
  EXPECT_EQ(limit_again.ref, limit.ref);
  EXPECT_EQ(limit_again.left, limit.left);
  EXPECT_EQ(shop.reserve("cid", 2, 2).outcome, Outcome::idempotency_key_reused);
  EXPECT_EQ(shop.reserve("cid", 1, 2, "x").outcome, Outcome::idempotency_key_reused);
  shop.wait(10min);
  EXPECT_EQ(shop.reserve("cid", 1, 2).outcome, Outcome::done);
}

TEST(Reserve, RemembersNoRefusalThatMayEnd) {
  Shop shop(plain_terms(2));
  const ReservationRef ann = shop.has("ann", 2);
  EXPECT_EQ(shop.reserve("bob", 1, 1).outcome, Outcome::sold_out_holds_pending);
  shop.cancel(ann);
  EXPECT_EQ(shop.reserve("bob", 1, 1).outcome, Outcome::done);
}

TEST(Reserve, ReplayComesBeforeHoursAndHoursBeforeLimit) {
  SaleTerms terms = instant_terms();
  terms.limit_per_customer = 1;
  terms.closes_at = day_one + 1h;
  Shop shop(terms);
  const ReservationRef first = shop.reserve("ann", 1, 1).ref;
  shop.wait(1h);
  EXPECT_EQ(shop.reserve("ann", 1, 1).ref, first);
  EXPECT_EQ(shop.reserve("ann", 1, 2).outcome, Outcome::sale_closed);
  EXPECT_EQ(shop.reserve("bob", 5).outcome, Outcome::sale_closed);
}

TEST(Reserve, LimitComesBeforeStock) {
  SaleTerms terms = instant_terms(1);
  terms.limit_per_customer = 1;
  Shop shop(terms);
  shop.has("ann");
  EXPECT_EQ(shop.reserve("ann").outcome, Outcome::limit_exceeded);
  EXPECT_EQ(shop.reserve("bob").outcome, Outcome::sold_out);
}

TEST(Reserve, RefusesOutsideTheHours) {
  SaleTerms terms = plain_terms();
  terms.opens_at = day_one + 10s;
  terms.closes_at = day_one + 20s;
  Shop shop(terms);
  EXPECT_EQ(shop.sale().state, SaleState::scheduled);
  const ReserveAnswer early = shop.reserve("ann");
  EXPECT_EQ(early.outcome, Outcome::sale_not_open);
  EXPECT_EQ(early.retry_after, 10s);
  shop.wait(10s);
  EXPECT_EQ(shop.reserve("ann").outcome, Outcome::done);
  shop.wait(10s - 1ms);
  EXPECT_EQ(shop.reserve("bob").outcome, Outcome::done);
  shop.wait(1ms);
  EXPECT_EQ(shop.reserve("cid").outcome, Outcome::sale_closed);
}

TEST(Reserve, SaysClosedOfASaleThatWasClosedBeforeItOpened) {
  SaleTerms terms = plain_terms();
  terms.opens_at = day_one + 1h;
  Shop shop(terms);
  EXPECT_EQ(shop.close(), Outcome::done);
  EXPECT_EQ(shop.reserve("ann").outcome, Outcome::sale_closed);
}

TEST(Reserve, KnowsNoOtherSale) {
  Shop shop;
  EXPECT_EQ(shop.reserve("ann").outcome, Outcome::sale_not_found);
}

TEST(Reserve, CountsQueuedHeldAndConfirmedForTheLimit) {
  SaleTerms terms = standby_terms(2);
  terms.limit_per_customer = 3;
  Shop shop(terms);
  shop.buy(shop.has("ann"));
  shop.has("ann");
  const ReservationRef queued = shop.has("ann");
  const ReserveAnswer over = shop.reserve("ann");
  EXPECT_EQ(over.outcome, Outcome::limit_exceeded);
  EXPECT_EQ(over.ref, queued);
  EXPECT_EQ(over.left, 0);
}

TEST(Reserve, LimitIsAllOrNothing) {
  SaleTerms terms = plain_terms();
  terms.limit_per_customer = 2;
  Shop shop(terms);
  const ReservationRef first = shop.has("ann");
  const ReserveAnswer two = shop.reserve("ann", 2);
  EXPECT_EQ(two.outcome, Outcome::limit_exceeded);
  EXPECT_EQ(two.left, 1);
  EXPECT_EQ(two.ref, first);
  const ReserveAnswer three = shop.reserve("ann", 3);
  EXPECT_EQ(three.outcome, Outcome::limit_exceeded);
  EXPECT_EQ(three.ref.number, Number{0}) << "the quantity alone exceeds the limit";
  EXPECT_EQ(shop.reserve("ann").outcome, Outcome::done);
}

TEST(Reserve, StatesThatEndedDoNotCountForTheLimit) {
  SaleTerms terms = plain_terms();
  terms.limit_per_customer = 1;
  Shop shop(terms);
  shop.cancel(shop.has("ann"));  // cancelled
  const ReservationRef declined = shop.has("ann");
  shop.pay(declined);
  shop.finish(declined, Charge::declined);
  shop.has("ann");
  shop.wait(60s);  // expired
  const ReservationRef returned = shop.has("ann");
  shop.buy(returned);
  shop.give_back(returned);
  EXPECT_EQ(shop.reserve("ann").outcome, Outcome::done);
  EXPECT_EQ(shop.reserve("ann").outcome, Outcome::limit_exceeded);
}

TEST(Reserve, ThoseWhoWereRefusedAllTogetherMayAskAgain) {
  SaleTerms terms = standby_terms(1);
  terms.limit_per_customer = 2;
  Shop shop(terms);
  const ReservationRef bought = shop.has("ann");
  shop.has("bob");
  const ReservationRef second = shop.has("bob");
  EXPECT_EQ(shop.reserve("bob").outcome, Outcome::limit_exceeded);
  shop.buy(bought);  // nothing can come back: all who wait are refused
  EXPECT_EQ(shop.state(second), ReservationState::refused);
  EXPECT_EQ(shop.reason(second), Reason::sold_out);
  EXPECT_EQ(shop.patch_stock(3), Outcome::done);
  EXPECT_EQ(shop.reserve("bob", 2).outcome, Outcome::done);
  EXPECT_EQ(shop.reserve("bob", 1).outcome, Outcome::limit_exceeded);
  EXPECT_EQ(shop.state(second), ReservationState::refused) << "those already refused stay refused";
}

TEST(Reserve, RefusesOneMoreOpenReservation) {
  SaleTerms terms = standby_terms(2);
  terms.max_open = 2;
  Shop shop(terms);
  const ReservationRef first = shop.has("ann", 2);
  const ReservationRef second = shop.has("ann");
  const ReserveAnswer third = shop.reserve("ann");
  EXPECT_EQ(third.outcome, Outcome::already_open);
  EXPECT_EQ(third.ref, second);
  EXPECT_EQ(shop.reserve("bob").outcome, Outcome::waiting);
  shop.cancel(second);
  EXPECT_EQ(shop.reserve("ann").outcome, Outcome::waiting);
  shop.cancel(first);
}

TEST(Reserve, OneThatIsConfirmedIsNotOpen) {
  SaleTerms terms = plain_terms();
  terms.max_open = 1;
  Shop shop(terms);
  const ReservationRef first = shop.has("ann");
  EXPECT_EQ(shop.reserve("ann").outcome, Outcome::already_open);
  shop.buy(first);
  EXPECT_EQ(shop.reserve("ann").outcome, Outcome::done);
  SaleTerms at_once = instant_terms();
  at_once.max_open = 1;
  Shop coupons(at_once);
  coupons.has("ann");
  EXPECT_EQ(coupons.reserve("ann").outcome, Outcome::done);
}

TEST(Reserve, ThoseWhoWereRefusedAllTogetherAreNotOpen) {
  SaleTerms terms = standby_terms(1);
  terms.max_open = 1;
  Shop shop(terms);
  const ReservationRef bought = shop.has("ann");
  shop.has("bob");
  shop.buy(bought);
  shop.patch_stock(2);
  EXPECT_EQ(shop.reserve("bob").outcome, Outcome::done);
}

TEST(Reserve, RefusedCustomersLeaveNoTrace) {
  Shop shop(plain_terms(1));
  shop.has("ann");
  shop.new_events();
  for (int index = 0; index < 1'000; ++index) shop.reserve("stranger-" + std::to_string(index));
  EXPECT_TRUE(shop.ledger().changes().empty());
  EXPECT_TRUE(shop.reservations_of("stranger-1").empty());
}

TEST(Reserve, PrefetchingChangesNothing) {
  Shop shop(plain_terms());
  shop.has("ann");
  shop.new_events();
  Reserve command = Shop::request("ann");
  command.key = {.high = 1, .low = 2};
  shop.ledger().prefetch(command, Ledger::Ahead::far);
  shop.ledger().prefetch(command, Ledger::Ahead::near);
  Reserve elsewhere = command;
  elsewhere.sale = "none";
  shop.ledger().prefetch(elsewhere, Ledger::Ahead::far);
  EXPECT_TRUE(shop.ledger().changes().empty());
  EXPECT_EQ(shop.apply(command).ref.number, Number{2});
}

TEST(Reserve, OfASaleWhosePriceIsNotTheOneThatWasLookedAtIsRefused) {
  SaleTerms terms = plain_terms(limits::quantity);
  terms.unit_price = limits::unit_price;  // of another sale of this id, which the price was read of, it was less
  Shop shop(terms);
  EXPECT_EQ(shop.reserve("ann", limits::quantity).outcome, Outcome::sale_not_found);
  EXPECT_EQ(shop.reserve("ann", 9'007).outcome, Outcome::done);
  EXPECT_EQ(shop.sale().held, 9'007);
}

}  // namespace
}  // namespace firstcome::sale
