#include "lock/redis/setnx.hpp"

#include "lock/redis/redis_harness.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace firstcome::lock {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::RedisServer;
using test::ask;
using test::Box;
using test::get;
using test::LockContract;

constexpr const char* prefix = "firstcome:setnx:";

auto locks(SetnxWait wait) {
  return [wait](const net::RedisUrl& url) { return make_setnx_locks(url, wait); };
}

auto harness(SetnxWait wait) {
  return [wait] { return test::RedisHarness::make(locks(wait), prefix); };
}

INSTANTIATE_TEST_SUITE_P(Setnx, LockContract,
                         ::testing::Values(test::LockContractOf{"TriedOnce", harness(SetnxWait::tried_once)},
                                           test::LockContractOf{"Spinning", harness(SetnxWait::spinning)}),
                         test::name_of_implementation);

TEST(Setnx, WritesTheOwnerWithTheLeaseAsItsLife) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  auto space = test::space_at(locks(SetnxWait::spinning), server.port());
  const Lease lease = get(*space, "a", 10s);
  EXPECT_EQ(server.text({"GET", "firstcome:setnx:{a}"}), lease.owner());
  const int left = std::stoi(server.text({"PTTL", "firstcome:setnx:{a}"}));
  EXPECT_LE(left, 10'000);
  EXPECT_GT(left, 5'000);
  EXPECT_FALSE(lease.token());
}

TEST(Setnx, TriesOnceWhateverTheWait) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  auto space = test::space_at(locks(SetnxWait::tried_once), server.port());
  const Lease lease = get(*space, "a");
  const Acquired none = ask(*space, "a", {.wait = 1h}).take();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().why, NotAcquired::Why::timed_out);
}

TEST(Setnx, IsOneCommandToAcquireAndOneToRelease) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  auto space = test::space_at(locks(SetnxWait::spinning), server.port());
  release_blocking(get(*space, "a"));  // loads the script
  server.text({"CONFIG", "RESETSTAT"});
  for (int i = 0; i < 10; ++i) release_blocking(get(*space, "a"));
  const std::string stats = server.text({"INFO", "commandstats"});
  EXPECT_NE(stats.find("cmdstat_set:calls=10,"), std::string::npos) << stats;
  EXPECT_NE(stats.find("cmdstat_evalsha:calls=10,"), std::string::npos) << stats;
}

}  // namespace
}  // namespace firstcome::lock
