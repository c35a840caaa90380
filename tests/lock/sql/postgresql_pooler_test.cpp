// PostgreSQL's locks behind PgBouncer, which lends one session to several clients in turn, or not.
#include "lock/sql/sql_harness.hpp"
#include "support/pooler.hpp"
#include "support/redis_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

namespace firstcome::lock {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::Pooler;
using firstcome::testing::PostgresServer;
using test::ask;
using test::get;
using ::testing::HasSubstr;
using Why = NotAcquired::Why;

class PostgresqlPooler : public ::testing::Test {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_SQL(PostgresServer);
    FIRSTCOME_NEEDS_POOLER();
    server = std::make_unique<PostgresServer>();
  }
  void start(const std::string& mode) {
    pooler = std::make_unique<Pooler>(*server, mode);
    one = space();
    two = space();
    // Until it listens.
    ASSERT_TRUE(firstcome::testing::eventually([&] { return ask(*one, "other", {.lease = 60s}).take().has_value(); }));
  }
  std::unique_ptr<LockSpace> space() const {
    return test::sql_space(&make_postgresql_locks, server->url_at(pooler->port()));
  }

  std::unique_ptr<PostgresServer> server;
  std::unique_ptr<Pooler> pooler;
  std::unique_ptr<LockSpace> one;
  std::unique_ptr<LockSpace> two;
};

TEST_F(PostgresqlPooler, ASessionThatIsSharedIsRefused) {
  start("transaction");
  Acquired first = ask(*one, "a", {.wait = 1s, .lease = 60s}).take();
  const Acquired second = ask(*two, "a", {.wait = 1s, .lease = 60s}).take();
  EXPECT_FALSE(first && second) << "two holders";
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().why, Why::unavailable);
  EXPECT_THAT(second.error().detail, HasSubstr("pooler"));
  EXPECT_THAT(second.error().detail, HasSubstr("pool_mode = session"));
}

TEST_F(PostgresqlPooler, ASessionOfItsOwnIsAsGoodAsADirectOne) {
  start("session");
  for (int round = 0; round < 3; ++round) {
    Lease lease = get(*one, "a", 60s);
    EXPECT_EQ(ask(*two, "a", {.wait = 300ms}).take().error().why, Why::timed_out);  // also its wait is cancelled
    EXPECT_EQ(release_blocking(std::move(lease)), ReleaseOutcome::released);
    EXPECT_EQ(release_blocking(get(*two, "a", 60s)), ReleaseOutcome::released);
  }
}

}  // namespace
}  // namespace firstcome::lock
