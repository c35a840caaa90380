// Orders that change after they were confirmed: units given back, another customer.
#include "events/orders/order_databases.hpp"

#include <algorithm>

namespace firstcome::events {
namespace {

using enum EventType;

class AmendedOrders : public OnEachDatabase {
 protected:
  Event amended(std::uint64_t sequence, Units quantity) {
    Event made = event(reservation_amended, 1, sequence);
    made.quantity = quantity;
    made.amount = 10'000 * quantity;
    made.value = quantity;
    return made;
  }
  Event transferred(std::uint64_t sequence, const std::string& customer) {
    Event made = event(reservation_transferred, 1, sequence);
    made.customer = customer;
    made.quantity = 1;
    made.amount = 10'000;
    made.value = 1;
    return made;
  }
  Order order() { return store->order(reservation_id(1)).value().value(); }
};
FIRSTCOME_ON_EACH_DATABASE(AmendedOrders);

TEST_P(AmendedOrders, HaveTheQuantityAmountAndCustomerOfTheLastEventWhateverTheOrderTheyComeIn) {
  std::vector<Event> events{confirmed(1, 1), amended(2, 1), transferred(3, "somebody-else")};
  std::string first;
  do {
    store.reset();
    database = std::make_unique<TestDatabase>(GetParam());
    store = database->open();
    for (const Event& one : events) must_store({one});
    must_store(events);
    const Order made = order();
    EXPECT_EQ(made.customer, "somebody-else");
    EXPECT_EQ(made.quantity, 1);
    EXPECT_EQ(made.amount, 10'000);
    EXPECT_EQ(made.state, OrderState::confirmed);
    EXPECT_EQ(made.sequence, 3U);
    EXPECT_EQ(made.confirmed_at, confirmed(1, 1).at);
    EXPECT_EQ(made.payment, (OrderPayment{"p-1", "110-1", PaymentState::charged}));
    if (first.empty()) first = stored();
    EXPECT_EQ(stored(), first);
  } while (GetParam() == Kind::sqlite && std::ranges::next_permutation(events, {}, &Event::sequence).found);
}

TEST_P(AmendedOrders, AreStoredInOneBatch) {
  must_store({confirmed(1, 1), amended(2, 1)});
  EXPECT_EQ(order().quantity, 1);
  EXPECT_EQ(order().confirmed_at, confirmed(1, 1).at);
  must_store({event(reservation_returned, 1, 9)});
  EXPECT_EQ(order().state, OrderState::returned);
}

TEST_P(AmendedOrders, TakeAConfirmationThatIsToldAgainWithTheNewCustomer) {
  must_store({confirmed(1, 3)});
  Event again = confirmed(1, 3);  // read again after the transfer, whose event is still to come
  again.customer = "somebody-else";
  EXPECT_EQ(must_store({again}).parked, 0U);
  EXPECT_EQ(must_store({again, transferred(5, "somebody-else")}).parked, 0U);
  EXPECT_EQ(order().customer, "somebody-else");
  Event another = again;  // a store that lost its past gave the id again
  another.at += 1s;
  EXPECT_EQ(must_store({another}).parked, 1U);
}

/// What an audit tells of a reservation whose events the feed has forgotten: what it is by now, and of when it was
/// reserved.
class OrdersThatAnAuditTold : public AmendedOrders {
 protected:
  Event told(EventType type = reservation_confirmed) {
    Event made = confirmed(1, Event::made_confirmation);
    made.id = "audit-" + made.reservation;
    made.at -= 5s;
    made.customer = "somebody-else";
    made.quantity = 1;
    made.amount = 10'000;
    if (type == reservation_confirmed) return made;
    made.type = type;
    made.sequence = Event::made_return;
    made.id += "-returned";
    return made;
  }
  void expect_as_it_happened() {
    EXPECT_EQ(store->failed_count().value(), 0U);
    EXPECT_EQ(order().quantity, 1);
    EXPECT_EQ(order().customer, "somebody-else");
    EXPECT_EQ(order().confirmed_at, confirmed(1, 7).at);
    EXPECT_EQ(database->console().ask_number("SELECT amount FROM payments"), 20'000U);
  }
};
FIRSTCOME_ON_EACH_DATABASE(OrdersThatAnAuditTold);

TEST_P(OrdersThatAnAuditTold, AreRightWhenTheRealEventsComeAfterAll) {
  must_store({told()});
  EXPECT_EQ(order().quantity, 1);
  EXPECT_EQ(must_store({confirmed(1, 7)}).parked, 0U);
  EXPECT_EQ(order().quantity, 2) << "as it was confirmed";
  EXPECT_EQ(must_store({amended(9, 1), transferred(12, "somebody-else")}).parked, 0U);
  expect_as_it_happened();
  EXPECT_EQ(must_store({told()}).parked, 0U) << "a second audit";
  expect_as_it_happened();
}

/// As where nothing else was sold before: the first event of a sale is that of its creation.
TEST_P(OrdersThatAnAuditTold, ChangeNothingOfTheVeryFirstOrder) {
  const Event real = confirmed(1, 2);
  must_store({real});
  EXPECT_EQ(must_store({told()}).parked, 0U);
  EXPECT_EQ(order().confirmed_at, real.at);
  EXPECT_EQ(order().quantity, real.quantity);
}

TEST_P(OrdersThatAnAuditTold, AreRightWhenTheRealEventsComeInOneBatchWithThem) {
  EXPECT_EQ(must_store({told(), confirmed(1, 7), amended(9, 1), transferred(12, "somebody-else")}).parked, 0U);
  EXPECT_EQ(store->failed_count().value(), 0U);
  EXPECT_EQ(order().quantity, 1);
  EXPECT_EQ(order().confirmed_at, confirmed(1, 7).at);
}

TEST_P(OrdersThatAnAuditTold, AreReturnedWhenTheRealReturnComes) {
  must_store({told(), told(reservation_returned)});
  EXPECT_EQ(order().state, OrderState::returned);
  EXPECT_EQ(must_store({confirmed(1, 7), amended(9, 1), transferred(12, "somebody-else")}).parked, 0U);
  Event returned = told(reservation_returned);
  returned.id = "1-14";
  returned.sequence = 14;
  EXPECT_EQ(must_store({returned}).parked, 0U);
  EXPECT_EQ(order().state, OrderState::returned);
  expect_as_it_happened();
}

TEST_P(AmendedOrders, StayErasedUnlessTheyGoToSomebodyElse) {
  must_store({confirmed(1, 1)});
  ASSERT_TRUE(store->erase("c-1", "erased:1"));
  must_store({amended(2, 1)});
  EXPECT_EQ(order().customer, "erased:1");
  EXPECT_EQ(order().quantity, 1);
  Event later = amended(4, 1);
  later.customer = "somebody-else";
  must_store({transferred(3, "somebody-else"), later});
  EXPECT_EQ(order().customer, "somebody-else");
}

TEST_P(AmendedOrders, AreNotMadeOfATransferredOrExtendedHold) {
  must_store({event(hold_transferred, 1, 1), event(reservation_extended, 1, 2)});
  EXPECT_FALSE(store->order(reservation_id(1)).value());
}

}  // namespace
}  // namespace firstcome::events
