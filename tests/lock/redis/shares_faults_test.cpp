// Read-write locks and semaphores when something breaks: holders, messages, replies, connections, servers.
#include "lock/redis/shares_harness.hpp"
#include "net/redis/slots.hpp"
#include "support/tcp_proxy.hpp"

#include <csignal>
#include <filesystem>
#include <sstream>
#include <vector>

namespace firstcome::lock::test {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::ChildProcess;
using firstcome::testing::eventually;
using firstcome::testing::RedisCluster;
using firstcome::testing::RedisSentinels;
using firstcome::testing::RedisServer;
using firstcome::testing::TcpProxy;

/// A process that takes some of the 5 permits for 1 s, says so, and keeps them.
std::unique_ptr<ChildProcess> start_holder(std::uint16_t port, std::uint32_t count) {
  firstcome::testing::ChildOptions options;
  options.program = std::filesystem::read_symlink("/proc/self/exe");
  options.arguments = {"--gtest_filter=SharesHolderChild.*", "--gtest_also_run_disabled_tests", "--gtest_brief=1"};
  options.environment = {"FIRSTCOME_HOLDER=" + std::to_string(port) + " " + std::to_string(count)};
  return std::make_unique<ChildProcess>(std::move(options));
}

// Not a test: that process.
TEST(SharesHolderChild, DISABLED_Holds) {
  const char* const given = std::getenv("FIRSTCOME_HOLDER");
  if (given == nullptr) GTEST_SKIP() << "started by other tests only";
  std::istringstream words(given);
  std::uint16_t port = 0;
  std::uint32_t count = 0;
  words >> port >> count;
  const auto space = fifo_space(port);
  const auto lock = space->semaphore("L", 5)->permits(count);
  const Acquired lease = acquire_blocking(*lock, {.wait = wait_for_ever, .lease = 1s});
  if (!lease || ::write(1, "got\n", 4) != 4) std::_Exit(3);
  ::pause();
}

class SharesFaults : public SharesTest {};

TEST_F(SharesFaults, WhatADeadProcessHeldComesBackAtTheEndOfItsLease) {
  const auto at = space();
  const Lease some = got(want(*at, 2));
  const auto holder = start_holder(server->port(), 3);
  ASSERT_EQ(holder->read_line(20s), "got");
  Box<Acquired> big = want(*at, 3);
  Box<Acquired> small = want(*at, 1);
  ASSERT_TRUE(waiting(*at, 2));
  const BootTime killed = BootClock::now();
  holder->kill();
  const Lease back = got(big);
  EXPECT_LT(BootClock::now() - killed, 5 * 1s);
  EXPECT_FALSE(small.ready());
  EXPECT_EQ(permits(*at).used, 5U);
}

TEST_F(SharesFaults, AProcessThatDiesWhileItWaitsIsPassedOver) {
  const auto at = space();
  Lease all = got(want(*at, 5));
  const auto head = start_holder(server->port(), 5);
  ASSERT_TRUE(waiting(*at, 1));
  Box<Acquired> next = want(*at, 2);
  ASSERT_TRUE(waiting(*at, 2));
  head->kill();
  const BootTime released = BootClock::now();
  all.release();
  EXPECT_FALSE(got(next).lost());
  EXPECT_LT(BootClock::now() - released, 5 * 2s);  // the most a dead waiter may cost
}

TEST_F(SharesFaults, LostMessagesAreFoundByPulsesAlsoForMoreThanOneNames) {
  FifoOptions losing;
  losing.permit_scripts = altered(losing.permit_scripts,
                                  "local heard = redis.pcall(publish, inbox .. its_process, text)", "local heard = 1");
  const auto loser = space(losing);
  const auto waiter = space();
  Lease writer = got(write(*loser));
  std::vector<Box<Acquired>> all;
  for (int i = 0; i < 20; ++i) all.push_back(read(*waiter));
  ASSERT_TRUE(queued(*loser, 20));
  const BootTime released = BootClock::now();
  writer.release();
  std::vector<Lease> leases;
  for (const Box<Acquired>& one : all) leases.push_back(got(one));
  EXPECT_LT(BootClock::now() - released, 5 * 1s);
  EXPECT_EQ(readers(*loser).used, 20U);
}

TEST_F(SharesFaults, AClaimIsConfirmedInTheBackground) {
  const auto at = space({}, {.watchdog_lease = 6s});
  Lease writer = got(write(*at));
  std::vector<Box<Acquired>> boxes;
  boxes.push_back(read(*at));
  boxes.push_back(ask(*at->read_write_lock("L")->reader(), {.wait = patience}));
  ASSERT_TRUE(queued(*at, 2));
  writer.release();
  const Lease fixed = got(boxes[0]);
  const Lease kept = got(boxes[1]);
  EXPECT_FALSE(stops_within(fixed.stop_token(), 2s));  // longer than a claim
  EXPECT_FALSE(kept.lost());
  EXPECT_EQ(readers(*at).used, 2U);
}

TEST_F(SharesFaults, AnAcquireWhoseReplyIsLostCountsOnce) {
  TcpProxy proxy(server->port());
  const auto at = fifo_space(proxy.port());
  const auto direct = space();
  got(want(*at, 1)).release();
  for (int round = 0; round < 5; ++round) {
    ASSERT_TRUE(used(*direct, 0));
    permits(*at);  // connected, and nothing is under way
    proxy.cut_after(1, TcpProxy::Direction::to_client);
    const Lease lease = got(want(*at, 3));
    EXPECT_EQ(permits(*direct).used, 3U);
    EXPECT_EQ(permits(*direct).waiting, 0U);
  }
}

TEST_F(SharesFaults, AReleaseWhoseReplyIsLostIsStillARelease) {
  TcpProxy proxy(server->port());
  const auto at = fifo_space(proxy.port());
  const auto direct = space();
  const Lease other = got(want(*direct, 1));
  for (int round = 0; round < 5; ++round) {
    Lease lease = got(want(*at, 4));
    Box<Acquired> next = want(*direct, 4);
    ASSERT_TRUE(waiting(*direct, 1));
    proxy.cut_after(1, TcpProxy::Direction::to_client);
    EXPECT_EQ(release_blocking(std::move(lease)), ReleaseOutcome::released);
    EXPECT_FALSE(got(next).lost());
    EXPECT_TRUE(used(*direct, 1));
  }
}

TEST_F(SharesFaults, AWaitGivenUpWhileTheServerIsSilentLeavesNoOrphan) {
  TcpProxy proxy(server->port());
  const auto at = fifo_space(proxy.port(), {.request_limit = 500ms});
  const auto direct = space();
  Lease all = got(want(*direct, 5));
  Box<Acquired> given_up = ask(*at->semaphore("L", 5)->permits(2), {.wait = 300ms, .lease = 60s});
  ASSERT_TRUE(waiting(*direct, 1));
  proxy.stall();
  EXPECT_FALSE(given_up.take());
  all.release();
  ASSERT_TRUE(used(*direct, 2));  // a claim for somebody who has gone
  proxy.resume();
  EXPECT_TRUE(used(*direct, 0));
  EXPECT_TRUE(waiting(*direct, 0));
}

TEST_F(SharesFaults, WaitsAndLeasesSurviveTheirConnections) {
  TcpProxy proxy(server->port());
  const auto at = fifo_space(proxy.port());
  const auto direct = space();
  Lease here = got(want(*direct, 2));
  Lease there = got(want(*at, 2));
  Box<Acquired> next = want(*at, 3);
  ASSERT_TRUE(waiting(*direct, 1));
  for (int round = 0; round < 3; ++round) {
    proxy.cut();
    eventually([] { return false; }, 100ms);
  }
  EXPECT_EQ(permits(*direct).waiting, 1U);
  EXPECT_FALSE(next.ready());
  here.release();
  EXPECT_FALSE(got(next).lost());
  EXPECT_FALSE(there.lost());
}

TEST_F(SharesFaults, WhatTheServerForgotIsToldToHoldersAndGrantedToWaiters) {
  const auto holder = space({}, {.watchdog_lease = 1'500ms});
  const auto waiter = space();
  const Lease lease = got(ask(*holder->semaphore("L", 5)->permits(4), {.wait = patience}));
  Box<Acquired> next = want(*waiter, 3);
  ASSERT_TRUE(waiting(*waiter, 1));
  server->command({"FLUSHALL"});
  EXPECT_GT(*got(next).token(), *lease.token());
  EXPECT_TRUE(stops_within(lease.stop_token(), 5s));
}

TEST_F(SharesFaults, AServerThatLostItsScriptsGoesOnAndAFullOneTakesThemBack) {
  const auto at = space();
  Lease lease = got(want(*at, 5));
  ASSERT_EQ(server->text({"SCRIPT", "FLUSH"}), "OK");
  EXPECT_EQ(release_blocking(std::move(lease)), ReleaseOutcome::released);
  Lease full = got(want(*at, 5));
  ASSERT_EQ(server->text({"CONFIG", "SET", "maxmemory", "1"}), "OK");
  EXPECT_EQ(refused(*at->semaphore("L", 5)->permits(1), {.lease = 1s}).why, Why::unavailable);
  EXPECT_EQ(release_blocking(std::move(full)), ReleaseOutcome::released);
}

TEST_F(SharesFaults, AKeyOfAnotherTypeIsSaidAndLeftAlone) {
  const auto at = space();
  server->command({"SET", "firstcome:semaphore:{L}", "mine"});
  EXPECT_EQ(refused(*at->semaphore("L", 5)->permits(1), {.wait = patience, .lease = 1s}).why, Why::wrong_type);
  EXPECT_EQ(server->text({"GET", "firstcome:semaphore:{L}"}), "mine");
}

std::unique_ptr<LockSpace> space_at(const std::string& url) {
  auto space = make_fifo_lock_space(net::parse_redis_url(url).value(), {.watchdog_lease = 3s, .outage_limit = 30s});
  if (!space) throw std::runtime_error(space.error());
  return std::move(*space);
}

TEST_F(SharesFaults, GoOnAtTheNewMaster) {
  RedisSentinels servers;
  const std::string url = "redis+sentinel://" + servers.addresses() + "/mymaster";
  const auto holder = space_at(url);
  const auto waiter = space_at(url);
  Lease lease = got(ask(*holder->semaphore("L", 5)->permits(3), {.wait = patience}));
  Box<Acquired> next = want(*waiter, 4);
  ASSERT_TRUE(waiting(*holder, 1));
  servers.first().kill();
  ASSERT_TRUE(eventually([&] { return servers.master_port() == servers.second().port(); }));
  lease.release();
  EXPECT_FALSE(got(next).lost());
}

TEST_F(SharesFaults, HandOverInAClusterAndKeepAllWhileTheSlotMoves) {
  RedisCluster cluster;
  const std::string url = "redis+cluster://" + cluster.addresses();
  const auto one = space_at(url);
  const auto two = space_at(url);
  const BootTime begin = BootClock::now();
  for (int round = 0; round < 20; ++round) {
    Lease writer = got(write(*one));
    Box<Acquired> first = read(*two);
    Box<Acquired> second = read(*one);
    ASSERT_TRUE(queued(*one, 2));
    writer.release();
    const Lease reads = got(first);
    const Lease also = got(second);
    EXPECT_EQ(readers(*two).used, 2U);
  }
  EXPECT_LT(BootClock::now() - begin, 8s);  // by messages; 20 pulses would take 10 s
  const unsigned slot = net::key_slot("{L}");
  RedisServer& source = cluster.owner_of(slot);
  RedisServer& target = &cluster.node(0) == &source ? cluster.node(1) : cluster.node(0);
  Lease kept = got(ask(*one->semaphore("L", 5)->permits(3), {.wait = patience}));
  Box<Acquired> next = want(*two, 5);
  ASSERT_TRUE(waiting(*two, 1));
  cluster.begin_move(slot, source, target);
  EXPECT_FALSE(stops_within(kept.stop_token(), 1s));
  cluster.move_keys(slot, source, target);
  EXPECT_FALSE(stops_within(kept.stop_token(), 1s));
  cluster.finish_move(slot, source, target);
  EXPECT_FALSE(stops_within(kept.stop_token(), 3s));  // the watchdog has renewed it there
  EXPECT_TRUE(used(*two, 3));
  EXPECT_TRUE(waiting(*two, 1));
  kept.release();
  EXPECT_FALSE(got(next).lost());
}

}  // namespace
}  // namespace firstcome::lock::test
