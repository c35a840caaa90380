// What Redisson's RLock would see, without Java; tests/interop has the real one.
#include "lock/redis/redisson.hpp"

#include "lock/redis/redis_harness.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace firstcome::lock {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::eventually;
using firstcome::testing::RedisServer;
using test::ask;
using test::Box;
using test::get;
using test::LockContract;

auto locks() {
  return [](const net::RedisUrl& url) { return make_redisson_locks(url); };
}

INSTANTIATE_TEST_SUITE_P(Redisson, LockContract,
                         ::testing::Values(test::LockContractOf{"Redisson",
                                                                [] { return test::RedisHarness::make(locks(), ""); }}),
                         test::name_of_implementation);

struct Redisson : ::testing::Test {
  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    server = std::make_unique<RedisServer>();
    space = test::space_at(locks(), server->port());
  }
  /// What a release publishes has this many subscribers.
  int listeners(const std::string& name) const {
    return std::stoi(server->command({"PUBSUB", "NUMSUB", "redisson_lock__channel:{" + name + "}"}).elements[1].text);
  }
  /// Waits for the lock and releases it at once, which wakes the next; whether it got it.
  static Box<bool> pass_through(LockSpace& from, const std::string& name) {
    Box<bool> box;
    from.lock(name)->acquire({.wait = 30s, .lease = 60s},
                             [set = box.setter()](const Acquired& acquired) mutable { set(acquired.has_value()); });
    return box;
  }
  std::uint64_t calls_of(const std::string& command) const {
    const std::string stats = server->text({"INFO", "commandstats"});
    const std::string line = "cmdstat_" + command + ":calls=";
    const auto at = stats.find(line);
    return at == std::string::npos ? 0 : std::stoull(stats.substr(at + line.size()));
  }

  std::unique_ptr<RedisServer> server;
  std::unique_ptr<LockSpace> space;
};

TEST_F(Redisson, WritesTheHashOfAnRLock) {
  const Lease lease = get(*space, "a", 10s);
  const auto fields = server->command({"HGETALL", "a"}).elements;
  ASSERT_EQ(fields.size(), 2U);
  EXPECT_EQ(fields[0].text, lease.owner());
  EXPECT_EQ(fields[1].text, "1");
  const std::string& owner = lease.owner();  // 8-4-4-4-12 digits of hex, lower case, and a number
  ASSERT_GT(owner.size(), 37U);
  for (const std::size_t at : {8U, 13U, 18U, 23U}) EXPECT_EQ(owner[at], '-');
  EXPECT_EQ(owner[14], '4');
  EXPECT_EQ(owner[36], ':');
  EXPECT_TRUE(std::ranges::all_of(owner.substr(37), [](char c) { return c >= '0' && c <= '9'; }));
  const int left = std::stoi(server->text({"PTTL", "a"}));
  EXPECT_LE(left, 10'000);
  EXPECT_GT(left, 5'000);
}

TEST_F(Redisson, AnAcquireThatComesAgainAndLateDoesNotShortenARenewal) {
  server->text({"CONFIG", "SET", "slowlog-log-slower-than", "0"});
  Lease lease = get(*space, "a", 1s);
  std::vector<std::string> acquire;
  for (const auto& entry : server->command({"SLOWLOG", "GET", "-1"}).elements) {
    const auto& arguments = entry.elements.at(3).elements;
    if (!acquire.empty() || !arguments.at(0).text.starts_with("EVALSHA")) continue;
    for (const auto& argument : arguments) acquire.push_back(argument.text);
  }
  ASSERT_FALSE(acquire.empty());
  ASSERT_EQ(renew_blocking(lease, 60s), RenewOutcome::renewed);
  EXPECT_EQ(server->text(acquire), "(nil)");  // it has it
  EXPECT_GT(std::stoi(server->text({"PTTL", "a"})), 30'000);
  EXPECT_FALSE(lease.lost());
}

TEST_F(Redisson, CountsReentryHereAndNotInTheHash) {
  Lease outer = get(*space, "a");
  Lease inner = outer.again();
  EXPECT_EQ(server->text({"HGET", "a", outer.owner()}), "1");
  outer.release();
  EXPECT_EQ(server->text({"HGET", "a", inner.owner()}), "1");
  release_blocking(std::move(inner));
  EXPECT_EQ(server->text({"EXISTS", "a"}), "0");
}

TEST_F(Redisson, WaitsForTheMessageAndNotForTheLease) {
  server->text({"HSET", "a", "8743c9c0-0795-4907-87fd-6c719a6b4586:47", "1"});
  server->text({"PEXPIRE", "a", "60000"});
  Box<Acquired> waiting = ask(*space, "a", {.wait = 30s});
  ASSERT_TRUE(eventually([&] { return listeners("a") == 1; }));
  EXPECT_FALSE(waiting.ready());
  const BootTime released = BootClock::now();
  server->text({"DEL", "a"});
  server->text({"PUBLISH", "redisson_lock__channel:{a}", "0"});
  EXPECT_TRUE(waiting.take());
  EXPECT_LT(BootClock::now() - released, 900ms);  // without the message: 1 s
}

TEST_F(Redisson, TellsThoseWhoWaitElsewhere) {
  auto other = test::space_at(locks(), server->port());
  Lease lease = get(*space, "a", 60s);
  Box<Acquired> waiting = ask(*other, "a", {.wait = 30s, .lease = 60s});
  ASSERT_TRUE(eventually([&] { return listeners("a") == 1; }));
  const BootTime released = BootClock::now();
  lease.release();
  EXPECT_TRUE(waiting.take());
  EXPECT_LT(BootClock::now() - released, 900ms);
}

/// Known bug 17: redisson #5761, #1763, #6539.
TEST_F(Redisson, LooksAgainWithinASecondWhenTheMessageIsLost) {
  server->text({"HSET", "a", "8743c9c0-0795-4907-87fd-6c719a6b4586:47", "1"});
  server->text({"PEXPIRE", "a", "60000"});
  Box<Acquired> waiting = ask(*space, "a", {.wait = 30s});
  ASSERT_TRUE(eventually([&] { return listeners("a") == 1; }));
  const BootTime released = BootClock::now();
  server->text({"DEL", "a"});  // and tells nobody
  EXPECT_TRUE(waiting.take());
  EXPECT_LT(BootClock::now() - released, 5s);
}

/// Known bug 17: a key whose life was lost is waited for without a message for ever.
TEST_F(Redisson, LooksAgainAtALockThatHasNoEnd) {
  server->text({"HSET", "a", "8743c9c0-0795-4907-87fd-6c719a6b4586:47", "1"});
  Box<Acquired> waiting = ask(*space, "a", {.wait = 30s});
  EXPECT_FALSE(waiting.there_within(300ms));
  server->text({"DEL", "a"});
  EXPECT_TRUE(waiting.there_within(5s));
}

/// A release between the first try and the subscription is told to nobody.
TEST_F(Redisson, TriesAgainAsSoonAsItHasSubscribed) {
  Lease other = get(*space, "b");
  Box<Acquired> listening = ask(*space, "b", {.wait = 30s});
  ASSERT_TRUE(eventually([&] { return listeners("b") == 1; }));  // a first connection wakes all anyhow
  release_blocking(std::move(other));
  release_blocking(std::move(listening.take().value()));
  server->text({"HSET", "a", "8743c9c0-0795-4907-87fd-6c719a6b4586:47", "1"});
  server->text({"CONFIG", "RESETSTAT"});
  const Box<Acquired> waiting = ask(*space, "a", {.wait = 30s});
  EXPECT_TRUE(eventually([&] { return calls_of("hexists") >= 2; }, 800ms));  // else: after 1 s
}

TEST_F(Redisson, TriesAtOnceWhenTheHoldersLeaseEnds) {
  server->text({"HSET", "a", "8743c9c0-0795-4907-87fd-6c719a6b4586:47", "1"});
  server->text({"PEXPIRE", "a", "400"});
  const BootTime begin = BootClock::now();
  EXPECT_TRUE(ask(*space, "a", {.wait = 30s}).take());
  const auto waited = BootClock::now() - begin;
  EXPECT_GT(waited, 300ms);
  EXPECT_LT(waited, 950ms);  // not the whole second
}

TEST_F(Redisson, SubscribesOnceForAllWhoWaitHereAndKeepsNoChannelForEver) {
  auto other = test::space_at(locks(), server->port());
  Lease lease = get(*space, "a", 60s);
  std::vector<Box<bool>> waiting;
  for (int i = 0; i < 10; ++i) waiting.push_back(pass_through(*other, "a"));
  ASSERT_TRUE(eventually([&] { return listeners("a") == 1; }));
  EXPECT_EQ(calls_of("subscribe"), 1U);
  lease.release();
  for (auto& one : waiting) EXPECT_TRUE(one.take());
  EXPECT_TRUE(eventually([&] { return listeners("a") == 0; }));
}

TEST_F(Redisson, WakesAnotherWhenTheOneThatItWokeHasGone) {
  server->text({"HSET", "a", "8743c9c0-0795-4907-87fd-6c719a6b4586:47", "1"});
  std::stop_source stop;
  Box<Acquired> first = ask(*space, "a", {.wait = 30s, .lease = 60s, .stop = stop.get_token()});
  ASSERT_TRUE(eventually([&] { return listeners("a") == 1; }));
  std::vector<Box<bool>> others;
  for (int i = 0; i < 5; ++i) others.push_back(pass_through(*space, "a"));
  const BootTime released = BootClock::now();
  server->text({"DEL", "a"});
  server->text({"PUBLISH", "redisson_lock__channel:{a}", "0"});
  stop.request_stop();
  if (Acquired got = first.take()) got->release();
  for (auto& one : others) EXPECT_TRUE(one.take());
  EXPECT_LT(BootClock::now() - released, 900ms);
}

TEST_F(Redisson, UncontendedIsTwoScripts) {
  release_blocking(get(*space, "a"));  // loads the scripts
  server->text({"CONFIG", "RESETSTAT"});
  for (int i = 0; i < 10; ++i) release_blocking(get(*space, "a"));
  EXPECT_EQ(calls_of("evalsha") + calls_of("eval"), 20U);
  EXPECT_EQ(calls_of("subscribe"), 0U);
}

TEST_F(Redisson, LeavesAKeyOfAnotherTypeAlone) {
  server->text({"SET", "a", "text"});
  const Acquired none = ask(*space, "a", {.wait = 10s}).take();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().why, NotAcquired::Why::wrong_type);
  EXPECT_EQ(server->text({"GET", "a"}), "text");
}

TEST_F(Redisson, RefusesNamesWithBraces) {
  EXPECT_EQ(ask(*space, "a{b}", {.wait = 10s}).take().error().why, NotAcquired::Why::bad_name);
}

TEST_F(Redisson, FindsItsScriptsAgainWhenTheServerForgotThem) {
  release_blocking(get(*space, "a"));
  server->text({"SCRIPT", "FLUSH"});
  const Lease lease = get(*space, "a");
  EXPECT_FALSE(lease.lost());
}

/// There a message travels in the slot of the lock: SPUBLISH, as a current Redisson does it.
TEST(RedissonInACluster, TellsThoseWhoWaitElsewhere) {
  FIRSTCOME_NEEDS_REDIS();
  const firstcome::testing::RedisCluster cluster;
  const net::RedisUrl url = net::parse_redis_url("redis+cluster://" + cluster.addresses()).value();
  const auto one = make_lock_space(make_redisson_locks(url).value(), {});
  const auto two = make_lock_space(make_redisson_locks(url).value(), {});
  for (const std::string name : {"a", "b", "c", "d"}) {  // in several slots
    Lease lease = get(*one, name, 60s);
    Box<Acquired> waiting = ask(*two, name, {.wait = 30s, .lease = 60s});
    EXPECT_FALSE(waiting.there_within(150ms));
    const BootTime released = BootClock::now();
    EXPECT_EQ(release_blocking(std::move(lease)), ReleaseOutcome::released);
    EXPECT_TRUE(waiting.take());
    EXPECT_LT(BootClock::now() - released, 700ms);  // it looks again by itself 1 s after it began to wait
  }
}

}  // namespace
}  // namespace firstcome::lock
