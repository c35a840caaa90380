// What is counted of locks: each number moves for its reason, and once.
#include "lock/manual_alarms.hpp"
#include "lock/scripted_backend.hpp"
#include "lock/waiting.hpp"

#include <firstcome/lock_metrics.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace firstcome::lock {
namespace {

using namespace std::chrono_literals;
using test::Box;
using test::ManualAlarms;
using test::ScriptedBackend;
using What = ScriptedBackend::What;

/// What stands behind the name in a line of the text.
std::string value_of(const std::string& text, const std::string& name) {
  const std::string lines = "\n" + text;
  const std::size_t at = lines.find("\n" + name + " ");
  if (at == std::string::npos) return "missing";
  const std::size_t begin = at + name.size() + 2;
  return lines.substr(begin, lines.find('\n', begin) - begin);
}

struct LockMetricsOfASpace : ::testing::Test {
  LockMetricsOfASpace() {
    LockSettings settings;
    settings.drain_limit = 0ms;
    settings.observer = metrics;
    space = make_lock_space(backend, settings, alarms);
  }

  std::string value(const std::string& name) const { return value_of(metrics->text(), "firstcome_locks_" + name); }
  Box<Acquired> ask(AcquireOptions options) const {
    Box<Acquired> box;
    space->lock("a")->acquire(std::move(options), box.setter());
    return box;
  }
  Lease held(AcquireOptions options = {}) const {
    Box<Acquired> box = ask(std::move(options));
    backend->next(What::attempt).attempt(Grant{.token = 5, .base = alarms->now(), .length = 30s});
    return std::move(box.take().value());
  }
  static LockFailure broken() { return {LockFailure::Kind::broken, "cut"}; }

  std::shared_ptr<ManualAlarms> alarms = std::make_shared<ManualAlarms>();
  std::shared_ptr<ScriptedBackend> backend = std::make_shared<ScriptedBackend>();
  std::shared_ptr<LockMetrics> metrics = std::make_shared<LockMetrics>();
  std::unique_ptr<LockSpace> space;
};

TEST_F(LockMetricsOfASpace, AWaitIsMeasuredFromAskingToTheGrant) {
  Box<Acquired> box = ask({.wait = 1min, .lease = 30s});
  EXPECT_EQ(value("waiting"), "1");
  backend->next(What::attempt).attempt(Queued{});
  alarms->advance(3s);
  EXPECT_EQ(value("wait_seconds_count"), "0");
  backend->push(Grant{.token = 5, .base = alarms->now(), .length = 30s});
  const Acquired lease = box.take();
  EXPECT_EQ(value("waiting"), "0");
  EXPECT_EQ(value("held"), "1");
  EXPECT_EQ(value("wait_seconds_count"), "1");
  EXPECT_EQ(value("wait_seconds_sum"), "3");
  EXPECT_EQ(value(R"(wait_seconds_bucket{le="2"})"), "0");
  EXPECT_EQ(value(R"(wait_seconds_bucket{le="5"})"), "1");
  EXPECT_EQ(value(R"(wait_seconds_bucket{le="+Inf"})"), "1");
}

TEST_F(LockMetricsOfASpace, AHoldIsMeasuredFromTheGrantToTheCallOfRelease) {
  Lease lease = held({.lease = 30s});
  Lease another = lease.again();
  alarms->advance(1500ms);
  lease.release();
  EXPECT_EQ(value("hold_seconds_count"), "0") << "one object of it is left";
  alarms->advance(500ms);
  another.release();
  EXPECT_EQ(value("hold_seconds_sum"), "2");
  alarms->advance(1s);
  backend->next(What::release).release(ReleaseOutcome::released);
  EXPECT_EQ(value("hold_seconds_count"), "1");
  EXPECT_EQ(value("hold_seconds_sum"), "2");
  EXPECT_EQ(value("held"), "0");
  EXPECT_EQ(value("lost_total"), "0");
}

TEST_F(LockMetricsOfASpace, WhoGetsNothingIsCountedByTheReason) {
  Box<Acquired> box = ask({.wait = 1s});
  backend->next(What::attempt).attempt(Queued{});
  alarms->advance(1s);
  EXPECT_FALSE(box.take());
  EXPECT_EQ(value(R"(not_acquired_total{why="timed-out"})"), "1");
  EXPECT_EQ(value(R"(not_acquired_total{why="stopped"})"), "0");
  EXPECT_EQ(value("waiting"), "0");
  EXPECT_EQ(value("wait_seconds_count"), "0");
}

TEST_F(LockMetricsOfASpace, ALeaseThatRunsOutIsLostOnce) {
  Lease lease = held({.lease = 30s});
  alarms->advance(1min);
  EXPECT_EQ(value("lost_total"), "1");
  EXPECT_EQ(value("held"), "0");
  EXPECT_EQ(value("hold_seconds_sum"), "29.698") << "until its deadline";
  lease.release();
  backend->next(What::release).release(ReleaseOutcome::lost);
  EXPECT_EQ(value("lost_total"), "1");
  EXPECT_EQ(value("hold_seconds_count"), "1");
}

TEST_F(LockMetricsOfASpace, ALeaseWhoseLossComesToLightAtItsReleaseIsLostOnce) {
  Lease lease = held({.lease = 30s});
  alarms->advance(1s);
  lease.release();
  EXPECT_EQ(value("lost_total"), "0");
  backend->next(What::release).release(ReleaseOutcome::lost);
  EXPECT_EQ(value("lost_total"), "1");
  EXPECT_EQ(value("hold_seconds_count"), "1");
}

TEST_F(LockMetricsOfASpace, ARefusedRenewalLosesTheLeaseAndIsCounted) {
  Lease lease = held();
  alarms->advance(10s);
  backend->next(What::renew).renew(Lost{});
  EXPECT_EQ(value(R"(not_renewed_total{why="refused"})"), "1");
  EXPECT_EQ(value(R"(not_renewed_total{why="unknown"})"), "0");
  EXPECT_EQ(value("lost_total"), "1");
  EXPECT_EQ(value("renewal_lag_seconds_count"), "0");
}

TEST_F(LockMetricsOfASpace, TheLagOfARenewalCountsFromTheThird) {
  Lease lease = held();
  alarms->advance(10s);
  ScriptedBackend::Call renewal = backend->next(What::renew);
  alarms->advance(400ms);
  renewal.renew(Renewed{alarms->now() - 400ms, 30s});
  EXPECT_EQ(value("renewal_lag_seconds_sum"), "0.4");
  EXPECT_EQ(value(R"(renewal_lag_seconds_bucket{le="0.1"})"), "0");
  EXPECT_EQ(value(R"(renewal_lag_seconds_bucket{le="0.5"})"), "1");
}

TEST_F(LockMetricsOfASpace, TheLagGoesOnWhileRenewalsFail) {
  Lease lease = held();
  alarms->advance(10s);
  backend->next(What::renew).renew(broken());
  EXPECT_EQ(value(R"(not_renewed_total{why="unknown"})"), "1");
  alarms->advance(1s);  // the pause before it is tried again
  backend->next(What::renew).renew(Renewed{alarms->now(), 30s});
  EXPECT_EQ(value("renewal_lag_seconds_sum"), "1");
  alarms->advance(10s);
  backend->next(What::renew).renew(Renewed{alarms->now(), 30s});
  EXPECT_EQ(value("renewal_lag_seconds_sum"), "1") << "the next one is in time";
  EXPECT_EQ(value("renewal_lag_seconds_count"), "2");
}

TEST_F(LockMetricsOfASpace, ARenewalThatIsNotAnsweredBeforeTheDeadlineIsUnknownAndItsAnswerNotCounted) {
  Lease lease = held();
  alarms->advance(10s);
  ScriptedBackend::Call renewal = backend->next(What::renew);
  alarms->advance(20s);
  EXPECT_EQ(value(R"(not_renewed_total{why="unknown"})"), "1");
  EXPECT_EQ(value("lost_total"), "1");
  renewal.renew(Renewed{alarms->now(), 30s});
  EXPECT_EQ(value("renewal_lag_seconds_count"), "0");
  EXPECT_EQ(value(R"(not_renewed_total{why="unknown"})"), "1");
}

TEST_F(LockMetricsOfASpace, AHolderWhoRenewsLateIsSeenInTheLag) {
  Lease lease = held({.lease = 30s});
  Box<RenewOutcome> early;
  alarms->advance(5s);
  lease.renew(30s, early.setter());
  backend->next(What::renew).renew(Renewed{alarms->now(), 30s});
  EXPECT_EQ(value("renewal_lag_seconds_sum"), "0");
  Box<RenewOutcome> late;
  alarms->advance(17s);  // 7 after the third
  lease.renew(30s, late.setter());
  backend->next(What::renew).renew(Renewed{alarms->now(), 30s});
  EXPECT_EQ(value("renewal_lag_seconds_sum"), "7");
}

TEST_F(LockMetricsOfASpace, TheEndOfTheSpaceLosesWhatIsHeld) {
  Lease lease = held();
  alarms->advance(2s);
  space.reset();
  EXPECT_EQ(value("held"), "0");
  EXPECT_EQ(value("lost_total"), "1");
  EXPECT_EQ(value("hold_seconds_sum"), "2");
}

TEST(LockMetricsText, IsWhatPrometheusReads) {
  LockMetrics metrics;
  metrics.acquired("a", 100us);
  metrics.acquired("a", 100001ns);
  metrics.acquired("b", 1h);
  const std::string text = metrics.text();
  EXPECT_TRUE(
      text.starts_with("# HELP firstcome_locks_held Leases that are held\n"
                       "# TYPE firstcome_locks_held gauge\nfirstcome_locks_held 0\n"))
      << text;
  EXPECT_NE(text.find("# TYPE firstcome_locks_wait_seconds histogram\n"
                      "firstcome_locks_wait_seconds_bucket{le=\"0.0001\"} 1\n"
                      "firstcome_locks_wait_seconds_bucket{le=\"0.0005\"} 2\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("_bucket{le=\"300\"} 2\nfirstcome_locks_wait_seconds_bucket{le=\"+Inf\"} 3\n"), std::string::npos)
      << text;
  EXPECT_TRUE(text.ends_with("\n"));
}

TEST(LockMetricsText, LosesNoCountOfManyThreads) {
  LockMetrics metrics;
  {
    std::vector<std::jthread> threads;
    for (int at = 0; at < 4; ++at)
      threads.emplace_back([&metrics] {
        for (int count = 0; count < 10'000; ++count) metrics.ended("a", 1ms);
      });
  }
  EXPECT_EQ(value_of(metrics.text(), "firstcome_locks_hold_seconds_count"), "40000");
  EXPECT_EQ(value_of(metrics.text(), "firstcome_locks_hold_seconds_sum"), "40");
}

}  // namespace
}  // namespace firstcome::lock
