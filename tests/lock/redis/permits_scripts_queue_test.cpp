// The scripts of permits: waits that are given up, acquires that come late, holders whose index was lost.
#include "lock/redis/permits_bench.hpp"

#include <gmock/gmock.h>

#include <chrono>

namespace firstcome::lock::test {
namespace {

using namespace std::chrono_literals;
using Got = AcquireReply::Outcome;
using Gave = ReleaseReply::Outcome;

class PermitsScriptsQueue : public PermitsBench {
 protected:
  const Asker a = asker('a');
  const Asker b = asker('b');
  const Asker c = asker('c');
};

TEST_F(PermitsScriptsQueue, WaitsThatWereGivenUpDoNotFillTheQueue) {
  times.most_waiters = 2;
  const AcquireReply first = take(a, 1, {.weight = 5});
  take(b, 1);
  for (std::uint64_t number = 2; number <= 600; ++number) {
    ASSERT_EQ(take(b, number).outcome, Got::queued) << number;
    ASSERT_EQ(give_up(b, number), "left");
  }
  EXPECT_EQ(view().waiting, 1U);
  EXPECT_EQ(take(c, 1).before, 1U);
  EXPECT_EQ(take_again(c, 1).before, 1U);
  EXPECT_EQ(take(c, 2).outcome, Got::full);
  give_up(b, 1);
  give_up(c, 1);
  EXPECT_EQ(view().waiting, 0U);
  give(a, 1, first.mine);
  EXPECT_EQ(take(c, 3, {.weight = 5, .once = Once::yes}).outcome, Got::granted) << "at the first try";
}

TEST_F(PermitsScriptsQueue, AnAcquireThatComesLateIsRefused) {
  const AcquireReply got = take(b, 5);
  EXPECT_EQ(give(b, {.grant = {5, got.mine}, .late_copy = LateCopy::possible}).outcome, Gave::released);
  EXPECT_EQ(take(b, 5).outcome, Got::refused);
  take(a, 1, {.weight = 5});
  take(b, 6);
  EXPECT_EQ(give_up(b, 6, LateCopy::possible), "left");
  EXPECT_EQ(take(b, 6).outcome, Got::refused);
  const AcquireReply lost = take(c, 1, {.once = Once::yes});
  EXPECT_EQ(lost.outcome, Got::busy);
  EXPECT_EQ(give(c, {.grant = {1, 77}, .late_copy = LateCopy::possible}).outcome, Gave::lost);
  EXPECT_EQ(take(c, 1).outcome, Got::refused);
  EXPECT_EQ(view().waiting, 0U);
}

TEST_F(PermitsScriptsQueue, ACopyThatQueuedBehindItsOwnGrantGoesWithIt) {
  const AcquireReply got = take(b, 5, {.weight = 5});
  EXPECT_EQ(take(b, 5, {.weight = 5}).outcome, Got::queued);
  EXPECT_EQ(give(b, {.grant = {5, got.mine}, .late_copy = LateCopy::possible}).outcome, Gave::released);
  EXPECT_EQ(view().waiting, 0U);
  EXPECT_EQ(view().used, 0U);
}

TEST_F(PermitsScriptsQueue, ACopyThatOutlivesItsLostGrantIsNotInTheWayOfThoseBehindIt) {
  listen(c);
  const AcquireReply got = take(b, 5, {.weight = 2, .lease = 1s});
  const AcquireReply other = take(a, 1, {.weight = 2});
  pass(1s);
  take(a, 2, {.weight = 2, .once = Once::yes});
  EXPECT_EQ(take(b, 5, {.weight = 2}).outcome, Got::queued);  // the copy: 1 of 5 is free
  EXPECT_EQ(take(c, 1, {.weight = 1}).outcome, Got::queued);
  EXPECT_EQ(give(b, {.grant = {5, got.mine}, .late_copy = LateCopy::possible}).outcome, Gave::lost);
  EXPECT_EQ(heard(c).number, 1U);
  EXPECT_EQ(view().waiting, 0U);
  EXPECT_EQ(view().used, 5U);
  EXPECT_EQ(give(a, 1, other.mine).outcome, Gave::released);
}

TEST_F(PermitsScriptsQueue, ACopyThatWasGrantedAfterTheLossOfItsGrantGivesBackWhatItHas) {
  listen(c);
  const AcquireReply got = take(b, 5, {.weight = 5, .lease = 1s});
  pass(1s);
  EXPECT_EQ(take(b, 5, {.weight = 5}).outcome, Got::granted);  // the copy
  EXPECT_EQ(take(c, 1, {.weight = 5}).outcome, Got::queued);
  EXPECT_EQ(give(b, {.grant = {5, got.mine}, .late_copy = LateCopy::possible}).outcome, Gave::lost);
  EXPECT_EQ(heard(c).number, 1U);
  EXPECT_EQ(view().used, 5U);
}

TEST_F(PermitsScriptsQueue, HoldersWhoseIndexWasLostAreForgottenAtOnceAndTheirFieldsLittleByLittle) {
  set_capacity(a, 1'000);
  for (std::uint64_t number = 1; number <= 300; ++number) take(a, number, {.lease = 24h, .capacity = 1'000});
  const std::uint64_t token = take(a, 301, {.capacity = 1'000}).mine;
  run(net::RedisCommand("DEL", "firstcome:semaphore:{S}:h"));
  const AcquireReply got = take(b, 1, {.weight = 1'000, .capacity = 1'000});
  EXPECT_EQ(got.outcome, Got::granted);
  EXPECT_EQ(view().used, 1'000U);
  EXPECT_EQ(give(a, 301, token).outcome, Gave::lost);
  EXPECT_EQ(give_up(a, 300), "nothing");
  give(b, 1, got.mine);
  for (std::uint64_t number = 2; number < 64 * 40; ++number) {
    const AcquireReply one = take(b, number, {.capacity = 1'000});
    ASSERT_EQ(one.outcome, Got::granted);
    give(b, number, one.mine);
  }
  EXPECT_LT(run(net::RedisCommand("HLEN", "firstcome:semaphore:{S}")).integer, 100);
}

}  // namespace
}  // namespace firstcome::lock::test
