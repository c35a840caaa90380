// What happens around payments: late ones, refunds, units that go to the next, and the work of the payment worker.
#include "sale/shop.hpp"

namespace firstcome::sale {
namespace {

using ::testing::ElementsAre;
using enum Outcome;

TEST(Payment, AChargedHoldIsConfirmedWithItsPayment) {
  Shop shop(plain_terms());
  const ReservationRef ref = shop.has("ann", 2);
  EXPECT_EQ(shop.buy(ref), done);
  const ReservationView view = shop.get(ref);
  EXPECT_EQ(view.state, ReservationState::confirmed);
  EXPECT_EQ(view.payment, (Payment{.id = "paid-1", .account_number = "acc"}));
  EXPECT_EQ(shop.sale().sold, 2);
  EXPECT_EQ(shop.sale().held, 0);
  EXPECT_EQ(shop.finish(ref, Charge::charged), unchanged) << "told twice";
  shop.wait(1h);
  EXPECT_EQ(shop.state(ref), ReservationState::confirmed);
}

TEST(Payment, DeclinedUnitsGoToTheNextAtOnce) {
  Shop shop(standby_terms(1));
  const ReservationRef ann = shop.has("ann");
  const ReservationRef bob = shop.has("bob");
  shop.pay(ann);
  shop.new_events();
  EXPECT_EQ(shop.finish(ann, Charge::declined), payment_failed);
  EXPECT_THAT(shop.new_events(), ElementsAre(EventType::payment_failed, EventType::reservation_held));
  EXPECT_EQ(shop.state(ann), ReservationState::cancelled);
  EXPECT_EQ(shop.reason(ann), Reason::payment_failed);
  EXPECT_EQ(shop.state(bob), ReservationState::held);
}

TEST(Payment, DeclinedBeforeAChargeWasTriedIsToldApart) {
  Shop shop(standby_terms(1));
  const ReservationRef ann = shop.has("ann");
  const ReservationRef bob = shop.has("bob");
  shop.pay(ann);
  shop.new_events();
  EXPECT_EQ(shop.finish(ann, Charge::refused), payment_failed);
  EXPECT_THAT(shop.new_events(), ElementsAre(EventType::payment_refused, EventType::reservation_held));
  for (int start = 0; start < 2; ++start) {
    EXPECT_EQ(shop.state(ann), ReservationState::cancelled);
    EXPECT_EQ(shop.reason(ann), Reason::payment_refused);
    EXPECT_EQ(shop.pay(ann), payment_failed) << "as it was answered";
    shop.restart();
  }
  shop.pay(bob);
  shop.wait(70s);
  shop.new_events();
  EXPECT_EQ(shop.finish(bob, Charge::refused), Outcome::hold_expired);
  EXPECT_THAT(shop.new_events(), ElementsAre(EventType::reservation_expired, EventType::payment_refused));
}

TEST(Payment, UnreachableGivesUpTheClaimAndKeepsTheHold) {
  Shop shop(plain_terms());
  const ReservationRef ref = shop.has("ann");
  shop.pay(ref);
  EXPECT_EQ(shop.finish(ref, Charge::unreachable), gateway_unavailable);
  EXPECT_EQ(shop.state(ref), ReservationState::held);
  EXPECT_EQ(shop.pay(ref), done) << "it may be tried again";
}

TEST(Payment, ARunningChargeProlongsTheHoldByItsGrace) {
  Shop shop(standby_terms(1));
  const ReservationRef ann = shop.has("ann");
  const ReservationRef bob = shop.has("bob");
  shop.wait(59s);
  shop.pay(ann);
  shop.wait(1s);
  EXPECT_EQ(shop.state(ann), ReservationState::held);
  shop.wait(10s);
  EXPECT_EQ(shop.state(ann), ReservationState::expired);
  EXPECT_EQ(shop.state(bob), ReservationState::held);
  EXPECT_EQ(shop.confirm(ann), request_in_progress);
}

TEST(Payment, ChargedAfterTheEndIsTakenAgainIfItsUnitsAreThere) {
  Shop shop(standby_terms(2));
  const ReservationRef ref = shop.has("ann", 2);
  shop.pay(ref);
  shop.wait(70s);
  EXPECT_EQ(shop.sale().available, 2);
  EXPECT_EQ(shop.finish(ref, Charge::charged), done);
  EXPECT_EQ(shop.state(ref), ReservationState::confirmed);
  EXPECT_EQ(shop.sale().sold, 2);
}

TEST(Payment, ChargedAfterTheEndIsOwedBackIfSomebodyWaits) {
  Shop shop(standby_terms(3));
  const ReservationRef ann = shop.has("ann");
  shop.pay(ann);
  shop.wait(30s);
  shop.has("bob", 2);
  shop.has("cid", 2);
  shop.wait(40s);  // one unit is back, cid needs two
  EXPECT_EQ(shop.sale().available, 1);
  shop.new_events();
  EXPECT_EQ(shop.finish(ann, Charge::charged), paid_unfulfilled);
  EXPECT_TRUE(shop.ledger().changes().payment_work);
  EXPECT_THAT(shop.new_events(), ElementsAre(EventType::reservation_paid_unfulfilled, EventType::refund_due));
  EXPECT_EQ(shop.state(ann), ReservationState::paid_unfulfilled);
  EXPECT_EQ(shop.get(ann).payment->id, "paid-1");
  EXPECT_EQ(shop.finish(ann, Charge::charged), unchanged);
  const auto tasks = shop.tasks();
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].action, PaymentTask::Action::refund);
  EXPECT_EQ(tasks[0].ref, ann);
  EXPECT_EQ(tasks[0].amount, 100);
  EXPECT_TRUE(shop.tasks().empty()) << "each task once";
  EXPECT_EQ(shop.apply(FinishRefund{ann}).outcome, done);
  EXPECT_EQ(shop.apply(FinishRefund{ann}).outcome, unchanged);
  EXPECT_THAT(shop.new_events(), ElementsAre(EventType::refund_done));
}

TEST(Payment, ChargedAfterTheEndIsOwedBackWhereItsUnitsWereSold) {
  Shop shop(plain_terms(1));
  const ReservationRef ann = shop.has("ann");
  shop.pay(ann);
  shop.wait(70s);
  shop.buy(shop.has("bob"));
  EXPECT_EQ(shop.finish(ann, Charge::charged), paid_unfulfilled);
  EXPECT_EQ(shop.sale().sold, 1);
}

TEST(Payment, ChargedAfterTheEndIsOwedBackBeyondTheLimit) {
  SaleTerms terms = plain_terms();
  terms.limit_per_customer = 1;
  Shop shop(terms);
  const ReservationRef first = shop.has("ann");
  shop.pay(first);
  shop.wait(70s);
  shop.has("ann");  // allowed: the first does not count any more
  EXPECT_EQ(shop.finish(first, Charge::charged), paid_unfulfilled);
}

TEST(Payment, ThoseRefusedTogetherDoNotStandAgainstALateCharge) {
  SaleTerms terms = standby_terms(1);
  terms.limit_per_customer = 1;
  Shop shop(terms);
  const ReservationRef late = shop.has("ann");
  shop.pay(late);
  shop.wait(70s);
  const ReservationRef bob = shop.has("bob");
  shop.has("ann");  // waits, and is refused with all who wait
  shop.buy(bob);
  shop.patch_stock(2);
  EXPECT_EQ(shop.finish(late, Charge::charged), done);
}

TEST(Payment, ChargedAfterTheSaleClosedIsOwedBack) {
  Shop shop(plain_terms());
  const ReservationRef ref = shop.has("ann");
  shop.pay(ref);
  shop.close();
  shop.wait(70s);
  EXPECT_EQ(shop.finish(ref, Charge::charged), paid_unfulfilled);
}

TEST(Payment, AHoldMayBePaidAfterTheSaleClosed) {
  Shop shop(plain_terms());
  const ReservationRef ref = shop.has("ann");
  shop.close();
  EXPECT_EQ(shop.buy(ref), done);
}

TEST(Payment, DeclinedOrUnreachableAfterTheEndSaysExpired) {
  for (const Charge charge : {Charge::declined, Charge::unreachable}) {
    Shop shop(plain_terms());
    const ReservationRef ref = shop.has("ann");
    shop.pay(ref);
    shop.wait(70s);
    EXPECT_EQ(shop.finish(ref, charge), hold_expired);
    EXPECT_EQ(shop.state(ref), ReservationState::expired);
    EXPECT_EQ(shop.sale().available, 10);
    EXPECT_EQ(shop.confirm(ref), done) << "the claim is gone";
  }
}

TEST(Payment, ConfirmAfterTheEndOwesARefundThatIsNotOurs) {
  Shop shop(standby_terms(1));
  const ReservationRef ann = shop.has("ann");
  shop.has("bob");
  shop.wait(70s);
  EXPECT_EQ(shop.state(ann), ReservationState::expired);
  shop.new_events();
  EXPECT_EQ(shop.confirm(ann, "shop-9"), paid_unfulfilled);
  EXPECT_FALSE(shop.ledger().changes().payment_work);
  EXPECT_THAT(shop.new_events(), ElementsAre(EventType::reservation_paid_unfulfilled, EventType::refund_due));
  EXPECT_EQ(shop.ledger().record_of(ann).refund, Refund::none);
  EXPECT_EQ(shop.get(ann).payment->id, "shop-9");
  EXPECT_TRUE(shop.tasks().empty());
  EXPECT_EQ(shop.apply(FinishRefund{ann}).outcome, unchanged);
}

TEST(Payment, ConfirmAfterTheEndIsTakenAgain) {
  Shop shop(plain_terms());
  const ReservationRef ref = shop.has("ann");
  shop.wait(70s);
  EXPECT_EQ(shop.confirm(ref, "shop-1"), done);
  EXPECT_EQ(shop.confirm(ref, "shop-1"), unchanged);
  EXPECT_EQ(shop.confirm(ref, "shop-2"), already_confirmed);
}

TEST(Payment, TheLastSaleRefusesAllWhoWait) {
  Shop shop(standby_terms(1));
  const ReservationRef ann = shop.has("ann");
  const ReservationRef bob = shop.has("bob");
  shop.pay(ann);
  shop.new_events();
  shop.finish(ann, Charge::charged);
  EXPECT_THAT(shop.new_events(), ElementsAre(EventType::reservation_confirmed, EventType::waiting_refused));
  EXPECT_EQ(shop.state(bob), ReservationState::refused);
  EXPECT_EQ(shop.sale().queued, 0u);
}

TEST(Payment, CancelServesTheNextInTheSameStep) {
  Shop shop(standby_terms(2));
  const ReservationRef ann = shop.has("ann", 2);
  const ReservationRef bob = shop.has("bob");
  const ReservationRef cid = shop.has("cid");
  const ReservationRef dan = shop.has("dan");
  shop.wait(10s);
  shop.new_events();
  shop.cancel(ann);
  EXPECT_THAT(shop.new_events(),
              ElementsAre(EventType::reservation_cancelled, EventType::reservation_held, EventType::reservation_held));
  EXPECT_EQ(shop.get(bob).expires_at, shop.now() + 60s);
  EXPECT_EQ(shop.get(bob).expires_in, 60s);
  EXPECT_EQ(shop.state(cid), ReservationState::held);
  EXPECT_EQ(shop.position(dan), 1u);
  EXPECT_EQ(shop.sale().serving, cid.number);
}

TEST(Payment, AReturnedUnitGoesToTheNextInLine) {
  Shop shop(standby_terms(2));
  const ReservationRef ann = shop.has("ann");
  shop.buy(ann);
  shop.has("bob");
  const ReservationRef cid = shop.has("cid");
  EXPECT_EQ(shop.give_back(ann), done);
  EXPECT_EQ(shop.state(cid), ReservationState::held);
  EXPECT_EQ(shop.sale().sold, 0);
}

TEST(PaymentWork, HoldsOfAutomaticSalesAreHandedOutOnceInNumberOrder) {
  SaleTerms terms = standby_terms(3);
  terms.payment = PaymentMode::automatic;
  Shop shop(terms);
  std::vector<ReservationRef> refs;
  for (const auto* name : {"ann", "bob", "cid", "dan"}) refs.push_back(shop.has(name));
  EXPECT_TRUE(shop.ledger().changes().payment_work);
  shop.new_events();
  shop.cancel(refs[1]);  // dan is granted
  EXPECT_TRUE(shop.ledger().changes().payment_work);
  const auto first = shop.tasks(2);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0].ref, refs[0]);
  EXPECT_EQ(first[0].action, PaymentTask::Action::charge);
  EXPECT_EQ(first[1].ref, refs[2]);
  const auto second = shop.tasks();
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].ref, refs[3]);
  EXPECT_TRUE(shop.tasks().empty());
}

TEST(PaymentWork, ClientSalesHaveNone) {
  Shop shop(plain_terms());
  shop.has("ann");
  EXPECT_FALSE(shop.ledger().changes().payment_work);
  EXPECT_TRUE(shop.tasks().empty());
}

TEST(PaymentWork, HoldsThatEndedAreNotHandedOut) {
  SaleTerms terms = plain_terms();
  terms.payment = PaymentMode::automatic;
  Shop shop(terms);
  shop.has("ann");
  shop.wait(70s);
  const ReservationRef bob = shop.has("bob");
  const auto tasks = shop.tasks();
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].ref, bob);
}

TEST(PaymentWork, AStartFindsClaimsLeftBehindRefundsAndHolds) {
  SaleTerms terms = plain_terms(3);
  terms.payment = PaymentMode::automatic;
  Shop shop(terms);
  const ReservationRef late = shop.has("ann");
  shop.pay(late, BeginPayment::By::worker);
  shop.wait(70s);
  const ReservationRef claimed = shop.has("bob", 2);
  shop.has("cid");
  shop.pay(claimed, BeginPayment::By::worker);
  EXPECT_EQ(shop.finish(late, Charge::charged), paid_unfulfilled);
  shop.tasks();
  shop.restart();
  const auto tasks = shop.tasks();
  ASSERT_EQ(tasks.size(), 3u);
  EXPECT_EQ(tasks[0].action, PaymentTask::Action::refund);
  EXPECT_EQ(tasks[0].ref, late);
  EXPECT_EQ(tasks[1].action, PaymentTask::Action::settle);
  EXPECT_EQ(tasks[1].ref, claimed);
  EXPECT_EQ(tasks[1].amount, 200);
  EXPECT_EQ(tasks[2].action, PaymentTask::Action::charge);
  EXPECT_EQ(shop.finish(claimed, Charge::charged), done);
}

TEST(PaymentWork, ATaskThatWasDoneBeforeItWasTakenIsNotHandedOut) {
  Shop shop(plain_terms(2));
  const ReservationRef paid = shop.has("ann");
  shop.pay(paid);
  shop.restart();
  EXPECT_EQ(shop.finish(paid, Charge::charged), done);
  EXPECT_TRUE(shop.tasks().empty()) << "its claim has ended: nobody may ask the gateway for it again";
}

}  // namespace
}  // namespace firstcome::sale
