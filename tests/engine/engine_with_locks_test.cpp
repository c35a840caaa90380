// Lock commands over a LockSpace: the same answers as those of the embedded engine.
#include "engine/engine_with_locks.hpp"

#include "engine/lock_server.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;

class WithLocks : public testing::Test {
 protected:
  std::unique_ptr<Asked> submit(Command command) { return server.submit(std::move(command)); }
  LockAnswer ask(Command command) { return server.ask(std::move(command)); }
  LockAnswer acquire(std::string lease, Milliseconds wait = 0ms, Milliseconds length = 10s) {
    return ask(AcquireLock{"a", std::move(lease), length, wait});
  }

  Tasks tasks;
  LockServer server{tasks, make_in_process_locks()};
};

TEST_F(WithLocks, PassesOtherCommandsOn) {
  const auto asked = submit(GetSale{"s"});
  EXPECT_EQ(server.below.asked, asked.get());
}

TEST_F(WithLocks, GrantsRenewsInspectsAndReleases) {
  const LockAnswer grant = acquire("x");
  EXPECT_EQ(grant.outcome, Outcome::done);
  EXPECT_GT(grant.expires_in, 5s);
  EXPECT_EQ(acquire("x").token, grant.token) << "the same lease finds its grant";
  const LockAnswer refused = acquire("y");
  EXPECT_EQ(refused.outcome, Outcome::locked);
  EXPECT_GT(refused.retry_after, 0ms);
  EXPECT_EQ(ask(RenewLock{"a", "x"}).outcome, Outcome::done);
  EXPECT_EQ(ask(RenewLock{"a", "y"}).outcome, Outcome::lease_lost);
  EXPECT_EQ(ask(InspectLock{"a"}).token, grant.token);
  EXPECT_EQ(ask(ReleaseLock{"a", "y"}).outcome, Outcome::lease_lost);
  EXPECT_EQ(ask(ReleaseLock{"a", "x"}).outcome, Outcome::done);
  EXPECT_FALSE(ask(InspectLock{"a"}).held);
  EXPECT_GT(acquire("y").token, grant.token);
}

TEST_F(WithLocks, FreesALockByTheTokenOfItsGrant) {
  const LockAnswer grant = acquire("x");
  const auto waits = submit(AcquireLock{"a", "y", 10s, 20s});
  EXPECT_EQ(ask(FreeLock{"a", grant.token + 1}).outcome, Outcome::lease_lost);
  EXPECT_EQ(ask(FreeLock{"a", grant.token}).outcome, Outcome::done);
  tasks.run_until_done(*waits);
  EXPECT_EQ(waits->as<LockAnswer>().outcome, Outcome::done);
  EXPECT_EQ(ask(RenewLock{"a", "x"}).outcome, Outcome::lease_lost);
}

TEST_F(WithLocks, HandsOverToWhoWaits) {
  acquire("x");
  const auto waits = submit(AcquireLock{"a", "y", 10s, 20s});
  EXPECT_EQ(ask(ReleaseLock{"a", "x"}).outcome, Outcome::done);
  tasks.run_until_done(*waits);
  EXPECT_EQ(waits->as<LockAnswer>().outcome, Outcome::done);
}

TEST_F(WithLocks, GivesALaterRequestOfALeaseTheGrantThatAnEarlierOneGot) {
  acquire("x");
  const auto first = submit(AcquireLock{"a", "y", 10s, 20s});
  const auto release = submit(ReleaseLock{"a", "x"});  // hands it to the first, who was not told yet
  const auto again = submit(AcquireLock{"a", "y", 10s, 20s});
  tasks.run_until_done(*first);
  tasks.run_until_done(*again);
  tasks.run_until_done(*release);
  EXPECT_EQ(first->as<LockAnswer>().outcome, Outcome::done);
  EXPECT_EQ(again->as<LockAnswer>().outcome, Outcome::done);
  EXPECT_EQ(again->as<LockAnswer>().token, first->as<LockAnswer>().token);
}

TEST_F(WithLocks, KeepsThePlaceOfALeaseThatAsksAgain) {
  acquire("x");
  const auto first = submit(AcquireLock{"a", "y", 10s, 10s});
  const auto other = submit(AcquireLock{"a", "z", 10s, 20s});
  const auto again = submit(AcquireLock{"a", "y", 10s, 20s});
  EXPECT_EQ(ask(InspectLock{"a"}).waiting, 2U);
  EXPECT_EQ(ask(ReleaseLock{"a", "x"}).outcome, Outcome::done);
  tasks.run_until_done(*first);
  tasks.run_until_done(*again);
  EXPECT_EQ(again->as<LockAnswer>().outcome, Outcome::done);
  EXPECT_EQ(again->as<LockAnswer>().token, first->as<LockAnswer>().token);
  EXPECT_FALSE(other->done) << "it asked later";
  EXPECT_EQ(ask(ReleaseLock{"a", "y"}).outcome, Outcome::done);
  tasks.run_until_done(*other);
  EXPECT_EQ(other->as<LockAnswer>().outcome, Outcome::done);
}

TEST_F(WithLocks, AnswersEachRequestOfALeaseWhenItsOwnWaitIsOver) {
  acquire("x");
  const auto first = submit(AcquireLock{"a", "y", 10s, 50ms});
  const auto again = submit(AcquireLock{"a", "y", 10s, 20s});
  tasks.run_until_done(*first);
  EXPECT_EQ(first->as<LockAnswer>().outcome, Outcome::locked);
  EXPECT_FALSE(again->done);
  EXPECT_EQ(ask(ReleaseLock{"a", "x"}).outcome, Outcome::done);
  tasks.run_until_done(*again);
  EXPECT_EQ(again->as<LockAnswer>().outcome, Outcome::done);
}

TEST_F(WithLocks, LetsGoOfWhoLeaves) {
  acquire("x");
  const auto waits = submit(AcquireLock{"a", "y", 10s, 20s});
  EXPECT_EQ(ask(LeaveLock{"a", "y"}).outcome, Outcome::done);
  tasks.run_until_done(*waits);
  EXPECT_EQ(waits->as<LockAnswer>().outcome, Outcome::locked);
  EXPECT_EQ(ask(ReleaseLock{"a", "x"}).outcome, Outcome::done);
  EXPECT_FALSE(ask(InspectLock{"a"}).held);
}

TEST_F(WithLocks, LetsGoOfTheRequestThatLeavesAndOfNoOther) {
  acquire("x");
  const auto dead = submit(AcquireLock{"a", "y", 10s, 100ms, 1});
  const auto other = submit(AcquireLock{"a", "z", 10s, 60s, 2});
  const auto again = submit(AcquireLock{"a", "y", 10s, 60s, 3});
  EXPECT_EQ(ask(LeaveLock{"a", "y", 1}).outcome, Outcome::done);
  tasks.run_until_done(*dead);
  EXPECT_EQ(dead->as<LockAnswer>().outcome, Outcome::locked);
  const auto late = submit(AcquireLock{"b", "w", 10s, 0ms});
  tasks.run_until_done(*late);
  EXPECT_EQ(ask(LeaveLock{"a", "y", 1}).outcome, Outcome::done) << "told twice, it does nothing";
  // Until after the end of the wait that was left.
  acquire("v", 300ms);
  EXPECT_FALSE(again->done);
  EXPECT_EQ(ask(ReleaseLock{"a", "x"}).outcome, Outcome::done);
  tasks.run_until_done(*again);
  EXPECT_EQ(again->as<LockAnswer>().outcome, Outcome::done);
}

TEST_F(WithLocks, GivesAShorterRequestTheGrantThatTheLongerOneGot) {
  acquire("x");
  const auto longer = submit(AcquireLock{"a", "y", 10s, 60s});
  // Hands it to the longer one, who was not told yet.
  const auto release = submit(ReleaseLock{"a", "x"});
  tasks.wait_for_a_task();
  const auto shorter = submit(AcquireLock{"a", "y", 10s, 20s});
  tasks.run_until_done(*longer);
  tasks.run_until_done(*shorter);
  tasks.run_until_done(*release);
  ASSERT_EQ(longer->as<LockAnswer>().outcome, Outcome::done);
  EXPECT_EQ(shorter->as<LockAnswer>().outcome, Outcome::done);
  EXPECT_EQ(shorter->as<LockAnswer>().token, longer->as<LockAnswer>().token);
}

TEST_F(WithLocks, AnswersAllWhoseWaitsWereOverWhenItEnded) {
  acquire("x");
  const auto first = submit(AcquireLock{"a", "y", 10s, 1ms});
  const auto longer = submit(AcquireLock{"a", "y", 10s, 20s});
  tasks.wait_for_a_task();  // the end of the first one's wait
  server.end();
  tasks.run_until_done(*first);
  tasks.run_until_done(*longer);
  EXPECT_EQ(first->as<LockAnswer>().outcome, Outcome::locked);
  ASSERT_FALSE(longer->answer);
  EXPECT_EQ(longer->answer.error().code, FailureCode::store_unavailable);
}

TEST_F(WithLocks, RefusesWhatComesAfterItsEnd) {
  acquire("x");
  server.end();
  const auto is_refused = [this](Command command) {
    const auto said = server.try_to(std::move(command));
    return !said && said.error().code == FailureCode::store_unavailable;
  };
  EXPECT_TRUE(is_refused(AcquireLock{"a", "x", 10s, 0ms}));
  EXPECT_TRUE(is_refused(RenewLock{"a", "x"}));
  EXPECT_TRUE(is_refused(ReleaseLock{"a", "x"}));
  EXPECT_TRUE(is_refused(LeaveLock{"a", "x"}));
  EXPECT_TRUE(is_refused(InspectLock{"a"}));
  EXPECT_TRUE(is_refused(FreeLock{"a", 1}));
}

TEST_F(WithLocks, KnowsALeaseThatHasEndedNoMore) {
  acquire("x", 0ms, 30ms);
  EXPECT_EQ(acquire("y", 10s).outcome, Outcome::done) << "after x has lapsed";
  EXPECT_EQ(ask(RenewLock{"a", "x"}).outcome, Outcome::lease_lost);
  EXPECT_EQ(ask(ReleaseLock{"a", "x"}).outcome, Outcome::lease_lost);
}

}  // namespace
}  // namespace firstcome::test
