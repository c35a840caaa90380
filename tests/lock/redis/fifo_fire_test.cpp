// The FIFO lock under fire: processes that are killed and stopped, a server that pauses, messages that are lost.
#include "lock/redis/fifo_crowd.hpp"
#include "support/rounds.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <random>
#include <set>

namespace firstcome::lock::test {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::ChildProcess;
using firstcome::testing::eventually;
using firstcome::testing::RedisSentinels;
using firstcome::testing::RedisServer;

/// Lets the others work for a while.
void leave_alone(std::chrono::milliseconds time) {
  eventually([] { return false; }, time);
}

std::size_t length(const RedisServer& server, const char* list) { return std::stoul(server.text({"LLEN", list})); }

/// Scripts that clients sent; what scripts call is not among them.
double scripts_run(const RedisServer& server) {
  const std::string stats = server.text({"INFO", "commandstats"});
  double calls = 0;
  for (const std::string command : {"cmdstat_evalsha:calls=", "cmdstat_eval:calls="}) {
    const std::size_t at = stats.find(command);
    if (at != std::string::npos) calls += std::stod(stats.substr(at + command.size()));
  }
  return calls;
}

TEST(FifoFire, ServesTenThousandAcquisitionsInTheOrderOfTheirTickets) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  server.command({"SET", "left", "10000"});
  std::vector<std::unique_ptr<ChildProcess>> crowd;
  const BootTime begin = BootClock::now();
  for (int i = 0; i < 4; ++i) crowd.push_back(start_crowd(server.port(), CrowdWork::count));
  for (auto& child : crowd) EXPECT_EQ(child->wait(150s), 0);
  const double seconds = std::chrono::duration<double>(BootClock::now() - begin).count();
  const auto tickets = server.command({"LRANGE", "tickets", "0", "-1"}).elements;
  const auto got = server.command({"LRANGE", "got", "0", "-1"}).elements;
  ASSERT_GE(got.size(), 10'000U);
  ASSERT_EQ(tickets.size(), got.size());
  std::size_t inversions = 0;
  std::set<std::string> owners;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i].text != tickets[i].text) ++inversions;
    owners.insert(got[i].text);
  }
  EXPECT_EQ(inversions, 0U);
  EXPECT_EQ(owners.size(), got.size());
  // One acquire and one release each, whatever the number of waiters; and the pulses of four processes.
  const double pulses = 4 * 2 * seconds;
  EXPECT_LE(scripts_run(server), 2.2 * static_cast<double>(got.size()) + pulses);
}

/// Four processes with 16 threads each at a lock, and what is done to them. `lock` is what keeps it at present.
class Fire {
 public:
  Fire(CrowdPlace place, std::function<RedisServer&()> lock, std::uint64_t seed)
      : place_(std::move(place)), lock_(std::move(lock)), random_(seed) {
    for (int i = 0; i < 4; ++i) crowd_.push_back(start_crowd(place_, CrowdWork::fire));
  }

  void burn(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      hurt();
      leave_alone(100ms + 1ms * (random_() % 400));
    }
  }
  void end() {
    for (auto& child : crowd_) child->signal(SIGCONT);
    leave_alone(2s);
    crowd_.clear();
  }

  int kills = 0;
  int stops = 0;

 private:
  void hurt() {
    auto& child = crowd_[random_() % crowd_.size()];
    switch (random_() % 6) {
      case 0:
        child = start_crowd(place_, CrowdWork::fire);  // the old one is killed
        ++kills;
        break;
      case 1:
      case 2:
        ++stops;
        child->signal(SIGSTOP);
        leave_alone(1ms * (random_() % 2'500));
        child->signal(SIGCONT);
        break;
      case 3:
        lock_().command({"CLIENT", "PAUSE", std::to_string(random_() % 700), "ALL"});
        break;
      case 4:
        lock_().command({"CLIENT", "KILL", "TYPE", "pubsub"});
        break;
      default:
        lock_().command({"SCRIPT", "FLUSH"});
        break;
    }
  }

  const CrowdPlace place_;
  const std::function<RedisServer&()> lock_;
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<ChildProcess>> crowd_;
};

/// What the fence promises, whatever happens to the lock.
void expect_that_the_fence_held(const Findings& found) {
  EXPECT_EQ(found.lower_tokens, 0U);
  EXPECT_EQ(found.fenced_lost, 0U);
}

/// The nightly form takes about half an hour: FIRSTCOME_ROUNDS=2000 lock_tests --gtest_filter='FifoFire.Never*'
TEST(FifoFire, NeverHasTwoHoldersAndTheFenceTakesNoLowerToken) {
  FIRSTCOME_NEEDS_REDIS();
  const std::uint64_t seed = testing::seed();
  SCOPED_TRACE("FIRSTCOME_SEED=" + std::to_string(seed));
  RedisServer server;
  const std::string url = "redis://" + server.address();
  Fire fire({.url = url, .resource = server.port()}, [&]() -> RedisServer& { return server; }, seed);
  ASSERT_TRUE(eventually([&] { return length(server, "spans") > 200; }));
  fire.burn(testing::rounds(16));
  fire.end();
  const Findings found = look_at(server);
  EXPECT_GT(found.uses, 500U);
  EXPECT_EQ(found.overlaps, 0U);
  EXPECT_EQ(found.equal_tokens, 0U);
  EXPECT_EQ(found.out_of_order, 0U);
  expect_that_the_fence_held(found);
  RecordProperty("uses", static_cast<int>(found.uses));
  RecordProperty("refused", static_cast<int>(found.refused));
}

/// A failover may forget the last grants, and the old master goes on for a moment, so two may hold the lock at a time:
/// the resource is safe by the fence alone. And the crowd goes on.
TEST(FifoFire, TheFenceHoldsWhileSentinelsChangeTheMaster) {
  FIRSTCOME_NEEDS_REDIS();
  const std::uint64_t seed = testing::seed();
  SCOPED_TRACE("FIRSTCOME_SEED=" + std::to_string(seed));
  RedisServer resource;
  RedisSentinels servers;
  const auto master = [&]() -> RedisServer& {
    return servers.master_port() == servers.second().port() ? servers.second() : servers.first();
  };
  const std::string url = "redis+sentinel://" + servers.addresses() + "/" + RedisSentinels::master_name;
  Fire fire({.url = url, .resource = resource.port()}, master, seed);
  const auto goes_on = [&] {
    const std::size_t before = length(resource, "spans");
    return eventually([&] { return length(resource, "spans") > before + 100; }, 30s);
  };
  ASSERT_TRUE(goes_on());
  fire.burn(testing::rounds(3));
  // Silent for a while, then back, and a master in its own eyes until it is told.
  servers.first().pause();
  EXPECT_TRUE(eventually([&] { return servers.master_port() == servers.second().port(); }));
  EXPECT_TRUE(goes_on());
  servers.first().resume();
  EXPECT_TRUE(eventually([&] { return servers.first().info("master_link_status") == "up"; }, 30s));
  fire.burn(testing::rounds(3));
  servers.second().kill();
  EXPECT_TRUE(eventually([&] { return servers.master_port() == servers.first().port(); }, 30s));
  EXPECT_TRUE(goes_on());
  fire.end();
  const Findings found = look_at(resource);
  expect_that_the_fence_held(found);
  RecordProperty("uses", static_cast<int>(found.uses));
  RecordProperty("overlaps", static_cast<int>(found.overlaps));
  RecordProperty("refused", static_cast<int>(found.refused));
}

}  // namespace
}  // namespace firstcome::lock::test
