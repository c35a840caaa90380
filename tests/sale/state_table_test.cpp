// Payment, confirm, cancel, return, extend, transfer and fulfil: every state, and what each is answered there.
#include "sale/shop.hpp"

namespace firstcome::sale {
namespace {

using ::testing::ElementsAre;
using enum Outcome;

/// One reservation in each state, all of the same sale.
struct Row {
  Shop shop{terms()};
  std::map<std::string, ReservationRef> refs;

  static SaleTerms terms() {
    SaleTerms terms = standby_terms(6);
    terms.extend = 1s;
    return terms;
  }

  Row() {
    refs["expired"] = shop.has("a");
    refs["paid_unfulfilled"] = shop.has("b");
    shop.wait(60s);
    refs["cancelled"] = shop.has("c");
    shop.cancel(refs["cancelled"]);
    refs["declined"] = shop.has("d");
    shop.pay(refs["declined"]);
    shop.finish(refs["declined"], Charge::declined);
    refs["returned"] = shop.has("e");
    shop.buy(refs["returned"]);
    shop.give_back(refs["returned"]);
    refs["confirmed"] = shop.has("f");
    shop.buy(refs["confirmed"]);
    refs["held"] = shop.has("g", 2);
    refs["charging"] = shop.has("h", 2);
    shop.pay(refs["charging"]);
    refs["refused"] = shop.has("i", 5);  // it waits: 1 available, 4 held
    shop.confirm(shop.has("j"));         // behind it: 409, no effect
    shop.patch_stock(5);                 // now 5 exceeds available + held
    refs["queued"] = shop.has("k", 3);
    EXPECT_EQ(shop.confirm(refs["paid_unfulfilled"], "late"), paid_unfulfilled);
  }
  Outcome pay(const std::string& state) { return shop.pay(refs.at(state)); }
  Outcome confirm(const std::string& state, const std::string& id = "shop-1") {
    return shop.confirm(refs.at(state), id);
  }
  Outcome cancel(const std::string& state) { return shop.cancel(refs.at(state)); }
  Outcome give_back(const std::string& state) { return shop.give_back(refs.at(state)); }
};

TEST(StateTable, TheRowIsWhatItSays) {
  Row row;
  const std::map<std::string, ReservationState> expected{
      {"queued", ReservationState::queued},       {"held", ReservationState::held},
      {"charging", ReservationState::held},       {"confirmed", ReservationState::confirmed},
      {"cancelled", ReservationState::cancelled}, {"declined", ReservationState::cancelled},
      {"expired", ReservationState::expired},     {"refused", ReservationState::refused},
      {"returned", ReservationState::returned},   {"paid_unfulfilled", ReservationState::paid_unfulfilled}};
  for (const auto& [name, state] : expected) EXPECT_EQ(row.shop.state(row.refs.at(name)), state) << name;
  EXPECT_EQ(row.shop.reason(row.refs["cancelled"]), Reason::by_customer);
  EXPECT_EQ(row.shop.reason(row.refs["declined"]), Reason::payment_failed);
  EXPECT_EQ(row.shop.reason(row.refs["refused"]), Reason::sold_out);
}

TEST(StateTable, Payment) {
  Row row;
  EXPECT_EQ(row.pay("queued"), not_held);
  EXPECT_EQ(row.pay("held"), done);
  EXPECT_EQ(row.pay("charging"), request_in_progress);
  EXPECT_EQ(row.pay("confirmed"), unchanged);
  EXPECT_EQ(row.pay("cancelled"), not_held);
  EXPECT_EQ(row.pay("declined"), payment_failed);
  EXPECT_EQ(row.pay("expired"), hold_expired);
  EXPECT_EQ(row.pay("refused"), not_held);
  EXPECT_EQ(row.pay("paid_unfulfilled"), paid_unfulfilled);
  EXPECT_EQ(row.pay("returned"), not_held);
}

TEST(StateTable, Confirm) {
  Row row;
  EXPECT_EQ(row.confirm("queued"), not_held);
  EXPECT_EQ(row.confirm("held"), done);
  EXPECT_EQ(row.confirm("charging"), request_in_progress);
  EXPECT_EQ(row.confirm("confirmed", "paid-6"), unchanged);
  EXPECT_EQ(row.confirm("confirmed", "another"), already_confirmed);
  for (const auto* state : {"cancelled", "declined", "expired"}) {
    EXPECT_EQ(row.confirm(state), paid_unfulfilled) << state;  // somebody waits
  }
  EXPECT_EQ(row.confirm("refused"), not_held);
  EXPECT_EQ(row.confirm("paid_unfulfilled"), paid_unfulfilled);
  EXPECT_EQ(row.confirm("returned"), not_held);
}

TEST(StateTable, Cancel) {
  Row row;
  EXPECT_EQ(row.cancel("queued"), done);
  EXPECT_EQ(row.cancel("held"), done);
  EXPECT_EQ(row.cancel("charging"), payment_in_progress);
  EXPECT_EQ(row.cancel("confirmed"), already_confirmed);
  EXPECT_EQ(row.cancel("cancelled"), unchanged);
  EXPECT_EQ(row.cancel("declined"), unchanged);
  EXPECT_EQ(row.cancel("expired"), hold_expired);
  EXPECT_EQ(row.cancel("refused"), not_held);
  EXPECT_EQ(row.cancel("paid_unfulfilled"), paid_unfulfilled);
  EXPECT_EQ(row.cancel("returned"), not_held);
}

TEST(StateTable, Return) {
  Row row;
  for (const auto* state :
       {"queued", "held", "charging", "cancelled", "declined", "expired", "refused", "paid_unfulfilled"}) {
    EXPECT_EQ(row.give_back(state), not_confirmed) << state;
  }
  EXPECT_EQ(row.give_back("confirmed"), done);
  EXPECT_EQ(row.give_back("confirmed"), unchanged);
  EXPECT_EQ(row.give_back("returned"), unchanged);
}

TEST(StateTable, ReturnOfSomeUnits) {
  Row row;
  for (const auto* state :
       {"queued", "held", "charging", "cancelled", "declined", "expired", "refused", "paid_unfulfilled"}) {
    EXPECT_EQ(row.shop.apply(Return{row.refs.at(state), 1}).outcome, not_confirmed) << state;
  }
  EXPECT_EQ(row.shop.apply(Return{row.refs.at("confirmed"), 2}).outcome, not_enough);
  EXPECT_EQ(row.shop.apply(Return{row.refs.at("confirmed"), 1}).outcome, done);
  EXPECT_EQ(row.shop.apply(Return{row.refs.at("returned"), 1}).outcome, unchanged);
}

TEST(StateTable, Extend) {
  Row row;
  for (const auto& [state, ref] : row.refs) {
    const bool may = state == "held" || state == "charging";
    EXPECT_EQ(row.shop.apply(firstcome::Extend{ref, 1s}).outcome, may ? done : not_extendable) << state;
  }
}

TEST(StateTable, Transfer) {
  Row row;
  for (const auto& [state, ref] : row.refs) {
    const bool may = state == "held" || state == "confirmed";
    const Outcome expected = may ? done : state == "charging" ? payment_in_progress : not_transferable;
    EXPECT_EQ(row.shop.apply(firstcome::Transfer{ref, "z"}).outcome, expected) << state;
  }
}

TEST(StateTable, Fulfil) {
  Row row;
  for (const auto& [state, ref] : row.refs) {
    const Outcome expected = state == "paid_unfulfilled" ? not_enough
                             : state == "confirmed"      ? unchanged
                                                         : not_fulfillable;
    EXPECT_EQ(row.shop.apply(firstcome::Fulfil{ref}).outcome, expected) << state;
  }
}

TEST(StateTable, OnlyTheWorkerPaysInAnAutomaticSale) {
  SaleTerms terms = plain_terms();
  terms.payment = PaymentMode::automatic;
  Shop shop(terms);
  const ReservationRef ref = shop.has("ann");
  EXPECT_EQ(shop.pay(ref), not_client_payment);
  EXPECT_EQ(shop.confirm(ref), not_client_payment);
  EXPECT_EQ(shop.pay(ref, BeginPayment::By::worker), done);
  EXPECT_EQ(shop.finish(ref, Charge::charged), done);
  EXPECT_EQ(shop.pay(ref), not_client_payment);
}

TEST(StateTable, UnknownReservationsAreNotFound) {
  Shop shop(plain_terms());
  shop.has("ann");
  for (const ReservationRef ref : {ReservationRef{SaleHandle{1}, Number{0}}, ReservationRef{SaleHandle{1}, Number{2}},
                                   ReservationRef{SaleHandle{2}, Number{1}}, ReservationRef{}}) {
    EXPECT_EQ(shop.apply(GetReservation{ref}).outcome, reservation_not_found);
    EXPECT_EQ(shop.pay(ref), reservation_not_found);
    EXPECT_EQ(shop.finish(ref, Charge::charged), reservation_not_found);
    EXPECT_EQ(shop.confirm(ref), reservation_not_found);
    EXPECT_EQ(shop.cancel(ref), reservation_not_found);
    EXPECT_EQ(shop.give_back(ref), reservation_not_found);
    EXPECT_EQ(shop.apply(FinishRefund{ref}).outcome, reservation_not_found);
  }
}

}  // namespace
}  // namespace firstcome::sale
