// The leases of clients over many servers: FIFO locks on one Redis, of which each server knows every lease.
#include "engine/shared_leases.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(SharedLeases, AreRenewedAndReleasedThroughAnyServer) {
  const LockAnswer grant = one->ask(acquire(ann, 0ms, 2s));
  ASSERT_EQ(grant.outcome, Outcome::done);
  EXPECT_EQ(two->ask(RenewLock{"a", bob}).outcome, Outcome::lease_lost);
  EXPECT_EQ(two->ask(ReleaseLock{"a", bob}).outcome, Outcome::lease_lost);
  const LockAnswer renewed = two->ask(RenewLock{"a", ann});
  EXPECT_EQ(renewed.outcome, Outcome::done);
  EXPECT_EQ(renewed.token, grant.token);
  EXPECT_LE(renewed.expires_in, 2s) << "by the length that was acquired";
  EXPECT_EQ(two->ask(ReleaseLock{"a", ann}).outcome, Outcome::done);
  EXPECT_EQ(one->ask(RenewLock{"a", ann}).outcome, Outcome::lease_lost);
  EXPECT_EQ(one->ask(ReleaseLock{"a", ann}).outcome, Outcome::lease_lost);
  expect_free();
}

TEST_F(SharedLeases, AreFoundByARepeatedAcquireAtAnyServer) {
  const LockAnswer grant = one->ask(acquire(ann));
  for (const Milliseconds wait : {Milliseconds{0}, Milliseconds{20'000}}) {
    const LockAnswer again = two->ask(acquire(ann, wait, 60s));
    EXPECT_EQ(again.outcome, Outcome::done);
    EXPECT_EQ(again.token, grant.token);
    EXPECT_GT(again.expires_in, 10s);
    EXPECT_LE(again.expires_in, 30s) << "it is the grant that was";
  }
  EXPECT_EQ(two->ask(acquire(bob)).outcome, Outcome::locked);
  EXPECT_EQ(two->ask(InspectLock{"a"}).token, grant.token);
  EXPECT_EQ(one->ask(ReleaseLock{"a", ann}).outcome, Outcome::done);
  const LockAnswer next = two->ask(acquire(ann));
  EXPECT_EQ(next.outcome, Outcome::done);
  EXPECT_GT(next.token, grant.token);
}

TEST_F(SharedLeases, OutliveTheServerThatGrantedThem) {
  const LockAnswer grant = one->ask(acquire(ann));
  one.reset();
  EXPECT_EQ(two->ask(acquire(bob)).outcome, Outcome::locked);
  EXPECT_EQ(two->ask(RenewLock{"a", ann}).token, grant.token);
  EXPECT_EQ(two->ask(ReleaseLock{"a", ann}).outcome, Outcome::done);
  expect_free();
}

TEST_F(SharedLeases, AreHandedToWhoWaitsAtAnotherServer) {
  LockAnswer last = one->ask(acquire(ann));
  std::array<LockServer*, 2> servers{one.get(), two.get()};
  std::array<const char*, 2> leases{ann, bob};
  for (std::size_t turn = 0; turn < 6; ++turn) {
    const std::size_t next = (turn + 1) % 2;
    const auto waits = servers[next]->submit(acquire(leases[next], 20s));
    wait_for_waiters(1);
    EXPECT_FALSE(waits->done);
    EXPECT_EQ(servers[next]->ask(ReleaseLock{"a", leases[turn % 2]}).outcome, Outcome::done);
    tasks.run_until_done(*waits);
    const auto& grant = waits->as<LockAnswer>();
    ASSERT_EQ(grant.outcome, Outcome::done);
    EXPECT_GT(grant.token, last.token);
    EXPECT_GT(grant.expires_in, 20s) << "a lease, no claim";
    last = servers[turn % 2]->ask(RenewLock{"a", leases[next]});
    EXPECT_EQ(last.token, grant.token) << "one grant has one token";
  }
}

TEST_F(SharedLeases, GoToTheNextInLineByAReleaseElsewhere) {
  one->ask(acquire(ann));
  const auto here = one->submit(acquire(bob, 20s));
  wait_for_waiters(1);
  EXPECT_EQ(two->ask(ReleaseLock{"a", ann}).outcome, Outcome::done);
  tasks.run_until_done(*here);
  EXPECT_EQ(here->as<LockAnswer>().outcome, Outcome::done);
  EXPECT_EQ(two->ask(ReleaseLock{"a", bob}).outcome, Outcome::done);
  expect_free();
}

TEST_F(SharedLeases, AreLostAtTheirEnd) {
  const LockAnswer grant = one->ask(acquire(ann, 0ms, 40ms));
  const LockAnswer next = two->ask(acquire(bob, 20s));
  EXPECT_EQ(next.outcome, Outcome::done) << "after the first has lapsed";
  EXPECT_GT(next.token, grant.token);
  for (LockServer* const server : {one.get(), two.get()}) {
    EXPECT_EQ(server->ask(RenewLock{"a", ann}).outcome, Outcome::lease_lost);
    EXPECT_EQ(server->ask(ReleaseLock{"a", ann}).outcome, Outcome::lease_lost);
    EXPECT_EQ(server->ask(InspectLock{"a"}).token, next.token);
  }
}

TEST_F(SharedLeases, AreFreedByTheirToken) {
  const LockAnswer grant = one->ask(acquire(ann));
  EXPECT_EQ(two->ask(FreeLock{"a", grant.token + 1}).outcome, Outcome::lease_lost);
  EXPECT_EQ(two->ask(FreeLock{"a", grant.token}).outcome, Outcome::done);
  EXPECT_EQ(one->ask(RenewLock{"a", ann}).outcome, Outcome::lease_lost);
  expect_free();
}

TEST_F(SharedLeases, AreFoundAtTheEndOfAWaitThatTheyEndedElsewhere) {
  one->ask(acquire(bob));
  const auto first = one->submit(acquire(ann, 20s));
  wait_for_waiters(1);
  const auto again = two->submit(acquire(ann, 1'500ms));  // the client has gone to another server
  wait_for_waiters(2);
  EXPECT_EQ(two->ask(ReleaseLock{"a", bob}).outcome, Outcome::done);
  tasks.run_until_done(*first);
  tasks.run_until_done(*again);
  EXPECT_EQ(again->as<LockAnswer>().outcome, Outcome::done);
  EXPECT_EQ(again->as<LockAnswer>().token, first->as<LockAnswer>().token);
  wait_for_waiters(0);
}

TEST_F(SharedLeases, ThatWaitAtTwoServersAreFoundByBothAndWaitNoMore) {
  const LockAnswer held = one->ask(acquire(bob));
  const auto first = one->submit(acquire(ann, 60s));
  wait_for_waiters(1);
  const auto again = two->submit(acquire(ann, 60s));  // longer than this test waits for its answer
  wait_for_waiters(2);
  const auto next = one->submit(acquire(cid, 60s));
  wait_for_waiters(3);
  EXPECT_EQ(two->ask(ReleaseLock{"a", bob}).outcome, Outcome::done);
  tasks.run_until_done(*first);
  tasks.run_until_done(*again);
  ASSERT_TRUE(first->done && again->done);
  ASSERT_EQ(first->as<LockAnswer>().outcome, Outcome::done);
  ASSERT_EQ(again->as<LockAnswer>().outcome, Outcome::done);
  EXPECT_GT(first->as<LockAnswer>().token, held.token);
  EXPECT_EQ(again->as<LockAnswer>().token, first->as<LockAnswer>().token);
  wait_for_waiters(1);  // its other place, before the next in line, was given up
  EXPECT_FALSE(next->done);
  EXPECT_EQ(one->ask(ReleaseLock{"a", ann}).outcome, Outcome::done);
  tasks.run_until_done(*next);
  ASSERT_TRUE(next->done);
  EXPECT_EQ(next->as<LockAnswer>().outcome, Outcome::done);
  EXPECT_EQ(two->ask(ReleaseLock{"a", cid}).outcome, Outcome::done);
  expect_free();
}

TEST_F(SharedLeases, AreGrantedToAShorterRequestThoughALongerOneGotThem) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(two->ask(acquire(bob, 20s)).outcome, Outcome::done);
    const auto longer = one->submit(acquire(ann, 60s));
    wait_for_waiters(1);
    const auto release = two->submit(ReleaseLock{"a", bob});
    tasks.wait_for_a_task();
    const auto shorter = one->submit(acquire(ann, 20s));  // the longer one is granted the lock, or has just left
    tasks.run_until_done(*shorter);
    tasks.run_until_done(*longer);
    tasks.run_until_done(*release);
    ASSERT_TRUE(shorter->done && longer->done && release->done);
    ASSERT_EQ(shorter->as<LockAnswer>().outcome, Outcome::done);
    EXPECT_EQ(two->ask(ReleaseLock{"a", ann}).outcome, Outcome::done);
    EXPECT_TRUE(firstcome::testing::eventually([this] {
      const LockAnswer seen = two->ask(InspectLock{"a"});
      return !seen.held && seen.waiting == 0;
    }));
  }
}

TEST_F(SharedLeases, AskedForAtTwoServersAtOnceAreGrantedOnce) {
  for (int i = 0; i < 50; ++i) {
    const auto here = one->submit(acquire(ann));
    const auto there = two->submit(acquire(ann));
    tasks.run_until_done(*here);
    tasks.run_until_done(*there);
    ASSERT_EQ(here->as<LockAnswer>().outcome, Outcome::done);
    ASSERT_EQ(there->as<LockAnswer>().outcome, Outcome::done);
    ASSERT_EQ(there->as<LockAnswer>().token, here->as<LockAnswer>().token);
    ASSERT_EQ(two->ask(ReleaseLock{"a", ann}).outcome, Outcome::done);
  }
}

TEST_F(SharedLeases, KeepTheirPlaceWhereTheyAskAgain) {
  one->ask(acquire(ann));
  const auto first = one->submit(acquire(bob, 20s));
  const auto other = one->submit(acquire(cid, 20s));
  const auto again = one->submit(acquire(bob, 20s));
  wait_for_waiters(2);
  EXPECT_EQ(two->ask(ReleaseLock{"a", ann}).outcome, Outcome::done);
  tasks.run_until_done(*first);
  tasks.run_until_done(*again);
  EXPECT_EQ(again->as<LockAnswer>().token, first->as<LockAnswer>().token);
  EXPECT_FALSE(other->done) << "it asked later";
  EXPECT_EQ(two->ask(ReleaseLock{"a", bob}).outcome, Outcome::done);
  tasks.run_until_done(*other);
  EXPECT_EQ(other->as<LockAnswer>().outcome, Outcome::done);
}

TEST_F(SharedLeases, AreNotGrantedToWhoLeftTheQueue) {
  one->ask(acquire(ann));
  const auto waits = one->submit(acquire(bob, 20s));
  wait_for_waiters(1);
  EXPECT_EQ(one->ask(LeaveLock{"a", bob}).outcome, Outcome::done);
  tasks.run_until_done(*waits);
  EXPECT_EQ(waits->as<LockAnswer>().outcome, Outcome::locked);
  EXPECT_EQ(two->ask(ReleaseLock{"a", ann}).outcome, Outcome::done);
  expect_free();
}

TEST_F(SharedLeases, ShowNoNameOfALease) {
  one->ask(acquire(ann));
  const std::string state = redis->text({"HGET", "firstcome:lock:{a}", "s"});
  EXPECT_THAT(state, HasSubstr("lease:"));
  EXPECT_THAT(state, Not(HasSubstr(ann)));
}

/// Who has the lock by all that was answered.
struct Model {
  std::string owner;  ///< empty: nobody
  std::uint64_t token = 0;

  /// Long enough to get what can be had.
  Milliseconds wait_of(const std::string& lease) const { return owner.empty() || lease == owner ? 20s : 2ms; }
  void acquired(const std::string& lease, const LockAnswer& said) {
    const bool had_it = lease == owner;
    ASSERT_EQ(said.outcome, had_it || owner.empty() ? Outcome::done : Outcome::locked);
    if (said.outcome != Outcome::done) return;
    EXPECT_EQ(said.token == token, had_it);
    EXPECT_GE(said.token, token);
    owner = lease;
    token = said.token;
  }
  void renewed(const std::string& lease, const LockAnswer& said) const {
    ASSERT_EQ(said.outcome, lease == owner ? Outcome::done : Outcome::lease_lost);
    if (said.outcome == Outcome::done) {
      EXPECT_EQ(said.token, token);
    }
  }
  void released(const std::string& lease, const LockAnswer& said) {
    ASSERT_EQ(said.outcome, lease == owner ? Outcome::done : Outcome::lease_lost);
    if (said.outcome == Outcome::done) owner.clear();
  }
};

TEST_F(SharedLeases, HaveOneOwnerAtMostInAnyOrderOfRequests) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::vector<std::string> leases{ann, bob, cid};
  Model model;
  for (int i = 0; i < 600 && !HasFatalFailure(); ++i) {
    LockServer& server = random() % 2 == 0 ? *one : *two;
    const std::string& lease = leases[random() % leases.size()];
    switch (random() % 4) {
      case 0:
        model.acquired(lease, server.ask(acquire(lease, random() % 2 == 0 ? 0ms : model.wait_of(lease))));
        break;
      case 1:
        model.renewed(lease, server.ask(RenewLock{"a", lease}));
        break;
      case 2:
        model.released(lease, server.ask(ReleaseLock{"a", lease}));
        break;
      default:
        EXPECT_EQ(server.ask(InspectLock{"a"}).held, !model.owner.empty());
    }
  }
}

TEST_F(SharedLeases, OfOtherKindsAreKnownByTheirServerAlone) {
  one = server(LockKind::setnx);
  two = server(LockKind::setnx);
  ASSERT_EQ(one->ask(acquire(ann)).outcome, Outcome::done);
  EXPECT_EQ(one->ask(acquire(ann)).outcome, Outcome::done);
  EXPECT_EQ(two->ask(acquire(ann)).outcome, Outcome::locked);
  EXPECT_EQ(two->ask(RenewLock{"a", ann}).outcome, Outcome::lease_lost);
  EXPECT_EQ(two->ask(ReleaseLock{"a", ann}).outcome, Outcome::lease_lost);
  EXPECT_EQ(one->ask(RenewLock{"a", ann}).outcome, Outcome::done);
  EXPECT_EQ(one->ask(ReleaseLock{"a", ann}).outcome, Outcome::done);
}

}  // namespace
}  // namespace firstcome::test
