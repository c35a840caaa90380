// SIGTERM while what a program depends on is down or hangs: it ends within seconds, with exit code 0.
#include "support/blocking_client.hpp"
#include "support/free_port.hpp"
#include "support/json.hpp"
#include "support/tcp_proxy.hpp"
#include "system/order_chain.hpp"
#include "system/redis_nodes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <string>

namespace firstcome::testing {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;
using ::testing::HasSubstr;

/// Five times what is promised.
constexpr auto longest_stop = 5 * 5s;

void expect_to_stop(ChildProcess& process, const std::string& what) {
  const auto from = SteadyClock::now();
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait(longest_stop), 0) << what << ": it does not end, or not well";
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - from);
  ::testing::Test::RecordProperty(what, std::to_string(took.count()) + " ms");
}

std::string body_of(std::uint16_t port, const std::string& target) {
  const auto answer = BlockingClient(port).request("GET", target, "");
  return answer ? std::to_string(answer->status) + " " + answer->body : "no answer";
}

void sell_one(std::uint16_t port) {
  create_sale(port, R"({"id":"tee","kind":"product","stock":10,"hold_ms":0})");
  ASSERT_EQ(BlockingClient(port).request("POST", "/v1/sales/tee/reservations", R"({"customer":"a"})")->status, 201U);
}

TEST(Stop, AnOrderServiceEndsWhileKafkaIsAway) {
  FIRSTCOME_NEEDS_KAFKA();
  for (const auto hurt : {&KafkaServer::kill, &KafkaServer::pause}) {
    TemporaryFolder folder;
    KafkaServer kafka;
    OrdersProcess orders(folder.path(),
                         {"--kafka", kafka.url(), "--database", "sqlite://" + (folder.path() / "orders.db").string()});
    // As a member of its group, so that it knows the brokers that go away.
    EXPECT_TRUE(
        eventually([&] { return body_of(orders.port(), "/metrics").find("orders_lag 0") != std::string::npos; }, 75s));
    (kafka.*hurt)();
    EXPECT_TRUE(eventually([&] { return body_of(orders.port(), "/readyz").starts_with("503"); }, 75s));
    expect_to_stop(orders.process(), hurt == &KafkaServer::kill ? "orders, Kafka killed" : "orders, Kafka stopped");
    if (hurt == &KafkaServer::pause) kafka.resume();
  }
}

TEST(Stop, AnOrderServiceEndsWhereThereIsNoKafka) {
  TemporaryFolder folder;
  OrdersProcess orders(folder.path(), {"--kafka", "kafka://127.0.0.1:" + std::to_string(free_port()), "--database",
                                       "sqlite://" + (folder.path() / "orders.db").string()});
  EXPECT_TRUE(eventually([&] { return body_of(orders.port(), "/readyz").starts_with("503"); }, 75s));
  expect_to_stop(orders.process(), "orders, no Kafka");
}

TEST(Stop, AServerEndsWhereThereIsNoKafkaAndSaysWhatItHoldsBack) {
  TemporaryFolder folder;
  ServerProcess server(folder.path(), {"--events", "kafka://127.0.0.1:" + std::to_string(free_port()), "--orders",
                                       "sqlite://" + (folder.path() / "orders.db").string()});
  sell_one(server.port());
  EXPECT_TRUE(
      eventually([&] { return body_of(server.port(), "/readyz").find("held_back") != std::string::npos; }, 75s));
  EXPECT_THAT(body_of(server.port(), "/readyz"), HasSubstr(R"(200 {"status":"ready","held_back":")"));
  EXPECT_TRUE(
      eventually([&] { return body_of(server.port(), "/metrics").find("relay_held_back 1") != std::string::npos; }));
  expect_to_stop(server.process(), "serve, no Kafka");
}

/// A PostgreSQL that takes connections and bytes, and says nothing.
TEST(Stop, AServerEndsWhileTheOrderDatabaseHangs) {
  FIRSTCOME_NEEDS_SQL(PostgresServer);
  PostgresServer database;
  TcpProxy proxy(database.port());
  TemporaryFolder folder;
  for (const bool from_the_start : {true, false}) {
    if (from_the_start) proxy.stall();
    ServerProcess server(folder.path() / (from_the_start ? "a" : "b"), {"--orders", database.url_at(proxy.port())});
    if (!from_the_start) {
      sell_one(server.port());
      EXPECT_TRUE(eventually([&] { return orders_in(database) == 1; }, 75s));
      proxy.stall();
      EXPECT_EQ(
          BlockingClient(server.port()).request("POST", "/v1/sales/tee/reservations", R"({"customer":"b"})")->status,
          201U);
    } else {
      sell_one(server.port());
      EXPECT_TRUE(eventually([&] { return proxy.accepted() > 0; }, 75s));
    }
    expect_to_stop(server.process(), from_the_start ? "serve, no answer to a connection" : "serve, no answer");
    proxy.resume();
    proxy.cut();
  }
}

TEST(Stop, AGuardedServerEndsWhileItsInventoryHangsAndHoldsAreToEnd) {
  FIRSTCOME_NEEDS_SQL(PostgresServer);
  PostgresServer database;
  TcpProxy proxy(database.port());
  TemporaryFolder folder;
  ServerProcess server(folder.path() / "a", {"--engine", "guarded", "--inventory", database.url_at(proxy.port()),
                                             "--guard", "row-lock", "--guard-wait-ms", "60000"});
  create_sale(server.port(), R"({"id":"tee","kind":"ticket","stock":1,"hold_ms":60000,"standby":false})");
  ASSERT_EQ(BlockingClient(server.port()).request("POST", "/v1/sales/tee/reservations", R"({"customer":"a"})")->status,
            201U);
  proxy.stall();
  // It looks ten times a second.
  const auto stalled = SteadyClock::now();
  EXPECT_TRUE(eventually([&] { return SteadyClock::now() > stalled + 500ms; }, 75s));
  expect_to_stop(server.process(), "serve, guarded, no answer");
  proxy.resume();
  proxy.cut();
}

}  // namespace
}  // namespace firstcome::testing
