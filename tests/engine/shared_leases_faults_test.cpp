// The leases of clients over many servers, where the line between a server and Redis breaks.
#include "engine/shared_leases.hpp"
#include "support/free_port.hpp"
#include "support/tcp_proxy.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <string>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::TcpProxy;

/// Server one behind a line that breaks.
class SharedLeasesOverABadLine : public SharedLeases {
 protected:
  void SetUp() override {
    SharedLeases::SetUp();
    if (IsSkipped()) return;
    proxy = std::make_unique<TcpProxy>(redis->port());
    one = server_at(proxy->port());
    one->ask(acquire(ann));  // connected, and the scripts are known
    one->ask(RenewLock{"a", ann});
    one->ask(ReleaseLock{"a", ann});
  }
  /// The lock is one lease's or nobody's, and whoever was told so has it. Ends with a free lock and a good line.
  void expect_truth(const std::expected<LockAnswer, Failure>& said) {
    proxy->resume();
    const LockAnswer seen = two->ask(InspectLock{"a"});
    if (said) {
      EXPECT_EQ(said->outcome == Outcome::done, seen.held);
    } else if (said.error().code != FailureCode::outcome_unknown) {
      EXPECT_EQ(said.error().code, FailureCode::store_unavailable) << said.error().detail;
      EXPECT_FALSE(seen.held) << "surely nothing was done";
    }
    const LockAnswer again = two->ask(acquire(ann));
    EXPECT_EQ(again.outcome, Outcome::done) << "it had it, or nobody";
    if (seen.held) {
      EXPECT_EQ(again.token, seen.token);
    }
    EXPECT_EQ(two->ask(ReleaseLock{"a", ann}).outcome, Outcome::done);
    expect_free();
  }

  std::unique_ptr<TcpProxy> proxy;
};

TEST_F(SharedLeasesOverABadLine, ArePassedOnThoughTheAnswerIsLost) {
  two->ask(acquire(bob));
  const auto waits = one->submit(acquire(ann, 20s));
  wait_for_waiters(1);
  // Nothing comes back any more: neither the grant nor what follows it, until the line is made anew.
  proxy->drop(TcpProxy::Direction::to_client);
  EXPECT_EQ(two->ask(ReleaseLock{"a", bob}).outcome, Outcome::done);
  proxy->resume();
  tasks.run_until_done(*waits);
  ASSERT_EQ(waits->as<LockAnswer>().outcome, Outcome::done);
  EXPECT_EQ(two->ask(RenewLock{"a", ann}).token, waits->as<LockAnswer>().token);
  expect_truth(waits->as<LockAnswer>());
}

TEST_F(SharedLeasesOverABadLine, AreKnownAgainAfterEachByteThatMayBeTheLast) {
  using enum TcpProxy::Direction;
  for (const auto direction : {to_server, to_client}) {
    for (std::size_t bytes = 1; bytes <= 1'100; bytes += direction == to_server ? 90 : 15) {
      SCOPED_TRACE(std::to_string(bytes));
      two->ask(acquire(bob));
      const auto waits = one->submit(acquire(ann, 20s));
      wait_for_waiters(1);
      proxy->cut_after(bytes, direction);
      EXPECT_EQ(two->ask(ReleaseLock{"a", bob}).outcome, Outcome::done);
      tasks.run_until_done(*waits);
      ASSERT_TRUE(waits->answer) << waits->answer.error().detail;
      expect_truth(waits->as<LockAnswer>());
    }
  }
}

TEST_F(SharedLeasesOverABadLine, OfOneWhoAskedOnceAreKnownAgain) {
  using enum TcpProxy::Direction;
  for (const auto direction : {to_server, to_client}) {
    for (std::size_t bytes = 1; bytes <= 400; bytes += 25) {
      SCOPED_TRACE(std::to_string(bytes));
      proxy->cut_after(bytes, direction);
      expect_truth(one->try_to(acquire(ann)));
    }
  }
}

TEST_F(SharedLeasesOverABadLine, MayBeHeldWhereNoAnswerComes) {
  proxy->drop(TcpProxy::Direction::to_client);
  const auto said = one->try_to(acquire(ann));
  ASSERT_FALSE(said);
  EXPECT_EQ(said.error().code, FailureCode::outcome_unknown) << said.error().detail;
  expect_truth(said);
}

TEST_F(SharedLeasesOverABadLine, AreReleasedThoughTheAnswerIsLost) {
  for (std::size_t bytes = 1; bytes <= 120; bytes += 10) {
    SCOPED_TRACE(std::to_string(bytes));
    const LockAnswer grant = two->ask(acquire(ann));
    ASSERT_EQ(grant.outcome, Outcome::done);
    proxy->cut_after(bytes, TcpProxy::Direction::to_client);
    const auto said = one->try_to(ReleaseLock{"a", ann});
    const LockAnswer seen = two->ask(InspectLock{"a"});
    if (said) {
      EXPECT_EQ(said->outcome, Outcome::done);
      EXPECT_FALSE(seen.held);
    } else {
      if (said.error().code != FailureCode::outcome_unknown) {
        // The look before it was not answered.
        EXPECT_EQ(said.error().code, FailureCode::store_unavailable) << said.error().detail;
        EXPECT_TRUE(seen.held) << "surely nothing was done";
      }
      EXPECT_EQ(seen.token, grant.token);
      EXPECT_EQ(two->ask(ReleaseLock{"a", ann}).outcome, seen.held ? Outcome::done : Outcome::lease_lost);
    }
    expect_free();
    proxy->resume();
  }
}

TEST_F(SharedLeasesOverABadLine, AreNotEndedByAReleaseThatComesLate) {
  const LockAnswer first = two->ask(acquire(ann));
  proxy->stall_after(120, TcpProxy::Direction::to_server);  // the look goes through
  const auto late = one->try_to(ReleaseLock{"a", ann});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, FailureCode::outcome_unknown);
  EXPECT_EQ(proxy->standing_still(), 1U);
  EXPECT_EQ(two->ask(ReleaseLock{"a", ann}).outcome, Outcome::done);
  const LockAnswer grant = two->ask(acquire(ann));
  EXPECT_GT(grant.token, first.token);
  proxy->resume();
  EXPECT_TRUE(firstcome::testing::eventually([&] { return one->try_to(InspectLock{"a"}).has_value(); }));
  const LockAnswer seen = one->ask(InspectLock{"a"});
  EXPECT_TRUE(seen.held);
  EXPECT_EQ(seen.token, grant.token);
  EXPECT_EQ(one->ask(RenewLock{"a", ann}).token, grant.token);
}

TEST_F(SharedLeasesOverABadLine, AreNotGrantedByAnAcquireThatComesLate) {
  proxy->stall_after(1, TcpProxy::Direction::to_server);
  proxy->aim_at(firstcome::testing::free_port());  // and there is no other connection for its cancel
  const auto late = one->try_to(acquire(ann));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, FailureCode::outcome_unknown) << late.error().detail;
  EXPECT_EQ(proxy->standing_still(), 1U);
  proxy->aim_at(redis->port());
  const LockAnswer grant = two->ask(acquire(bob));
  EXPECT_EQ(two->ask(ReleaseLock{"a", bob}).outcome, Outcome::done);
  // Its cancel came over another connection: its number is refused from now on.
  EXPECT_TRUE(firstcome::testing::eventually([&] { return redis->text({"HLEN", "firstcome:lock:{a}"}) == "2"; }));
  proxy->resume();
  EXPECT_TRUE(firstcome::testing::eventually([&] { return one->try_to(InspectLock{"a"}).has_value(); }));
  const LockAnswer seen = one->ask(InspectLock{"a"});
  EXPECT_FALSE(seen.held);
  EXPECT_EQ(seen.token, grant.token);
}

TEST_F(SharedLeasesOverABadLine, AreNotGrantedToWhoLeftBeforeTheAcquireCame) {
  proxy->stall_after(1, TcpProxy::Direction::to_server);
  const auto asks = one->submit(acquire(ann));
  EXPECT_TRUE(firstcome::testing::eventually([&] { return proxy->standing_still() == 1; }));
  EXPECT_EQ(one->ask(LeaveLock{"a", ann}).outcome, Outcome::done);
  tasks.run_until_done(*asks);
  ASSERT_FALSE(asks->answer) << "the cancel stands still behind the acquire";
  EXPECT_EQ(asks->answer.error().code, FailureCode::outcome_unknown) << asks->answer.error().detail;
  expect_free();
  // The cancel is repeated over another connection: the number is refused from now on.
  EXPECT_TRUE(firstcome::testing::eventually([&] { return redis->text({"HLEN", "firstcome:lock:{a}"}) == "2"; }));
  proxy->resume();
  EXPECT_TRUE(firstcome::testing::eventually([&] { return one->try_to(InspectLock{"a"}).has_value(); }));
  expect_free();
}

TEST_F(SharedLeasesOverABadLine, AreKeptByWhoLeftBeforeTheAnswerCame) {
  proxy->drop(TcpProxy::Direction::to_client);
  const auto asks = one->submit(acquire(ann));
  EXPECT_TRUE(firstcome::testing::eventually([&] { return two->ask(InspectLock{"a"}).held; }));
  const LockAnswer seen = two->ask(InspectLock{"a"});
  EXPECT_EQ(one->ask(LeaveLock{"a", ann}).outcome, Outcome::done);
  tasks.run_until_done(*asks);
  ASSERT_FALSE(asks->answer);
  EXPECT_EQ(asks->answer.error().code, FailureCode::outcome_unknown) << asks->answer.error().detail;
  EXPECT_EQ(two->ask(acquire(bob)).outcome, Outcome::locked) << "who left has the lock until the end of its lease";
  EXPECT_EQ(two->ask(RenewLock{"a", ann}).token, seen.token);
  EXPECT_EQ(two->ask(ReleaseLock{"a", ann}).outcome, Outcome::done) << "or until it is released";
  proxy->resume();
  EXPECT_TRUE(firstcome::testing::eventually([&] { return one->try_to(InspectLock{"a"}).has_value(); }));
  expect_free();
}

/// One that asks again while the grant is on its way, and is not answered until that has ended.
TEST_F(SharedLeasesOverABadLine, AreNotGrantedByAnAnswerThatHasBecomeOld) {
  Tasks others;  // so that server one does nothing while server three is asked
  LockServer three(others, open_locks("redis://127.0.0.1:" + std::to_string(redis->port())).value());
  three.ask(acquire(bob));
  const auto first = one->submit(acquire(ann, 60s, 1'500ms));
  EXPECT_TRUE(firstcome::testing::eventually([&] { return three.ask(InspectLock{"a"}).waiting == 1; }));
  EXPECT_EQ(three.ask(ReleaseLock{"a", bob}).outcome, Outcome::done);
  tasks.wait_for_a_task();  // the grant
  ASSERT_FALSE(first->done);
  proxy->stall();
  const auto second = one->submit(acquire(ann, 20s, 1'500ms));  // it waits less long: in a place of its own
  tasks.run_until_done(*first);
  ASSERT_EQ(first->as<LockAnswer>().outcome, Outcome::done);
  const LockAnswer other = three.ask(acquire(bob, 20s));
  ASSERT_EQ(other.outcome, Outcome::done) << "the grant has ended";
  ASSERT_FALSE(second->done);
  proxy->resume();
  EXPECT_TRUE(firstcome::testing::eventually([&] {
    tasks.run_posted();
    return three.ask(InspectLock{"a"}).waiting == 1;
  }));
  ASSERT_FALSE(second->done) << "told of the grant that has ended";
  EXPECT_EQ(three.ask(ReleaseLock{"a", bob}).outcome, Outcome::done);
  tasks.run_until_done(*second);
  EXPECT_GT(second->as<LockAnswer>().token, other.token);
}

TEST_F(SharedLeasesOverABadLine, AreNotGrantedToWhoAskedAfterTheirRelease) {
  one->ask(acquire(ann, 5s));  // so that it listens for grants already
  one->ask(ReleaseLock{"a", ann});
  proxy->stall_after(1, TcpProxy::Direction::to_client);
  const auto before = one->submit(acquire(ann, 20s));
  EXPECT_TRUE(firstcome::testing::eventually([&] { return two->ask(InspectLock{"a"}).held; }));
  const LockAnswer released = two->ask(acquire(ann));
  EXPECT_EQ(two->ask(ReleaseLock{"a", ann}).outcome, Outcome::done);
  const LockAnswer other = two->ask(acquire(bob));
  const auto after = one->submit(acquire(ann, 20s));
  ASSERT_FALSE(before->done);
  proxy->resume();
  tasks.run_until_done(*before);
  EXPECT_EQ(before->as<LockAnswer>().token, released.token);
  wait_for_waiters(1);
  ASSERT_FALSE(after->done) << "told of the grant that was released before it asked";
  EXPECT_EQ(two->ask(ReleaseLock{"a", bob}).outcome, Outcome::done);
  tasks.run_until_done(*after);
  EXPECT_GT(after->as<LockAnswer>().token, other.token);
}

}  // namespace
}  // namespace firstcome::test
