// What becomes of a reservation that was accepted: units given back, another customer, units found after all; and holds
// that do not end in the order of their numbers.
#include "sale/shop.hpp"

#include <firstcome/limits.hpp>

namespace firstcome::sale {
namespace {

using ::testing::ElementsAre;

SaleTerms extendable(Units stock) {
  SaleTerms terms = plain_terms(stock);
  terms.extend = 1h;
  return terms;
}

TEST(Return, OfSomeUnitsKeepsTheOthers) {
  Shop shop(standby_terms(4));
  const ReservationRef ann = shop.has("ann", 3);
  shop.has("cid", 1);
  const ReservationRef bob = shop.has("bob", 1);
  shop.buy(ann);
  shop.new_events();
  EXPECT_EQ(shop.apply(Return{ann, 2}).outcome, Outcome::done);
  EXPECT_THAT(shop.new_events(), ElementsAre(EventType::reservation_amended, EventType::reservation_held));
  for (int start = 0; start < 2; ++start) {
    EXPECT_EQ(shop.get(ann).quantity, 1);
    EXPECT_EQ(shop.get(ann).amount, 100);
    EXPECT_EQ(shop.get(ann).charged, 300);
    EXPECT_EQ(shop.state(ann), ReservationState::confirmed);
    EXPECT_EQ(shop.state(bob), ReservationState::held);
    shop.restart();
  }
  const ReservationAnswer more = shop.apply(Return{ann, 2});
  EXPECT_EQ(more.outcome, Outcome::not_enough);
  EXPECT_EQ(more.left, 1);
  EXPECT_EQ(shop.apply(Return{ann}).outcome, Outcome::done);
  EXPECT_EQ(shop.apply(Return{ann, 5}).outcome, Outcome::unchanged);
}

TEST(Return, OfSomeUnitsIsDoneOnceWhereItSaysHowManyThereAre) {
  Shop shop(instant_terms(9));
  const ReservationRef ann = shop.has("ann", 3);
  EXPECT_EQ(shop.apply(Return{ann, 1, 3}).outcome, Outcome::done);
  const ReservationAnswer again = shop.apply(Return{ann, 1, 3});
  EXPECT_EQ(again.outcome, Outcome::reservation_changed);
  EXPECT_EQ(again.left, 2);
  EXPECT_EQ(shop.get(ann).quantity, 2);
  EXPECT_EQ(shop.apply(Return{ann, {}, 1}).outcome, Outcome::reservation_changed);
  EXPECT_EQ(shop.apply(Return{ann, 2, 2}).outcome, Outcome::done);
  EXPECT_EQ(shop.apply(Return{ann, 2, 2}).outcome, Outcome::unchanged) << "nothing is left to give back twice";
}

TEST(Return, OfSomeUnitsMakesRoomInTheLimit) {
  SaleTerms terms = instant_terms(9);
  terms.limit_per_customer = 3;
  Shop shop(terms);
  const ReservationRef ann = shop.has("ann", 3);
  EXPECT_EQ(shop.reserve("ann", 1).outcome, Outcome::limit_exceeded);
  shop.apply(Return{ann, 1});
  EXPECT_EQ(shop.reserve("ann", 1).outcome, Outcome::done);
}

TEST(Extend, LetsOthersEndBefore) {
  Shop shop(extendable(3));
  const ReservationRef first = shop.has("ann");
  const ReservationRef second = shop.has("bob");
  EXPECT_EQ(shop.apply(Extend{first, 30s}).outcome, Outcome::done);
  EXPECT_EQ(shop.apply(Extend{first, 30s}).outcome, Outcome::not_extendable);
  shop.restart();
  EXPECT_EQ(shop.apply(Extend{first, 30s}).outcome, Outcome::not_extendable);
  shop.wait_awake(60s);
  EXPECT_EQ(shop.state(second), ReservationState::expired);
  EXPECT_EQ(shop.state(first), ReservationState::held);
  shop.wait_awake(29s);
  EXPECT_EQ(shop.state(first), ReservationState::held);
  shop.wait_awake(1s);
  EXPECT_EQ(shop.state(first), ReservationState::expired);
}

TEST(Extend, NeedsTermsThatAllowItAndAHoldThatHasNotEnded) {
  Shop shop(extendable(3));
  const ReservationRef ref = shop.has("ann");
  EXPECT_EQ(shop.apply(Extend{ref, 1h + 1ms}).outcome, Outcome::not_extendable);
  shop.buy(ref);
  EXPECT_EQ(shop.apply(Extend{ref, 1s}).outcome, Outcome::not_extendable);
  Shop strict(plain_terms(3));
  EXPECT_EQ(strict.apply(Extend{strict.has("ann"), 1ms}).outcome, Outcome::not_extendable);
}

TEST(Extend, OfAThousandHoldsEndsEachAtItsOwnTime) {
  Shop shop(extendable(1'000));
  std::vector<ReservationRef> refs;
  for (int i = 0; i < 1'000; ++i) refs.push_back(shop.has("c" + std::to_string(i)));
  for (std::size_t i = 0; i < refs.size(); ++i) {
    const Milliseconds by{1'000 + 7 * (i * 389 % 1'000)};
    ASSERT_EQ(shop.apply(Extend{refs[i], by}).outcome, Outcome::done);
  }
  shop.wait(60s + 1s + 7ms * 499);
  EXPECT_EQ(shop.sale().held, 500);
  shop.restart();
  shop.wait(7ms * 500);
  EXPECT_EQ(shop.sale().held, 0);
}

TEST(Grace, KeepsAHoldThatIsBeingChargedForTenSeconds) {
  Shop shop(standby_terms(1));
  const ReservationRef ann = shop.has("ann");
  const ReservationRef bob = shop.has("bob");
  shop.pay(ann);
  shop.wait_awake(60s + limits::payment_grace - 1ms);
  EXPECT_EQ(shop.state(ann), ReservationState::held);
  EXPECT_EQ(shop.get(ann).expires_in, 0ms);
  shop.restart();
  EXPECT_EQ(shop.state(ann), ReservationState::held);
  shop.wait_awake(1ms);
  EXPECT_EQ(shop.state(ann), ReservationState::expired);
  EXPECT_EQ(shop.state(bob), ReservationState::held);
  EXPECT_EQ(shop.finish(ann, Charge::charged), Outcome::paid_unfulfilled);
}

TEST(Grace, EndsWithTheAnswer) {
  for (const Charge charge : {Charge::charged, Charge::declined, Charge::unreachable}) {
    Shop shop(plain_terms(1));
    const ReservationRef ann = shop.has("ann");
    shop.pay(ann);
    shop.wait_awake(65s);
    shop.finish(ann, charge);
    EXPECT_EQ(shop.state(ann), charge == Charge::charged    ? ReservationState::confirmed
                               : charge == Charge::declined ? ReservationState::cancelled
                                                            : ReservationState::expired);
    EXPECT_EQ(shop.sale().held, 0);
  }
}

TEST(Transfer, MovesTheReservationBetweenTheListsOfItsCustomers) {
  Shop shop(plain_terms(9));
  const ReservationRef ann1 = shop.has("ann");
  const ReservationRef bob2 = shop.has("bob");
  const ReservationRef ann3 = shop.has("ann");
  const ReservationRef bob4 = shop.has("bob");
  const ReservationRef ann5 = shop.has("ann");
  EXPECT_EQ(shop.apply(Transfer{ann3, "bob"}).outcome, Outcome::done);
  const auto numbers = [&](const char* customer) {
    std::vector<std::uint64_t> all;
    for (const ReservationView& view : shop.reservations_of(customer)) all.push_back(value(view.ref.number));
    return all;
  };
  for (int start = 0; start < 2; ++start) {
    EXPECT_THAT(numbers("ann"), ElementsAre(1, 5));
    EXPECT_THAT(numbers("bob"), ElementsAre(2, 3, 4));
    shop.restart();
  }
  EXPECT_EQ(shop.apply(Transfer{ann5, "cid"}).outcome, Outcome::done);
  EXPECT_EQ(shop.apply(Transfer{ann1, "cid"}).outcome, Outcome::done);
  EXPECT_EQ(shop.apply(Transfer{bob2, "cid"}).outcome, Outcome::done);
  EXPECT_EQ(shop.apply(Transfer{bob4, "bob"}).outcome, Outcome::unchanged);
  shop.restart();
  EXPECT_TRUE(numbers("ann").empty());
  EXPECT_THAT(numbers("cid"), ElementsAre(1, 2, 5));
  EXPECT_THAT(numbers("bob"), ElementsAre(3, 4));
}

TEST(Transfer, CountsForTheNewCustomerOnly) {
  SaleTerms terms = plain_terms(9);
  terms.limit_per_customer = 2;
  Shop shop(terms);
  const ReservationRef ann = shop.has("ann", 2);
  const ReservationRef bob = shop.has("bob", 1);
  const ReservationAnswer refused = shop.apply(Transfer{ann, "bob"});
  EXPECT_EQ(refused.outcome, Outcome::limit_exceeded);
  EXPECT_EQ(refused.left, 1);
  EXPECT_EQ(shop.apply(Transfer{bob, "cid"}).outcome, Outcome::done);
  EXPECT_EQ(shop.apply(Transfer{ann, "bob"}).outcome, Outcome::done);
  EXPECT_EQ(shop.reserve("ann", 2).outcome, Outcome::done);
  EXPECT_EQ(shop.reserve("bob", 1).outcome, Outcome::limit_exceeded);
}

TEST(Transfer, LooksAtAThousandReservationsAndNoMore) {
  Shop shop(plain_terms(3));
  const ReservationRef first = shop.has("ann");
  for (std::size_t i = 0; i < limits::chain_steps; ++i) shop.cancel(shop.has("ann"));
  EXPECT_EQ(shop.apply(Transfer{first, "bob"}).outcome, Outcome::done);
  EXPECT_EQ(shop.apply(Transfer{first, "ann"}).outcome, Outcome::done);
  shop.cancel(shop.has("ann"));
  EXPECT_EQ(shop.apply(Transfer{first, "bob"}).outcome, Outcome::not_transferable);
}

TEST(Fulfil, PassesThoseOverWhoWait) {
  Shop shop(queue_terms(1));
  const ReservationRef ann = shop.has("ann");
  shop.wait(1s);
  EXPECT_EQ(shop.state(ann), ReservationState::held);
  shop.wait(60s);
  const ReservationRef bob = shop.has("bob");
  EXPECT_EQ(shop.confirm(ann), Outcome::paid_unfulfilled);
  EXPECT_EQ(shop.apply(Fulfil{ann}).outcome, Outcome::done);
  EXPECT_EQ(shop.state(ann), ReservationState::confirmed);
  EXPECT_EQ(shop.state(bob), ReservationState::refused);
}

TEST(Fulfil, IsNotForWhatIsPaidBack) {
  Shop shop(plain_terms(1));
  const ReservationRef ann = shop.has("ann");
  shop.pay(ann);
  shop.wait(70s);
  shop.buy(shop.has("bob"));
  EXPECT_EQ(shop.finish(ann, Charge::charged), Outcome::paid_unfulfilled);
  shop.patch_stock(2);
  EXPECT_EQ(shop.apply(Fulfil{ann}).outcome, Outcome::payment_in_progress);
  shop.apply(FinishRefund{ann});
  EXPECT_EQ(shop.apply(Fulfil{ann}).outcome, Outcome::not_fulfillable);
}

TEST(Confirm, OfACancelledOneTakesItsUnitsAgainOrLeavesItUnfulfilled) {
  Shop shop(plain_terms(1));
  const ReservationRef ann = shop.has("ann");
  shop.cancel(ann);
  EXPECT_EQ(shop.confirm(ann), Outcome::done);
  EXPECT_EQ(shop.reason(ann), Reason::none);
  const ReservationRef none = shop.reserve("bob").ref;
  EXPECT_EQ(value(none.number), 0U);
  shop.give_back(ann);
  const ReservationRef bob = shop.has("bob");
  shop.cancel(bob);
  shop.buy(shop.has("cid"));
  shop.new_events();
  EXPECT_EQ(shop.confirm(bob, "shop-7"), Outcome::paid_unfulfilled);
  EXPECT_THAT(shop.new_events(), ElementsAre(EventType::reservation_paid_unfulfilled, EventType::refund_due));
  EXPECT_EQ(shop.get(bob).payment->id, "shop-7");
}

}  // namespace
}  // namespace firstcome::sale
