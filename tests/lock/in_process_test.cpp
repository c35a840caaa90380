#include "lock/in_process.hpp"

#include "lock/lock_contract.hpp"
#include "lock/manual_alarms.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace firstcome::lock {
namespace {

using namespace std::chrono_literals;
using test::Box;
using test::ManualAlarms;

/// Several spaces over the same locks, of which each one may end.
class Shared final : public LockBackend {
 public:
  explicit Shared(std::shared_ptr<LockBackend> of) : of_(std::move(of)) {}
  const LockTraits& traits() const override { return of_->traits(); }
  std::shared_ptr<Contender> contend(Contention contention, std::weak_ptr<ContenderEvents> events) override {
    return of_->contend(std::move(contention), std::move(events));
  }
  void inspect(const std::string& name, Answer<std::expected<LockView, LockFailure>> done) override {
    of_->inspect(name, std::move(done));
  }
  void force_release(const std::string& name, std::uint64_t token,
                     Answer<std::expected<FreeOutcome, LockFailure>> done) override {
    of_->force_release(name, token, std::move(done));
  }
  void close() override {}

 private:
  const std::shared_ptr<LockBackend> of_;
};

class InProcessHarness final : public test::LockHarness {
 public:
  ~InProcessHarness() override { locks_->close(); }
  std::unique_ptr<LockSpace> make_space(const LockSettings& settings) override {
    return make_lock_space(std::make_shared<Shared>(locks_), settings, alarms_);
  }
  bool take_away(const std::string& name) override { return locks_->take_away(name); }

 private:
  const std::shared_ptr<Alarms> alarms_ = make_thread_alarms();  // one for all, as in the product
  const std::shared_ptr<InProcessLocks> locks_ =
      std::make_shared<InProcessLocks>(InProcessLocks::Settings{"here", 1'000}, alarms_);
};

using test::LockContract;
INSTANTIATE_TEST_SUITE_P(InProcess, LockContract,
                         testing::Values(test::LockContractOf{"InProcess",
                                                              [] { return std::make_unique<InProcessHarness>(); }}),
                         test::name_of_implementation);

/// With a clock that the test moves.
struct InProcess : testing::Test {
  std::shared_ptr<ManualAlarms> alarms = std::make_shared<ManualAlarms>();
  std::shared_ptr<InProcessLocks> locks =
      std::make_shared<InProcessLocks>(InProcessLocks::Settings{"here", 1'000}, alarms);
  std::unique_ptr<LockSpace> space = make_lock_space(locks, {}, alarms);

  Box<Acquired> ask(const std::string& name, AcquireOptions options) const {
    Box<Acquired> box;
    space->lock(name)->acquire(std::move(options), box.setter());
    return box;
  }
  Lease get(const std::string& name, std::optional<Milliseconds> lease = {}) const {
    return std::move(ask(name, {.lease = lease}).take().value());
  }
};

TEST_F(InProcess, AnswersWithinTheCallWhatIsKnownAtOnce) {
  Box<Acquired> first = ask("a", {});
  EXPECT_TRUE(first.ready());
  EXPECT_TRUE(ask("a", {}).ready());
}

TEST_F(InProcess, HandsOverWithinTheRelease) {
  Lease lease = get("a");
  Box<Acquired> waiting = ask("a", {.wait = 1s});
  EXPECT_FALSE(waiting.ready());
  lease.release();
  EXPECT_TRUE(waiting.ready());
}

TEST_F(InProcess, TakesUpAPlaceInTheQueueOnlyWhileItWaits) {
  Lease lease = get("a", 60s);
  Box<Acquired> first = ask("a", {.wait = 1s});
  Box<Acquired> second = ask("a", {.wait = 10s});
  alarms->advance(1s);
  EXPECT_FALSE(first.take());
  lease.release();
  EXPECT_TRUE(second.ready());
}

TEST_F(InProcess, HasLeftTheQueueWhenItSaysThatTheWaitIsOver) {
  Lease lease = get("a", 60s);
  Box<bool> free;
  space->lock("a")->acquire({.wait = 1s}, [&, set = free.setter()](const Acquired& none) mutable {
    EXPECT_FALSE(none);
    lease.release();
    space->lock("a")->acquire({}, [done = std::move(set)](const Acquired& next) mutable { done(next.has_value()); });
  });
  alarms->advance(1s);
  EXPECT_TRUE(free.take());
}

TEST_F(InProcess, PassesALapsedLockOnAtTheMomentItLapses) {
  Lease lease = get("a", 10s);
  Box<Acquired> waiting = ask("a", {.wait = 60s});
  alarms->advance(10s - 103ms);
  EXPECT_FALSE(lease.lost());
  alarms->advance(1ms);
  EXPECT_TRUE(lease.lost());
  EXPECT_FALSE(waiting.ready());
  alarms->advance(102ms);
  EXPECT_TRUE(waiting.ready());
}

TEST_F(InProcess, KeepsARenewedLockFromThoseWhoWait) {
  Lease lease = get("a");
  Box<Acquired> waiting = ask("a", {.wait = wait_for_ever});
  alarms->advance(1h);
  EXPECT_FALSE(lease.lost());
  EXPECT_FALSE(waiting.ready());
  lease.release();
  EXPECT_TRUE(waiting.ready());
}

TEST_F(InProcess, LosesALeaseOverWhichTheProcessSlept) {
  Lease lease = get("a");
  alarms->freeze(31s);
  EXPECT_TRUE(lease.lost());  // before any timer could ring
  alarms->advance(0s);
  EXPECT_TRUE(lease.stop_token().stop_requested());
  alarms->advance(1min);
  EXPECT_TRUE(lease.lost());
}

TEST_F(InProcess, HandsOverManyThousandTimesWithoutNestingCalls) {
  const auto lock = space->lock("a");
  int left = 20'000;
  bool inside = false;
  bool nested = false;
  std::move_only_function<void(Acquired)> next;
  const auto once = [&](Acquired acquired) {
    nested = nested || inside || !acquired;
    inside = true;
    if (--left > 0) lock->acquire({.wait = 1s}, [&](Acquired again) { next(std::move(again)); });
    acquired->release();
    inside = false;
  };
  next = once;
  lock->acquire({.wait = 1s}, [&](Acquired first) { next(std::move(first)); });
  EXPECT_EQ(left, 0);
  EXPECT_FALSE(nested);
}

TEST_F(InProcess, LetsGoOfALongLineWithoutAChainOfCalls) {
  std::vector<Box<Acquired>> line;
  const Lease lease = get("a");
  for (int i = 0; i < 60'000; ++i) line.push_back(ask("a", {.wait = wait_for_ever}));
  space.reset();
  for (auto& one : line) ASSERT_EQ(one.take().error().why, NotAcquired::Why::closed);
}

TEST_F(InProcess, IsFullAtItsBound) {
  LockSettings small;
  small.waiting_limit = 2;
  locks = std::make_shared<InProcessLocks>(InProcessLocks::Settings{"small", 1}, alarms);
  space = make_lock_space(locks, small, alarms);
  Lease lease = get("a");
  Box<Acquired> first = ask("a", {.wait = 1h});
  Box<Acquired> second = ask("a", {.wait = 1h});
  EXPECT_EQ(ask("a", {.wait = 1h}).take().error().why, NotAcquired::Why::full);
  lease.release();
  EXPECT_TRUE(first.ready());
  EXPECT_TRUE(ask("b", {.wait = 1h}).take());
  EXPECT_FALSE(second.ready());
}

TEST_F(InProcess, LeavesNothingBehind) {
  for (int i = 0; i < 100; ++i) get(std::to_string(i));
  EXPECT_EQ(alarms->pending(), 0U);
}

}  // namespace
}  // namespace firstcome::lock
