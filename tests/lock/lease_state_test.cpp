#include "lock/lease_state.hpp"

#include "support/rounds.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

namespace firstcome::lock {
namespace {

using namespace std::chrono_literals;
using Watchdog = Contention::Watchdog;

constexpr BootTime start{1h};

struct LeaseStates : ::testing::Test {
  static LeaseState held(Watchdog watchdog, Milliseconds length = 30s) {
    return LeaseState(Grant{7, start, length}, {length, watchdog, 3s}, start);
  }
  static LeaseState claimed(Milliseconds lease, Watchdog watchdog = Watchdog::no) {
    return LeaseState(Grant{7, start, 1500ms, Grant::Kind::claim}, {lease, watchdog, 3s}, start);
  }
  static RenewAnswer broken() { return LockFailure{LockFailure::Kind::broken, "cut"}; }
};

TEST_F(LeaseStates, EndsAMarginBeforeWhatWasGranted) {
  const LeaseState state = held(Watchdog::no);
  EXPECT_EQ(state.deadline(), start + 30s - 302ms);
  EXPECT_FALSE(state.lost(state.deadline() - 1ns));
  EXPECT_TRUE(state.lost(state.deadline()));
}

TEST_F(LeaseStates, IsDatedByTheSendingOfTheRequestNotByTheArrivalOfItsAnswer) {
  const LeaseState state(Grant{7, start, 10s}, {10s, Watchdog::no, 3s}, start + 4s);
  EXPECT_EQ(state.deadline(), start + 10s - 102ms);
}

TEST_F(LeaseStates, TellsTheHolderOnceAtTheDeadline) {
  LeaseState state = held(Watchdog::no);
  ASSERT_EQ(state.wake(), state.deadline());
  EXPECT_FALSE(state.pass(state.deadline() - 1ns).lost);
  EXPECT_TRUE(state.pass(state.deadline()).lost);
  EXPECT_FALSE(state.pass(state.deadline() + 1s).lost);
  EXPECT_FALSE(state.wake());
}

TEST_F(LeaseStates, IsNotRenewedByItselfWhenTheCallerGaveATime) {
  LeaseState state = held(Watchdog::no);
  EXPECT_FALSE(state.pass(state.deadline() - 1ns).renew);
  EXPECT_FALSE(state.pass(state.deadline()).renew);
}

TEST_F(LeaseStates, IsRenewedByTheWatchdogAtEachThird) {
  LeaseState state = held(Watchdog::yes);
  for (int third = 1; third <= 20; ++third) {
    const BootTime due = start + third * 10s;
    ASSERT_EQ(state.wake(), due);
    EXPECT_FALSE(state.pass(due - 1ns).renew);
    const LeaseSteps steps = state.pass(due);
    ASSERT_TRUE(steps.renew);
    EXPECT_EQ(steps.renew->length, 30s);
    const LeaseSteps after = state.renewal_answered(due + 5ms, Renewed{due, 30s});
    EXPECT_EQ(after.renewal_lag, 5ms);
    EXPECT_EQ(state.deadline(), due + 30s - 302ms);
  }
}

TEST_F(LeaseStates, HasOneRenewalUnderWayAtATime) {
  LeaseState state = held(Watchdog::yes);
  EXPECT_TRUE(state.pass(start + 10s).renew);
  EXPECT_FALSE(state.pass(start + 20s).renew);
  EXPECT_FALSE(state.want_renewal(start + 21s, 1, 60s).renew);
  const LeaseSteps steps = state.renewal_answered(start + 22s, Renewed{start + 10s, 30s});
  ASSERT_TRUE(steps.renew);
  EXPECT_EQ(steps.renew->length, 60s);
}

TEST_F(LeaseStates, TriesAFailedRenewalAgainUntilTheDeadlineAndThenTellsTheHolder) {
  LeaseState state = held(Watchdog::yes);
  BootTime now = start;
  int tries = 0;
  while (!state.lost(now)) {
    now = *state.wake();
    const LeaseSteps steps = state.pass(now);
    if (steps.lost) break;
    ASSERT_TRUE(steps.renew);
    ++tries;
    EXPECT_FALSE(state.renewal_answered(now, broken()).lost);
  }
  EXPECT_GT(tries, 15);
  EXPECT_LT(tries, 100);
  EXPECT_EQ(now, start + 30s - 302ms);
}

TEST_F(LeaseStates, TellsTheHolderAtOnceWhenARenewalSaysLost) {
  LeaseState state = held(Watchdog::yes);
  state.pass(start + 10s);
  EXPECT_TRUE(state.renewal_answered(start + 10s, Lost{}).lost);
  EXPECT_TRUE(state.lost(start + 10s));
  EXPECT_FALSE(state.wake());
}

TEST_F(LeaseStates, StaysLostWhateverComesLater) {
  LeaseState state = held(Watchdog::yes);
  state.pass(start + 10s);
  EXPECT_TRUE(state.renewal_answered(start + 31s, Renewed{start + 30s, 30s}).lost);
  EXPECT_TRUE(state.lost(start + 31s));
  const LeaseSteps steps = state.want_renewal(start + 31s, 5, 30s);
  EXPECT_FALSE(steps.renew);
  ASSERT_EQ(steps.renewals_answered.size(), 1U);
  EXPECT_EQ(steps.renewals_answered[0], std::pair(std::uint64_t{5}, RenewOutcome::lost));
}

TEST_F(LeaseStates, NeverMovesItsDeadlineBack) {
  LeaseState state = held(Watchdog::no, 60s);
  const BootTime before = state.deadline();
  const LeaseSteps steps = state.want_renewal(start + 1s, 1, 5s);
  ASSERT_TRUE(steps.renew);
  // What is asked for would not take away what was granted, should it be carried out at once.
  EXPECT_GE(deadline_of(start + 1s, steps.renew->length), before);
  EXPECT_LT(steps.renew->length, 61s);
  state.renewal_answered(start + 1s, Renewed{start + 1s, 5s});
  EXPECT_EQ(state.deadline(), before);
}

TEST_F(LeaseStates, TrustsALongRenewalNoFurtherThanAShorterOneThatMayStillCome) {
  LeaseState state = held(Watchdog::no, 10s);
  state.want_renewal(start + 1s, 1, 12s);
  EXPECT_EQ(state.renewal_answered(start + 2s, broken()).renewals_answered[0].second, RenewOutcome::unknown);
  state.want_renewal(start + 2s, 2, 60s);
  state.renewal_answered(start + 2s, Renewed{start + 2s, 60s});
  EXPECT_EQ(state.deadline(), deadline_of(start + 2s, 12s));
}

TEST_F(LeaseStates, ConfirmsAClaimOnceAndSoon) {
  LeaseState state = claimed(20s, Watchdog::yes);
  ASSERT_EQ(state.wake(), start + 250ms);
  const LeaseSteps steps = state.pass(start + 250ms);
  ASSERT_TRUE(steps.renew);
  EXPECT_EQ(steps.renew->length, 20s);
  state.renewal_answered(start + 260ms, broken());
  const BootTime again = *state.wake();
  EXPECT_LT(again, start + 1s);
  ASSERT_TRUE(state.pass(again).renew);
  state.renewal_answered(again, Renewed{again, 20s});
  EXPECT_EQ(state.wake(), again + 20'000ms / 3);
}

TEST_F(LeaseStates, ConfirmsAClaimAtOnceWhereTheHolderGaveALongerLease) {
  LeaseState state = claimed(20s);
  ASSERT_EQ(state.wake(), start);
  const LeaseSteps steps = state.pass(start);
  ASSERT_TRUE(steps.renew);
  EXPECT_EQ(steps.renew->length, 20s);
  state.renewal_answered(start + 1ms, Renewed{start, 20s});
  EXPECT_EQ(state.wake(), deadline_of(start, 20s));
  EXPECT_GT(claimed(1'500ms).wake(), start) << "it has all of its lease";
}

TEST_F(LeaseStates, NeverConfirmsAClaimThatIsReleasedBefore) {
  LeaseState state = claimed(20s, Watchdog::yes);
  auto [outcome, steps] = state.give_back(start + 249ms);
  EXPECT_FALSE(steps.renew);
  EXPECT_TRUE(steps.release);
  EXPECT_FALSE(state.pass(start + 250ms).renew);
}

TEST_F(LeaseStates, RenewsNothingAfterTheRelease) {
  LeaseState state = held(Watchdog::yes);
  ASSERT_TRUE(state.pass(start + 10s).renew);
  state.give_back(start + 11s);
  EXPECT_FALSE(state.renewal_answered(start + 12s, broken()).renew);
  for (BootTime now = start + 12s; now < start + 60s; now += 100ms) EXPECT_FALSE(state.pass(now).renew);
  EXPECT_FALSE(state.want_renewal(start + 61s, 1, 1s).renew);
}

TEST_F(LeaseStates, ReleasesWhenTheLastObjectGoes) {
  LeaseState state = held(Watchdog::yes);
  state.share();
  auto [first, nothing] = state.give_back(start + 1s);
  EXPECT_EQ(first, ReleaseOutcome::released);
  EXPECT_FALSE(nothing.release);
  auto [last, steps] = state.give_back(start + 2s);
  EXPECT_FALSE(last);
  EXPECT_EQ(steps.release, Try::first);
  EXPECT_EQ(state.release_answered(start + 2s, ReleaseOutcome::released).release_answered, ReleaseOutcome::released);
  EXPECT_TRUE(state.ended());
}

TEST_F(LeaseStates, SaysUnknownInTimeAndGoesOnReleasingUntilTheLeaseIsSurelyOver) {
  LeaseState state = held(Watchdog::no);
  state.give_back(start + 1s);
  bool told = false;
  int tries = 1;
  BootTime now = start + 1s;
  LeaseSteps steps = state.release_answered(now, std::unexpected(LockFailure{LockFailure::Kind::broken, {}}));
  while (!state.ended()) {
    ASSERT_TRUE(state.wake());
    now = *state.wake();
    ASSERT_LT(now, start + 40s);
    steps = state.pass(now);
    if (steps.release_answered) {
      EXPECT_EQ(*steps.release_answered, ReleaseOutcome::unknown);
      EXPECT_EQ(now, start + 4s);
      EXPECT_FALSE(told);
      told = true;
    }
    if (!steps.release) continue;
    EXPECT_EQ(*steps.release, Try::again);
    ++tries;
    state.release_answered(now, std::unexpected(LockFailure{LockFailure::Kind::broken, {}}));
  }
  EXPECT_TRUE(told);
  EXPECT_GE(now, start + 30s);
  EXPECT_GT(tries, 10);
}

TEST_F(LeaseStates, RepeatsAReleaseThatWasSurelyNotDoneAsTheFirst) {
  LeaseState state = held(Watchdog::no);
  state.give_back(start);
  state.release_answered(start, std::unexpected(LockFailure{LockFailure::Kind::unavailable, {}}));
  EXPECT_EQ(state.pass(*state.wake()).release, Try::first);
}

TEST_F(LeaseStates, StillReleasesWhatWasLost) {
  LeaseState state = held(Watchdog::no);
  state.pass(state.deadline());
  auto [outcome, steps] = state.give_back(start + 31s);
  EXPECT_TRUE(steps.release);
  EXPECT_EQ(state.release_answered(start + 31s, ReleaseOutcome::unknown).release_answered, ReleaseOutcome::lost);
}

TEST_F(LeaseStates, AnswersAWantedRenewalThatIsOvertakenByTheRelease) {
  LeaseState state = held(Watchdog::yes);
  state.want_renewal(start + 1s, 1, 60s);
  state.want_renewal(start + 1s, 2, 60s);
  auto [outcome, steps] = state.give_back(start + 2s);
  ASSERT_EQ(steps.renewals_answered.size(), 2U);
  for (const auto& [id, answer] : steps.renewals_answered) EXPECT_EQ(answer, RenewOutcome::lost);
}

/// A server that keeps the lease, reached over a line that delays and loses requests and answers, and delivers some
/// requests much later.
class DistantServer {
 public:
  DistantServer(std::mt19937_64& random, BootTime till) : random_(random), till_(till) {}

  int up_to(int most) { return std::uniform_int_distribution(0, most)(random_); }
  BootTime till() const { return till_; }

  /// The answer to a renewal sent at `now`, which becomes the time of its arrival.
  RenewAnswer renew(BootTime& now, Milliseconds length) {
    const BootTime sent = now;
    const BootTime there = now + up_to(300) * 1ms;
    now = there + up_to(300) * 1ms;
    deliver_late_ones(there);
    const int fate = up_to(5);
    if (fate == 0) {
      late_.push_back(length);
      return LockFailure{LockFailure::Kind::broken, "cut"};
    }
    const bool renewed = carry_out(there, length);
    if (fate == 1) return LockFailure{LockFailure::Kind::broken, "cut"};
    return renewed ? RenewAnswer{Renewed{sent, length}} : RenewAnswer{Lost{}};
  }

  void deliver_late_ones(BootTime now) {
    if (up_to(3) != 0) return;
    for (const Milliseconds length : std::exchange(late_, {})) carry_out(now, length);
  }

 private:
  bool carry_out(BootTime now, Milliseconds length) {
    if (now >= till_) return false;
    till_ = now + length;
    return true;
  }

  std::mt19937_64& random_;
  BootTime till_;
  std::vector<Milliseconds> late_;
};

TEST_F(LeaseStates, NeverBelievesLongerThanTheServerWhateverTheLineDoes) {
  const std::uint64_t seed = testing::seed();
  SCOPED_TRACE("FIRSTCOME_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < testing::rounds(500); ++round) {
    const Milliseconds length = 1s + 1ms * std::uniform_int_distribution(0, 3'000)(random);
    DistantServer server(random, start + length);
    LeaseState state = held(server.up_to(1) != 0 ? Watchdog::yes : Watchdog::no, length);
    std::uint64_t id = 0;
    for (BootTime now = start; !state.lost(now) && now < start + 2min; now += server.up_to(400) * 1ms) {
      server.deliver_late_ones(now);
      LeaseSteps steps =
          server.up_to(9) == 0 ? state.want_renewal(now, ++id, 1ms + server.up_to(5'000) * 1ms) : state.pass(now);
      while (steps.renew) {
        const RenewAnswer answer = server.renew(now, steps.renew->length);
        steps = state.renewal_answered(now, answer);
      }
      if (state.lost(now)) break;
      ASSERT_LE(state.deadline(), server.till()) << "round " << round;
    }
  }
}

}  // namespace
}  // namespace firstcome::lock
