// Each confirmed reservation becomes one order, whoever of relay, Kafka, order service and database is killed, stopped
// or refuses on the way.
#include "engine/sql/sql_session.hpp"
#include "support/json.hpp"
#include "support/maven.hpp"
#include "system/order_chain.hpp"
#include "system/redis_nodes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <sstream>
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

  /// What `firstcome audit` finds. It asks the latest node: others may have been killed.
  Ran audit(const std::string& wait_ms = "120000") {
    return run_program({"audit", "--engine", "http://127.0.0.1:" + std::to_string(nodes_.targets().back().port),
                        "--database", database_.url(), "--kafka", kafka_.url(), "--wait-ms", wait_ms},
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

/// The node whose relay delivers just now.
std::size_t delivering_node(Nodes& nodes, std::size_t count) {
  const auto delivered = [&](std::size_t node) {
    const auto metrics = BlockingClient(nodes[node].port()).request("GET", "/metrics", "");
    const auto at = metrics ? metrics->body.find("\nfirstcome_relay_events_total ") : std::string::npos;
    return at == std::string::npos ? 0.0 : std::stod(metrics->body.substr(at + 30));
  };
  std::vector<double> before;
  for (std::size_t node = 0; node < count; ++node) before.push_back(delivered(node));
  std::size_t found = 0;
  EXPECT_TRUE(eventually([&] {
    for (found = 0; found < count; ++found) {
      if (delivered(found) > before[found]) return true;
    }
    return false;
  })) << "no relay delivers";
  return std::min(found, count - 1);
}

/// From now on PostgreSQL refuses every tenth order with this error.
void refuse_orders(const SqlTestServer& database, const std::string& sqlstate) {
  database.ask_in("shop",
                  "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                  "$$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = TG_ARGV[0]; END $$");
  database.ask_in("shop",
                  "CREATE TRIGGER refuse BEFORE INSERT ON orders FOR EACH ROW WHEN (NEW.number % 10 = 3)"
                  " EXECUTE FUNCTION refuse('" +
                      sqlstate + "')");
}
void take_orders_again(const SqlTestServer& database) { database.ask_in("shop", "DROP TRIGGER refuse ON orders"); }

/// All processes of a PostgreSQL server: the one that listens, and those that have a session.
void signal_all(SqlTestServer& database, const std::vector<pid_t>& sessions, int signal) {
  for (const pid_t session : sessions) ::kill(session, signal);
  signal == SIGSTOP ? database.pause() : database.resume();
}
std::vector<pid_t> sessions_of(const SqlTestServer& database) {
  std::istringstream lines(database.ask(
      "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"));
  std::vector<pid_t> sessions;
  for (pid_t session = 0; lines >> session;) sessions.push_back(session);
  return sessions;
}

/// Holds a table of the order database, in a session of its own.
class TableLock {
 public:
  void take(const SqlTestServer& database) {
    engine::SqlSessionOptions options;
    options.database = engine::parse_database_url(database.url(), "order database").value();
    session_ = std::make_unique<engine::SqlSession>(options);
    session_->run("BEGIN");
    session_->run("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE");
  }
  void give_back() { session_.reset(); }

 private:
  std::unique_ptr<engine::SqlSession> session_;
};

TEST(Orders, AreOneForEachReservationWhoeverFailsInBetween) {
  FIRSTCOME_NEEDS_REDIS();
  FIRSTCOME_NEEDS_KAFKA();
  FIRSTCOME_NEEDS_SQL(PostgresServer);
  PostgresServer database;
  Chain chain(database);
  create_sale(chain.nodes()[0].port(), std::string(coupon) + "20000}");
  const auto crowd =
      start_rush({chain.nodes()[0].port(), chain.nodes()[1].port()}, 20'000, 130, chain.folder() / "rush.log");
  std::vector<pid_t> sessions;
  TableLock table_lock;
  std::size_t paused = 0;
  const auto sold_for = SteadyClock::now();

  const std::vector<Fault> faults{
      {"order service killed", 1s, [&] { chain.orders().process().kill(); }, [&] { chain.orders().start(); }},
      {"order service stopped for longer than its session", 8s, [&] { chain.orders().process().signal(SIGSTOP); },
       [&] { chain.orders().process().signal(SIGCONT); }},
      {"relay killed", 1s, [&] { chain.nodes().kill(delivering_node(chain.nodes(), 2)); },
       [&] { chain.nodes().add(chain.redis_url(), chain.arguments()); }},
      {"relay stopped for longer than its leases", 7s,
       [&] {
         paused = delivering_node(chain.nodes(), 3);
         chain.nodes()[paused].process().signal(SIGSTOP);
       },
       [&] { chain.nodes()[paused].process().signal(SIGCONT); }},
      {"Kafka killed", 1s, [&] { chain.kafka().kill(); }, [&] { chain.kafka().start(); }},
      {"Kafka stopped", 1s, [&] { chain.kafka().pause(); }, [&] { chain.kafka().resume(); }},
      {"database killed", 1s, [&] { database.kill(); }, [&] { database.start(); }},
      {"database stopped", 1s,
       [&] {
         sessions = sessions_of(database);
         signal_all(database, sessions, SIGSTOP);
       },
       [&] { signal_all(database, sessions, SIGCONT); }},
      {"table locked for longer than is waited", 4s, [&] { table_lock.take(database); },
       [&] { table_lock.give_back(); }},
      {"serialization failures", 1s, [&] { refuse_orders(database, "40001"); }, [&] { take_orders_again(database); }},
      {"unique violations", 1s, [&] { refuse_orders(database, "23505"); }, [&] { take_orders_again(database); }},
      {"disk full", 1s, [&] { refuse_orders(database, "53100"); }, [&] { take_orders_again(database); }},
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
  EXPECT_EQ(crowd->wait(300s), 0) << "the crowd does not come to an end, or not well\n"
                                  << text_of(chain.folder() / "rush.log");

  EXPECT_EQ(run_program({"orders", "failed", "retry", "--all", "--database", database.url()}).code, 0);
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
  EXPECT_EQ(crowd->wait(180s), 0) << text_of(chain.folder() / "rush.log");
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
  EXPECT_EQ(crowd->wait(180s), 0) << text_of(chain.folder() / "rush.log");
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
  // Amended: so are its units and its customer.
  const auto amended = client.request("POST", "/v1/sales/tee/reservations", R"({"customer":"d","quantity":3})");
  const std::string path = "/v1/reservations/" + text_of(parse_json(amended->body), "id");
  ASSERT_EQ(client.request("POST", path + "/return", R"({"quantity":1})")->status, 200U);
  ASSERT_EQ(client.request("POST", path + "/transfer", R"({"customer":"e"})")->status, 200U);
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
  EXPECT_THAT(ran.output, HasSubstr("differences                       4"));
  EXPECT_THAT(ran.output, HasSubstr("confirmed, and there is no order"));
  std::vector<std::string> repair = audit;
  repair.emplace_back("--repair");
  EXPECT_EQ(run_program(repair).code, 0);
  EXPECT_EQ(run_program(audit).code, 0);
  EXPECT_TRUE(eventually([&] { return client.request("GET", "/v1/orders/" + id, "")->status == 200U; }, 75s));
  const auto there = parse_json(client.request("GET", "/v1/orders/" + id, "")->body);
  const Ran exported = run_program({"export", "--sale", "tee", "--format", "jsonl", "--database", elsewhere});
  EXPECT_THAT(exported.output, HasSubstr(text_of(there, "confirmed_at"))) << "the time of its confirmation";
}

/// Of the embedded engine with its own order database.
class AuditedShop {
 public:
  explicit AuditedShop(const std::filesystem::path& folder) : server_(folder, {"--orders", url_in(folder)}) {
    create_sale(server_.port(), std::string(coupon) + "10,\"unit_price\":1000,\"limit_per_customer\":5}");
  }
  static std::string url_in(const std::filesystem::path& folder) {
    return "sqlite://" + (folder / "audited.db").string();
  }
  /// Returns the id.
  std::string sell(const std::string& customer) {
    const std::string body = R"({"customer":")" + customer + R"(","quantity":2})";
    const auto sold = BlockingClient(server_.port()).request("POST", "/v1/sales/tee/reservations", body);
    EXPECT_EQ(sold->status, 201U);
    return text_of(parse_json(sold->body), "id");
  }
  void change(const std::string& id, const std::string& what, const std::string& body) {
    const std::string path = "/v1/reservations/" + id + "/" + what;
    EXPECT_EQ(BlockingClient(server_.port()).request("POST", path, body)->status, 200U) << what;
  }
  std::string own_audit() const {
    return BlockingClient(server_.port()).request("GET", "/v1/sales/tee/audit", "")->body;
  }
  Ran audit(const std::string& database, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{"audit", "--engine", "http://127.0.0.1:" + std::to_string(server_.port()),
                                       "--database", database};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(std::move(arguments));
  }

 private:
  ServerProcess server_;
};

TEST(Orders, WithOtherValuesAreFoundByTheAudit) {
  TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "shop");
  AuditedShop shop(folder.path() / "shop");
  const std::string database = AuditedShop::url_in(folder.path() / "shop");
  for (const char* customer : {"a", "b", "c"}) shop.sell(customer);
  EXPECT_TRUE(eventually([&] { return shop.audit(database).code == 0; }, 75s));
  engine::SqlSessionOptions options;
  options.database = engine::parse_database_url(database, "order database").value();
  engine::SqlSession console(options);
  console.run("UPDATE orders SET customer = 'somebody-else' WHERE number = 1");
  console.run("UPDATE orders SET quantity = 1 WHERE number = 2");
  console.run("UPDATE orders SET amount = 1 WHERE number = 3");
  const Ran ran = shop.audit(database, {"--wait-ms", "0"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.output, HasSubstr("differences                       3"));
  EXPECT_THAT(ran.output, HasSubstr("customer: a at the server, somebody-else in the order"));
  EXPECT_THAT(ran.output, HasSubstr("quantity: 2 at the server, 1 in the order"));
  EXPECT_THAT(ran.output, HasSubstr("amount: 2000 at the server, 1 in the order"));
}

TEST(Orders, ThatWereAmendedAgreeWithTheirReservations) {
  TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "shop");
  AuditedShop shop(folder.path() / "shop");
  const std::string some = shop.sell("a");
  shop.change(some, "return", R"({"quantity":1})");
  const std::string given = shop.sell("b");
  shop.change(given, "transfer", R"({"customer":"bob"})");
  const std::string all = shop.sell("c");
  shop.change(all, "transfer", R"({"customer":"cid"})");
  shop.change(all, "return", R"({"quantity":1})");
  shop.change(all, "return", "");
  const std::string database = AuditedShop::url_in(folder.path() / "shop");
  EXPECT_TRUE(eventually([&] { return shop.audit(database, {"--wait-ms", "0"}).code == 0; }, 75s))
      << shop.audit(database).output;
  EXPECT_THAT(shop.own_audit(), HasSubstr(R"("orders":3,"orders_pending":0)"));
  EXPECT_THAT(shop.own_audit(), HasSubstr(R"("ok":true)"));
}

// The server has lost everything, or is another one: that is no audit without differences.
TEST(Orders, OfSalesThatTheServerDoesNotKnowAreToldByTheAudit) {
  TemporaryFolder folder;
  for (const char* name : {"shop", "other"}) std::filesystem::create_directory(folder.path() / name);
  const std::string database = AuditedShop::url_in(folder.path() / "shop");
  {
    AuditedShop shop(folder.path() / "shop");
    for (const char* customer : {"a", "b", "c"}) shop.sell(customer);
    EXPECT_TRUE(eventually([&] { return shop.audit(database).code == 0; }, 75s));
  }
  const AuditedShop other(folder.path() / "other");
  const Ran ran = other.audit(database, {"--wait-ms", "0"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.output, HasSubstr("3 orders of sale tee: the server knows no reservation of that sale"));
  EXPECT_EQ(other.audit(database, {"--wait-ms", "0", "--allow-unknown-sales"}).code, 0);
}

}  // namespace
}  // namespace firstcome::testing
