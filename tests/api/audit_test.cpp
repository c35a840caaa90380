// The orders in an audit: a real order store, beside an engine whose reservations a test chooses.
#include "api/api_test.hpp"
#include "events/order_lookup.hpp"
#include "support/temporary_folder.hpp"

#include <atomic>
#include <string>
#include <vector>

namespace firstcome::api::testing {
namespace {

using events::Event;
using events::OrderStore;

class Audit : public ::testing::Test {
 protected:
  Audit()
      : engine_([this](const Command& command) { return say(command); }, {}),
        lookup_([this](const std::stop_token&) { return open(); }) {}

  void start(OrderPath path = OrderPath::written_by_relay) {
    ApiHooks hooks;
    hooks.post = [this](std::move_only_function<void()> task) { server_.load()->post(std::move(task)); };
    hooks.orders = &lookup_;
    hooks.order_path = path;
    api_ = std::make_unique<Api>(engine_, ids(), nullptr, std::move(hooks));
    thread_ = std::make_unique<ServerThread>(net::HttpServerOptions{}, *api_, engine_);
    server_ = &thread_->server();
    client.emplace(thread_->server().port());
  }

  static engine::ReservationIds ids() { return engine::ReservationIds({1, 2, 3}); }
  static std::string id_of(ReservationRef ref) {
    const auto id = ids().encode(ref);
    return {id.data(), id.size()};
  }
  static std::string id_of(std::uint64_t number) { return id_of({SaleHandle{1}, Number{number}}); }

  std::expected<Answer, Failure> say(const Command& command) {
    if (std::holds_alternative<AuditSale>(command)) {
      AuditAnswer found;
      found.outcome = Outcome::done;
      found.ok = true;
      return found;
    }
    if (std::holds_alternative<GetSale>(command)) {
      SaleAnswer sale;
      sale.outcome = Outcome::done;
      sale.sale.handle = SaleHandle{1};
      return sale;
    }
    if (const auto* list = std::get_if<ListReservations>(&command)) return page_of(*list);
    if (const auto* get = std::get_if<GetReservation>(&command)) {
      const auto index = value(get->ref.number) - 1;
      if (index >= reservations.size()) return ReservationAnswer{};
      return ReservationAnswer{Outcome::done, reservations[index]};
    }
    if (std::holds_alternative<FindUndelivered>(command)) {
      UndeliveredAnswer answer;
      answer.events = undelivered;
      return answer;
    }
    return std::unexpected(Failure{FailureCode::not_supported, "not asked in an audit"});
  }

  Answer page_of(const ListReservations& list) const {
    ReservationsAnswer page;
    page.outcome = Outcome::done;
    for (std::size_t i = value(list.after); i < reservations.size() && page.items.size() < list.limit; ++i)
      page.items.push_back(reservations[i]);
    const std::uint64_t last = value(list.after) + page.items.size();
    if (last < reservations.size()) page.next = Number{last};
    return page;
  }

  std::expected<std::unique_ptr<OrderStore>, std::string> open() const {
    events::OrderStoreOptions options;
    options.database =
        engine::parse_database_url("sqlite://" + (folder_.path() / "orders.db").string(), "order database").value();
    options.now = [] { return Instant{Milliseconds{5'000}}; };
    return OrderStore::open(options);
  }

  /// Adds a reservation with the next number. The engine knows it; the orders do not yet.
  ReservationView& add(ReservationState state = ReservationState::confirmed) {
    ReservationView view;
    view.ref = {SaleHandle{1}, Number{reservations.size() + 1}};
    view.sale_id = "s";
    view.customer = "c-" + std::to_string(reservations.size() + 1);
    view.quantity = 2;
    view.state = state;
    view.amount = 700;
    view.currency = "KRW";
    return reservations.emplace_back(view);
  }
  /// The event that makes the order of a reservation.
  static Event event_of(const ReservationView& view) {
    Event event;
    event.id = "1-" + std::to_string(value(view.ref.number));
    event.type =
        view.state == ReservationState::returned ? EventType::reservation_returned : EventType::reservation_confirmed;
    event.sale = view.sale_id;
    event.sequence = value(view.ref.number);
    event.reservation = id_of(view.ref);
    event.number = view.ref.number;
    event.at = Instant{Milliseconds{1'000}};
    event.customer = view.customer;
    event.quantity = view.quantity;
    event.amount = view.amount;
    event.currency = view.currency;
    event.reference = view.reference;
    return event;
  }
  void store(const std::vector<Event>& events) { ASSERT_TRUE(open().value()->store(events)); }
  void store_all() {
    std::vector<Event> events;
    for (const ReservationView& view : reservations) events.push_back(event_of(view));
    store(events);
  }

  json::object audit() {
    const Reply reply = client->get("/v1/sales/s/audit");
    EXPECT_EQ(reply.status, 200U) << reply.text;
    return reply.body.as_object();
  }
  /// All mismatches, one a line.
  static std::string mismatches(const json::object& audit) {
    std::string all;
    for (const auto& one : audit.at("mismatches").as_array()) all += std::string(one.as_string()) + "\n";
    return all;
  }

  std::vector<ReservationView> reservations;
  std::atomic<std::uint64_t> undelivered = 0;
  firstcome::testing::TemporaryFolder folder_;
  ScriptedEngine engine_;
  events::OrderLookup lookup_;
  std::unique_ptr<Api> api_;
  std::atomic<net::HttpServer*> server_ = nullptr;
  std::unique_ptr<ServerThread> thread_;
  std::optional<Client> client;
};

TEST_F(Audit, IsFineWhereEachReservationHasItsOrder) {
  for (int i = 0; i < 2'500; ++i) add(i % 7 == 0 ? ReservationState::returned : ReservationState::confirmed);
  store_all();
  add(ReservationState::held);
  add(ReservationState::cancelled);
  ReservationView of_a_sale_before = reservations.front();  // deleted; its name was given again
  of_a_sale_before.ref.sale = SaleHandle{7};
  store({event_of(of_a_sale_before)});
  start();
  const json::object found = audit();
  EXPECT_EQ(found.at("orders").as_int64(), 2'500);
  EXPECT_EQ(found.at("orders_pending").as_int64(), 0);
  EXPECT_EQ(mismatches(found), "");
  EXPECT_TRUE(found.at("ok").as_bool());
}

TEST_F(Audit, AMissingOrderIsAMismatchWhenNothingIsOnItsWay) {
  for (int i = 0; i < 3; ++i) add();
  store({event_of(reservations[0]), event_of(reservations[2])});
  start();
  const json::object found = audit();
  EXPECT_EQ(mismatches(found), "reservation " + id_of(2) + " is sold and has no order\n");
  EXPECT_FALSE(found.at("ok").as_bool());
}

TEST_F(Audit, AMissingOrderIsPendingWhileItsEventMayBeOnItsWay) {
  for (int i = 0; i < 3; ++i) add();
  store({event_of(reservations[0])});
  undelivered = 2;
  start();
  json::object found = audit();
  EXPECT_EQ(found.at("orders").as_int64(), 1);
  EXPECT_EQ(found.at("orders_pending").as_int64(), 2);
  EXPECT_TRUE(found.at("ok").as_bool()) << mismatches(found);
  undelivered = 1;
  found = audit();
  EXPECT_FALSE(found.at("ok").as_bool()) << "one event cannot become two orders";
}

TEST_F(Audit, BehindKafkaNobodyKnowsWhatIsOnItsWay) {
  add();
  start(OrderPath::through_kafka);
  const json::object found = audit();
  EXPECT_EQ(found.at("orders_pending").as_int64(), 1);
  EXPECT_TRUE(found.at("ok").as_bool()) << mismatches(found);
}

TEST_F(Audit, NamesEveryMemberThatAnOrderHasOtherwise) {
  for (int i = 0; i < 6; ++i) add();
  std::vector<Event> events;
  for (const ReservationView& view : reservations) events.push_back(event_of(view));
  events[0].customer = "somebody-else";
  events[1].quantity = 1;
  events[2].amount = 1;
  events[3].currency = "EUR";
  events[4].reference = "r";
  events[5].type = EventType::reservation_returned;
  store(events);
  start();
  const json::object found = audit();
  EXPECT_FALSE(found.at("ok").as_bool());
  const auto differs = [](std::uint64_t number, const std::string& how) {
    return "order " + id_of(number) + " differs from its reservation: " + how + "\n";
  };
  EXPECT_EQ(mismatches(found), differs(1, "customer is c-1 in the reservation and somebody-else in the order") +
                                   differs(2, "quantity is 2 in the reservation and 1 in the order") +
                                   differs(3, "amount is 700 in the reservation and 1 in the order") +
                                   differs(4, "currency is KRW in the reservation and EUR in the order") +
                                   differs(5, "reference is  in the reservation and r in the order") +
                                   differs(6, "state is confirmed in the reservation and returned in the order"));
}

TEST_F(Audit, AnOrderForNothingIsAMismatchWhateverIsOnItsWay) {
  ReservationView& cancelled = add();
  Event invented = event_of(cancelled);
  store({invented});
  cancelled.state = ReservationState::cancelled;
  add();
  store({event_of(reservations[1])});
  undelivered = 1'000;
  start();
  const json::object found = audit();
  EXPECT_EQ(mismatches(found), "order " + id_of(1) + " belongs to no reservation that was ever confirmed\n");
}

TEST_F(Audit, AnOrderWhoseIdTheStoreNeverGaveIsAMismatch) {
  add();
  Event invented = event_of(reservations[0]);
  store({invented});
  invented.reservation.back() = invented.reservation.back() == 'A' ? 'Q' : 'A';
  store({invented});
  start();
  const json::object found = audit();
  EXPECT_EQ(mismatches(found),
            "order " + invented.reservation + " belongs to no reservation that was ever confirmed\n");
}

TEST_F(Audit, OneOrderTooFewAndOneTooManyAreTwoMismatches) {
  for (int i = 0; i < 3; ++i) add();
  store({event_of(reservations[0]), event_of(reservations[1])});
  Event invented = event_of(reservations[2]);
  invented.reservation.back() = invented.reservation.back() == 'A' ? 'Q' : 'A';
  store({invented});
  start();
  const json::object found = audit();
  EXPECT_EQ(found.at("orders").as_int64(), 3);
  EXPECT_EQ(found.at("mismatches").as_array().size(), 2U) << mismatches(found);
}

TEST_F(Audit, TellsAHundredMismatchesAndCountsTheRest) {
  for (int i = 0; i < 1'500; ++i) add();
  start();
  const json::object found = audit();
  EXPECT_EQ(found.at("mismatches").as_array().size(), 100U);
  EXPECT_EQ(found.at("mismatches").as_array().back().as_string(), "and 1401 more");
  EXPECT_FALSE(found.at("ok").as_bool());
}

}  // namespace
}  // namespace firstcome::api::testing
