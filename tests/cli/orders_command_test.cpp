// `firstcome orders failed ...` and `firstcome export` as their users run them.
#include "engine/sql/sql_session.hpp"
#include "events/orders/order_store.hpp"
#include "support/json.hpp"
#include "support/run_program.hpp"
#include "support/sql_server.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <future>
#include <sstream>
#include <string>
#include <vector>

namespace firstcome::testing {
namespace {

using namespace std::chrono_literals;
using events::Event;

class OrdersCommands : public ::testing::Test {
 protected:
  OrdersCommands() {
    events::OrderStoreOptions options;
    options.database = engine::parse_database_url(url(), "order database").value();
    store = events::OrderStore::open(options).value();
  }

  std::string url() const { return "sqlite://" + (folder.path() / "orders.db").string(); }
  std::filesystem::path file(const std::string& name) const { return folder.path() / name; }

  Ran run(std::vector<std::string> arguments, std::string database = {}) {
    return run_program(std::move(arguments), {"FIRSTCOME_DATABASE=" + (database.empty() ? url() : database)}, 30s);
  }

  static std::string text_in(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }

  static Event confirmed(std::uint64_t number, const std::string& customer) {
    Event event;
    event.id = "1-" + std::to_string(number);
    event.type = EventType::reservation_confirmed;
    event.sale = "ticket";
    event.sequence = number;
    event.reservation = std::string(engine::reservation_id_length - 4, 'r') + std::to_string(1'000 + number);
    event.number = Number{number};
    event.at = Instant{1'700'000'000'000ms};
    event.customer = customer;
    event.quantity = 2;
    event.amount = 20'000;
    event.currency = "KRW";
    event.payment = Payment{"p-1", "110-1"};
    return event;
  }
  /// One that has failed and can be stored now, one that never can.
  void fail_two() {
    ASSERT_TRUE(store->park({"orders/0@1", to_json(confirmed(1, "a")), "a constraint of then", "orders/0@1"}));
    ASSERT_TRUE(store->park({"orders/0@2", "broken {", "it is not JSON", "orders/0@2"}));
  }

  TemporaryFolder folder;
  std::unique_ptr<events::OrderStore> store;
};

TEST_F(OrdersCommands, FailedEventsAreListedRetriedAndDiscarded) {
  fail_two();
  const Ran table = run({"orders", "failed", "list"});
  EXPECT_EQ(table.code, 0) << table.error;
  EXPECT_NE(table.output.find("orders/0@1 "), std::string::npos) << table.output;
  EXPECT_NE(table.output.find("it is not JSON"), std::string::npos) << table.output;

  const Ran lines = run({"orders", "failed", "list", "--json"});
  std::istringstream each(lines.output);
  std::string line;
  ASSERT_TRUE(std::getline(each, line) && std::getline(each, line));
  EXPECT_EQ(text_of(parse_json(line), "body"), "broken {");
  EXPECT_EQ(integer_of(parse_json(line), "attempts"), 1);

  const Ran good = run({"orders", "failed", "retry", "--id", "orders/0@1"});
  EXPECT_EQ(good.code, 0) << good.error;
  EXPECT_EQ(store->count("ticket", "").value(), 1U);
  EXPECT_EQ(run({"orders", "failed", "retry", "--all"}).code, 1) << "the broken one fails again";

  const Ran discarded = run({"orders", "failed", "discard", "--id", "orders/0@2", "--reason", "it's broken"});
  EXPECT_EQ(discarded.code, 0) << discarded.error;
  EXPECT_EQ(discarded.output, "1 discarded\n");
  EXPECT_EQ(store->failed_count().value(), 0U);
}

TEST_F(OrdersCommands, AllAreDiscardedAtOnce) {
  fail_two();
  const Ran discarded = run({"orders", "failed", "discard", "--all", "--reason", "a rehearsal"});
  EXPECT_EQ(discarded.output, "2 discarded\n") << discarded.error;
  EXPECT_EQ(store->failed_count().value(), 0U);
}

TEST_F(OrdersCommands, ExportIsCsvThatASpreadsheetMayOpen) {
  Event formula = confirmed(2, "=HYPERLINK(\"http://x\",\"y\")");
  formula.reference = "a, b";
  formula.payment.reset();
  ASSERT_TRUE(store->store(std::vector{confirmed(3, "김철수 🎫"), formula, confirmed(1, "+8210")}));
  const Ran csv = run({"export", "--sale", "ticket", "--out", file("t.csv").string()});
  EXPECT_EQ(csv.code, 0) << csv.error;
  const std::string id = std::string(engine::reservation_id_length - 4, 'r');
  EXPECT_EQ(text_in(file("t.csv")),
            "reservation,sale,number,customer,quantity,amount,currency,reference,state,confirmed_at,updated_at,"
            "payment_id,account_number,payment_state\r\n" +
                id +
                "1001,ticket,1,'+8210,2,20000,KRW,,confirmed,2023-11-14T22:13:20.000Z,2023-11-14T22:13:20.000Z,p-1,"
                "110-1,charged\r\n" +
                id +
                "1002,ticket,2,\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\",2,20000,KRW,\"a, b\",confirmed,"
                "2023-11-14T22:13:20.000Z,2023-11-14T22:13:20.000Z,,,\r\n" +
                id +
                "1003,ticket,3,김철수 🎫,2,20000,KRW,,confirmed,2023-11-14T22:13:20.000Z,2023-11-14T22:13:20.000Z,"
                "p-1,110-1,charged\r\n");
  EXPECT_FALSE(std::filesystem::exists(file("t.csv.part")));
}

TEST_F(OrdersCommands, ExportIsJsonLines) {
  ASSERT_TRUE(store->store(std::vector{confirmed(1, "=1+1"), confirmed(2, "b")}));
  const Ran lines = run({"export", "--sale", "ticket", "--format", "jsonl"});
  EXPECT_EQ(lines.code, 0) << lines.error;
  std::istringstream each(lines.output);
  std::string line;
  ASSERT_TRUE(std::getline(each, line));
  const auto order = parse_json(line);
  EXPECT_EQ(text_of(order, "customer"), "=1+1");
  EXPECT_EQ(text_of(order.at("payment"), "state"), "charged");
  ASSERT_TRUE(std::getline(each, line));
  EXPECT_FALSE(std::getline(each, line));
}

TEST_F(OrdersCommands, AnExportOfNothingSaysSo) {
  ASSERT_TRUE(store->store(std::vector{confirmed(1, "a")}));
  const Ran none = run({"export", "--sale", "tickte"});
  EXPECT_EQ(none.code, 0);
  EXPECT_NE(none.error.find("no orders of the sale 'tickte'"), std::string::npos) << none.error;
  EXPECT_EQ(run({"export", "--sale", "ticket"}).error, "");
}

TEST_F(OrdersCommands, ExitCodesTellWrongFromUnreachable) {
  EXPECT_EQ(run({"orders"}).code, 64);
  EXPECT_EQ(run({"orders", "failed"}).code, 64);
  EXPECT_EQ(run({"orders", "failed", "retry"}).code, 64) << "which?";
  EXPECT_EQ(run({"orders", "failed", "discard", "--id", "x"}).code, 64) << "why?";
  EXPECT_EQ(run({"orders", "failed", "retry", "--id", "x"}).code, 1);
  EXPECT_EQ(run({"orders", "failed", "discard", "--id", "x", "--reason", "y"}).code, 1);
  EXPECT_EQ(run({"export", "--sale", "t", "--format", "xls"}).code, 64);
  EXPECT_EQ(run({"export", "--sale", "t"}, "nonsense").code, 64);
  EXPECT_EQ(run({"export", "--sale", "t"}, "postgresql://u:secret@127.0.0.1:1/d").code, 69);
  EXPECT_EQ(run({"export", "--sale", "t", "--out", file("no/such/folder").string()}).code, 69);
  const Ran missing = run({"export", "--sale", "t"}, "sqlite://" + file("none.db").string());
  EXPECT_EQ(missing.code, 69);
  EXPECT_FALSE(std::filesystem::exists(file("none.db"))) << "it was not made";
}

TEST_F(OrdersCommands, AFailedEventIsListedWithItsSaleAndCustomer) {
  Event odd = confirmed(1, "kim@example.org");
  odd.currency = std::string("K\0W", 3);  // no database takes it
  ASSERT_EQ(store->store(std::vector{odd}).value().parked, 1U);
  const Ran table = run({"orders", "failed", "list"});
  EXPECT_NE(table.output.find("ticket"), std::string::npos) << table.output;
  EXPECT_NE(table.output.find("kim@example.org"), std::string::npos) << table.output;
  const Ran lines = run({"orders", "failed", "list", "--json"});
  EXPECT_EQ(text_of(parse_json(lines.output), "customer"), "kim@example.org");
}

TEST_F(OrdersCommands, AnExportBeginsWithAByteOrderMarkWhereItIsAskedFor) {
  ASSERT_TRUE(store->store(std::vector{confirmed(1, "이순신")}));
  const Ran with = run({"export", "--sale", "ticket", "--bom"});
  EXPECT_TRUE(with.output.starts_with("\xEF\xBB\xBFreservation,")) << with.output;
  EXPECT_TRUE(run({"export", "--sale", "ticket"}).output.starts_with("reservation,"));
  EXPECT_EQ(run({"export", "--sale", "ticket", "--format", "jsonl", "--bom"}).code, 64);
}

TEST_F(OrdersCommands, ACustomerIsErased) {
  ASSERT_TRUE(store->store(std::vector{confirmed(1, "kim@example.org"), confirmed(2, "lee")}));
  const Ran erased = run({"erase", "--customer", "kim@example.org"});
  EXPECT_EQ(erased.code, 0) << erased.error;
  const std::string all = run({"export", "--sale", "ticket"}).output;
  EXPECT_EQ(all.find("kim@example.org"), std::string::npos) << all;
  EXPECT_NE(all.find("erased:"), std::string::npos) << all;
  EXPECT_NE(all.find("lee"), std::string::npos) << all;
  EXPECT_EQ(run({"erase", "--customer", "kim@example.org"}).code, 1) << "nobody there has that name any more";
}

TEST(OrdersCommandsOnPostgresql, ARetryWaitsForWhoeverTriesTheSameJustNow) {
  FIRSTCOME_NEEDS_SQL(PostgresServer);
  const PostgresServer server;
  events::OrderStoreOptions options;
  options.database = engine::parse_database_url(server.url(), "order database").value();
  const auto store = events::OrderStore::open(options).value();
  ASSERT_TRUE(store->park({"orders/0@2", "broken {", "it is not JSON", "orders/0@2"}));
  engine::SqlSessionOptions session;
  session.database = options.database;
  engine::SqlSession service(session);
  service.run("BEGIN");
  // As if it had taken the row after it was made due: whoever looks for rows to try passes over this one.
  service.ask("SELECT event_id FROM failed_events FOR KEY SHARE", 1);
  auto retry = std::async(std::launch::async, [&] {
    return run_program({"orders", "failed", "retry", "--all"}, {"FIRSTCOME_DATABASE=" + server.url()}, 60s);
  });
  EXPECT_EQ(retry.wait_for(2s), std::future_status::timeout) << "it has tried nothing yet";
  service.run("DELETE FROM failed_events");
  service.run("COMMIT");
  EXPECT_EQ(retry.get().code, 0);
}

}  // namespace
}  // namespace firstcome::testing
