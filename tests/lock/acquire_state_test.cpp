#include "lock/acquire_state.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace firstcome::lock {
namespace {

using namespace std::chrono_literals;
using Why = NotAcquired::Why;
using Kind = LockFailure::Kind;

constexpr BootTime start{1h};

struct AcquireStates : testing::Test {
  static AcquireState waiting(Milliseconds wait, Milliseconds lease = 30s) {
    return AcquireState({.wait = wait, .lease = lease, .outage_limit = 10s, .backoff = {2ms, 64ms}, .seed = 3});
  }
  static Grant grant_at(BootTime base, Milliseconds length = 30s) {
    return {.token = 9, .base = base, .length = length};
  }
  static AttemptAnswer fails(Kind kind) { return LockFailure{kind, "because"}; }
  static CancelAnswer cancel_fails() { return std::unexpected(LockFailure{Kind::broken, {}}); }
};

TEST_F(AcquireStates, GivesTheLeaseThatTheFirstAttemptBrings) {
  AcquireState state = waiting(0s);
  const AcquireSteps steps = state.start(start);
  ASSERT_TRUE(steps.attempt);
  EXPECT_EQ(steps.attempt->repeat, Try::first);
  EXPECT_EQ(steps.attempt->mode, Attempt::Mode::once);
  EXPECT_TRUE(state.attempt_answered(start + 1ms, grant_at(start)).hold);
  EXPECT_TRUE(state.ended());
}

TEST_F(AcquireStates, TriesOnceWithoutAWait) {
  AcquireState state = waiting(0s);
  state.start(start);
  const AcquireSteps steps = state.attempt_answered(start + 1ms, Busy{});
  ASSERT_TRUE(steps.give_up);
  EXPECT_EQ(steps.give_up->why, Why::timed_out);
  EXPECT_FALSE(steps.cancel);  // it was told that it is not there
  EXPECT_TRUE(state.ended());
}

TEST_F(AcquireStates, PausesAtRandomAndEverLongerWhileTheLockIsTaken) {
  AcquireState state = waiting(10s);
  state.start(start);
  BootTime now = start;
  BootClock::duration longest{};
  int attempts = 1;
  while (state.waits()) {
    const AcquireSteps answered = state.attempt_answered(now, Busy{});
    if (answered.give_up) break;
    const BootTime next = *state.wake();
    ASSERT_GE(next - now, 1ms);
    ASSERT_LE(next - now, 64ms);
    longest = std::max(longest, next - now);
    now = next;
    if (state.pass(now).give_up) break;
    ++attempts;
  }
  EXPECT_EQ(now, start + 10s);
  EXPECT_GT(longest, 40ms);
  EXPECT_GT(attempts, 10s / 64ms);
  EXPECT_LT(attempts, 10s / 10ms);
}

TEST_F(AcquireStates, SaysOfAServerThatNeverAnswersThatItIsUnavailable) {
  AcquireState silent = waiting(1s);
  silent.start(start);
  EXPECT_EQ(silent.pass(start + 1s).give_up->why, Why::unavailable);

  AcquireState slow = waiting(1s);
  slow.start(start);
  slow.attempt_answered(start + 900ms, Busy{1ms});
  slow.pass(start + 901ms);
  EXPECT_EQ(slow.pass(start + 1s).give_up->why, Why::timed_out) << "it has answered, and not long ago";

  AcquireState patient({.wait = 1s, .lease = 30s, .answers = LockBackend::Answers::after_the_wait});
  patient.start(start);
  EXPECT_EQ(patient.pass(start + 1s).give_up->why, Why::timed_out) << "its answer takes as long as the wait";
}

TEST_F(AcquireStates, TriesWhenTheBackendSaysSoAndNotBefore) {
  AcquireState state = waiting(10s);
  state.start(start);
  state.attempt_answered(start, Busy{1s});
  EXPECT_EQ(state.wake(), start + 1s);
  const AcquireSteps steps = state.worth_trying(start + 200ms);
  ASSERT_TRUE(steps.attempt);
  EXPECT_EQ(steps.attempt->repeat, Try::first);
}

TEST_F(AcquireStates, DoesNotForgetANudgeThatComesWhileItAsks) {
  AcquireState state = waiting(10s);
  state.start(start);
  EXPECT_FALSE(state.worth_trying(start).attempt);
  EXPECT_TRUE(state.attempt_answered(start, Busy{1s}).attempt);
}

TEST_F(AcquireStates, WaitsInTheQueueWithoutAsking) {
  AcquireState state = waiting(10s);
  state.start(start);
  state.attempt_answered(start, Queued{});
  EXPECT_EQ(state.wake(), start + 10s);
  EXPECT_TRUE(state.granted(start + 5s, grant_at(start + 5s)).hold);
}

TEST_F(AcquireStates, QueuesAgainWhenItsPlaceIsLost) {
  AcquireState state = waiting(10s);
  state.start(start);
  state.attempt_answered(start, Queued{});
  const AcquireSteps steps = state.worth_trying(start + 1s);
  ASSERT_TRUE(steps.attempt);
  EXPECT_EQ(steps.attempt->repeat, Try::again);
}

TEST_F(AcquireStates, TakesAPushThatIsQuickerThanTheAnswer) {
  AcquireState state = waiting(10s);
  state.start(start);
  EXPECT_TRUE(state.granted(start + 1ms, grant_at(start)).hold);
  const AcquireSteps late = state.attempt_answered(start + 2ms, Queued{});
  EXPECT_FALSE(late.attempt || late.hold || late.give_up || late.cancel);
}

TEST_F(AcquireStates, LeavesTheQueueWhenTheWaitIsOver) {
  AcquireState state = waiting(10s);
  state.start(start);
  state.attempt_answered(start, Queued{});
  EXPECT_FALSE(state.pass(start + 10s - 1ns).give_up);
  const AcquireSteps steps = state.pass(start + 10s);
  ASSERT_TRUE(steps.give_up);
  EXPECT_EQ(steps.give_up->why, Why::timed_out);
  EXPECT_EQ(steps.cancel, Try::first);
  EXPECT_FALSE(state.ended());
  state.cancelled(start + 11s, {});
  EXPECT_TRUE(state.ended());
}

TEST_F(AcquireStates, CancelsAnAttemptThatIsStillUnderWay) {
  AcquireState state = waiting(10s);
  state.start(start);
  const AcquireSteps steps = state.give_up(start + 1s, Why::stopped);
  EXPECT_EQ(steps.give_up->why, Why::stopped);
  EXPECT_TRUE(steps.cancel);
  // What comes now belongs to nobody: the cancel gives it back.
  EXPECT_FALSE(state.attempt_answered(start + 2s, grant_at(start)).hold);
  EXPECT_FALSE(state.granted(start + 2s, grant_at(start)).hold);
}

TEST_F(AcquireStates, RepeatsACancelUntilItIsAnswered) {
  AcquireState state = waiting(1s);
  state.start(start);
  BootTime now = start + 1s;
  ASSERT_EQ(state.pass(now).cancel, Try::first);
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(state.cancelled(now, cancel_fails()).cancel);
    now = *state.wake();
    ASSERT_EQ(state.pass(now).cancel, Try::again);
  }
  state.cancelled(now, {});
  EXPECT_TRUE(state.ended());
}

TEST_F(AcquireStates, StopsCancellingWhenWhatWasGrantedMustHaveLapsed) {
  AcquireState state = waiting(1s);
  state.start(start);
  BootTime now = start + 1s;
  state.pass(now);
  while (!state.ended()) {
    ASSERT_LT(now, start + 40s);
    state.cancelled(now, cancel_fails());
    if (state.ended()) break;
    now = *state.wake();
    state.pass(now);
  }
  EXPECT_GT(now, start + 30s);
}

TEST_F(AcquireStates, StopsCancellingWhenNoAnswerEverComes) {
  AcquireState state = waiting(1s);
  state.start(start);
  state.pass(start + 1s);
  ASSERT_TRUE(state.wake());
  state.pass(*state.wake());
  EXPECT_TRUE(state.ended());
}

TEST_F(AcquireStates, SaysAtOnceThatTheBackendIsNotThere) {
  for (const Kind kind : {Kind::unavailable, Kind::denied, Kind::wrong_type, Kind::read_only, Kind::closed}) {
    AcquireState state = waiting(10s);
    state.start(start);
    const AcquireSteps steps = state.attempt_answered(start + 1s, fails(kind));
    ASSERT_TRUE(steps.give_up);
    EXPECT_TRUE(is_failure(steps.give_up->why));
    EXPECT_EQ(steps.give_up->detail, "because");
    EXPECT_FALSE(steps.cancel);
    EXPECT_TRUE(state.ended());
  }
}

TEST_F(AcquireStates, AsksAgainAsTheSameOneWhenAnAnswerIsLost) {
  AcquireState state = waiting(10s);
  state.start(start);
  EXPECT_FALSE(state.attempt_answered(start + 1s, fails(Kind::broken)).give_up);
  const AcquireSteps steps = state.pass(*state.wake());
  ASSERT_TRUE(steps.attempt);
  EXPECT_EQ(steps.attempt->repeat, Try::again);
  // Nor does a server that is down for a moment end what may have begun.
  EXPECT_FALSE(state.attempt_answered(start + 2s, fails(Kind::unavailable)).give_up);
  ASSERT_EQ(state.pass(*state.wake()).attempt->repeat, Try::again);
  EXPECT_TRUE(state.attempt_answered(start + 3s, grant_at(start + 3s)).hold);
}

TEST_F(AcquireStates, GivesUpAfterALongOutageAndCancels) {
  AcquireState state = waiting(wait_for_ever);
  state.start(start);
  BootTime now = start;
  AcquireSteps steps = state.attempt_answered(now, fails(Kind::broken));
  while (!steps.give_up) {
    now = *state.wake();
    ASSERT_LE(now, start + 11s);
    ASSERT_TRUE(state.pass(now).attempt);
    steps = state.attempt_answered(now, fails(Kind::unavailable));
  }
  EXPECT_EQ(steps.give_up->why, Why::unavailable);
  EXPECT_TRUE(steps.cancel);
}

TEST_F(AcquireStates, RenewsAGrantOfWhichTooLittleIsLeftBeforeItStarts) {
  AcquireState state = waiting(10s);
  state.start(start);
  state.attempt_answered(start, Queued{});
  Grant late = grant_at(start, 1500ms);
  late.kind = Grant::Kind::claim;
  const AcquireSteps steps = state.granted(start + 1300ms, late);
  EXPECT_FALSE(steps.hold);
  ASSERT_TRUE(steps.confirm);
  EXPECT_EQ(steps.confirm->length, 30s);
  const AcquireSteps confirmed = state.confirmed(start + 1400ms, Renewed{start + 1300ms, 30s});
  ASSERT_TRUE(confirmed.hold);
  EXPECT_EQ(confirmed.hold->base, start + 1300ms);
  EXPECT_EQ(confirmed.hold->token, 9U);
  EXPECT_EQ(confirmed.hold->kind, Grant::Kind::lease);
}

TEST_F(AcquireStates, NeverStartsADeadGrant) {
  AcquireState state = waiting(10s);
  state.start(start);
  state.attempt_answered(start, Queued{});
  ASSERT_TRUE(state.granted(start + 5s, grant_at(start, 1500ms)).confirm);
  const AcquireSteps steps = state.confirmed(start + 5s, Lost{});
  EXPECT_FALSE(steps.hold);
  EXPECT_TRUE(steps.attempt);
}

TEST_F(AcquireStates, CancelsAGrantThatCouldNotBeConfirmedInTime) {
  AcquireState state = waiting(2s);
  state.start(start);
  state.granted(start + 1400ms, grant_at(start, 1500ms));
  const AcquireSteps steps = state.pass(start + 2s);
  EXPECT_TRUE(steps.give_up);
  EXPECT_TRUE(steps.cancel);
}

TEST_F(AcquireStates, StartsAShortLeaseWithAThirdLeft) {
  AcquireState state = waiting(1s, 30ms);
  state.start(start);
  EXPECT_TRUE(state.attempt_answered(start + 15ms, grant_at(start, 30ms)).hold);
}

TEST_F(AcquireStates, GivesALeaseThatIsTooShortToBeOfUseRatherThanRenewItForEver) {
  for (const Milliseconds lease : {1ms, 2ms, 3ms}) {
    AcquireState state = waiting(1s, lease);
    state.start(start);
    EXPECT_TRUE(state.attempt_answered(start, grant_at(start, lease)).hold);
  }
}

TEST_F(AcquireStates, IsFullWithoutWaiting) {
  AcquireState state = waiting(10s);
  state.start(start);
  const AcquireSteps steps = state.attempt_answered(start, Full{});
  EXPECT_EQ(steps.give_up->why, Why::full);
  EXPECT_TRUE(state.ended());
}

TEST_F(AcquireStates, DoesNotWaitForEverForABackendThatBreaksItsWord) {
  AcquireState state = waiting(0s);
  state.start(start);
  const AcquireSteps steps = state.pass(*state.wake());
  ASSERT_TRUE(steps.give_up);
  EXPECT_EQ(steps.give_up->why, Why::broken);
  EXPECT_TRUE(steps.cancel);
}

}  // namespace
}  // namespace firstcome::lock
