#include "lock/redis/redlock.hpp"

#include "lock/redis/redis_harness.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>

namespace firstcome::lock {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::RedisServer;
using test::ask;
using test::Box;
using test::get;
using test::LockContract;

constexpr std::size_t count = 5;

class FiveServers final : public test::LockHarness {
 public:
  static std::unique_ptr<test::LockHarness> make() {
    if (firstcome::testing::redis_is_installed()) return std::make_unique<FiveServers>();
    if (firstcome::testing::all_is_required()) ADD_FAILURE() << "redis-server is missing; ./run deps installs it";
    return nullptr;
  }

  std::unique_ptr<LockSpace> make_space(const LockSettings& settings) override {
    std::string url = "redlock://";
    for (const RedisServer& server : servers_) url += (&server == servers_.data() ? "" : ",") + server.address();
    return make_lock_space(make_redlock_locks(net::parse_redis_url(url).value()).value(), settings);
  }
  bool take_away(const std::string& name) override {
    int had = 0;
    for (const RedisServer& server : servers_) had += server.text({"DEL", key_of(name)}) == "1" ? 1 : 0;
    return had > 2;
  }
  /// Each who waits asks five servers, again and again.
  int most_threads() const override { return 12; }

  RedisServer& server(std::size_t index) { return servers_[index]; }
  /// How many have it.
  int holding(const std::string& name) const {
    int had = 0;
    for (const RedisServer& server : servers_) {
      had += server.is_running() && server.text({"EXISTS", key_of(name)}) == "1" ? 1 : 0;
    }
    return had;
  }

 private:
  static std::string key_of(const std::string& name) { return "firstcome:redlock:{" + name + "}"; }

  std::array<RedisServer, count> servers_;
};

INSTANTIATE_TEST_SUITE_P(Redlock, LockContract,
                         ::testing::Values(test::LockContractOf{"FiveServers", FiveServers::make}),
                         test::name_of_implementation);

constexpr const char* key_of_a = "firstcome:redlock:{a}";

struct Redlock : ::testing::Test {
  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    servers = std::make_unique<FiveServers>();
    LockSettings settings;
    settings.watchdog_lease = 1'500ms;
    space = servers->make_space(settings);
  }
  std::unique_ptr<FiveServers> servers;
  std::unique_ptr<LockSpace> space;
};

TEST_F(Redlock, SaysThatItHasNoTokens) {
  EXPECT_FALSE(space->traits().tokens);
  EXPECT_FALSE(get(*space, "a").token());
}

TEST_F(Redlock, LocksOnAllServersAndReleasesOnAll) {
  Lease lease = get(*space, "a", 60s);
  EXPECT_TRUE(firstcome::testing::eventually([&] { return servers->holding("a") == 5; }));  // three are enough
  EXPECT_EQ(release_blocking(std::move(lease)), ReleaseOutcome::released);
  EXPECT_TRUE(firstcome::testing::eventually([&] { return servers->holding("a") == 0; }));
}

TEST_F(Redlock, TakesOffWhatAskingTookAndTheDriftOfClocks) {
  const BootTime before = BootClock::now();
  const Lease lease = get(*space, "a", 60s);
  EXPECT_LE(lease.deadline(), BootClock::now() + 60s - 600ms - 2ms);
  EXPECT_GE(lease.deadline(), before + 60s - 600ms - 2ms);
}

TEST_F(Redlock, WorksWhileTwoOfFiveAreDown) {
  servers->server(0).kill();
  servers->server(3).kill();
  Lease lease = get(*space, "a", 60s);
  auto other = servers->make_space({});
  EXPECT_EQ(ask(*other, "a", {}).take().error().why, NotAcquired::Why::timed_out);
  EXPECT_EQ(release_blocking(std::move(lease)), ReleaseOutcome::released);
  get(*other, "a");
}

TEST_F(Redlock, SaysSoWhenMostAreDownAndKeepsNothing) {
  for (const std::size_t index : {0U, 1U, 4U}) servers->server(index).kill();
  const Acquired none = ask(*space, "a", {.lease = 60s}).take();
  ASSERT_FALSE(none);
  EXPECT_TRUE(is_failure(none.error().why)) << text_of(none.error().why);
  EXPECT_TRUE(firstcome::testing::eventually([&] { return servers->holding("a") == 0; }, 5s));
}

/// Else those who wait would keep each other from a majority, with what each got of a minority.
TEST_F(Redlock, GivesBackWhatAFailedAttemptGotWhileItWaitsForTheNext) {
  for (const std::size_t index : {0U, 1U, 2U}) servers->server(index).text({"SET", key_of_a, "somebody"});
  const auto patient = servers->make_space({.backoff = {.first = 1h, .longest = 1h}});
  std::stop_source stop;
  Box<Acquired> waiting = ask(*patient, "a", {.wait = wait_for_ever, .lease = 1h, .stop = stop.get_token()});
  // It has asked all five, and been given two.
  const auto asked = [this](std::size_t index) {
    return servers->server(index).text({"INFO", "commandstats"}).find("cmdstat_set:calls=1,") != std::string::npos;
  };
  ASSERT_TRUE(firstcome::testing::eventually([&] { return asked(3) && asked(4); }));
  EXPECT_TRUE(firstcome::testing::eventually([&] { return servers->holding("a") == 3; }, 5s));
  for (const std::size_t index : {1U, 2U}) servers->server(index).text({"DEL", key_of_a});
  const Lease lease = get(*space, "a", 60s);  // on four; with those two it would be on two
  EXPECT_FALSE(waiting.ready());
  stop.request_stop();
  EXPECT_FALSE(waiting.take());
}

TEST_F(Redlock, ALateReleaseOfAFailedAttemptEndsNothingOfTheNext) {
  RedisServer& third = servers->server(3);
  third.text({"CONFIG", "SET", "slowlog-log-slower-than", "0"});
  for (const std::size_t index : {0U, 1U, 2U}) servers->server(index).text({"SET", key_of_a, "somebody"});
  const auto patient = servers->make_space({.backoff = {.first = 20ms, .longest = 20ms}});
  // An attempt may meet the keys while they are deleted, and get three of the five. The first renewal gets the others.
  Box<Acquired> waiting = ask(*patient, "a", {.wait = test::patience, .lease = 6s});
  // The release that followed the first attempt, as this server got it.
  std::vector<std::string> release;
  const auto released = [&] {
    for (const auto& entry : third.command({"SLOWLOG", "GET", "-1"}).elements) {
      const auto& arguments = entry.elements.at(3).elements;
      if (!arguments.at(0).text.starts_with("EVAL")) continue;
      release.clear();  // the last one is the oldest
      for (const auto& argument : arguments) release.push_back(argument.text);
    }
    return !release.empty();
  };
  ASSERT_TRUE(firstcome::testing::eventually(released));
  for (const std::size_t index : {0U, 1U, 2U}) servers->server(index).text({"DEL", key_of_a});
  const Acquired lease = waiting.take();
  ASSERT_TRUE(lease);
  ASSERT_TRUE(firstcome::testing::eventually([&] { return servers->holding("a") == 5; }));
  third.text(release);
  EXPECT_EQ(servers->holding("a"), 5);
}

TEST_F(Redlock, DoesNotWaitForAMinorityThatIsStopped) {
  get(*space, "warm");
  servers->server(1).pause();
  servers->server(2).pause();
  const BootTime begin = BootClock::now();
  Lease lease = get(*space, "a", 60s);
  EXPECT_EQ(release_blocking(std::move(lease)), ReleaseOutcome::released);
  EXPECT_LT(BootClock::now() - begin, 900ms);
  servers->server(1).resume();
  servers->server(2).resume();
  EXPECT_TRUE(firstcome::testing::eventually([&] { return servers->holding("a") == 0; }, 10s));
}

TEST_F(Redlock, KeepsALeaseThatAMinorityForgot) {
  const Lease lease = get(*space, "a");
  for (const std::size_t index : {0U, 1U}) servers->server(index).text({"FLUSHALL"});
  EXPECT_FALSE(test::stops_within(lease.stop_token(), 2'500ms));
}

TEST_F(Redlock, TellsTheHolderWhenMostServersForgotIt) {
  const Lease lease = get(*space, "a");
  EXPECT_TRUE(firstcome::testing::eventually([&] { return servers->holding("a") == 5; }));
  for (const std::size_t index : {0U, 1U, 2U}) servers->server(index).text({"FLUSHALL"});
  EXPECT_TRUE(test::stops_within(lease.stop_token(), test::patience));
}

TEST(RedlockUrl, IsOneOfItsOwn) { EXPECT_FALSE(make_redlock_locks(net::parse_redis_url("redis://h").value())); }

}  // namespace
}  // namespace firstcome::lock
