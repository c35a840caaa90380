// FIFO locks whose grants count when replicas have them, on a master with two replicas.
#include "lock/identity.hpp"
#include "lock/named_leases.hpp"
#include "lock/redis/redis_harness.hpp"
#include "lock/waiting.hpp"

#include <firstcome/lock_mutex.hpp>
#include <firstcome/open_locks.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::lock::test {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::eventually;
using firstcome::testing::RedisServer;
using ::testing::HasSubstr;
using Why = NotAcquired::Why;

class FifoReplicas : public ::testing::Test {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    master = std::make_unique<RedisServer>();
    for (auto& replica : replicas) {
      replica = std::make_unique<RedisServer>(
          firstcome::testing::RedisServerOptions{.lines = {"replicaof 127.0.0.1 " + master->port_text()}});
    }
    ASSERT_TRUE(eventually([this] { return master->text({"WAIT", "2", "100"}) == "2"; }));
  }

  std::unique_ptr<LockSpace> space(std::size_t wanted) const {
    return open_locks("redis://" + master->address(), LockKind::fifo, {.replicas = wanted}).value();
  }
  /// How many replicas know at this moment that the lock is this owner's.
  std::size_t knowing(const std::string& name, const std::string& owner) const {
    std::size_t count = 0;
    for (const auto& replica : replicas) {
      const std::string state = replica->text({"HGET", "firstcome:lock:{" + name + "}", "s"});
      if (state.find(owner) != std::string::npos) ++count;
    }
    return count;
  }

  std::unique_ptr<RedisServer> master;
  std::array<std::unique_ptr<RedisServer>, 2> replicas;
};

TEST_F(FifoReplicas, AGrantIsGivenWhenTheReplicasHaveIt) {
  const auto locks = space(2);
  for (int i = 0; i < 40; ++i) {
    const std::string name = "lock-" + std::to_string(i);
    const Lease lease = get(*locks, name);
    EXPECT_EQ(knowing(name, lease.owner()), 2U) << name;
  }
}

TEST_F(FifoReplicas, APushedGrantTooIsGivenWhenTheReplicasHaveIt) {
  const auto one = space(2);
  const auto two = space(2);
  std::uint64_t last = 0;
  Lease lease = get(*one, "a", 60s);
  for (int i = 0; i < 20; ++i) {
    LockSpace& next = i % 2 == 0 ? *two : *one;
    Box<Acquired> waiting = ask(next, "a", {.wait = patience, .lease = 60s});
    EXPECT_FALSE(waiting.there_within(20ms));
    EXPECT_EQ(release_blocking(std::move(lease)), ReleaseOutcome::released);
    lease = waiting.take().value();
    EXPECT_EQ(knowing("a", lease.owner()), 2U);
    EXPECT_GT(lease.token().value(), last);
    last = *lease.token();
  }
}

TEST_F(FifoReplicas, NobodyGetsALockThatTooFewReplicasKnow) {
  const auto both = space(2);
  const auto any = space(1);
  get(*both, "a");
  replicas[0]->pause();
  Lease lease = get(*any, "a");  // one is enough for it
  Box<Acquired> pushed = ask(*both, "a", {.wait = 3s});
  EXPECT_FALSE(pushed.there_within(100ms));
  EXPECT_EQ(release_blocking(std::move(lease)), ReleaseOutcome::released);
  for (const Acquired& none :
       std::array{pushed.take(), ask(*both, "b", {.wait = 2s}).take(), ask(*both, "c", {}).take()}) {
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().why, Why::broken);
    EXPECT_THAT(none.error().detail, HasSubstr("1 of the 2 replicas have the grant"));
  }
  for (const char* name : {"a", "b", "c"}) get(*any, name);  // what was granted there was given back
  replicas[0]->resume();
  get(*both, "a");
}

TEST_F(FifoReplicas, ANamedLeaseIsGrantedWhenTheReplicasHaveIt) {
  const auto both = space(2);
  const auto acquire = [&both](std::string_view lease, Milliseconds wait) {
    Box<NamedLeases::Acquired> box;
    both->named_leases()->acquire("a", lease, {.wait = wait, .lease = 60s}, box.setter());
    return box;
  };
  const auto release = [&both](std::string_view lease) {
    Box<ReleaseAnswer> box;
    both->named_leases()->release("a", lease, box.setter());
    return box.take().value();
  };
  const auto owner = [](std::string_view lease) { return "lease:" + identity_of(lease); };
  ASSERT_TRUE(acquire("first", 0s).take());
  EXPECT_EQ(knowing("a", owner("first")), 2U);
  Box<NamedLeases::Acquired> next = acquire("second", patience);
  EXPECT_FALSE(next.there_within(50ms));
  EXPECT_EQ(release("first"), ReleaseOutcome::released);
  const NamedLeases::Acquired second = next.take();
  ASSERT_TRUE(second) << second.error().detail;
  EXPECT_EQ(knowing("a", owner("second")), 2U);
  EXPECT_EQ(release("second"), ReleaseOutcome::released);
  replicas[0]->pause();
  const NamedLeases::Acquired none = acquire("third", 0s).take();
  ASSERT_FALSE(none) << "by a look either";
  EXPECT_EQ(none.error().why, Why::broken);
  replicas[0]->resume();
  const NamedLeases::Acquired again = acquire("third", patience).take();
  ASSERT_TRUE(again) << again.error().detail;
  EXPECT_EQ(knowing("a", owner("third")), 2U);
}

TEST_F(FifoReplicas, ReplicasThatAreAwayHoldUpNothingButNewGrants) {
  const auto one = open_locks("redis://" + master->address(), LockKind::fifo,
                              {.watchdog_lease = 2s, .outage_limit = 30s, .replicas = 2})
                       .value();
  Lease kept = get(*one, "kept");
  Lease given = get(*one, "given", 60s);
  replicas[0]->pause();
  std::vector<Box<Acquired>> waiting;
  for (int i = 0; i < 20; ++i) waiting.push_back(ask(*one, "free-" + std::to_string(i), {.wait = 6s}));
  const BootTime begin = BootClock::now();
  EXPECT_EQ(release_blocking(std::move(given)), ReleaseOutcome::released);
  EXPECT_LT(BootClock::now() - begin, 1s) << "20 waits of 500 ms are under way";
  EXPECT_FALSE(stops_within(kept.stop_token(), 5s));  // its renewals come through
  for (Box<Acquired>& none : waiting) EXPECT_FALSE(none.take());
  replicas[0]->resume();
}

TEST_F(FifoReplicas, OtherKindsRefuseToWaitForThem) {
  const LockSettings settings{.replicas = 1};
  for (const LockKind kind : {LockKind::redisson, LockKind::setnx, LockKind::setnx_try}) {
    EXPECT_FALSE(open_locks("redis://" + master->address(), kind, settings));
  }
  for (const char* url : {"redlock://h1,h2,h3", "postgresql://u:p@h/d", "mysql://u:p@h/d"}) {
    const auto none = open_locks(url, LockKind::fifo, settings);
    ASSERT_FALSE(none);
    EXPECT_THAT(none.error(), HasSubstr("replicas"));
  }
}

}  // namespace
}  // namespace firstcome::lock::test
