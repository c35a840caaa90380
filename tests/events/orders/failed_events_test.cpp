// What cannot be stored is parked with its reservation, and only that; it is tried again, in order, until it is stored
// or somebody discards it with a reason.
#include "events/orders/failed_events.hpp"

#include "events/orders/order_databases.hpp"

#include <gmock/gmock.h>

namespace firstcome::events {
namespace {

using enum EventType;
using ::testing::HasSubstr;

class FailedOrders : public OnEachDatabase {
 protected:
  Event poison(std::uint64_t number, std::uint64_t sequence) {
    Event made = confirmed(number, sequence);
    made.customer = "poison";
    return made;
  }
  std::vector<FailedEvent> failed() { return store->failed("", 1'000).value().items; }
  FailedEvent failed(const std::string& id) {
    for (const FailedEvent& event : failed()) {
      if (event.id == id) return event;
    }
    ADD_FAILURE() << id << " has not failed";
    return {};
  }
  Retried retry() {
    const auto result = store->retry_due(database->now, 100);
    EXPECT_TRUE(result) << result.error().sentence;
    return result.value_or(Retried{});
  }
};
FIRSTCOME_ON_EACH_DATABASE(FailedOrders);

// KNOWN-BUGS 13: one poison row fails the whole batch.
TEST_P(FailedOrders, AreParkedAloneAndTheOthersAreStored) {
  database->refuse_poison();
  std::vector<Event> events = confirmed_in_a_row(1'000);
  events[617] = poison(618, 618);
  const Stored result = must_store(events);
  EXPECT_EQ(result.written, 999U);
  EXPECT_EQ(result.parked, 1U);
  EXPECT_EQ(rows("orders"), 999U);
  EXPECT_EQ(rows("payments"), 999U);
  ASSERT_EQ(failed().size(), 1U);
  const FailedEvent event = failed().front();
  EXPECT_EQ(event.id, "1-618");
  EXPECT_EQ(event.reservation, reservation_id(618));
  EXPECT_EQ(event.sale, "ticket");
  EXPECT_EQ(event.sequence, 618U);
  EXPECT_EQ(event.type, "reservation-confirmed");
  EXPECT_EQ(event.body, to_json(events[617]));
  EXPECT_THAT(event.error, HasSubstr("no_poison")) << "the database's own words";
  EXPECT_EQ(event.attempts, 1U);
  EXPECT_EQ(event.first_failed_at, database->now);
  EXPECT_EQ(event.next_try_at, database->now + 1s);
}

TEST_P(FailedOrders, AreFoundWhereverTheyAreInABatch) {
  database->refuse_poison();
  std::vector<Event> events = confirmed_in_a_row(700);
  for (const std::size_t i : {0UL, 1UL, 250UL, 499UL, 500UL, 698UL, 699UL}) events[i].customer = "poison";
  EXPECT_EQ(must_store(events).parked, 7U);
  EXPECT_EQ(rows("orders"), 693U);
  EXPECT_EQ(must_store(events).parked, 7U) << "again";
  EXPECT_EQ(rows("orders"), 693U);
  EXPECT_EQ(store->failed_count().value(), 7U) << "each once";
}

TEST_P(FailedOrders, HoldBackTheirReservationOnlyAndInOrder) {
  database->refuse_poison();
  Event returned = event(reservation_returned, 1, 9);
  returned.customer = "poison";
  // Behind it in the same batch, in a later one; and another reservation in between.
  must_store({poison(1, 1), confirmed(2, 2)});
  const Stored second = must_store({returned, event(reservation_returned, 2, 8)});
  EXPECT_EQ(second.parked, 1U);
  EXPECT_EQ(second.written, 1U);
  EXPECT_EQ(store->order(reservation_id(2)).value()->state, OrderState::returned);
  EXPECT_EQ(failed("1-9").attempts, 0U);
  EXPECT_THAT(failed("1-9").error, HasSubstr("waits behind"));

  database->take_poison();
  database->now += 2s;
  EXPECT_EQ(retry().stored, 2U);
  const auto order = store->order(reservation_id(1)).value();
  ASSERT_TRUE(order);
  EXPECT_EQ(order->state, OrderState::returned);
  EXPECT_EQ(order->sequence, 9U);
  EXPECT_EQ(order->confirmed_at, poison(1, 1).at) << "the first of them was stored too";
  EXPECT_EQ(store->failed_count().value(), 0U);
}

TEST_P(FailedOrders, StoreWhatComesBeforeThemInTheirReservation) {
  database->refuse_poison();
  Event returned = event(reservation_returned, 1, 5);
  returned.customer = "poison";
  const Stored result = must_store({confirmed(1, 1), returned, event(refund_done, 1, 7)});
  EXPECT_EQ(result.written, 1U);
  EXPECT_EQ(result.parked, 2U);
  EXPECT_EQ(store->order(reservation_id(1)).value()->state, OrderState::confirmed);
  EXPECT_EQ(failed("1-5").attempts, 1U);
  EXPECT_EQ(failed("1-7").attempts, 0U);
  EXPECT_EQ(failed("1-7").error, "waits behind 1-5");
}

TEST_P(FailedOrders, AreTriedAgainLaterAndLater) {
  database->refuse_poison();
  must_store({poison(1, 1)});
  EXPECT_EQ(retry().failed, 0U) << "not yet";
  std::vector<Milliseconds> pauses;
  for (int i = 0; i < 12; ++i) {
    database->now = failed("1-1").next_try_at;
    EXPECT_EQ(retry().failed, 1U);
    EXPECT_EQ(failed("1-1").attempts, static_cast<unsigned>(i + 2));
    pauses.push_back(failed("1-1").next_try_at - database->now);
  }
  EXPECT_THAT(pauses, ::testing::ElementsAre(2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 512s, 600s, 600s, 600s));
  EXPECT_EQ(failed("1-1").first_failed_at, Instant{1'700'000'000'000ms});
}

// KNOWN-BUGS 14: failed once, and nothing ever tries it again.
TEST_P(FailedOrders, AreAllStoredOnceTheirReasonIsGone) {
  database->refuse_poison();
  std::vector<Event> events = confirmed_in_a_row(600);
  for (std::size_t i = 0; i < events.size(); i += 2) events[i].customer = "poison";
  EXPECT_EQ(must_store(events).parked, 300U);
  database->take_poison();
  database->now += 1s;
  std::size_t stored = 0;
  for (int i = 0; i < 3; ++i) stored += retry().stored;
  EXPECT_EQ(stored, 300U);
  EXPECT_EQ(store->failed_count().value(), 0U);
  EXPECT_EQ(rows("orders"), 600U);
}

TEST_P(FailedOrders, AreTriedAtOnceWhereSomebodySaysSo) {
  database->refuse_poison();
  must_store({poison(1, 1), poison(2, 2)});
  EXPECT_EQ(store->retry_now("9-9").value(), 0U);
  EXPECT_EQ(store->retry_now("1-1").value(), 1U);
  EXPECT_EQ(retry().failed, 1U);
  EXPECT_EQ(store->retry_now(std::nullopt).value(), 2U);
  EXPECT_EQ(retry().failed, 2U);
}

TEST_P(FailedOrders, LeaveATraceWhenTheyAreDiscarded) {
  database->refuse_poison();
  Event returned = event(reservation_returned, 1, 5);
  must_store({poison(1, 1)});
  must_store({returned});
  EXPECT_EQ(store->discard("9-9", {"x", "me"}).value(), 0U);
  EXPECT_EQ(store->discard("1-1", {"a test's order", "kim"}).value(), 1U);
  const auto trace =
      database->console().ask("SELECT event_id, reason, discarded_by, discarded_at, body FROM discarded_events", 5);
  ASSERT_EQ(trace.size(), 1U);
  EXPECT_EQ(trace[0][0], "1-1");
  EXPECT_EQ(trace[0][1], "a test's order");
  EXPECT_EQ(trace[0][2], "kim");
  EXPECT_EQ(trace[0][3], "1700000000000");
  EXPECT_EQ(trace[0][4], to_json(poison(1, 1)));
  EXPECT_EQ(retry().stored, 1U) << "what waited behind it is due at once";
  EXPECT_EQ(store->failed_count().value(), 0U);

  EXPECT_EQ(must_store({poison(1, 1)}).parked, 0U) << "it was discarded for good";
  EXPECT_EQ(store->failed_count().value(), 0U);
}

TEST_P(FailedOrders, KeepWhatIsNoEventAtAll) {
  const auto kept = [&](const std::string& body) {
    const auto done = store->park({"orders/0@" + std::to_string(body.size()), body, "it is not JSON", "orders/0@7"});
    EXPECT_TRUE(done) << done.error().sentence;
    for (const FailedEvent& event : failed()) {
      if (event.id == "orders/0@" + std::to_string(body.size())) return event.body;
    }
    return std::string("it is not there");
  };
  EXPECT_EQ(kept("{'not': \"json\"\\"), "{'not': \"json\"\\");
  EXPECT_EQ(kept(std::string("zero\0in it", 10)), std::string("zero\0in it", 10));
  EXPECT_EQ(kept("\xff\xfe broken"), "\xff\xfe broken");
  EXPECT_EQ(kept(""), "");
  std::string large;
  while (large.size() < 100'000) large += "크다";
  EXPECT_TRUE(large.starts_with(kept(large)));
  EXPECT_GE(kept(large).size(), failed_body_bytes - 3);
  const std::uint64_t count = store->failed_count().value();
  ASSERT_TRUE(store->park({"orders/0@0", "", "again", "orders/0@7"}));
  EXPECT_EQ(store->failed_count().value(), count) << "the same once more";
  EXPECT_EQ(failed("orders/0@0").source, "orders/0@7");
  database->now += 1s;
  EXPECT_EQ(retry().failed, count);
  EXPECT_THAT(failed("orders/0@0").error, HasSubstr("JSON"));
}

TEST_P(FailedOrders, AreStoredWhenALaterProgramUnderstandsThem) {
  // An earlier one did not know what this one knows.
  ASSERT_TRUE(store->park({"orders/0@1", to_json(confirmed(1, 1)), "version 1 is later than 0", "orders/0@1"}));
  database->now += 1s;
  EXPECT_EQ(retry().stored, 1U);
  EXPECT_TRUE(store->order(reservation_id(1)).value());
}

// In the list they stand by the text of their place, where 10 comes before 9.
TEST_P(FailedOrders, ThatCouldNotBeReadAreStoredInTheOrderOfTheirEvents) {
  const auto park = [&](const std::string& place, const Event& event) {
    ASSERT_TRUE(store->park({place, to_json(event), "version 1 is later than 0", place}));
  };
  park("orders/0@9", confirmed(1, 1));
  park("orders/0@10", event(reservation_returned, 1, 5));
  database->now += 1s;
  EXPECT_EQ(retry().stored, 2U);
  const auto order = store->order(reservation_id(1)).value();
  ASSERT_TRUE(order);
  EXPECT_EQ(order->state, OrderState::returned);
  EXPECT_EQ(order->sequence, 5U);
  EXPECT_EQ(order->confirmed_at, confirmed(1, 1).at);
}

// A store that lost a part of its past gives ids again: the customer who got one first keeps the order, and the event
// of the other one is there for people to see.
TEST_P(FailedOrders, AreThoseOfAnotherReservationWithTheIdOfAStoredOrder) {
  must_store({confirmed(1, 4), confirmed(2, 5), confirmed(3, 6)});
  Event of_another = confirmed(1, 4);
  of_another.customer = "wed";
  of_another.at += 24h;
  Event later = confirmed(2, 7);
  later.quantity = 1;
  later.at += 24h;
  Event in_another_sale = event(reservation_returned, 3, 9);
  in_another_sale.sale = "other";
  const Stored result = must_store({of_another, later, in_another_sale, confirmed(4, 10)});
  EXPECT_EQ(result.parked, 3U);
  EXPECT_EQ(result.written, 1U);
  EXPECT_THAT(failed("1-4").error, HasSubstr("customer is \"c-1\", not \"wed\""));
  EXPECT_THAT(failed("1-7").error, HasSubstr("quantity is \"2\", not \"1\""));
  EXPECT_THAT(failed("1-9").error, HasSubstr("number 3 of sale ticket"));
  EXPECT_EQ(failed("1-4").body, to_json(of_another));
  EXPECT_EQ(store->order(reservation_id(1)).value()->customer, "c-1");
  EXPECT_EQ(store->order(reservation_id(3)).value()->state, OrderState::confirmed);
  Event its_return = event(reservation_returned, 1, 8);
  its_return.customer = "wed";
  EXPECT_EQ(must_store({its_return}).parked, 1U) << "it waits behind the confirmation";
  EXPECT_EQ(store->order(reservation_id(1)).value()->state, OrderState::confirmed);
  database->now += 1s;
  EXPECT_EQ(retry().stored, 0U);
}

TEST_P(FailedOrders, ForgetACustomerWhoIsErased) {
  database->refuse_poison();
  Event refused = poison(1, 1);
  must_store({refused, confirmed(2, 2)});
  ASSERT_TRUE(store->park({"orders/0@9", R"({"customer":"poison","broken)", "it is not JSON", "orders/0@9"}));
  ASSERT_TRUE(store->park({"orders/0@10", to_json(refused) + "]", "it is not JSON", "orders/0@10"}));
  ASSERT_TRUE(store->discard("orders/0@10", {"x", "me"}));
  const Erased erased = store->erase("poison", "erased:1").value();
  EXPECT_EQ(erased.orders + erased.payments, 0U);
  EXPECT_EQ(erased.events, 3U);
  for (const FailedEvent& event : failed()) {
    EXPECT_THAT(event.body, ::testing::Not(HasSubstr("poison")));
    EXPECT_THAT(event.body, HasSubstr("erased:1"));
    EXPECT_THAT(event.error, ::testing::Not(HasSubstr("poison, 2"))) << "some databases tell the row that they refuse";
  }
  for (const auto& row : database->console().ask("SELECT body FROM discarded_events", 1)) {
    EXPECT_THAT(row[0].value_or(""), ::testing::Not(HasSubstr("poison")));
  }
  database->now += 1s;
  EXPECT_EQ(retry().stored, 1U) << "the database takes the pseudonym";
  EXPECT_EQ(store->order(reservation_id(1)).value()->customer, "erased:1");
}

TEST_P(FailedOrders, AreCountedAsDueUntilTheyAreTried) {
  database->refuse_poison();
  must_store({poison(1, 1)});
  EXPECT_EQ(store->due_count(database->now).value(), 0U);
  database->now += 1s;
  EXPECT_EQ(store->due_count(database->now).value(), 1U);
  EXPECT_EQ(retry().failed, 1U);
  EXPECT_EQ(store->due_count(database->now).value(), 0U);
}

TEST_P(FailedOrders, AreThoseThatContradictEachOtherInOneBatch) {
  Event twin = confirmed(1, 3);
  twin.customer = "another";
  twin.at += 1ms;
  EXPECT_EQ(must_store({confirmed(1, 3), twin, confirmed(2, 2)}).parked, 1U);
  EXPECT_EQ(rows("orders"), 2U);
  EXPECT_EQ(store->failed_count().value(), 1U);
}

TEST_P(FailedOrders, AreNoneWhereAnEventIsRepeatedOrToldAgainByAnother) {
  Event told_again = confirmed(1, 1);
  told_again.id = "audit-1";
  told_again.at -= 5s;  // when it was reserved
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(must_store({confirmed(1, 3), event(reservation_returned, 1, 5), told_again}).parked, 0U);
  }
  EXPECT_EQ(store->order(reservation_id(1)).value()->state, OrderState::returned);
}

TEST_P(FailedOrders, OfOddIdsAreKeptToo) {
  Event odd = confirmed(1, 1);
  odd.reservation = std::string("\0\xff 'odd'", 9);
  odd.customer = std::string("zero\0", 5);
  odd.id = "\xff";
  EXPECT_EQ(must_store({odd, confirmed(2, 2)}).parked, 1U);
  EXPECT_EQ(rows("orders"), 1U);
  EXPECT_EQ(store->failed_count().value(), 1U);
  EXPECT_EQ(must_store({odd}).parked, 1U);
  EXPECT_EQ(store->failed_count().value(), 1U);
}

TEST_P(FailedOrders, AreListedInPages) {
  database->refuse_poison();
  std::vector<Event> events;
  for (std::uint64_t i = 1; i <= 25; ++i) events.push_back(poison(i, i));
  must_store(events);
  std::set<std::string> seen;
  std::string after;
  int pages = 0;
  do {
    const FailedPage page = store->failed(after, 10).value();
    for (const FailedEvent& event : page.items) seen.insert(event.id);
    after = page.next;
    ++pages;
  } while (!after.empty());
  EXPECT_EQ(seen.size(), 25U);
  EXPECT_EQ(pages, 3);
}

/// A unique key that the shop added: another reservation's order must not be changed in its place.
TEST_P(FailedOrders, AreThoseWithAValueThatAnotherOrderHas) {
  database->console().run("CREATE UNIQUE INDEX one_each ON orders (customer)");
  must_store({confirmed(1, 1)});
  Event second = confirmed(2, 2);
  second.customer = "c-1";
  EXPECT_EQ(must_store({second, confirmed(3, 3)}).parked, 1U);
  EXPECT_EQ(value(store->order(reservation_id(1)).value()->number), 1U);
  EXPECT_FALSE(store->order(reservation_id(2)).value());
  EXPECT_TRUE(store->order(reservation_id(3)).value());
  EXPECT_THAT(failed("1-2").error, ::testing::AnyOf(HasSubstr("UNIQUE"), HasSubstr("unique"), HasSubstr("Duplicate")));
  EXPECT_EQ(must_store({event(reservation_returned, 1, 5)}).parked, 0U) << "its own row may change";
}

/// An error that nobody knows, of a shop's own trigger.
TEST(FailedOrdersOfPostgresql, AreParkedWithAnErrorThatNobodyKnowsAlsoWhereTheyAreAlone) {
  FIRSTCOME_NEEDS_SQL(testing::PostgresServer);
  TestDatabase database(Kind::postgresql);
  const auto store = database.open();
  database.console().run(
      "CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS "
      "$$ BEGIN RAISE EXCEPTION 'not on a Monday' USING ERRCODE = 'ZZ123'; END $$");
  database.console().run("CREATE TRIGGER odd BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION odd()");
  const std::vector<Event> alone{event(EventType::reservation_confirmed, 1, 1)};
  const auto stored = store->store(alone);
  ASSERT_TRUE(stored) << stored.error().sentence;
  EXPECT_EQ(stored->parked, 1U);
  EXPECT_NE(store->failed({}, 10)->items.at(0).error.find("not on a Monday"), std::string::npos);
  database.console().run("DROP TRIGGER odd ON orders");
  database.now += 2s;
  EXPECT_EQ(store->retry_due(database.now, 10)->stored, 1U);
}

TEST(PauseAfter, DoublesUpToTenMinutes) {
  EXPECT_EQ(pause_after(0), 1s);
  EXPECT_EQ(pause_after(1), 1s);
  EXPECT_EQ(pause_after(10), 512s);
  EXPECT_EQ(pause_after(11), 600s);
  EXPECT_EQ(pause_after(4'000'000'000), 600s);
}

}  // namespace
}  // namespace firstcome::events
