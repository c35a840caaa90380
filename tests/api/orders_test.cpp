// Orders over HTTP, from a real order store, beside an engine that says what a test wants to hear.
#include "api/api_test.hpp"
#include "api/problem.hpp"
#include "events/order_lookup.hpp"
#include "support/redis_server.hpp"
#include "support/temporary_folder.hpp"

#include <atomic>
#include <set>
#include <string>
#include <vector>

namespace firstcome::api::testing {
namespace {

using events::Event;
using events::OrderStore;

class Orders : public ::testing::Test {
 protected:
  Orders()
      : engine_([](const Command&) { return AuditAnswer{}; }, {}),
        lookup_([this](const std::stop_token&) { return open(); }) {
    ApiHooks hooks;
    hooks.post = [this](std::move_only_function<void()> task) { server_.load()->post(std::move(task)); };
    hooks.orders = &lookup_;
    api_ = std::make_unique<Api>(engine_, engine::ReservationIds({1, 2, 3}), nullptr, std::move(hooks));
    thread_ = std::make_unique<ServerThread>(net::HttpServerOptions{}, *api_, engine_);
    server_ = &thread_->server();
  }
  void SetUp() override { client.emplace(thread_->server().port()); }

  std::expected<std::unique_ptr<OrderStore>, std::string> open() const {
    if (!reachable) return std::unexpected("the database of this machine is away");
    events::OrderStoreOptions options;
    options.database =
        engine::parse_database_url("sqlite://" + (folder_.path() / "orders.db").string(), "order database").value();
    options.now = [] { return Instant{Milliseconds{5'000}}; };
    return OrderStore::open(options);
  }
  static std::string id_of(std::uint64_t number, std::uint64_t sale = 1) {
    const auto id = engine::ReservationIds({1, 2, 3}).encode({SaleHandle{sale}, Number{number}});
    return {id.data(), id.size()};
  }
  /// Confirmed; reservation and number go with `number`.
  static Event confirmed(std::uint64_t number, const std::string& customer) {
    Event event;
    event.id = "1-" + std::to_string(number);
    event.type = EventType::reservation_confirmed;
    event.sale = "s";
    event.sequence = number;
    event.reservation = id_of(number);
    event.number = Number{number};
    event.at = Instant{Milliseconds{1'000}};
    event.customer = customer;
    event.quantity = 2;
    event.amount = 700;
    event.currency = "KRW";
    event.payment = Payment{"p-" + std::to_string(number), "110"};
    return event;
  }
  void store(const std::vector<Event>& events) { ASSERT_TRUE(open().value()->store(events)); }

  firstcome::testing::TemporaryFolder folder_;
  std::atomic<bool> reachable = true;
  ScriptedEngine engine_;
  events::OrderLookup lookup_;
  std::unique_ptr<Api> api_;
  std::atomic<net::HttpServer*> server_ = nullptr;
  std::unique_ptr<ServerThread> thread_;
  std::optional<Client> client;
};

TEST_F(Orders, AreNotLookedUpWhenTheLookupIsTold) {
  lookup_.request_stop();
  EXPECT_TRUE(firstcome::testing::eventually([&] {
    return client->get("/v1/orders/" + confirmed(1, "a").reservation).status == 503U;
  })) << "an answer, although nobody looks any more";
}

TEST_F(Orders, AreFoundByTheirReservation) {
  store({confirmed(1, "a")});
  const Reply reply = client->get("/v1/orders/" + confirmed(1, "a").reservation);
  EXPECT_EQ(reply.status, 200U);
  EXPECT_EQ(reply.text, R"({"reservation":")" + confirmed(1, "a").reservation +
                            R"(","sale":"s","number":1,"customer":"a","quantity":2,"amount":700,"currency":"KRW",)"
                            R"("reference":null,"state":"confirmed","payment":{"id":"p-1","account_number":"110",)"
                            R"("state":"charged"},"confirmed_at":"1970-01-01T00:00:01.000Z",)"
                            R"("updated_at":"1970-01-01T00:00:01.000Z"})");
  for (const std::string& id : {std::string("nobody-knows"), std::string("%00"), std::string("%ff"), id_of(2)}) {
    expect_problem(client->get("/v1/orders/" + id), 404, "order-not-found");
  }
}

TEST_F(Orders, OfACustomerComeInPages) {
  store({confirmed(1, "a b"), confirmed(2, "a b"), confirmed(3, "a b"), confirmed(4, "other")});
  const Reply first = client->get("/v1/orders?customer=a%20b&limit=2");
  ASSERT_EQ(first.status, 200U) << first.text;
  ASSERT_EQ(first.body.at("items").as_array().size(), 2U);
  const Reply rest = client->get("/v1/orders?customer=a+b&limit=2&after=" + first.string("next"));
  ASSERT_EQ(rest.body.at("items").as_array().size(), 1U);
  std::set<std::int64_t> numbers;
  for (const Reply* page : {&first, &rest}) {
    for (const auto& order : page->body.at("items").as_array()) numbers.insert(order.at("number").as_int64());
  }
  EXPECT_EQ(numbers, (std::set<std::int64_t>{1, 2, 3}));
  EXPECT_TRUE(rest.body.at("next").is_null());
  EXPECT_EQ(client->get("/v1/orders?customer=nobody").text, R"({"items":[],"next":null})");
}

TEST_F(Orders, OfAnotherStoreAreFoundAndComeInPagesToo) {
  std::vector<Event> events;
  for (std::uint64_t number = 1; number <= 3; ++number) {
    Event event = confirmed(number, "a");
    const auto id = engine::ReservationIds({9, 9, 9}).encode({SaleHandle{1}, Number{number}});
    event.reservation = {id.data(), id.size()};
    events.push_back(event);
  }
  store(events);
  std::size_t found = 0;
  std::string after;
  do {
    const Reply page = client->get("/v1/orders?customer=a&limit=1" + after);
    ASSERT_EQ(page.status, 200U) << page.text;
    found += page.body.at("items").as_array().size();
    after = page.body.at("next").is_null() ? "" : "&after=" + page.string("next");
  } while (!after.empty());
  EXPECT_EQ(found, 3U);
  EXPECT_EQ(client->get("/v1/orders/" + events.front().reservation).status, 200U);
}

TEST_F(Orders, WithoutACustomerAreRefused) {
  const Reply reply = client->get("/v1/orders");
  expect_problem(reply, 422, "invalid-field");
  EXPECT_EQ(reply.string("field"), "customer");
  const Reply after = client->get("/v1/orders?customer=a&after=%00");
  expect_problem(after, 422, "invalid-field");
  EXPECT_EQ(after.string("field"), "after");
}

TEST_F(Orders, OfADatabaseThatIsAwayAre503AndItIsAskedAgain) {
  reachable = false;
  const Reply reply = client->get("/v1/orders?customer=a");
  expect_problem(reply, 503, "store-unavailable");
  EXPECT_EQ(reply.text.find("machine"), std::string::npos) << "details are for the log";
  reachable = true;
  EXPECT_TRUE(firstcome::testing::eventually([&] { return client->get("/v1/orders?customer=a").status == 200; }));
}

}  // namespace
}  // namespace firstcome::api::testing
