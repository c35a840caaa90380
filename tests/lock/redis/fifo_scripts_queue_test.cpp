// The scripts of the FIFO lock: waits that are given up, acquires that come late, locks that are freed by force.
#include "lock/redis/fifo_bench.hpp"
#include "lock/redis/fifo_scripts.hpp"
#include "support/rounds.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <random>

namespace firstcome::lock::test {
namespace {

using namespace std::chrono_literals;
using Got = AcquireReply::Outcome;
using Gave = ReleaseReply::Outcome;
using ::testing::UnorderedElementsAre;

class FifoScriptsQueue : public FifoBench {
 protected:
  const Asker a = asker('a');
  const Asker b = asker('b');
  const Asker c = asker('c');

  std::uint64_t tickets_that_wait() {
    const std::vector<std::string> all = fields();
    return static_cast<std::uint64_t>(std::ranges::count(all, 'w', [](const std::string& field) { return field[0]; }));
  }
};

TEST_F(FifoScriptsQueue, WaitsThatWereGivenUpNeitherFillTheQueueNorKeepTheLock) {
  times.most_waiters = 100;
  const AcquireReply first = acquire(a, 1);
  for (std::uint64_t number = 1; number <= 3'000; ++number) {
    ASSERT_EQ(acquire(b, number).outcome, Got::queued) << number;
    ASSERT_EQ(cancel(b, number), "left");
  }
  EXPECT_EQ(inspect().waiting, 0U);
  EXPECT_EQ(inspect().head, inspect().tail);
  EXPECT_EQ(release(a, 1, first.token).outcome, Gave::released);
  EXPECT_EQ(acquire(c, 1, {.once = Once::yes}).outcome, Got::granted) << "at the first try";
}

TEST_F(FifoScriptsQueue, OnlyThoseWhoWaitCount) {
  times.most_waiters = 3;
  acquire(a, 1);
  EXPECT_EQ(acquire(b, 1).before, 0U);
  for (std::uint64_t number = 2; number <= 700; ++number) {
    ASSERT_EQ(acquire(b, number).outcome, Got::queued);
    ASSERT_EQ(cancel(b, number), "left");
  }
  const AcquireReply last = acquire(c, 1);
  EXPECT_EQ(last.before, 1U);
  EXPECT_EQ(again(c, 1).before, 1U);
  EXPECT_EQ(inspect().waiting, 2U);
  EXPECT_EQ(pulse(b).waiting, 2U);
  EXPECT_EQ(pulse(b).last_ticket, last.ticket);
  EXPECT_EQ(acquire(c, 2, {.once = Once::yes}).before, 2U);
  EXPECT_EQ(cancel(b, 1), "left");  // the head: all holes behind it are done with
  EXPECT_EQ(acquire(c, 3).outcome, Got::queued);
  EXPECT_EQ(acquire(c, 4).outcome, Got::queued);
  EXPECT_EQ(acquire(c, 5).outcome, Got::full);
  EXPECT_EQ(tickets_that_wait(), 3U);
}

TEST_F(FifoScriptsQueue, ManyHolesBetweenTwoWhoWaitArePassedInAFewCalls) {
  const AcquireReply first = acquire(a, 1);
  acquire(b, 1);
  for (std::uint64_t number = 2; number <= 3'000; ++number) {
    acquire(b, number);
    cancel(b, number);
  }
  const AcquireReply last = acquire(c, 1);
  release(a, 1, first.token, Repeated::no, Trust::no);
  release(b, 1, inspect().token, Repeated::no, Trust::no);
  EXPECT_EQ(inspect().owner, owner(c, 1));
  EXPECT_EQ(inspect().head, last.ticket);
}

TEST_F(FifoScriptsQueue, AnAcquireThatComesAfterItsReleaseIsRefused) {
  const AcquireReply got = acquire(b, 5);
  EXPECT_EQ(release(b, {.grant = {5, got.token}, .late_copy = LateCopy::possible}).outcome, Gave::released);
  EXPECT_EQ(acquire(b, 5).outcome, Got::refused);
  EXPECT_EQ(inspect().owner, "");
  EXPECT_EQ(acquire(b, 6).outcome, Got::granted);
}

TEST_F(FifoScriptsQueue, AnAcquireThatComesAfterItsLossIsRefused) {
  const AcquireReply got = acquire(b, 5, {.lease = 1s});
  pass(1s);
  const AcquireReply next = acquire(c, 1, {.once = Once::yes});
  EXPECT_EQ(release(b, {.grant = {5, got.token}, .late_copy = LateCopy::possible}).outcome, Gave::lost);
  release(c, 1, next.token);
  EXPECT_EQ(acquire(b, 5).outcome, Got::refused);
}

TEST_F(FifoScriptsQueue, AnAcquireThatComesAfterItsCancellationIsRefused) {
  const AcquireReply first = acquire(a, 1);
  acquire(b, 5);
  EXPECT_EQ(cancel(b, {5, LateCopy::possible}), "left");
  EXPECT_EQ(acquire(b, 5).outcome, Got::refused);
  acquire(c, 7);
  release(a, 1, first.token, Repeated::no, Trust::no);
  EXPECT_EQ(cancel(c, {7, LateCopy::possible}), "gave");
  EXPECT_EQ(acquire(c, 7).outcome, Got::refused);
  EXPECT_EQ(inspect().owner, "");
}

TEST_F(FifoScriptsQueue, ACopyThatQueuedBehindItsOwnGrantGoesWithIt) {
  const AcquireReply got = acquire(b, 5);
  EXPECT_EQ(acquire(b, 5).outcome, Got::queued);  // the copy, late
  EXPECT_EQ(release(b, {.grant = {5, got.token}, .late_copy = LateCopy::possible}).outcome, Gave::released);
  EXPECT_EQ(inspect().owner, "");
  EXPECT_EQ(inspect().waiting, 0U);
  EXPECT_THAT(fields(), UnorderedElementsAre("s", "p" + b.process, "f" + b.process));
}

TEST_F(FifoScriptsQueue, ACopyThatWasGrantedAfterTheLossOfItsGrantGivesTheLockOn) {
  listen(c);
  const AcquireReply got = acquire(b, 5, {.lease = 1s});
  pass(1s);
  EXPECT_EQ(acquire(b, 5).outcome, Got::granted);  // the copy
  EXPECT_EQ(acquire(c, 1).outcome, Got::queued);
  EXPECT_EQ(release(b, {.grant = {5, got.token}, .late_copy = LateCopy::possible}).outcome, Gave::lost);
  EXPECT_EQ(heard(c).number, 1U);
  EXPECT_EQ(inspect().owner, owner(c, 1));
}

TEST_F(FifoScriptsQueue, RandomCallsKeepTheCountOfThoseWhoWait) {
  const std::uint64_t seed = firstcome::testing::seed();
  SCOPED_TRACE("FIRSTCOME_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::uint64_t last = 0;
  const auto some_number = [&] { return 1 + random() % (last + 1); };
  const auto maybe = [&] { return random() % 2 == 0 ? LateCopy::no : LateCopy::possible; };
  for (int step = 0; step < firstcome::testing::rounds(1'500); ++step) {
    const Asker& who = random() % 2 == 0 ? a : b;
    const InspectReply seen = inspect();
    switch (random() % 8) {
      case 0:
      case 1:
      case 2:
        acquire(who, ++last,
                {.lease = random() % 2 == 0 ? 20ms : 60'000ms, .once = random() % 4 == 0 ? Once::yes : Once::no});
        break;
      case 3:
        acquire(who, some_number(), {.repeated = random() % 2 == 0 ? Repeated::no : Repeated::yes});
        break;
      case 4:
        cancel(who, {some_number(), maybe()});
        break;
      case 5:
        pulse(who, Trust::no);
        break;
      case 6:
        free(seen.token);
        break;
      default:
        if (const auto number = number_of(seen.owner, who.process))
          release(who, {.grant = {*number, seen.token}, .late_copy = maybe()}, Trust::no);
        break;
    }
    const InspectReply now = inspect();
    ASSERT_EQ(now.waiting, tickets_that_wait()) << step;
    ASSERT_GE(now.tail - now.head, now.waiting) << step;
    if (now.waiting == 0) {
      ASSERT_EQ(now.head, now.tail) << step;
    }
    ASSERT_GE(now.token, seen.token) << step;
  }
}

TEST_F(FifoScriptsQueue, ALockIsFreedByTheTokenOfItsGrant) {
  listen(c);
  const AcquireReply first = acquire(a, 1, {.lease = 24h});
  acquire(c, 1);
  EXPECT_EQ(free(first.token + 1).outcome, FreeOutcome::other_token);
  EXPECT_EQ(inspect().owner, owner(a, 1));
  EXPECT_EQ(free(first.token).outcome, FreeOutcome::freed);
  const FifoGrant next = heard(c);
  EXPECT_GT(next.token, first.token);
  EXPECT_EQ(renew(a, 1, first.token, 1s).length, 0ms);
  EXPECT_EQ(release(a, 1, first.token).outcome, Gave::lost);
  EXPECT_EQ(release(a, 1, first.token, Repeated::yes).outcome, Gave::lost);
  EXPECT_EQ(free(first.token).outcome, FreeOutcome::other_token);
  release(c, 1, next.token);
  EXPECT_EQ(free(next.token).outcome, FreeOutcome::not_held);
}

TEST_F(FifoScriptsQueue, FreeingALockWhoseTimeIsOverServesTheNext) {
  const AcquireReply first = acquire(a, 1, {.lease = 1s});
  acquire(b, 1);
  pass(1s);
  EXPECT_EQ(free(first.token).outcome, FreeOutcome::not_held);
  EXPECT_EQ(inspect().owner, "") << "b hears nothing, and is passed over";
  EXPECT_EQ(inspect().waiting, 0U);
}

}  // namespace
}  // namespace firstcome::lock::test
