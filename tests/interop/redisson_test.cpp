// Locks that C++ and Java programs share, with the real Redisson on the other side.
#include "lock/redis/redisson.hpp"

#include "interop/cpp_peer.hpp"
#include "interop/java_peer.hpp"
#include "lock/waiting.hpp"

#include <firstcome/lock_mutex.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

namespace firstcome::interop {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::eventually;
using firstcome::testing::RedisServer;
using lock::test::Box;

/// A waiter must not sleep until the end of the lease, nor until it looks again by itself.
constexpr auto usual_bound = 250ms;
/// Five times that: this machine may be busy.
constexpr auto bound = 1'250ms;

struct RedissonInterop : ::testing::Test {
  void SetUp() override {
    FIRSTCOME_NEEDS_REDISSON();
    server = std::make_unique<RedisServer>();
    const auto url = net::parse_redis_url("redis://" + server->address());
    LockSettings settings;
    settings.watchdog_lease = 1'500ms;
    space = lock::make_lock_space(lock::make_redisson_locks(*url).value(), settings);
  }

  Box<Acquired> ask(const std::string& name, AcquireOptions options) const {
    Box<Acquired> box;
    space->lock(name)->acquire(std::move(options), box.setter());
    return box;
  }
  Lease get(const std::string& name, std::optional<Milliseconds> lease = {}) const {
    Acquired acquired = ask(name, {.wait = 20s, .lease = lease}).take();
    if (!acquired) throw std::runtime_error(std::string(text_of(acquired.error().why)));
    return std::move(*acquired);
  }
  bool is_free(const std::string& name) const { return ask(name, {}).take().has_value(); }
  bool becomes_waited_for(const std::string& name) const {
    return eventually([&] {
      return server->command({"PUBSUB", "NUMSUB", "redisson_lock__channel:{" + name + "}"}).elements[1].text == "1";
    });
  }

  std::unique_ptr<RedisServer> server;
  std::unique_ptr<LockSpace> space;
};

template <typename Duration>
Duration median(std::vector<Duration> times) {
  std::ranges::sort(times);
  return times[times.size() / 2];
}

TEST_F(RedissonInterop, FourProcessesIncrementACounterAndNothingIsLost) {
  constexpr int turns = 1'250;
  JavaPeer java_one(*server, "one");
  JavaPeer java_two(*server, "two");
  server->text({"SET", "counter", "0"});
  const auto cpp_one = start_cpp_peer(server->port(), CppWork::increment, turns);
  const auto cpp_two = start_cpp_peer(server->port(), CppWork::increment, turns);
  for (JavaPeer* java : {&java_one, &java_two}) java->say("increment shared counter " + std::to_string(turns));
  const std::vector<std::string> answers{line_of(*cpp_one), line_of(*cpp_two), java_one.answer(120s),
                                         java_two.answer(120s)};
  EXPECT_EQ(server->text({"GET", "counter"}), std::to_string(4 * turns));
  int hand_overs = 0;
  for (const std::string& answer : answers) {
    ASSERT_NE(answer, "(none)");
    EXPECT_GE(std::stoi(answer), 10) << "it worked alone";
    hand_overs += std::stoi(answer);
  }
  RecordProperty("hand_overs", hand_overs);
  EXPECT_EQ(server->text({"EXISTS", "shared"}), "0");
}

/// Else the test above would prove nothing.
TEST_F(RedissonInterop, WithoutTheLockTheCounterLosesSome) {
  constexpr int turns = 2'000;
  server->text({"SET", "counter", "0"});
  const auto one = start_cpp_peer(server->port(), CppWork::increment_unlocked, turns);
  const auto two = start_cpp_peer(server->port(), CppWork::increment_unlocked, turns);
  ASSERT_NE(line_of(*one), "(none)");
  ASSERT_NE(line_of(*two), "(none)");
  EXPECT_LT(std::stoi(server->text({"GET", "counter"})), 2 * turns);
}

TEST_F(RedissonInterop, AJavaWaiterWakesWhenCppReleases) {
  JavaPeer java(*server, "java");
  std::vector<BootClock::duration> took;
  for (int round = 0; round < 9; ++round) {
    const std::string name = "to-java-" + std::to_string(round);
    Lease lease = get(name, 60s);
    java.say("lock " + name);
    ASSERT_TRUE(becomes_waited_for(name));
    const BootTime released = BootClock::now();
    lease.release();
    ASSERT_EQ(java.answer(), "locked");
    took.push_back(BootClock::now() - released);
    EXPECT_LT(took.back(), bound);
    EXPECT_EQ(java.ask("unlock " + name), "unlocked");
  }
  EXPECT_LT(median(took), usual_bound);
}

TEST_F(RedissonInterop, ACppWaiterWakesWhenJavaReleases) {
  JavaPeer java(*server, "java");
  std::vector<BootClock::duration> took;
  for (int round = 0; round < 9; ++round) {
    const std::string name = "to-cpp-" + std::to_string(round);
    ASSERT_EQ(java.ask("lock " + name), "locked");
    Box<Acquired> waiting = ask(name, {.wait = 20s});
    ASSERT_TRUE(becomes_waited_for(name));
    const BootTime released = BootClock::now();
    java.say("unlock " + name);
    ASSERT_TRUE(waiting.take());
    took.push_back(BootClock::now() - released);
    EXPECT_LT(took.back(), bound);
    EXPECT_EQ(java.answer(), "unlocked");
  }
  EXPECT_LT(median(took), usual_bound);
}

TEST_F(RedissonInterop, CppGetsTheLockOfAKilledJavaHolderWhenItsLeaseEnds) {
  JavaPeer java(*server, "java");
  const BootTime begin = BootClock::now();
  ASSERT_EQ(java.ask("lock-for shared 1500"), "locked");
  const BootTime locked = BootClock::now();
  Box<Acquired> waiting = ask("shared", {.wait = 20s});
  java.kill();
  ASSERT_TRUE(waiting.take());
  EXPECT_GE(BootClock::now() - begin, 1'500ms);
  EXPECT_LT(BootClock::now() - locked, 1'500ms + bound);
}

TEST_F(RedissonInterop, CppGetsTheLockOfAKilledJavaHolderWhenNobodyRenewsItAnyMore) {
  JavaPeer java(*server, "java");
  ASSERT_EQ(java.ask("lock shared"), "locked");  // renewed each second, to 3 s
  Box<Acquired> waiting = ask("shared", {.wait = 20s});
  EXPECT_FALSE(waiting.there_within(4s));
  const BootTime killed = BootClock::now();
  java.kill();
  ASSERT_TRUE(waiting.take());
  EXPECT_LT(BootClock::now() - killed, 3s + bound);
}

TEST_F(RedissonInterop, JavaGetsTheLockOfAKilledCppHolderWhenItsLeaseEnds) {
  JavaPeer java(*server, "java");
  const auto cpp = start_cpp_peer(server->port(), CppWork::hold);
  ASSERT_EQ(line_of(*cpp), "locked");
  const BootTime locked = BootClock::now();
  cpp->kill();
  EXPECT_EQ(java.ask("try shared"), "busy");
  EXPECT_EQ(java.ask("lock shared"), "locked");
  EXPECT_LT(BootClock::now() - locked, 1'500ms + bound);
}

TEST_F(RedissonInterop, JavaWaitsAsLongAsCppRenews) {
  JavaPeer java(*server, "java");
  Lease lease = get("shared");  // renewed to 1.5 s
  java.say("lock shared");
  EXPECT_EQ(java.answer(4s), "(none)");
  EXPECT_FALSE(lease.lost());
  lease.release();
  EXPECT_EQ(java.answer(), "locked");
}

TEST_F(RedissonInterop, CppSeesHowOftenJavaHasTheLock) {
  JavaPeer java(*server, "java");
  for (int i = 0; i < 2; ++i) ASSERT_EQ(java.ask("lock shared"), "locked");
  Box<std::expected<LockView, LockFailure>> seen;
  space->inspect("shared", seen.setter());
  const LockView view = seen.take().value();
  EXPECT_TRUE(view.held);
  EXPECT_EQ(server->text({"HGET", "shared", view.owner}), "2");
  EXPECT_EQ(java.ask("holds shared"), "2");
  EXPECT_EQ(java.ask("unlock shared"), "unlocked");
  EXPECT_EQ(server->text({"HGET", "shared", view.owner}), "1");
  EXPECT_FALSE(is_free("shared"));
  EXPECT_EQ(java.ask("unlock shared"), "unlocked");
  EXPECT_TRUE(is_free("shared"));
}

TEST_F(RedissonInterop, JavaSeesTheLockUntilTheLastObjectOfALeaseGoes) {
  JavaPeer java(*server, "java");
  Lease outer = get("shared");
  Lease inner = outer.again();
  EXPECT_EQ(java.ask("try shared"), "busy");
  EXPECT_EQ(java.ask("is-locked shared"), "yes");
  EXPECT_EQ(java.ask("holds shared"), "0");
  EXPECT_EQ(java.ask("unlock shared"), "not mine");
  release_blocking(std::move(outer));
  EXPECT_EQ(java.ask("try shared"), "busy");
  release_blocking(std::move(inner));
  EXPECT_EQ(java.ask("try shared"), "locked");
  EXPECT_EQ(java.ask("holds shared"), "1");
}

}  // namespace
}  // namespace firstcome::interop
