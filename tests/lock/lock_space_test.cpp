// The shells around the state machines: what reaches the backend, in which order, and what the caller hears meanwhile.
#include "lock/in_process.hpp"
#include "lock/manual_alarms.hpp"
#include "lock/scripted_backend.hpp"
#include "lock/waiting.hpp"
#include "support/rounds.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <thread>
#include <vector>

namespace firstcome::lock {
namespace {

using namespace std::chrono_literals;
using test::Box;
using test::ManualAlarms;
using test::ScriptedBackend;
using What = ScriptedBackend::What;
using Why = NotAcquired::Why;

struct LockSpaces : ::testing::Test {
  LockSpaces() {
    LockSettings settings;
    settings.drain_limit = 0ms;
    settings.observer = observer;
    space = make_lock_space(backend, settings, alarms);
  }

  Box<Acquired> ask(AcquireOptions options) const {
    Box<Acquired> box;
    space->lock("a")->acquire(std::move(options), box.setter());
    return box;
  }
  Grant grant(Milliseconds length = 30s) const { return {.token = 5, .base = alarms->now(), .length = length}; }
  Lease held(AcquireOptions options = {}) const {
    Box<Acquired> box = ask(std::move(options));
    backend->next(What::attempt).attempt(grant());
    return std::move(box.take().value());
  }
  static LockFailure broken() { return {LockFailure::Kind::broken, "cut"}; }

  std::shared_ptr<ManualAlarms> alarms = std::make_shared<ManualAlarms>();
  std::shared_ptr<ScriptedBackend> backend = std::make_shared<ScriptedBackend>();
  std::shared_ptr<test::CountingObserver> observer = std::make_shared<test::CountingObserver>();
  std::unique_ptr<LockSpace> space;
};

TEST_F(LockSpaces, AnswersInTimeThoughTheBackendDoesNot) {
  Box<Acquired> box = ask({.wait = 1s});
  ScriptedBackend::Call attempt = backend->next(What::attempt);
  alarms->advance(1s);
  EXPECT_EQ(box.take().error().why, Why::unavailable);
  ScriptedBackend::Call cancel = backend->next(What::cancel);
  attempt.attempt(grant());  // belongs to nobody any more
  cancel.cancel(std::unexpected(broken()));
  alarms->advance(1s);
  backend->next(What::cancel).cancel({});
  alarms->advance(1min);
  EXPECT_TRUE(backend->calls.empty());
  EXPECT_EQ(alarms->pending(), 0U);
}

TEST_F(LockSpaces, SendsAStoppedWaitsCancelAfterItsAttempt) {
  std::stop_source stop;
  Box<Acquired> box = ask({.wait = wait_for_ever, .stop = stop.get_token()});
  stop.request_stop();
  EXPECT_EQ(box.take().error().why, Why::stopped);
  backend->next(What::attempt).attempt(Queued{});
  backend->next(What::cancel).cancel({});
  backend->push(grant());
  EXPECT_TRUE(backend->calls.empty());
}

TEST_F(LockSpaces, GivesThePushedLease) {
  Box<Acquired> box = ask({.wait = 1min});
  backend->next(What::attempt).attempt(Queued{});
  alarms->advance(2s);
  backend->push(grant());
  const Acquired lease = box.take();
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->token(), 5U);
  EXPECT_EQ(lease->owner(), "scripted:1");
}

TEST_F(LockSpaces, DatesALeaseByTheSendingAlsoWhenTheAnswerIsLate) {
  Box<Acquired> box = ask({.wait = 1min});
  const Grant sent = grant();
  alarms->advance(20s);
  backend->next(What::attempt).attempt(sent);
  EXPECT_EQ(box.take()->deadline(), sent.base + 30s - 302ms);
}

TEST_F(LockSpaces, TellsTheHolderBeforeTheLeaseCanEndWhenNoRenewalIsAnswered) {
  const BootTime begin = alarms->now();
  Lease lease = held();
  alarms->advance(10s);
  ScriptedBackend::Call renewal = backend->next(What::renew);
  alarms->advance(19s);
  EXPECT_FALSE(lease.stop_token().stop_requested());
  bool told = false;
  const std::stop_callback callback(lease.stop_token(), [&] {
    told = true;
    EXPECT_LT(alarms->now(), begin + 30s);
  });
  alarms->advance(1s);
  EXPECT_TRUE(told);
  renewal.renew(Renewed{alarms->now(), 30s});  // too late, for ever
  EXPECT_TRUE(lease.lost());
  EXPECT_EQ(observer->counts().lost, 1);
  lease.release();
  backend->next(What::release);
}

TEST_F(LockSpaces, SendsTheReleaseLastAndRenewsNothingAfterIt) {
  Lease lease = held();
  alarms->advance(10s);
  ScriptedBackend::Call renewal = backend->next(What::renew);
  Box<ReleaseOutcome> outcome;
  lease.release(outcome.setter());
  ScriptedBackend::Call release = backend->next(What::release);
  renewal.renew(broken());
  release.release(std::unexpected(broken()));
  alarms->advance(1s);
  EXPECT_EQ(backend->calls.front().repeat, Try::again);
  backend->next(What::release).release(ReleaseOutcome::released);
  EXPECT_EQ(outcome.take(), ReleaseOutcome::released);
  alarms->advance(5min);
  EXPECT_TRUE(backend->calls.empty());
  EXPECT_EQ(alarms->pending(), 0U);
}

TEST_F(LockSpaces, SaysUnknownInTimeWhenNoReleaseIsAnswered) {
  Lease lease = held();
  Box<ReleaseOutcome> outcome;
  lease.release(outcome.setter());
  alarms->advance(3s - 1ns);
  EXPECT_FALSE(outcome.ready());
  alarms->advance(1ns);
  EXPECT_EQ(outcome.take(), ReleaseOutcome::unknown);
}

TEST_F(LockSpaces, ConfirmsAClaimInTheBackground) {
  Box<Acquired> box = ask({.wait = 1min, .lease = 20s});
  backend->next(What::attempt).attempt(Queued{});
  Grant claim = grant(1500ms);
  claim.kind = Grant::Kind::claim;
  backend->push(claim);
  const Acquired lease = box.take();
  ASSERT_TRUE(lease);
  alarms->advance(0ms);
  ScriptedBackend::Call confirm = backend->next(What::renew);
  EXPECT_EQ(confirm.length, 20s);
  confirm.renew(Renewed{alarms->now(), 20s});
  EXPECT_EQ(lease->deadline(), alarms->now() + 20s - 202ms);
}

TEST_F(LockSpaces, TriesAgainWhenTheBackendSaysThatItIsWorthIt) {
  Box<Acquired> box = ask({.wait = 1min});
  backend->next(What::attempt).attempt(Busy{1s});
  backend->nudge();
  backend->next(What::attempt).attempt(Busy{1s});
  EXPECT_TRUE(backend->calls.empty());
  alarms->advance(1s);
  backend->next(What::attempt).attempt(grant());
  EXPECT_TRUE(box.take());
}

TEST_F(LockSpaces, EndsWithAnswersUnderWay) {
  Lease lease = held();
  Box<Acquired> box = ask({.wait = 1min});
  ScriptedBackend::Call attempt = backend->next(What::attempt);
  space.reset();
  EXPECT_TRUE(backend->closed);
  EXPECT_EQ(box.take().error().why, Why::closed);
  EXPECT_TRUE(lease.lost());
  attempt.attempt(Queued{});
  Box<RenewOutcome> renewal;
  lease.renew(1s, renewal.setter());
  EXPECT_EQ(renewal.take(), RenewOutcome::lost);
  Box<ReleaseOutcome> outcome;
  lease.release(outcome.setter());
  EXPECT_EQ(outcome.take(), ReleaseOutcome::unknown);
}

/// Everything at once, from several threads, while the space is destroyed. What is looked for is found by the
/// sanitizers; and every completion is called once.
TEST(LockSpacesUnderFire, MayEndAtAnyTime) {
  const std::uint64_t seed = firstcome::testing::seed();
  SCOPED_TRACE("FIRSTCOME_SEED=" + std::to_string(seed));
  for (int round = 0; round < firstcome::testing::rounds(100); ++round) {
    auto space = make_in_process_locks({.watchdog_lease = 9ms, .release_limit = 1s, .drain_limit = 100ms});
    const std::stop_source stop;
    std::vector<std::vector<Box<Acquired>>> asked(3);
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < asked.size(); ++t) {
      threads.emplace_back([&, t] {
        std::mt19937_64 random(seed + 1'000 * std::uint64_t(round) + t);
        const auto lock = space->lock("one");
        for (int i = 0; i < 30; ++i) {
          AcquireOptions options{.wait = 1ms * (random() % 4), .stop = stop.get_token()};
          if (random() % 2 == 0) options.lease = 1ms + 1ms * (random() % 5);
          asked[t].emplace_back();
          lock->acquire(std::move(options), asked[t].back().setter());
          if (random() % 4 != 0 || !asked[t].back().ready()) continue;
          Acquired lease = asked[t].back().take();
          if (lease && random() % 2 == 0) lease->renew(1ms + 1ms * (random() % 5), [](RenewOutcome) {});
          asked[t].pop_back();
        }
      });
    }
    threads.clear();
    std::jthread stopper([&stop] { std::stop_source(stop).request_stop(); });
    std::jthread releaser([last = std::move(asked[0])]() mutable { last.clear(); });
    space.reset();
    for (std::size_t t = 1; t < asked.size(); ++t) {
      for (auto& box : asked[t]) box.take();
    }
  }
}

}  // namespace
}  // namespace firstcome::lock
