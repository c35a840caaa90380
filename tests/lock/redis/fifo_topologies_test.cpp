// The FIFO lock where the master changes, and in a cluster, whose channels live in slots.
#include "lock/named_leases.hpp"
#include "lock/redis/fifo.hpp"
#include "lock/redis/fifo_bench.hpp"
#include "lock/waiting.hpp"
#include "net/redis/slots.hpp"

#include <firstcome/lock_mutex.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::lock::test {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::eventually;
using firstcome::testing::RedisCluster;
using firstcome::testing::RedisSentinels;
using firstcome::testing::RedisServer;

std::unique_ptr<LockSpace> space_at(const std::string& url) {
  LockSettings settings{.watchdog_lease = 3s, .outage_limit = 30s};
  auto space = make_fifo_lock_space(net::parse_redis_url(url).value(), settings);
  if (!space) throw std::runtime_error(space.error());
  return std::move(*space);
}

Box<Acquired> ask(LockSpace& space, std::optional<Milliseconds> lease = {}) {
  Box<Acquired> box;
  space.lock("L")->acquire({.wait = patience, .lease = lease}, box.setter());
  return box;
}

LockView view(LockSpace& space) {
  Box<std::expected<LockView, LockFailure>> box;
  space.inspect("L", box.setter());
  return box.take().value_or(LockView{});
}

bool waiting(LockSpace& space, std::size_t count) {
  return eventually([&] { return view(space).waiting == count; });
}

TEST(FifoSentinel, GoesOnAtTheNewMaster) {
  FIRSTCOME_NEEDS_REDIS();
  RedisSentinels servers;
  const std::string url = "redis+sentinel://" + servers.addresses() + "/mymaster";
  const auto holder = space_at(url);
  const auto waiter = space_at(url);
  Acquired lease = ask(*holder).take();
  ASSERT_TRUE(lease) << lease.error().detail;
  const std::uint64_t before = *lease->token();
  std::vector<Box<Acquired>> waits;
  for (std::size_t i = 0; i < 3; ++i) {
    waits.push_back(ask(*waiter, 60s));
    ASSERT_TRUE(waiting(*holder, i + 1));
  }
  servers.first().kill();
  ASSERT_TRUE(eventually([&] { return servers.master_port() == servers.second().port(); }));
  const bool told_or_kept = eventually([&] { return lease->lost() || view(*holder).owner == lease->owner(); });
  EXPECT_TRUE(told_or_kept);
  lease->release();
  std::uint64_t last = before;
  for (Box<Acquired>& one : waits) {
    Acquired got = one.take();
    ASSERT_TRUE(got) << text_of(got.error().why) << got.error().detail;
    EXPECT_GT(*got->token(), last);
    last = *got->token();
  }
}

class FifoCluster : public ::testing::Test {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    cluster = std::make_unique<RedisCluster>();
    one = space_at("redis+cluster://" + cluster->addresses());
    two = space_at("redis+cluster://" + cluster->addresses());
  }
  RedisServer& another_than(const RedisServer& node) {
    return &cluster->node(0) == &node ? cluster->node(1) : cluster->node(0);
  }

  std::unique_ptr<RedisCluster> cluster;
  std::unique_ptr<LockSpace> one;
  std::unique_ptr<LockSpace> two;
  const unsigned slot = net::key_slot("{L}");
};

TEST_F(FifoCluster, NamedLeasesAreReleasedToWhoWaitsElsewhere) {
  const auto acquire = [](LockSpace& space, std::string_view lease) {
    Box<NamedLeases::Acquired> box;
    space.named_leases()->acquire("L", lease, {.wait = patience, .lease = 60s}, box.setter());
    return box;
  };
  std::uint64_t last = 0;
  for (int round = 0; round < 10; ++round) {
    const NamedLeases::Acquired first = acquire(*one, "first").take();
    ASSERT_TRUE(first) << first.error().detail;
    EXPECT_GT(first->token, last);
    EXPECT_EQ(acquire(*two, "first").take().value().token, first->token);
    Box<NamedLeases::Acquired> next = acquire(*two, "second");
    ASSERT_TRUE(waiting(*one, 1));
    for (const std::string_view lease : {"first", "second"}) {
      Box<ReleaseAnswer> released;
      two->named_leases()->release("L", lease, released.setter());
      EXPECT_EQ(released.take().value(), ReleaseOutcome::released);
      const NamedLeases::Acquired second = next.take();
      ASSERT_TRUE(second) << second.error().detail;
      EXPECT_GT(second->token, first->token);
      last = second->token;
    }
  }
}

TEST_F(FifoCluster, HandsOverByShardedChannels) {
  std::uint64_t last = 0;
  const BootTime begin = BootClock::now();
  for (int round = 0; round < 40; ++round) {
    Acquired first = ask(*one, 60s).take();
    ASSERT_TRUE(first) << first.error().detail;
    Box<Acquired> next = ask(*two, 60s);
    ASSERT_TRUE(waiting(*two, 1));
    EXPECT_GT(*first->token(), last);
    last = *first->token();
    first->release();
    const Acquired second = next.take();
    ASSERT_TRUE(second);
    EXPECT_GT(*second->token(), last);
    last = *second->token();
  }
  EXPECT_LT(BootClock::now() - begin, 8s);  // by messages; 40 pulses would take 10 s and more
  std::size_t inboxes = 0;
  for (const auto& channel : cluster->owner_of(slot).command({"PUBSUB", "SHARDCHANNELS"}).elements) {
    if (channel.text.starts_with("firstcome:inbox:{L}:")) ++inboxes;
  }
  EXPECT_EQ(inboxes, 2U);
  const auto url = net::parse_redis_url("redis+cluster://" + cluster->addresses()).value();
  ASSERT_TRUE(acquire_blocking(*two->lock("another"), {.lease = 60s}));
  EXPECT_EQ(list_fifo_locks(url).value(),
            (std::vector<ShareName>{{Share::Of::lock, "L"}, {Share::Of::lock, "another"}}));
}

TEST_F(FifoCluster, KeepsLeaseAndQueueWhileTheSlotMoves) {
  Acquired kept = ask(*one).take();
  ASSERT_TRUE(kept) << kept.error().detail;
  std::vector<Box<Acquired>> waits;
  for (std::size_t i = 0; i < 3; ++i) {
    waits.push_back(ask(i % 2 == 0 ? *two : *one, 60s));
    ASSERT_TRUE(waiting(*two, i + 1));
  }
  RedisServer& source = cluster->owner_of(slot);
  RedisServer& target = another_than(source);
  cluster->begin_move(slot, source, target);
  EXPECT_FALSE(stops_within(kept->stop_token(), 1s));
  cluster->move_keys(slot, source, target);
  EXPECT_FALSE(stops_within(kept->stop_token(), 1s));
  cluster->finish_move(slot, source, target);
  EXPECT_FALSE(stops_within(kept->stop_token(), 3s));  // the watchdog has renewed it there
  EXPECT_EQ(view(*two).owner, kept->owner());
  EXPECT_TRUE(waiting(*two, 3));
  std::uint64_t last = *kept->token();
  kept->release();
  for (Box<Acquired>& wait : waits) {
    const Acquired got = wait.take();
    ASSERT_TRUE(got) << text_of(got.error().why) << got.error().detail;
    EXPECT_GT(*got->token(), last);
    last = *got->token();
  }
}

}  // namespace
}  // namespace firstcome::lock::test
