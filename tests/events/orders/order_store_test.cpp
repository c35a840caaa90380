// Orders and payments: the same rows however often, and in whatever batches, the events come.
#include "events/orders/order_databases.hpp"

#include <gmock/gmock.h>

#include <random>

namespace firstcome::events {
namespace {

using enum EventType;

class OrderStores : public OnEachDatabase {};
FIRSTCOME_ON_EACH_DATABASE(OrderStores);

TEST_P(OrderStores, KeepAConfirmedReservationAsAnOrderWithItsPayment) {
  Event one = confirmed(7, 42);
  one.reference = "my-order-7";
  EXPECT_EQ(must_store({one}).written, 1U);
  const auto order = store->order(one.reservation).value();
  ASSERT_TRUE(order);
  EXPECT_EQ(order->reservation, one.reservation);
  EXPECT_EQ(order->sale, "ticket");
  EXPECT_EQ(value(order->number), 7U);
  EXPECT_EQ(order->customer, "c-7");
  EXPECT_EQ(order->quantity, 2);
  EXPECT_EQ(order->amount, 20'000);
  EXPECT_EQ(order->currency, "KRW");
  EXPECT_EQ(order->reference, "my-order-7");
  EXPECT_EQ(order->state, OrderState::confirmed);
  EXPECT_EQ(order->sequence, 42U);
  EXPECT_EQ(order->confirmed_at, one.at);
  EXPECT_EQ(order->updated_at, one.at);
  EXPECT_EQ(order->stored_at, database->now);
  EXPECT_EQ(order->payment, (OrderPayment{"p-7", "110-1", PaymentState::charged}));
  EXPECT_FALSE(store->order(reservation_id(8)).value());
}

TEST_P(OrderStores, MakeNoOrderOfWhatWasNotConfirmed) {
  std::vector<Event> events;
  std::uint64_t number = 0;
  for (const EventType type : {reservation_cancelled, reservation_expired, reservation_refused, payment_failed}) {
    ++number;
    events.push_back(event(type, number, number));
  }
  Event of_sale;
  of_sale.id = "1-9";
  of_sale.type = stock_changed;
  of_sale.sale = "ticket";
  of_sale.sequence = 9;
  of_sale.value = 5;
  events.push_back(of_sale);
  EXPECT_EQ(must_store(events).written, 5U);
  EXPECT_EQ(stored(), "");
}

TEST_P(OrderStores, AReturnKeepsWhenItWasConfirmed) {
  must_store({confirmed(1, 1)});
  must_store({event(reservation_returned, 1, 5)});
  const auto order = store->order(reservation_id(1)).value();
  ASSERT_TRUE(order);
  EXPECT_EQ(order->state, OrderState::returned);
  EXPECT_EQ(order->confirmed_at, confirmed(1, 1).at);
  EXPECT_EQ(order->updated_at, event(reservation_returned, 1, 5).at);
  EXPECT_EQ(order->sequence, 5U);
}

TEST_P(OrderStores, AReturnThatComesFirstIsNotUndoneByTheConfirmation) {
  must_store({event(reservation_returned, 1, 5)});
  EXPECT_FALSE(store->order(reservation_id(1)).value()->confirmed_at);
  must_store({confirmed(1, 1)});
  const auto order = store->order(reservation_id(1)).value();
  EXPECT_EQ(order->state, OrderState::returned);
  EXPECT_EQ(order->sequence, 5U);
  EXPECT_EQ(order->confirmed_at, confirmed(1, 1).at);
}

TEST_P(OrderStores, KeepWhatBecameOfAPaymentWithoutUnits) {
  Event unfulfilled = event(reservation_paid_unfulfilled, 1, 3);
  unfulfilled.payment = Payment{"p-1", ""};
  must_store({unfulfilled});
  must_store({event(refund_due, 1, 4)});
  EXPECT_EQ(stored(), reservation_id(1) + " p-1 refund_due 4 \n") << "the payment's id is not forgotten";
  must_store({event(refund_done, 1, 9), event(refund_due, 1, 4)});
  EXPECT_EQ(stored(), reservation_id(1) + " p-1 refunded 9 \n");
  EXPECT_FALSE(store->order(reservation_id(1)).value()) << "no order without a confirmation";
}

/// Every story that a reservation can have, several of each, as the relay would send them.
std::vector<Event> all_stories() {
  std::vector<Event> events;
  std::uint64_t sequence = 0;
  for (std::uint64_t number = 1; number <= 40; ++number) {
    const auto add = [&](EventType type) {
      Event made = event(type, number, ++sequence);
      if (type == reservation_confirmed || type == reservation_paid_unfulfilled) made.payment = Payment{"p", "1"};
      events.push_back(made);
    };
    switch (number % 4) {
      case 0:
        add(reservation_confirmed);
        break;
      case 1:
        add(reservation_confirmed);
        add(reservation_returned);
        break;
      case 2:
        add(reservation_paid_unfulfilled);
        add(refund_due);
        add(refund_done);
        break;
      default:
        add(reservation_cancelled);
    }
  }
  return events;
}

TEST_P(OrderStores, AreTheSameHoweverOftenAndInWhateverBatchesEventsCome) {
  std::vector<Event> events = all_stories();
  must_store(events);
  const std::string once = stored();
  EXPECT_EQ(rows("orders"), 20U);
  EXPECT_EQ(rows("payments"), 30U);
  for (const unsigned seed : {1U, 2U, 3U, 4U, 5U}) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    if (seed > 2) {  // from nothing
      database->console().run("DELETE FROM orders");
      database->console().run("DELETE FROM payments");
    }
    std::vector<Event> all = events;
    all.insert(all.end(), events.begin(), events.end());
    std::ranges::shuffle(all, random);
    for (std::size_t i = 0; i < all.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 30, all.size() - i);
      must_store({all.begin() + std::ptrdiff_t(i), all.begin() + std::ptrdiff_t(i + size)});
      i += size;
    }
    EXPECT_EQ(stored(), once);
    EXPECT_EQ(store->failed_count().value(), 0U);
  }
}

// Few rows and many are not written in the same way.
TEST_P(OrderStores, KeepCustomersAndReferencesByteForByte) {
  const std::vector<std::string> customers{
      "김철수", "🎫🎫", "O'Brien", "back\\slash\\", "a\"b`c", "%s :name ?",          "a",   "{a,b}",
      "a ",     "A",    "\u00e9",  "e\u0301",       "';--",   std::string(128, 'x'), "NULL"};
  for (const std::uint64_t others : {0U, 300U}) {
    SCOPED_TRACE(others);
    const std::uint64_t before = others;  // numbers that the first batch has not
    std::vector<Event> events;
    for (std::uint64_t i = 1; i <= customers.size() + others; ++i) {
      Event made = confirmed(before + i, before + i);
      made.customer = fmt::format("{}", before + i);
      if (i <= customers.size()) made.customer = made.reference = made.payment->id = customers[i - 1];
      events.push_back(made);
    }
    EXPECT_EQ(must_store(events).parked, 0U);
    for (std::uint64_t i = 1; i <= customers.size(); ++i) {
      const auto order = store->order(reservation_id(before + i)).value();
      ASSERT_TRUE(order) << customers[i - 1];
      EXPECT_EQ(order->customer, customers[i - 1]);
      EXPECT_EQ(order->reference, customers[i - 1]);
      EXPECT_EQ(order->payment->id, customers[i - 1]);
      const auto page = store->orders_of(customers[i - 1], "", 10).value();
      EXPECT_EQ(page.items.size(), others == 0 ? 1U : 2U) << "'" << customers[i - 1] << "' is not another one";
    }
    const auto last = store->order(events.back().reservation).value();
    ASSERT_TRUE(last);
    EXPECT_EQ(last->customer, events.back().customer);
    EXPECT_EQ(last->quantity, events.back().quantity);
    EXPECT_EQ(last->confirmed_at, events.back().at);
  }
}

TEST_P(OrderStores, ShowACustomersOrdersInPages) {
  std::vector<Event> events = confirmed_in_a_row(30);
  for (std::size_t i = 0; i < events.size(); i += 3) events[i].customer = "c-often";
  must_store(events);
  std::vector<std::string> seen;
  std::string after;
  do {
    const auto page = store->orders_of("c-often", after, 4).value();
    for (const Order& order : page.items) seen.push_back(order.reservation);
    after = page.next;
  } while (!after.empty());
  EXPECT_EQ(seen.size(), 10U);
  EXPECT_THAT(seen, ::testing::WhenSorted(::testing::ElementsAreArray(seen)));
  EXPECT_TRUE(store->orders_of("nobody", "", 4).value().items.empty());
}

TEST_P(OrderStores, ExportASaleByNumber) {
  constexpr std::uint64_t count = 10'000;
  std::vector<Event> events = confirmed_in_a_row(count);
  events.back().sale = "other";
  std::ranges::shuffle(events, std::mt19937(7));
  must_store(events);
  std::uint64_t next = 1;
  const auto done = store->export_orders("ticket", [&](const Order& order) {
    EXPECT_EQ(value(order.number), next++);
    return true;
  });
  ASSERT_TRUE(done) << done.error().sentence;
  EXPECT_EQ(next, count);
  EXPECT_EQ(store->count("ticket", "").value(), count - 1);
  std::size_t ids = 0;
  ASSERT_TRUE(store->summaries(std::nullopt, [&](const OrderSummary&) { return ++ids > 0; }));
  EXPECT_EQ(ids, count);
  ids = 0;
  OrderSummary last;
  ASSERT_TRUE(store->summaries("other", [&](const OrderSummary& order) {
    last = order;
    return ++ids > 0;
  }));
  EXPECT_EQ(ids, 1U);
  EXPECT_EQ(last, (OrderSummary{reservation_id(count), "other", fmt::format("c-{}", count), 2, 20'000, "KRW", "",
                                OrderState::confirmed}));
}

TEST_P(OrderStores, ForgetACustomerWhoIsErased) {
  std::vector<Event> events = confirmed_in_a_row(5);
  for (const std::size_t i : {1UL, 3UL}) events[i].customer = "kim@example.org";
  must_store(events);
  const Erased erased = store->erase("kim@example.org", "erased:1").value();
  EXPECT_EQ(erased.orders, 2U);
  EXPECT_EQ(erased.payments, 2U);
  EXPECT_TRUE(store->orders_of("kim@example.org", "", 10).value().items.empty());
  const auto page = store->orders_of("erased:1", "", 10).value();
  ASSERT_EQ(page.items.size(), 2U);
  EXPECT_EQ(page.items[0].payment, (OrderPayment{"p-2", "", PaymentState::charged}));
  EXPECT_EQ(store->orders_of("c-1", "", 10).value().items.at(0).payment->account_number, "110-1");
  EXPECT_EQ(must_store(events).parked, 0U) << "a repetition is no other reservation";
  EXPECT_EQ(store->orders_of("erased:1", "", 10).value().items.at(0).payment->account_number, "");
  EXPECT_EQ(rows("orders"), 5U);
  EXPECT_TRUE(store->orders_of("kim@example.org", "", 10).value().items.empty()) << "and brings nobody back";
}

TEST_P(OrderStores, AreOpenedAgainWithWhatIsInThem) {
  must_store({confirmed(1, 1)});
  store.reset();
  store = database->open();
  EXPECT_TRUE(store->order(reservation_id(1)).value());
  EXPECT_EQ(database->console().ask_number("SELECT version FROM firstcome_schema"), 2U);
}

}  // namespace
}  // namespace firstcome::events
