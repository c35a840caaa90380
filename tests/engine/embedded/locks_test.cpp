// Locks of the embedded engine: stored with everything else, waited for, and there again after a restart.
#include "engine/embedded/embedded_harness.hpp"
#include "engine/embedded/sqlite.hpp"
#include "engine/faulty_vfs.hpp"

#include <firstcome/lock_metrics.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;

class EmbeddedLocks : public testing::Test {
 protected:
  LockAnswer acquire(std::string lease, Milliseconds length = 10s) {
    return harness.ask(AcquireLock{"a", std::move(lease), length, 0ms}).value();
  }
  std::unique_ptr<Asked> wait_for_it(std::string lease, Milliseconds wait = 60s) {
    auto asked = std::make_unique<Asked>();
    asked->command = AcquireLock{"a", std::move(lease), 10s, wait};
    harness.engine().submit(*asked);
    static_cast<void>(harness.engine().turn());
    return asked;
  }

  EmbeddedHarness harness;
};

TEST_F(EmbeddedLocks, AreThereAfterARestartAndTokensGoOnRising) {
  const LockAnswer first = acquire("holder");
  ASSERT_EQ(first.outcome, Outcome::done);
  EXPECT_EQ(first.expires_in, 10s);
  harness.reopen();
  EXPECT_EQ(acquire("other").outcome, Outcome::locked);
  EXPECT_EQ(acquire("holder").token, first.token) << "the same lease finds its grant";
  EXPECT_EQ(harness.ask(RenewLock{"a", "holder"}).value().outcome, Outcome::done);
  EXPECT_EQ(harness.ask(ReleaseLock{"a", "holder"}).value().outcome, Outcome::done);
  harness.reopen();
  EXPECT_GT(acquire("other").token, first.token);
}

TEST_F(EmbeddedLocks, EndByThemselvesAlsoWhileNobodyServes) {
  acquire("holder", 100ms);
  harness.close();
  harness.advance(100ms);
  harness.reopen();
  EXPECT_EQ(acquire("other").outcome, Outcome::done);
}

TEST_F(EmbeddedLocks, AreHandedToWhoWaitsAndToldAfterTheCommit) {
  acquire("holder");
  const auto first = wait_for_it("first");
  const auto second = wait_for_it("second");
  EXPECT_FALSE(first->done);
  EXPECT_EQ(harness.ask(InspectLock{"a"}).value().waiting, 2U);
  ASSERT_EQ(harness.ask(ReleaseLock{"a", "holder"}).value().outcome, Outcome::done);
  EXPECT_TRUE(first->done);
  EXPECT_EQ(first->as<LockAnswer>().outcome, Outcome::done);
  EXPECT_FALSE(second->done);
  harness.reopen();  // the end of an engine answers who waits
  EXPECT_TRUE(second->done);
  EXPECT_EQ(second->answer.error().code, FailureCode::stopping);
  EXPECT_EQ(acquire("first").outcome, Outcome::done);
  EXPECT_EQ(acquire("second").outcome, Outcome::locked);
}

TEST_F(EmbeddedLocks, TellWhoWaitsInVainWhenTheWaitIsOver) {
  acquire("holder");
  const auto waits = wait_for_it("first", 50ms);
  harness.advance(49ms);
  static_cast<void>(harness.engine().turn());
  EXPECT_FALSE(waits->done);
  harness.advance(1ms);
  static_cast<void>(harness.engine().turn());
  ASSERT_TRUE(waits->done);
  EXPECT_EQ(waits->as<LockAnswer>().outcome, Outcome::locked);
}

TEST_F(EmbeddedLocks, AreLeftByWhoGoesAway) {
  acquire("holder");
  const auto gone = wait_for_it("gone");
  ASSERT_EQ(harness.ask(LeaveLock{"a", "gone"}).value().outcome, Outcome::done);
  ASSERT_TRUE(gone->done);
  EXPECT_EQ(gone->as<LockAnswer>().outcome, Outcome::locked);
  EXPECT_EQ(harness.ask(InspectLock{"a"}).value().waiting, 0U);
}

TEST_F(EmbeddedLocks, AreLeftByTheRequestThatGoesAwayAndByNoOther) {
  acquire("holder");
  Asked dead;
  dead.command = AcquireLock{"a", "same", 10s, 60s, 1};
  harness.engine().submit(dead);
  Asked again;  // its client's next connection
  again.command = AcquireLock{"a", "same", 10s, 60s, 2};
  harness.engine().submit(again);
  static_cast<void>(harness.engine().turn());
  ASSERT_TRUE(dead.done);
  ASSERT_EQ(harness.ask(LeaveLock{"a", "same", 1}).value().outcome, Outcome::done);
  EXPECT_FALSE(again.done);
  ASSERT_EQ(harness.ask(ReleaseLock{"a", "holder"}).value().outcome, Outcome::done);
  ASSERT_TRUE(again.done);
  EXPECT_EQ(again.as<LockAnswer>().outcome, Outcome::done);
}

TEST_F(EmbeddedLocks, EndSoManyInATurnAndNoLockIsAskedForMeanwhile) {
  constexpr std::size_t count = 3 * limits::turn_steps;
  std::vector<std::unique_ptr<Asked>> asked;
  for (std::size_t i = 0; i < count; ++i) {
    asked.push_back(std::make_unique<Asked>());
    asked.back()->command = AcquireLock{"n" + std::to_string(i), "holder", 100ms, 0ms};
    harness.engine().submit(*asked.back());
  }
  for (const auto& one : asked) harness.finish(*one);
  ASSERT_EQ(harness.engine().counters().locks_held, count);
  ASSERT_TRUE(harness.ask(CreateSale{terms_of("s", 1)}));
  harness.advance(100ms);
  Asked inspect;
  inspect.command = InspectLock{"n" + std::to_string(count - 1)};
  harness.engine().submit(inspect);
  Asked other;
  other.command = GetSale{"s"};
  harness.engine().submit(other);
  for (std::size_t turn = 1; turn <= 3; ++turn) {
    EXPECT_FALSE(inspect.done) << "it would be seen as held, or the turn has no end";
    static_cast<void>(harness.engine().turn());
    EXPECT_EQ(harness.engine().counters().locks_held, count - turn * limits::turn_steps);
    EXPECT_TRUE(other.done) << "sales are served meanwhile";
  }
  ASSERT_TRUE(inspect.done);
  EXPECT_FALSE(inspect.as<LockAnswer>().held);
}

TEST_F(EmbeddedLocks, AreNotWaitedForWhileAnotherProgramKeepsTheStoreForLong) {
  harness.patience = 50ms;
  harness.reopen();
  acquire("holder");
  const auto waits = wait_for_it("waits");
  auto other = engine::sqlite::Connection::open(harness.file(), engine::sqlite::Access::read_write, "").value();
  other.execute("BEGIN IMMEDIATE").value();
  Asked writes;
  writes.command = AcquireLock{"b", "holder", 10s, 0ms};
  harness.engine().submit(writes);
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!waits->done && std::chrono::steady_clock::now() < deadline) static_cast<void>(harness.engine().turn());
  ASSERT_TRUE(waits->done);
  EXPECT_EQ(waits->answer.error().code, FailureCode::store_unavailable);
  other.execute("COMMIT").value();
  while (!harness.engine().readiness().ready && std::chrono::steady_clock::now() < deadline)
    static_cast<void>(harness.engine().turn());
  ASSERT_EQ(harness.ask(ReleaseLock{"a", "holder"}).value().outcome, Outcome::done);
  EXPECT_FALSE(harness.ask(InspectLock{"a"}).value().held) << "nobody is there to hold it";
}

/// The value of a line of the metrics.
std::string metric(const LockMetrics& metrics, const std::string& name) {
  const std::string text = "\n" + metrics.text();
  const std::size_t at = text.find("\n" + name + " ");
  if (at == std::string::npos) return "missing";
  const std::size_t begin = at + name.size() + 2;
  return text.substr(begin, text.find('\n', begin) - begin);
}

TEST_F(EmbeddedLocks, AreCounted) {
  const auto metrics = std::make_shared<LockMetrics>();
  harness.lock_observer = metrics;
  harness.reopen();
  acquire("holder");
  const auto first = wait_for_it("first");
  const auto impatient = wait_for_it("impatient", 1s);
  EXPECT_EQ(metric(*metrics, "firstcome_locks_waiting"), "2");
  harness.advance(2s);
  ASSERT_EQ(harness.ask(ReleaseLock{"a", "holder"}).value().outcome, Outcome::done);
  ASSERT_TRUE(first->done);
  EXPECT_EQ(metric(*metrics, "firstcome_locks_waiting"), "0");
  EXPECT_EQ(metric(*metrics, "firstcome_locks_held"), "1");
  EXPECT_EQ(metric(*metrics, "firstcome_locks_wait_seconds_count"), "2");
  EXPECT_EQ(metric(*metrics, "firstcome_locks_wait_seconds_sum"), "2");
  EXPECT_EQ(metric(*metrics, "firstcome_locks_hold_seconds_sum"), "2");
  EXPECT_EQ(metric(*metrics, R"(firstcome_locks_not_acquired_total{why="timed-out"})"), "1");
  ASSERT_EQ(harness.ask(RenewLock{"a", "holder"}).value().outcome, Outcome::lease_lost);
  EXPECT_EQ(metric(*metrics, R"(firstcome_locks_not_renewed_total{why="refused"})"), "1");
  harness.reopen();
  EXPECT_EQ(metric(*metrics, "firstcome_locks_held"), "1") << "also of an earlier run";
  harness.advance(10s);
  static_cast<void>(harness.engine().turn());
  EXPECT_EQ(metric(*metrics, "firstcome_locks_held"), "0");
  EXPECT_EQ(metric(*metrics, "firstcome_locks_lost_total"), "1");
}

TEST(EmbeddedLocksOnABadDisk, AreNotCountedUntilTheyAreStored) {
  EmbeddedHarness harness(faulty_vfs::name());
  const auto metrics = std::make_shared<LockMetrics>();
  harness.lock_observer = metrics;
  harness.reopen();
  faulty_vfs::arm({.action = FileAction::write, .code = SQLITE_FULL});
  ASSERT_FALSE(harness.ask(AcquireLock{"a", "holder", 10s, 0ms}));
  EXPECT_EQ(metric(*metrics, "firstcome_locks_wait_seconds_count"), "0");
  faulty_vfs::disarm();
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!harness.engine().readiness().ready && std::chrono::steady_clock::now() < deadline)
    static_cast<void>(harness.engine().turn());
  ASSERT_TRUE(harness.ask(AcquireLock{"a", "holder", 10s, 0ms}));
  EXPECT_EQ(metric(*metrics, "firstcome_locks_wait_seconds_count"), "1");
  EXPECT_EQ(metric(*metrics, "firstcome_locks_held"), "1");
}

TEST(EmbeddedLocksOnABadDisk, AnswerWhoWaitsWhenTheStoreFailsAndServeAgain) {
  EmbeddedHarness harness(faulty_vfs::name());
  ASSERT_TRUE(harness.ask(AcquireLock{"a", "holder", 10s, 0ms}));
  Asked waits;
  waits.command = AcquireLock{"a", "waits", 10s, 60s};
  harness.engine().submit(waits);
  static_cast<void>(harness.engine().turn());
  faulty_vfs::arm({.action = FileAction::write, .code = SQLITE_FULL});
  const auto refused = harness.ask(AcquireLock{"b", "holder", 10s, 0ms});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, FailureCode::store_unavailable);
  harness.finish(waits);
  EXPECT_FALSE(waits.answer);
  faulty_vfs::disarm();
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!harness.engine().readiness().ready && std::chrono::steady_clock::now() < deadline)
    static_cast<void>(harness.engine().turn());
  EXPECT_EQ(harness.ask(AcquireLock{"a", "other", 10s, 0ms}).value().outcome, Outcome::locked) << "stored before";
  EXPECT_EQ(harness.ask(AcquireLock{"b", "other", 10s, 0ms}).value().outcome, Outcome::done) << "never stored";
}

TEST(EmbeddedLocksInADamagedStore, AreRefused) {
  EmbeddedHarness harness;
  ASSERT_TRUE(harness.ask(AcquireLock{"a", "holder", 10s, 0ms}));
  harness.close();
  {
    auto connection = engine::sqlite::Connection::open(harness.file(), engine::sqlite::Access::read_write, "").value();
    connection.execute("UPDATE lock SET lease = 'another'").value();
  }
  EXPECT_NE(harness.refusal().find("wrong checksum"), std::string::npos);
}

}  // namespace
}  // namespace firstcome::test
