// Bugs that other lock libraries shipped, on a network that cuts, stalls and loses. Each test names what it would find;
// the numbers are those of the project's list of known bugs.
#include "lock/redis/fifo.hpp"
#include "lock/redis/redis_harness.hpp"
#include "lock/redis/redisson.hpp"
#include "lock/redis/setnx.hpp"
#include "support/tcp_proxy.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <string>

namespace firstcome::lock {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::eventually;
using firstcome::testing::RedisServer;
using firstcome::testing::TcpProxy;
using test::ask;
using test::Box;
using test::get;
using Direction = TcpProxy::Direction;

struct Kind {
  std::string name;
  std::expected<std::shared_ptr<LockBackend>, std::string> (*make)(const net::RedisUrl& url, RedisLockOptions options);
  std::string key_prefix;

  bool is_fifo() const { return name == "Fifo"; }
};

auto fifo(const net::RedisUrl& url, RedisLockOptions options) {
  return make_fifo_locks(url, {.redis = options.redis, .request_limit = options.request_limit});
}

auto setnx(const net::RedisUrl& url, RedisLockOptions options) {
  return make_setnx_locks(url, SetnxWait::spinning, std::move(options));
}

struct KnownBugs : ::testing::TestWithParam<Kind> {
  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    server = std::make_unique<RedisServer>();
    proxy = std::make_unique<TcpProxy>(server->port());
    settings.watchdog_lease = 1'500ms;
    settings.release_limit = 1s;
    far = space_over(proxy->port());
    near = space_over(server->port());
    release_blocking(get(*far, "connect"));
    release_blocking(get(*near, "connect"));
  }

  std::unique_ptr<LockSpace> space_over(std::uint16_t port) const {
    const auto make = [](const net::RedisUrl& url) {
      return GetParam().make(url, {.redis = {}, .request_limit = 400ms});
    };
    return test::space_at(make, port, settings);
  }
  std::string key(const std::string& name) const {
    return GetParam().key_prefix.empty() ? name : GetParam().key_prefix + "{" + name + "}";
  }
  /// Since the last CONFIG RESETSTAT.
  int scripts_run() const {
    const std::string stats = server->text({"INFO", "commandstats"});
    int calls = 0;
    for (const std::string command : {"cmdstat_evalsha:calls=", "cmdstat_eval:calls="}) {
      if (const auto at = stats.find(command); at != std::string::npos) {
        calls += std::stoi(stats.substr(at + command.size()));
      }
    }
    return calls;
  }
  /// Whether the lock is held; looks without a script.
  bool is_there(const std::string& name) const {
    if (!GetParam().is_fifo()) return server->text({"EXISTS", key(name)}) == "1";
    const std::string state = server->text({"HGET", key(name), "s"});
    constexpr std::size_t numbers = 10;  // then the owner, with a 0 at its end
    if (state.size() <= numbers * sizeof(double) + 1) return false;
    double till = 0;  // the first of them
    std::memcpy(&till, state.data(), sizeof till);
    return till > std::stod(server->command({"TIME"}).elements.at(0).text) * 1'000;
  }
  /// A copy of an acquire by this owner comes to the server, long after it was sent.
  void comes_late(const std::string& name, const std::string& owner) const {
    const std::size_t colon = owner.rfind(':');
    if (GetParam().is_fifo()) {
      server->text({"EVAL", FifoScripts::standard().acquire.text(), "1", key(name), owner.substr(0, colon),
                    "firstcome:inbox:", "0", owner.substr(colon + 1), "60000", "wait", "1500", "2000", "3600000",
                    "1000", "first"});
    } else if (GetParam().name == "Redisson") {
      server->text({"HSET", name, owner, "1"});
    } else {
      server->text({"SET", key(name), owner});
    }
  }

  LockSettings settings;
  std::unique_ptr<RedisServer> server;
  std::unique_ptr<TcpProxy> proxy;
  std::unique_ptr<LockSpace> far;   ///< behind the proxy
  std::unique_ptr<LockSpace> near;  ///< directly at the server
};

INSTANTIATE_TEST_SUITE_P(Redis, KnownBugs,
                         ::testing::Values(Kind{"Setnx", setnx, "firstcome:setnx:"},
                                           Kind{"Redisson", make_redisson_locks, ""},
                                           Kind{"Fifo", fifo, "firstcome:lock:"}),
                         [](const auto& param) { return param.param.name; });

/// 11: redisson #5698, #775, #3636.
TEST_P(KnownBugs, Bug11TheLockDoesNotExpireUnderAHolderThatIsNotTold) {
  const Lease lease = get(*far, "a");
  Box<bool> told_first;
  const std::stop_token token = lease.stop_token();
  proxy->stall();  // no renewal comes through
  const auto waiter = near->lock("a");
  waiter->acquire({.wait = test::patience}, [token, set = told_first.setter()](const Acquired& acquired) mutable {
    set(acquired && token.stop_requested());
  });
  EXPECT_TRUE(told_first.take());
  EXPECT_TRUE(lease.lost());
}

/// 11, the other way round: a holder whose connection is cut again and again keeps it, as long as it can renew.
TEST_P(KnownBugs, Bug11TheLockSurvivesLostConnections) {
  const Lease lease = get(*far, "a");
  for (int i = 0; i < 6; ++i) {
    EXPECT_FALSE(test::stops_within(lease.stop_token(), 500ms));
    proxy->cut();
  }
  EXPECT_FALSE(lease.lost());
  EXPECT_FALSE(ask(*near, "a", {}).take());
}

/// 17: redisson #5761, #1763, #6539.
TEST_P(KnownBugs, Bug17AWaiterThatHearsNothingLooksAgain) {
  Lease lease = get(*near, "a", 60s);
  Box<Acquired> waiting = ask(*far, "a", {.wait = 30s, .lease = 60s});
  EXPECT_FALSE(waiting.there_within(200ms));
  proxy->cut();  // also the connection that would hear of the release
  const BootTime released = BootClock::now();
  release_blocking(std::move(lease));
  EXPECT_TRUE(waiting.take());
  EXPECT_LT(BootClock::now() - released, 5s);
}

/// 19: redisson #4109, #1966. The request was carried out, its answer was lost.
TEST_P(KnownBugs, Bug19AnAcquireWithoutAnAnswerLeavesNoLockBehind) {
  proxy->drop(Direction::to_client);
  Box<Acquired> waiting = ask(*far, "a", {.wait = 100ms, .lease = 60s});
  EXPECT_FALSE(waiting.take());
  ASSERT_TRUE(eventually([&] { return is_there("a"); }));
  proxy->resume();
  EXPECT_TRUE(eventually([&] { return !is_there("a"); }, 10s));
  EXPECT_TRUE(ask(*near, "a", {.wait = 100ms}).take());
}

/// 19: the request comes when nobody waits any more.
TEST_P(KnownBugs, Bug19AnAcquireThatArrivesLateLeavesNoLockBehind) {
  for (int round = 0; round < 5; ++round) {
    const std::string name = "late-" + std::to_string(round);
    proxy->stall();
    Box<Acquired> waiting = ask(*far, name, {.wait = 100ms, .lease = 60s});
    EXPECT_FALSE(waiting.take());
    EXPECT_FALSE(Box<bool>{}.there_within(500ms));  // the time limit of the request passes as well
    proxy->resume();
    const Lease next = get(*near, name, 60s);  // at once, or after the late one was undone: patience is 20 s
    EXPECT_FALSE(next.lost());
  }
}

/// 19: the request comes even after it was undone; here the test is what comes late.
TEST_P(KnownBugs, Bug19AnAcquireThatArrivesAfterItWasUndoneIsUndoneAgain) {
  Lease seen = get(*far, "b");
  const std::size_t colon = seen.owner().rfind(':');
  const std::string next =
      seen.owner().substr(0, colon + 1) + std::to_string(std::stoi(seen.owner().substr(colon + 1)) + 1);
  release_blocking(std::move(seen));
  proxy->drop(Direction::to_server);
  EXPECT_FALSE(ask(*far, "a", {.wait = 100ms, .lease = 60s}).take());
  EXPECT_FALSE(Box<bool>{}.there_within(500ms));  // the time limit of the request passes as well
  server->text({"CONFIG", "RESETSTAT"});
  proxy->resume();
  ASSERT_TRUE(eventually([&] { return scripts_run() > 0; }));  // it was undone, in vain
  comes_late("a", next);
  EXPECT_TRUE(eventually([&] { return !is_there("a"); }, 5s));
}

/// 19: of two copies of a request the second was carried out, and its lock is released when the first one comes.
TEST_P(KnownBugs, Bug19AnAcquireThatWasSentTwiceLeavesNoLockBehindWhenTheFirstComesLast) {
  proxy->drop(Direction::to_client);
  Box<Acquired> waiting = ask(*far, "a", {.wait = 30s, .lease = 60s});
  ASSERT_TRUE(eventually([&] { return is_there("a"); }));
  proxy->resume();
  Acquired lease = waiting.take();
  ASSERT_TRUE(lease);
  const std::string owner = lease->owner();
  EXPECT_EQ(release_blocking(std::move(*lease)), ReleaseOutcome::released);
  comes_late("a", owner);
  EXPECT_TRUE(eventually([&] { return !is_there("a"); }, 5s));
  EXPECT_TRUE(ask(*near, "a", {.wait = 100ms}).take());
}

/// 19: and one that comes late does not disturb somebody who has the lock meanwhile.
TEST_P(KnownBugs, Bug19UndoingTouchesNobodyElsesLock) {
  Lease holder = get(*near, "a", 60s);
  proxy->drop(Direction::to_client);
  EXPECT_FALSE(ask(*far, "a", {.wait = 100ms, .lease = 60s}).take());
  proxy->resume();
  EXPECT_FALSE(Box<bool>{}.there_within(1'500ms));  // all looks for it are over
  EXPECT_TRUE(is_there("a"));
  EXPECT_EQ(release_blocking(std::move(holder)), ReleaseOutcome::released);
}

/// 20: redisson #7272.
TEST_P(KnownBugs, Bug20NothingIsRenewedAfterTheRelease) {
  release_blocking(get(*far, "a"));
  const Lease next = get(*near, "a", 1'200ms);
  server->text({"CONFIG", "RESETSTAT"});
  EXPECT_TRUE(test::stops_within(next.stop_token(), 5s));
  EXPECT_TRUE(eventually([&] { return !is_there("a"); }, 1s));
  EXPECT_EQ(scripts_run(), 0);  // two renewals would have been due
}

/// 20: redisson #5697, #6483: one failed renewal must not be the last.
TEST_P(KnownBugs, Bug20RenewingGoesOnAfterAnOutage) {
  const Lease lease = get(*far, "a");
  proxy->refuse();
  proxy->cut();
  EXPECT_FALSE(test::stops_within(lease.stop_token(), 700ms));  // the first renewal was due at 0.5 s
  proxy->resume();
  EXPECT_FALSE(test::stops_within(lease.stop_token(), 3s));
  EXPECT_TRUE(is_there("a"));
}

/// 21: redisson #4698, curator #985, etcd #11457.
TEST_P(KnownBugs, Bug21TheHolderIsToldWhenTheServerForgotTheLock) {
  const Lease lease = get(*far, "a");
  const BootTime forgotten = BootClock::now();
  server->text({"FLUSHALL"});
  EXPECT_TRUE(test::stops_within(lease.stop_token(), test::patience));
  EXPECT_LT(BootClock::now() - forgotten, 1'500ms);  // at the next renewal, not at the end
}

/// 22: etcd #22082. The release was carried out, its answer was lost, it is sent again.
TEST_P(KnownBugs, Bug22ARetriedReleaseEndsNobodyElsesLock) {
  Lease lease = get(*far, "a", 60s);
  proxy->drop(Direction::to_client);
  Box<ReleaseOutcome> outcome;
  lease.release(outcome.setter());
  const Lease next = get(*near, "a", 60s);
  proxy->resume();
  EXPECT_NE(outcome.take(), ReleaseOutcome::lost);
  EXPECT_FALSE(Box<bool>{}.there_within(1'500ms));  // it is sent again meanwhile
  EXPECT_TRUE(is_there("a"));
  EXPECT_FALSE(ask(*near, "a", {}).take());
}

/// An acquire that is sent again finds the lock that the first one took, and counts once.
TEST_P(KnownBugs, ARetriedAcquireFindsItsOwnLock) {
  proxy->drop(Direction::to_client);
  Box<Acquired> waiting = ask(*far, "a", {.wait = 30s, .lease = 60s});
  ASSERT_TRUE(eventually([&] { return is_there("a"); }));
  proxy->resume();
  Acquired lease = waiting.take();
  ASSERT_TRUE(lease);
  if (GetParam().name == "Redisson") {
    EXPECT_EQ(server->text({"HGET", "a", lease->owner()}), "1");
  }
  EXPECT_EQ(release_blocking(std::move(*lease)), ReleaseOutcome::released);
  EXPECT_FALSE(is_there("a"));
}

}  // namespace
}  // namespace firstcome::lock
