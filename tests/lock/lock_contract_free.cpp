// The contract of locks that an administrator frees, and of those that cannot be freed.
#include "lock/lock_contract.hpp"

#include <chrono>

namespace firstcome::lock::test {

TEST_P(LockContract, IsFreedByTheTokenOfTheGrantAndNoOther) {
  Lease lease = get(*space, "freed");
  const std::uint64_t token = lease.token().value_or(1);
  const auto freed = [&](std::uint64_t of) { return force_release_blocking(*other, "freed", of).value(); };
  if (!space->traits().frees) {
    EXPECT_EQ(freed(token), FreeOutcome::not_offered);
    EXPECT_FALSE(lease.lost());
    return;
  }
  EXPECT_EQ(freed(token + 1), FreeOutcome::other_token);
  EXPECT_FALSE(lease.lost());
  Box<Acquired> waiting = ask(*other, "freed", {.wait = patience});
  EXPECT_EQ(freed(token), FreeOutcome::freed);
  Acquired next = waiting.take();
  ASSERT_TRUE(next);
  EXPECT_GT(*next->token(), token);
  EXPECT_TRUE(stops_within(lease.stop_token(), patience));  // at its next renewal
  EXPECT_EQ(release_blocking(std::move(lease)), ReleaseOutcome::lost);
  EXPECT_EQ(freed(token), FreeOutcome::other_token);
  EXPECT_FALSE(next->lost());
  const std::uint64_t last = *next->token();
  EXPECT_EQ(release_blocking(std::move(*next)), ReleaseOutcome::released);
  EXPECT_EQ(freed(last), FreeOutcome::not_held);
}

}  // namespace firstcome::lock::test
