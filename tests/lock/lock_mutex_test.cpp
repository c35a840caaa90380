#include "lock/in_process.hpp"
#include "lock/manual_alarms.hpp"
#include "lock/waiting.hpp"

#include <firstcome/lock_mutex.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace firstcome {
namespace {

using namespace std::chrono_literals;

struct LockMutexes : testing::Test {
  std::unique_ptr<LockSpace> space = make_in_process_locks();
};

TEST_F(LockMutexes, ProtectLikeAMutex) {
  LockMutex mutex(*space, "counter");
  int counter = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        const std::unique_lock guard(mutex);
        ++counter;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(counter, 8 * 200);
}

TEST_F(LockMutexes, AreTakenTogetherByAScopedLockInAnyOrder) {
  LockMutex one(*space, "one");
  LockMutex two(*space, "two");
  int counter = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 50; ++round) {
        if (i % 2 == 0) {
          const std::scoped_lock guard(one, two);
          ++counter;
        } else {
          const std::scoped_lock guard(two, one);
          ++counter;
        }
      }
    });
  }
  threads.clear();
  EXPECT_EQ(counter, 4 * 50);
}

TEST_F(LockMutexes, AreTriedForATime) {
  LockMutex mutex(*space, "taken");
  const std::unique_lock held(mutex);
  std::jthread([&] {
    EXPECT_FALSE(mutex.try_lock());
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_FALSE(mutex.try_lock_for(20ms));
    EXPECT_FALSE(mutex.try_lock_until(std::chrono::steady_clock::now() + 20ms));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 40ms);
    EXPECT_FALSE(mutex.try_lock_for(-1h));
    const std::unique_lock other(mutex, 1us);
    EXPECT_FALSE(other.owns_lock());
  }).join();
}

TEST_F(LockMutexes, GetALongerWaitThanTheClockCanCount) {
  LockMutex mutex(*space, "free");
  EXPECT_TRUE(mutex.try_lock_for(std::chrono::hours::max()));
  mutex.unlock();
}

TEST_F(LockMutexes, TellThatTheirLeaseIsLostAndUnlockNobodyElses) {
  LockMutex mutex(*space, "lost", 30ms);
  mutex.lock();
  const std::stop_token stop = mutex.lease().stop_token();
  EXPECT_TRUE(lock::test::stops_within(stop, lock::test::patience));
  EXPECT_TRUE(mutex.lease().lost());
  LockMutex longer(*space, "lost");
  std::jthread([&] {
    const std::unique_lock other(longer);
    std::jthread([&] { EXPECT_FALSE(longer.try_lock()); }).join();
  }).join();
  Lease next = std::move(acquire_blocking(*space->lock("lost"), {.wait = 10s}).value());
  mutex.unlock();
  EXPECT_FALSE(longer.try_lock());
  EXPECT_FALSE(next.lost());
}

TEST_F(LockMutexes, ThrowWhereTheLockCannotBeAsked) {
  LockMutex mutex(*space, "{}");
  try {
    mutex.lock();
    FAIL() << "nothing was thrown";
  } catch (const LockError& error) {
    EXPECT_EQ(error.why(), NotAcquired::Why::bad_name);
    EXPECT_NE(std::string(error.what()).find("bad-name"), std::string::npos);
  }
}

TEST_F(LockMutexes, GiveALeaseToReenterWith) {
  LockMutex mutex(*space, "again");
  std::unique_lock guard(mutex);
  const Lease inner = mutex.lease().again();
  guard.unlock();
  EXPECT_FALSE(mutex.try_lock());
}

struct WithLock : LockMutexes {
  std::unique_ptr<Lock> lock = space->lock("with");
};

TEST_F(WithLock, RunsUnderTheLeaseAndReturnsWhatTheFunctionDoes) {
  const auto token = with_lock(*lock, {.wait = 1s}, [this](Lease& lease) {
    EXPECT_FALSE(acquire_blocking(*lock, {}));
    return *lease.token();
  });
  ASSERT_TRUE(token);
  EXPECT_GT(*token, 0U);
  EXPECT_TRUE(acquire_blocking(*lock, {}));
}

TEST_F(WithLock, TakesAFunctionThatReturnsNothingAndWantsNothing) {
  bool ran = false;
  const std::expected<void, NotAcquired> done = with_lock(*lock, {}, [&ran] { ran = true; });
  EXPECT_TRUE(done);
  EXPECT_TRUE(ran);
}

TEST_F(WithLock, DoesNotRunWithoutTheLock) {
  const Acquired held = acquire_blocking(*lock, {});
  const auto result = with_lock(*lock, {.wait = 5ms}, []() -> int { throw std::logic_error("was run"); });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().why, NotAcquired::Why::timed_out);
}

TEST_F(WithLock, SaysWhetherTheLockWasHeldUntilTheEnd) {
  ReleaseOutcome outcome = ReleaseOutcome::unknown;
  EXPECT_EQ(with_lock(*lock, {}, [] { return 7; }, &outcome), 7);
  EXPECT_EQ(outcome, ReleaseOutcome::released);
  const auto next = space->lock("with");
  Acquired other;
  with_lock(*lock, {.lease = 30ms}, [&] { other = acquire_blocking(*next, {.wait = lock::test::patience}); }, &outcome);
  EXPECT_TRUE(other);
  EXPECT_EQ(outcome, ReleaseOutcome::lost);
}

TEST_F(WithLock, ReleasesWhenTheFunctionThrows) {
  EXPECT_THROW(with_lock(*lock, {}, [] { throw std::runtime_error("from inside"); }), std::runtime_error);
  EXPECT_TRUE(acquire_blocking(*lock, {}));
}

}  // namespace
}  // namespace firstcome
