// A process that forks: its child must not act as if it were the holder, nor hang on what its parent's threads locked.
#include "lock/redis/redis_harness.hpp"
#include "lock/waiting.hpp"
#include "support/sql_server.hpp"

#include <firstcome/lock_mutex.hpp>
#include <firstcome/open_locks.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>

namespace firstcome::lock::test {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::eventually;
using firstcome::testing::MariadbServer;
using firstcome::testing::PostgresServer;
using firstcome::testing::RedisServer;
using Why = NotAcquired::Why;

/// Runs it in a child: the number of the first thing that was not as it should be, 0 where all was; -1: it hung.
int in_a_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  int status = 0;
  const bool ended = eventually([&] { return ::waitpid(child, &status, WNOHANG) == child; });
  if (!ended) {
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

template <typename T, typename Call>
std::optional<T> told_within(Call call) {
  std::optional<T> said;
  call([&said](T value) { said.emplace(std::move(value)); });
  return said;
}

/// What a child does with all that it has of its parent.
int use_what_is_the_parents(std::unique_ptr<LockSpace> space, Lease lease) {
  if (!lease.lost()) return 1;
  if (lease.deadline() > BootClock::now()) return 2;
  const auto renewed = told_within<RenewOutcome>([&](auto done) { lease.renew(1s, std::move(done)); });
  if (renewed != RenewOutcome::lost) return 3;
  Lease share = lease.again();
  if (!share.lost()) return 4;
  const auto released = told_within<ReleaseOutcome>([&](auto done) { share.release(std::move(done)); });
  if (released != ReleaseOutcome::lost) return 5;
  const auto lock = space->lock("another");
  const Acquired none = acquire_blocking(*lock, {.wait = 1s});
  if (none || none.error().why != Why::closed || none.error().detail.find("forked") == std::string::npos) return 6;
  using Viewed = std::expected<LockView, LockFailure>;
  const auto view = told_within<Viewed>([&](auto done) { space->inspect("mine", std::move(done)); });
  if (!view || *view || view->error().kind != LockFailure::Kind::closed) return 7;
  {
    const Lease gone = std::move(lease);
  }
  space.reset();
  return 0;
}

class Fork : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string kind = GetParam();
    if (kind == "inprocess") return;
    FIRSTCOME_NEEDS_REDIS();
    redis = std::make_unique<RedisServer>();
    if (kind != "postgresql") return;
    FIRSTCOME_NEEDS_SQL(PostgresServer);
    postgres = std::make_unique<PostgresServer>();
  }
  std::unique_ptr<LockSpace> make_space() {
    const std::string kind = GetParam();
    const LockSettings settings{.watchdog_lease = 1s};
    if (kind == "inprocess") return make_in_process_locks(settings);
    if (kind == "postgresql") return open_locks(postgres->url(), LockKind::fifo, settings).value();
    return open_locks("redis://" + redis->address(), lock_kind_of(kind).value(), settings).value();
  }

  std::unique_ptr<RedisServer> redis;
  std::unique_ptr<PostgresServer> postgres;
};
INSTANTIATE_TEST_SUITE_P(Kinds, Fork, ::testing::Values("inprocess", "fifo", "redisson", "postgresql"),
                         [](const auto& given) { return std::string(given.param); });

TEST_P(Fork, LeavesTheLockWithTheParent) {
  auto space = make_space();
  Lease lease = get(*space, "mine");
  const int child = in_a_child([&] { return use_what_is_the_parents(std::move(space), std::move(lease)); });
  EXPECT_EQ(child, 0);
  ASSERT_TRUE(space && lease);                              // the child's were copies
  EXPECT_FALSE(stops_within(lease.stop_token(), 1'500ms));  // renewed by its watchdog
  EXPECT_EQ(ask(*space, "mine", {}).take().error().why, Why::timed_out);
  EXPECT_EQ(release_blocking(std::move(lease)), ReleaseOutcome::released);
  get(*space, "mine");
}

#if !defined(__SANITIZE_THREAD__)  // which ends a forked child that starts threads
TEST_P(Fork, TheChildMayMakeLocksOfItsOwnUnderAnotherName) {
  if (std::string(GetParam()) == "inprocess") return RecordProperty("not_promised", "locks between processes");
  const auto space = make_space();
  const Lease lease = get(*space, "mine");
  const std::string process = lease.owner().substr(0, lease.owner().rfind(':'));
  const int child = in_a_child([&] {
    const auto own = make_space();
    if (acquire_blocking(*own->lock("mine"), {})) return 1;
    const Acquired other = acquire_blocking(*own->lock("other"), {.wait = patience});
    if (!other) return 2;
    return other->owner().starts_with(process) ? 3 : 0;
  });
  EXPECT_EQ(child, 0);
  EXPECT_FALSE(lease.lost());
}
#endif

/// Of this process; nothing else of it has any at the time.
std::set<int> sockets() {
  std::set<int> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename());
    int type = 0;
    socklen_t size = sizeof type;
    if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0) found.insert(fd);
  }
  return found;
}

void expect_that_programs_get_no_socket(const std::string& url) {
  const std::set<int> before = sockets();
  const auto space = open_locks(url).value();
  const Lease lease = get(*space, "mine");
  std::set<int> made = sockets();
  for (const int fd : before) made.erase(fd);
  EXPECT_FALSE(made.empty());
  for (const int fd : made) EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0) << url;
}

TEST(Exec, LeavesNoConnectionToRedisWithAProgramThatIsStarted) {
  FIRSTCOME_NEEDS_REDIS();
  const RedisServer server;
  expect_that_programs_get_no_socket("redis://" + server.address());
}

TEST(Exec, LeavesNoConnectionToPostgresqlWithAProgramThatIsStarted) {
  FIRSTCOME_NEEDS_SQL(PostgresServer);
  const PostgresServer server;
  expect_that_programs_get_no_socket(server.url());
}

TEST(Exec, LeavesNoConnectionToMariadbWithAProgramThatIsStarted) {
  FIRSTCOME_NEEDS_SQL(MariadbServer);
  const MariadbServer server;
  expect_that_programs_get_no_socket(server.url());
}

}  // namespace
}  // namespace firstcome::lock::test
