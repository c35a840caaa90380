// How many statements a batch of events costs, and how often their text is read.
#include "engine/sql/sql_session.hpp"
#include "events/orders/order_databases.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::events {
namespace {

std::vector<Event> confirmed(std::uint64_t from, std::uint64_t upto) {
  std::vector<Event> events;
  for (std::uint64_t number = from; number <= upto; ++number) {
    events.push_back(event(EventType::reservation_confirmed, number, number));
    events.back().id = "7-0000abcd-" + std::to_string(number);
    events.back().payment = Payment{"payment-" + std::to_string(number), {}};
  }
  return events;
}

/// Sends the batch. Returns the statements.
std::uint64_t statements_for(OrderStore& store, const std::vector<Event>& events) {
  const std::uint64_t before = engine::sql_statements_sent();
  EXPECT_TRUE(store.store(events));
  return engine::sql_statements_sent() - before;
}

class OrderStatements : public ::testing::TestWithParam<Kind> {};

TEST_P(OrderStatements, AreAsManyForAThousandEventsAsForOne) {
  if (GetParam() == Kind::postgresql) FIRSTCOME_NEEDS_SQL(testing::PostgresServer);
  if (GetParam() == Kind::mariadb) FIRSTCOME_NEEDS_SQL(testing::MariadbServer);
  TestDatabase database(GetParam());
  const auto store = database.open();
  // The beginning, whether an event waits, the orders, their payments, what was told, the end.
  EXPECT_EQ(statements_for(*store, confirmed(1, 1)), 6U);
  EXPECT_EQ(statements_for(*store, confirmed(2, 1'001)), 6U);
}

INSTANTIATE_TEST_SUITE_P(Databases, OrderStatements, ::testing::Values(Kind::sqlite, Kind::postgresql, Kind::mariadb),
                         [](const auto& kind) {
                           return kind.param == Kind::sqlite       ? "sqlite"
                                  : kind.param == Kind::postgresql ? "postgresql"
                                                                   : "mariadb";
                         });

/// The tables whose INSERTs SQLite has read the text of, on all connections that are opened while it lives.
class InsertsRead {
 public:
  InsertsRead() { sqlite3_auto_extension(reinterpret_cast<void (*)()>(&watch)); }
  ~InsertsRead() { sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(&watch)); }
  InsertsRead(const InsertsRead&) = delete;
  InsertsRead& operator=(const InsertsRead&) = delete;

  std::multiset<std::string> take() const { return std::exchange(tables, {}); }

 private:
  // SQLite asks for leave when it reads a statement, not when that runs.
  static int watch(sqlite3* connection, char**, const void*) {
    return sqlite3_set_authorizer(
        connection,
        [](void*, int action, const char* table, const char*, const char*, const char*) {
          if (action == SQLITE_INSERT) tables.insert(table);
          return SQLITE_OK;
        },
        nullptr);
  }
  static inline std::multiset<std::string> tables;
};

TEST(OrderStatementsInSqlite, AreReadOnceForAllBatches) {
  const InsertsRead inserts;
  TestDatabase database(Kind::sqlite);
  const auto store = database.open();
  inserts.take();
  ASSERT_TRUE(store->store(confirmed(1, 3)));
  EXPECT_EQ(inserts.take(), (std::multiset<std::string>{"firstcome_told", "orders", "payments"}));
  ASSERT_TRUE(store->store(confirmed(4, 500)));
  EXPECT_EQ(inserts.take(), std::multiset<std::string>{});
}

TEST(OrderStatementsInSqlite, LeaveNothingOfABatchThatFails) {
  TestDatabase database(Kind::sqlite);
  const auto store = database.open();
  database.console().run(
      "CREATE TRIGGER is_full BEFORE INSERT ON firstcome_told BEGIN SELECT RAISE(ABORT, 'database or disk is full'); "
      "END");
  EXPECT_FALSE(store->store(confirmed(1, 3)));
  EXPECT_EQ(database.console().ask_number("SELECT COUNT(*) FROM orders"), 0U);
  EXPECT_EQ(database.console().ask_number("SELECT COUNT(*) FROM payments"), 0U);
}

}  // namespace
}  // namespace firstcome::events
