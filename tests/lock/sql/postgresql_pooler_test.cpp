// PostgreSQL's locks behind PgBouncer, which lends one session to several clients in turn, or not.
#include "lock/sql/sql_harness.hpp"
#include "support/child_process.hpp"
#include "support/free_port.hpp"
#include "support/redis_server.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <string>

namespace firstcome::lock {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::ChildProcess;
using firstcome::testing::PostgresServer;
using test::ask;
using test::get;
using ::testing::HasSubstr;
using Why = NotAcquired::Why;

constexpr const char* program = "/usr/sbin/pgbouncer";

class Pooler {
 public:
  Pooler(const PostgresServer& server, const std::string& mode) {
    const std::string file = (folder_.path() / "pgbouncer.ini").string();
    std::ofstream(file) << "[databases]\n"
                        << "shop = host=127.0.0.1 port=" << server.port() << " user=shop password=secret\n"
                        << "[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = " << port_ << "\n"
                        << "auth_type = any\nunix_socket_dir =\npool_mode = " << mode
                        << "\n"
                        // Two sessions would not be shared as long as both are asked at once.
                        << (mode == "transaction" ? "default_pool_size = 1\n" : "");
    firstcome::testing::ChildOptions options;
    options.program = program;
    options.arguments = {file};
    options.error_log = folder_.path() / "log";
    if (geteuid() == 0) {  // it refuses to run as root
      const passwd* const user = getpwnam("postgres");
      if (user == nullptr || chmod(folder_.path().c_str(), 0755) != 0) throw std::runtime_error("no user postgres");
      options.arguments.insert(options.arguments.begin(), {"-u", "postgres"});
    }
    process_ = std::make_unique<ChildProcess>(std::move(options));
  }

  std::uint16_t port() const { return port_; }

 private:
  firstcome::testing::TemporaryFolder folder_;
  const std::uint16_t port_ = firstcome::testing::free_port();
  std::unique_ptr<ChildProcess> process_;
};

class PostgresqlPooler : public ::testing::Test {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_SQL(PostgresServer);
    if (access(program, X_OK) != 0) {
      ASSERT_FALSE(firstcome::testing::all_is_required()) << "pgbouncer is missing; ./run deps installs it";
      GTEST_SKIP() << "pgbouncer is missing; ./run deps installs it";
    }
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
