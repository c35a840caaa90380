// What the locks on both SQL servers do beyond the contract: bounds, faults, and what the servers see.
#include "lock/sql/sql_locks.hpp"

#include "lock/sql/sql_harness.hpp"
#include "support/tcp_proxy.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::lock {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::eventually;
using firstcome::testing::MariadbServer;
using firstcome::testing::PostgresServer;
using firstcome::testing::TcpProxy;
using test::ask;
using test::Box;
using test::get;
using Why = NotAcquired::Why;

struct OnPostgres {
  using Server = PostgresServer;
  static constexpr test::SqlBackendAt make = &make_postgresql_locks;
  static constexpr const char* sessions =
      "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'firstcome locks'";
  static constexpr const char* waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
  static constexpr const char* end_sessions =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'firstcome locks'";
  static constexpr const char* new_guest =
      "CREATE ROLE guest LOGIN PASSWORD 'secret'; REVOKE CREATE ON SCHEMA public FROM PUBLIC";
  static constexpr const char* read_only = "ALTER DATABASE shop SET default_transaction_read_only = on";
  static constexpr const char* writable = "ALTER DATABASE shop SET default_transaction_read_only = off";
};

struct OnMariadb {
  using Server = MariadbServer;
  static constexpr test::SqlBackendAt make = &make_mariadb_locks;
  static constexpr const char* sessions = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'shop'";
  static constexpr const char* waiting =
      "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'shop' AND info LIKE '%GET_LOCK%'";
  static constexpr const char* end_sessions = "KILL USER shop";
  static constexpr const char* new_guest =
      "CREATE USER guest@'%' IDENTIFIED BY 'secret'; GRANT SELECT ON shop.* TO guest@'%'";
  static constexpr const char* read_only = "SET GLOBAL read_only = 1";
  static constexpr const char* writable = "SET GLOBAL read_only = 0";
};

template <typename On>
class SqlLocksOn : public ::testing::Test {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_SQL(Server);
    server = std::make_unique<Server>();
  }

  using Server = typename On::Server;
  std::unique_ptr<LockSpace> space(LockSettings settings = {}, const SqlLockOptions& options = {}) {
    return test::sql_space(On::make, server->url(), std::move(settings), options);
  }
  std::unique_ptr<LockSpace> space_through(const TcpProxy& proxy, const SqlLockOptions& options = {}) {
    return test::sql_space(On::make, server->url_at(proxy.port()), {}, options);
  }
  static NotAcquired refused(LockSpace& from, const std::string& name, AcquireOptions options = {}) {
    const Acquired acquired = ask(from, name, std::move(options)).take();
    return acquired ? NotAcquired{Why::stopped, "the lock was given"} : acquired.error();
  }
  bool becomes(const char* question, const std::string& answer) {
    return eventually([&] { return server->ask(question) == answer + "\n"; });
  }

  std::unique_ptr<Server> server;
};

struct NameOfServer {
  template <typename On>
  static std::string GetName(int /*index*/) {
    return std::is_same_v<On, OnPostgres> ? "Postgresql" : "Mariadb";
  }
};
using Servers = ::testing::Types<OnPostgres, OnMariadb>;
TYPED_TEST_SUITE(SqlLocksOn, Servers, NameOfServer);

TYPED_TEST(SqlLocksOn, SaysSoonThatNobodyIsThere) {
  const std::string url = this->server->url();
  this->server->kill();
  auto space = test::sql_space(TypeParam::make, url);
  const BootTime begin = BootClock::now();
  const NotAcquired no = this->refused(*space, "a", {.wait = 1h});
  EXPECT_EQ(no.why, Why::unavailable);
  EXPECT_NE(no.detail.find(":" + std::to_string(this->server->port()) + "/shop: "), std::string::npos) << no.detail;
  EXPECT_EQ(no.detail.find("secret"), std::string::npos) << no.detail;
  EXPECT_LT(BootClock::now() - begin, 5s);
}

TYPED_TEST(SqlLocksOn, SaysWithinTheConnectTimeOutThatTheServerIsSilent) {
  TcpProxy proxy(this->server->port());
  proxy.stall();
  auto space = this->space_through(proxy, {.connect_limit = 1s});
  const BootTime begin = BootClock::now();
  EXPECT_EQ(this->refused(*space, "a", {.wait = 1h}).why, Why::unavailable);
  EXPECT_GE(BootClock::now() - begin, 900ms);
  EXPECT_LT(BootClock::now() - begin, 6s);
}

TYPED_TEST(SqlLocksOn, SaysThatThePasswordIsWrong) {
  auto space = test::sql_space(TypeParam::make, this->server->url_at(this->server->port(), "guessed"));
  const NotAcquired no = this->refused(*space, "a", {.wait = 1h});
  EXPECT_EQ(no.why, Why::denied) << no.detail;
  EXPECT_EQ(no.detail.find("guessed"), std::string::npos) << no.detail;
}

TYPED_TEST(SqlLocksOn, SaysThatAUserMayNotMakeTheTokens) {
  this->server->ask_in("shop", TypeParam::new_guest);
  std::string url = this->server->url();
  auto space = test::sql_space(TypeParam::make, url.replace(url.find("shop:"), 4, "guest"));
  const NotAcquired no = this->refused(*space, "a", {.wait = 1h});
  EXPECT_EQ(no.why, Why::denied) << no.detail;
  EXPECT_NE(no.detail.find("denied"), std::string::npos) << no.detail;
}

TYPED_TEST(SqlLocksOn, SaysThatTheServerTakesNoWrites) {
  this->server->ask(TypeParam::read_only);
  const NotAcquired at_first = this->refused(*this->space(), "a", {.wait = 1h});
  EXPECT_EQ(at_first.why, Why::read_only) << at_first.detail;
  this->server->ask(TypeParam::writable);
  get(*this->space(), "a");  // makes the tokens
  this->server->ask(TypeParam::read_only);
  const NotAcquired later = this->refused(*this->space(), "a", {.wait = 1h});
  EXPECT_EQ(later.why, Why::read_only) << later.detail;
  this->server->ask(TypeParam::writable);
  get(*this->space(), "a");  // nobody kept it
}

TYPED_TEST(SqlLocksOn, SaysThatTheTokensAreSomethingElse) {
  this->server->ask_in("shop", "CREATE TABLE firstcome_lock_token(mine VARCHAR(9))");
  const NotAcquired no = this->refused(*this->space(), "a", {.wait = 1h});
  EXPECT_EQ(no.why, Why::wrong_type) << no.detail;
  EXPECT_EQ(this->server->ask_in("shop", "SELECT COUNT(*) FROM firstcome_lock_token"), "0\n");
}

TYPED_TEST(SqlLocksOn, IsFullWhereAllSessionsAreInUse) {
  auto space = this->space({}, {.sessions = 2});
  Lease one = get(*space, "one");
  const Lease two = get(*space, "two");
  EXPECT_EQ(this->refused(*space, "three", {.wait = 1h}).why, Why::full);
  release_blocking(std::move(one));
  get(*space, "three");
}

TYPED_TEST(SqlLocksOn, UsesASessionAgain) {
  auto space = this->space();
  for (int i = 0; i < 20; ++i) release_blocking(get(*space, "name-" + std::to_string(i), 60s + i * 1ms));
  EXPECT_EQ(this->server->ask(TypeParam::sessions), "1\n");
  space.reset();
  EXPECT_TRUE(this->becomes(TypeParam::sessions, "0"));
}

TYPED_TEST(SqlLocksOn, LeavesTheServersQueueWhenAWaitIsGivenUp) {
  auto space = this->space();
  const Lease lease = get(*space, "taken");
  for (int round = 0; round < 3; ++round) {
    std::stop_source stop;
    Box<Acquired> waiting = ask(*space, "taken", {.wait = wait_for_ever, .stop = stop.get_token()});
    ASSERT_TRUE(this->becomes(TypeParam::waiting, "1"));
    stop.request_stop();
    EXPECT_FALSE(waiting.take());
    EXPECT_TRUE(this->becomes(TypeParam::waiting, "0"));
  }
  EXPECT_FALSE(lease.lost());
}

TYPED_TEST(SqlLocksOn, TellsTheHolderThatTheServerWasKilledAndWaitsOnUntilItIsBack) {
  auto space = this->space({.watchdog_lease = 1'500ms});
  const Lease lease = get(*space, "a");
  Box<Acquired> waiting = ask(*space, "a", {.wait = test::patience});
  ASSERT_TRUE(this->becomes(TypeParam::waiting, "1"));
  this->server->kill();
  EXPECT_TRUE(test::stops_within(lease.stop_token(), 1'500ms));
  this->server->start();
  const Acquired next = waiting.take();
  ASSERT_TRUE(next) << next.error().detail;
  EXPECT_GT(next->token(), lease.token());
}

TYPED_TEST(SqlLocksOn, EndsTheLeaseOfAHolderThatIsStopped) {
  TcpProxy proxy(this->server->port());
  auto stopped = this->space_through(proxy);
  auto space = this->space();
  const Lease lease = get(*stopped, "a", 1s);
  proxy.stall();  // as if its process were stopped: the server hears nothing
  const BootTime begin = BootClock::now();
  const Lease next = get(*space, "a");
  EXPECT_TRUE(lease.lost());
  EXPECT_GT(next.token(), lease.token());
  EXPECT_LT(BootClock::now() - begin, 5s);
}

TYPED_TEST(SqlLocksOn, FreesTheLockOfAHolderWhoseConnectionIsCut) {
  TcpProxy proxy(this->server->port());
  auto killed = this->space_through(proxy);
  auto space = this->space();
  Lease lease = get(*killed, "a", 1h);
  proxy.cut();  // as its kernel does when it is killed
  get(*space, "a");
  Box<RenewOutcome> renewal;
  lease.renew(1h, renewal.setter());
  EXPECT_EQ(renewal.take(), RenewOutcome::lost);
  EXPECT_TRUE(lease.lost());
  EXPECT_EQ(release_blocking(std::move(lease)), ReleaseOutcome::lost);
}

/// Nothing is renewed here for a long time: the connection says it.
TYPED_TEST(SqlLocksOn, TellsTheHolderOfALongLeaseAtOnceThatItsSessionWasEnded) {
  auto space = this->space();
  Lease fixed = get(*space, "fixed", 10h);
  const Lease kept = get(*space, "kept");
  const BootTime begin = BootClock::now();
  this->server->ask(TypeParam::end_sessions);
  EXPECT_TRUE(test::stops_within(fixed.stop_token(), test::patience));
  EXPECT_TRUE(test::stops_within(kept.stop_token(), test::patience));
  EXPECT_LT(BootClock::now() - begin, 3s);
  EXPECT_EQ(release_blocking(std::move(fixed)), ReleaseOutcome::lost);
  get(*space, "fixed");
}

TYPED_TEST(SqlLocksOn, TellsTheHolderOfALongLeaseAtOnceThatItsConnectionWasCut) {
  TcpProxy proxy(this->server->port());
  auto space = this->space_through(proxy);
  const Lease lease = get(*space, "a", 10h);
  proxy.cut();
  EXPECT_TRUE(test::stops_within(lease.stop_token(), 3s));
}

TYPED_TEST(SqlLocksOn, SurvivesASilenceThatIsShorterThanTheLease) {
  TcpProxy proxy(this->server->port());
  auto space = this->space_through(proxy, {.request_limit = 300ms});
  Lease lease = get(*space, "a", 30s);
  proxy.stall();
  Box<RenewOutcome> renewal;
  lease.renew(60s, renewal.setter());
  EXPECT_EQ(renewal.take(), RenewOutcome::unknown);
  proxy.resume();
  EXPECT_TRUE(eventually([&] {
    Box<RenewOutcome> again;
    lease.renew(60s, again.setter());
    return again.take() == RenewOutcome::renewed;
  }));
  EXPECT_FALSE(lease.lost());
  EXPECT_EQ(release_blocking(std::move(lease)), ReleaseOutcome::released);
}

/// All sessions of a space share one thread.
TYPED_TEST(SqlLocksOn, RenewsOtherLeasesWhileAnAnswerStopsInTheMiddle) {
  TcpProxy proxy(this->server->port());
  auto space = this->space_through(proxy, {.connect_limit = 10s, .request_limit = 30s});
  Lease stuck = get(*space, "stuck", 1h);
  Lease other = get(*space, "other", 8s);  // less than an answer is waited for
  proxy.stall_after(3, TcpProxy::Direction::to_client);
  Box<RenewOutcome> of_stuck;
  stuck.renew(1h, of_stuck.setter());
  ASSERT_TRUE(eventually([&] { return proxy.standing_still() == 1; }));
  for (int round = 0; round < 5; ++round) {
    Box<RenewOutcome> renewal;
    other.renew(8s, renewal.setter());
    ASSERT_EQ(renewal.take(), RenewOutcome::renewed);
  }
  EXPECT_FALSE(other.lost());
  proxy.resume();
  EXPECT_EQ(of_stuck.take(), RenewOutcome::renewed) << "the rest of the answer";
}

TYPED_TEST(SqlLocksOn, EndsAShortLeaseItselfWhileItsProcessRuns) {
  auto space = this->space();
  auto other = this->space();
  for (int round = 0; round < 3; ++round) {
    const Lease lease = get(*space, "short", 200ms);
    const Lease next = get(*other, "short", 60s);
    EXPECT_TRUE(lease.lost());
    EXPECT_FALSE(next.lost());
  }
}

TYPED_TEST(SqlLocksOn, CountsTokensOnOverSpaces) {
  std::uint64_t last = 0;
  for (int i = 0; i < 3; ++i) {
    auto space = this->space();
    const Lease lease = get(*space, "a");
    EXPECT_GT(lease.token().value(), last);
    last = *lease.token();
  }
}

}  // namespace
}  // namespace firstcome::lock
