// Sessions of PostgreSQL behind PgBouncer, which lends one to several clients in turn, or not.
#include "engine/sql/postgresql_pooler.hpp"

#include "engine/sql/sql_session.hpp"
#include "support/pooler.hpp"
#include "support/redis_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

namespace firstcome::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PooledSessions : public ::testing::Test {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_SQL(testing::PostgresServer);
    FIRSTCOME_NEEDS_POOLER();
    server = std::make_unique<testing::PostgresServer>();
  }
  void start(const std::string& mode) { pooler = std::make_unique<testing::Pooler>(*server, mode); }
  /// Why there is none; empty: it is there.
  std::string why_no_session() {
    SqlSessionOptions options;
    options.database = parse_database_url(server->url_at(pooler->port()), "order database").value();
    try {
      session.emplace(options);
      return "";
    } catch (const SqlFailure& failure) {
      return failure.sentence;
    }
  }
  /// As soon as it listens.
  std::string why_no_session_at_last() {
    std::string why = "refused";
    testing::eventually([&] { return (why = why_no_session()).find("refused") == std::string::npos; });
    return why;
  }

  std::unique_ptr<testing::PostgresServer> server;
  std::unique_ptr<testing::Pooler> pooler;
  std::optional<SqlSession> session;
};

TEST_F(PooledSessions, ThatAreSharedAreRefusedWhenTheyAreOpened) {
  start("transaction");
  const std::string why = why_no_session_at_last();
  EXPECT_THAT(why, HasSubstr("pooler"));
  EXPECT_THAT(why, HasSubstr("pool_mode = session"));
}

TEST_F(PooledSessions, OfTheirOwnAreAsGoodAsDirectOnes) {
  start("session");
  ASSERT_EQ(why_no_session_at_last(), "");
  for (int round = 0; round < 3; ++round) {
    SqlCall call(session->dialect(), "SELECT ");
    call.number(std::int64_t{round});
    EXPECT_EQ(session->call({&call, 1}).rows.at(0).at(0), std::to_string(round));
  }
}

/// Of a session that turns out to be shared later.
TEST_F(PooledSessions, WhosePreparedStatementsAreGoneSayWhoTakesThem) {
  start("session");
  ASSERT_EQ(why_no_session_at_last(), "");
  SqlCall call(session->dialect(), "SELECT 1");
  session->call({&call, 1});
  session->run("DEALLOCATE ALL");
  try {
    session->call({&call, 1});
    ADD_FAILURE() << "the statement is there";
  } catch (const SqlFailure& failure) {
    EXPECT_EQ(failure.fault, SqlFailure::Fault::database);
    EXPECT_THAT(failure.sentence, HasSubstr("pool_mode = session"));
  }
}

}  // namespace
}  // namespace firstcome::engine
