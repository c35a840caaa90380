// Each confirmed reservation becomes one order, whoever of relay, Kafka, order service and database is killed, stopped
// or refuses on the way.
#include "support/json.hpp"
#include "system/order_chain.hpp"
#include "system/redis_nodes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace firstcome::testing {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;
using ::testing::HasSubstr;

constexpr const char* coupon = R"({"id":"tee","kind":"product","hold_ms":0,"stock":)";

/// Two nodes on one Redis, Kafka, an order service and a database.
class Chain {
 public:
  explicit Chain(SqlTestServer& database, std::vector<std::string> more = {})
      : database_(database), nodes_(2, redis_url(), arguments()), orders_(folder_.path(), order_arguments(more)) {}

  std::vector<std::string> arguments() const { return {"--events", kafka_.url()}; }
  std::vector<std::string> order_arguments(std::vector<std::string> more) const {
    more.insert(more.end(), {"--kafka", kafka_.url(), "--database", database_.url()});
    return more;
  }
  std::string redis_url() const { return "redis://" + redis_.address(); }

  KafkaServer& kafka() { return kafka_; }
  SqlTestServer& database() { return database_; }
  Nodes& nodes() { return nodes_; }
  OrdersProcess& orders() { return orders_; }
  const std::filesystem::path& folder() const { return folder_.path(); }

  /// What `firstcome audit` finds.
  Ran audit(const std::string& wait_ms = "120000") {
    return run_program({"audit", "--engine", "http://127.0.0.1:" + std::to_string(nodes_[0].port()), "--database",
                        database_.url(), "--kafka", kafka_.url(), "--wait-ms", wait_ms},
                       {}, 300s);
  }

 private:
  TemporaryFolder folder_;
  RedisServer redis_;
  KafkaServer kafka_;
  SqlTestServer& database_;
  Nodes nodes_;
  OrdersProcess orders_;
};

/// Waits until there are more orders than now. How long that took.
std::chrono::milliseconds time_to_progress(const SqlTestServer& database) {
  const auto from = SteadyClock::now();
  const std::uint64_t before = orders_in(database);
  EXPECT_TRUE(eventually([&] { return orders_in(database) > before; }, 75s)) << "no order came for 75 seconds";
  return std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - from);
}

/// One thing that goes wrong, and how it is put right again.
struct Fault {
  const char* name;
  std::chrono::seconds outage;
  std::function<void()> hurt;
  std::function<void()> heal;
};

void let_some_happen(const SqlTestServer& database, std::uint64_t more) {
  const std::uint64_t before = orders_in(database);
  EXPECT_TRUE(eventually([&] { return orders_in(database) >= before + more; }, 75s));
}

TEST(Orders, AreOneForEachReservationWhoeverFailsInBetween) {
  FIRSTCOME_NEEDS_REDIS();
  FIRSTCOME_NEEDS_KAFKA();
  FIRSTCOME_NEEDS_SQL(PostgresServer);
  PostgresServer database;
  Chain chain(database);
  create_sale(chain.nodes()[0].port(), std::string(coupon) + "20000}");
  const auto crowd =
      start_rush({chain.nodes()[0].port(), chain.nodes()[1].port()}, 20'000, 200, chain.folder() / "rush.log");
  const auto sold_for = SteadyClock::now();

  const std::vector<Fault> faults{
      {"order service killed", 1s, [&] { chain.orders().process().kill(); }, [&] { chain.orders().start(); }},
      {"order service stopped for longer than its session", 8s, [&] { chain.orders().process().signal(SIGSTOP); },
       [&] { chain.orders().process().signal(SIGCONT); }},
      {"relay killed", 1s, [&] { chain.nodes().kill(1); },
       [&] { chain.nodes().add(chain.redis_url(), chain.arguments()); }},
      {"relays stopped for longer than their leases", 7s, [&] { chain.nodes()[0].process().signal(SIGSTOP); },
       [&] { chain.nodes()[0].process().signal(SIGCONT); }},
      {"Kafka killed", 1s, [&] { chain.kafka().kill(); }, [&] { chain.kafka().start(); }},
      {"Kafka stopped", 1s, [&] { chain.kafka().pause(); }, [&] { chain.kafka().resume(); }},
      {"database killed", 1s, [&] { database.kill(); }, [&] { database.start(); }},
      {"database refuses", 1s,
       [&] { database.ask_in("shop", "ALTER TABLE orders ADD CONSTRAINT refused CHECK (number % 10 <> 3) NOT VALID"); },
       [&] { database.ask_in("shop", "ALTER TABLE orders DROP CONSTRAINT refused"); }},
  };
  for (const Fault& fault : faults) {
    let_some_happen(database, 200);
    fault.hurt();
    std::this_thread::sleep_for(fault.outage);  // allowed: the outage itself
    fault.heal();
    const auto took = time_to_progress(database);
    EXPECT_LT(took, 5 * 15s) << fault.name;
    RecordProperty(fault.name, std::to_string(took.count()) + " ms");
  }
  RecordProperty("all_faults_s", std::to_string((SteadyClock::now() - sold_for) / 1s));
  ASSERT_TRUE(crowd->wait(180s)) << "the crowd does not come to an end";

  run_program({"orders", "failed", "retry", "--all", "--database", database.url()});
  const Ran audit = chain.audit();
  EXPECT_EQ(audit.code, 0) << audit.output << chain.orders().log();
  EXPECT_EQ(database.ask_in("shop", "SELECT count(*), count(DISTINCT reservation) FROM orders"), "20000\t20000\n");
  EXPECT_TRUE(eventually([&] { return database.ask_in("shop", "SELECT count(*) FROM failed_events") == "0\n"; }, 75s));
}

TEST(Orders, InMariadbAsWellWhateverItDoes) {
  FIRSTCOME_NEEDS_REDIS();
  FIRSTCOME_NEEDS_KAFKA();
  FIRSTCOME_NEEDS_SQL(MariadbServer);
  MariadbServer database;
  Chain chain(database);
  create_sale(chain.nodes()[0].port(), std::string(coupon) + "4000}");
  const auto crowd =
      start_rush({chain.nodes()[0].port(), chain.nodes()[1].port()}, 4'000, 200, chain.folder() / "rush.log");
  const std::vector<Fault> faults{
      {"database killed", 1s, [&] { database.kill(); }, [&] { database.start(); }},
      {"database stopped", 1s, [&] { database.pause(); }, [&] { database.resume(); }},
  };
  for (const Fault& fault : faults) {
    let_some_happen(database, 200);
    fault.hurt();
    std::this_thread::sleep_for(fault.outage);  // allowed: the outage itself
    fault.heal();
    EXPECT_LT(time_to_progress(database), 5 * 15s) << fault.name;
  }
  ASSERT_TRUE(crowd->wait(180s));
  const Ran audit = chain.audit();
  EXPECT_EQ(audit.code, 0) << audit.output << chain.orders().log();
  EXPECT_EQ(database.ask_in("shop", "SELECT count(*), count(DISTINCT reservation) FROM orders"), "4000\t4000\n");
}

// Asynchronous coupons: decided in Redis at once, issued by the consumer at the database's own pace.
TEST(Orders, OfCouponsAreWrittenAtTheRateThatTheDatabaseIsGiven) {
  FIRSTCOME_NEEDS_REDIS();
  FIRSTCOME_NEEDS_KAFKA();
  FIRSTCOME_NEEDS_SQL(PostgresServer);
  PostgresServer database;
  Chain chain(database, {"--max-rate", "200"});
  create_sale(chain.nodes()[0].port(), R"({"id":"tee","kind":"coupon","stock":1000})");
  const auto from = SteadyClock::now();
  const auto crowd =
      start_rush({chain.nodes()[0].port(), chain.nodes()[1].port()}, 3'000, 3'000, chain.folder() / "rush.log");
  const auto lag = [&] {
    const auto metrics = BlockingClient(chain.orders().port()).request("GET", "/metrics", "");
    const auto at = metrics ? metrics->body.find("\nfirstcome_orders_lag ") : std::string::npos;
    return at == std::string::npos ? 0.0 : std::stod(metrics->body.substr(at + 22));
  };
  EXPECT_TRUE(eventually([&] { return lag() > 100; })) << "how far it is behind is to be seen";
  EXPECT_EQ(chain.audit().code, 0);
  EXPECT_GE(SteadyClock::now() - from, 4s) << "a thousand at two hundred a second";
  EXPECT_EQ(database.ask_in("shop", "SELECT count(*), count(DISTINCT customer) FROM orders"), "1000\t1000\n");
  ASSERT_TRUE(crowd->wait(180s));
}

// The embedded default: orders in a file beside the sales, by the server itself.
TEST(Orders, BesideTheSalesAreThereAfterAKillAtAnyTime) {
  TemporaryFolder folder;
  auto server = std::make_unique<ServerProcess>(folder.path() / "data");
  create_sale(server->port(), std::string(coupon) + "3000}");
  std::set<std::string> told;
  for (int round = 0; round < 5; ++round) {
    BlockingClient client(server->port());
    for (int i = 0; i < 100; ++i) {
      const auto answer = client.request("POST", "/v1/sales/tee/reservations",
                                         R"({"customer":"c)" + std::to_string(round * 100 + i) + R"("})");
      ASSERT_TRUE(answer);
      ASSERT_EQ(answer->status, 201U);
      told.insert(text_of(parse_json(answer->body), "id"));
    }
    server->process().kill();  // while orders are on their way
    server = std::make_unique<ServerProcess>(folder.path() / "data");
  }
  BlockingClient client(server->port());
  const auto pending = [&] {
    const auto answer = client.request("GET", "/v1/sales/tee/audit", "");
    return answer && answer->body.find(R"("orders":500,"orders_pending":0)") != std::string::npos;
  };
  EXPECT_TRUE(eventually(pending, 75s)) << client.request("GET", "/v1/sales/tee/audit", "")->body;
  for (const std::string& id : told) {
    const auto order = client.request("GET", "/v1/orders/" + id, "");
    ASSERT_TRUE(order);
    ASSERT_EQ(order->status, 200U) << id;
  }
  const Ran audit = run_program({"audit", "--engine", "http://127.0.0.1:" + std::to_string(server->port()),
                                 "--database", "sqlite://" + (folder.path() / "data/orders.db").string()});
  EXPECT_EQ(audit.code, 0) << audit.output;
}

TEST(Orders, ThatAreMissingAreFoundAndToldOfAgain) {
  TemporaryFolder folder;
  ServerProcess server(folder.path() / "data");
  create_sale(server.port(), std::string(coupon) + "10}");
  BlockingClient client(server.port());
  for (const char* body : {R"({"customer":"a"})", R"({"customer":"b"})"}) {
    ASSERT_EQ(client.request("POST", "/v1/sales/tee/reservations", body)->status, 201U);
  }
  // Returned: its order is to be told of too.
  const auto returned = client.request("POST", "/v1/sales/tee/reservations", R"({"customer":"c"})");
  const std::string id = text_of(parse_json(returned->body), "id");
  ASSERT_EQ(client.request("POST", "/v1/reservations/" + id + "/return", "")->status, 200U);
  const std::string elsewhere = "sqlite://" + (folder.path() / "elsewhere.db").string();
  EXPECT_EQ(run_program({"audit", "--database", elsewhere}).code, 69) << "who looks makes no database";
  {
    ServerProcess other(folder.path() / "other", {"--orders", elsewhere});  // makes the tables
    ASSERT_EQ(BlockingClient(other.port()).request("GET", "/v1/orders?customer=x", "")->status, 200U);
  }
  const std::vector<std::string> audit{"audit",      "--engine", "http://127.0.0.1:" + std::to_string(server.port()),
                                       "--database", elsewhere,  "--wait-ms",
                                       "0"};
  Ran ran = run_program(audit);
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.output, HasSubstr("differences                       3"));
  EXPECT_THAT(ran.output, HasSubstr("confirmed, and there is no order"));
  std::vector<std::string> repair = audit;
  repair.emplace_back("--repair");
  EXPECT_EQ(run_program(repair).code, 0);
  EXPECT_EQ(run_program(audit).code, 0);
}

}  // namespace
}  // namespace firstcome::testing
