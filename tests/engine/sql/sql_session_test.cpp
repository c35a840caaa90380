// Text in, rows of text out, on a file; the servers are asked by the tests of orders and of guarded inventories.
#include "engine/sql/sql_session.hpp"

#include "engine/sql/sql_values.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firstcome::engine {
namespace {

using ::testing::ElementsAre;

class SqlSessions : public ::testing::Test {
 protected:
  SqlSessionOptions options() const {
    SqlSessionOptions options;
    options.database.path = (folder_.path() / "a b.db").string();
    return options;
  }
  static SqlFailure::Fault fault_of(SqlSession& session, const char* sql) {
    try {
      session.run(sql);
    } catch (const SqlFailure& failure) {
      return failure.fault;
    }
    ADD_FAILURE() << sql << " did not fail";
    return SqlFailure::Fault::doubtful;
  }

 private:
  testing::TemporaryFolder folder_;
};

TEST_F(SqlSessions, SayHowManyRowsAStatementHasChanged) {
  SqlSession session(options());
  session.run("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)");
  EXPECT_EQ(session.execute("INSERT INTO t VALUES (1, 'x'), (2, NULL), (3, ':a')"), 3U);
  EXPECT_EQ(session.execute("UPDATE t SET b = 'y' WHERE a < 3"), 2U);
  EXPECT_EQ(session.execute("DELETE FROM t WHERE a = 9"), 0U);
  EXPECT_THAT(session.ask("SELECT a, b FROM t ORDER BY a", 2),
              ElementsAre(ElementsAre("1", "y"), ElementsAre("2", "y"), ElementsAre("3", ":a")));
}

TEST_F(SqlSessions, CountEveryStatementOnce) {
  SqlSession session(options());
  const std::uint64_t before = sql_statements_sent();
  session.run("CREATE TABLE t (a INTEGER PRIMARY KEY)");
  session.execute("INSERT INTO t VALUES (1)");
  EXPECT_EQ(session.ask_number("SELECT COUNT(*) FROM t"), 1U);
  {
    SqlTransaction transaction(session);
    transaction.commit();
  }
  EXPECT_EQ(sql_statements_sent() - before, 5U);
}

TEST_F(SqlSessions, ATransactionThatIsNotCommittedIsRolledBack) {
  SqlSession session(options());
  session.run("CREATE TABLE t (a INTEGER PRIMARY KEY)");
  {
    SqlTransaction transaction(session);
    session.run("INSERT INTO t VALUES (1)");
  }
  EXPECT_EQ(session.ask_number("SELECT COUNT(*) FROM t"), 0U);
}

TEST_F(SqlSessions, TellADuplicateFromOtherContent) {
  SqlSession session(options());
  session.run("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL)");
  session.run("INSERT INTO t VALUES (1, 'x')");
  EXPECT_EQ(fault_of(session, "INSERT INTO t VALUES (1, 'y')"), SqlFailure::Fault::duplicate);
  EXPECT_EQ(fault_of(session, "INSERT INTO t VALUES (2, NULL)"), SqlFailure::Fault::content);
  EXPECT_EQ(fault_of(session, "INSERT INTO nowhere VALUES (2)"), SqlFailure::Fault::database);
}

TEST_F(SqlSessions, ExpectAFileWhereTheyAreToldTo) {
  SqlSessionOptions expecting = options();
  expecting.file = SqlSessionOptions::File::expect;
  EXPECT_THROW(SqlSession session(expecting), SqlFailure);
}

TEST_F(SqlSessions, ATextWithAZeroByteIsNoLiteral) {
  EXPECT_EQ(sql_text("it's \\", sqlite_dialect()), "'it''s \\'");
  EXPECT_EQ(sql_text("it's \\", mariadb_dialect()), "'it''s \\\\'");
  EXPECT_THROW(sql_text(std::string_view("a\0b", 3), sqlite_dialect()), SqlFailure);
}

}  // namespace
}  // namespace firstcome::engine
