// The scripts of permits: a semaphore S of 5, one call at a time.
#include "lock/redis/permits_bench.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <vector>

namespace firstcome::lock::test {
namespace {

using namespace std::chrono_literals;
using Got = AcquireReply::Outcome;
using Gave = ReleaseReply::Outcome;
using ::testing::StartsWith;

class PermitsScriptsTest : public PermitsBench {
 protected:
  const Asker a = asker('a');
  const Asker b = asker('b');
  const Asker c = asker('c');
};

TEST_F(PermitsScriptsTest, GrantsForAsLongAsItFits) {
  const AcquireReply first = take(a, 1, {.weight = 2, .lease = 5s});
  EXPECT_EQ(first.outcome, Got::granted);
  EXPECT_EQ(first.left, 5s);
  EXPECT_TRUE(first.sure);
  EXPECT_GT(first.mine, 1'700'000'000'000'000U);
  const AcquireReply second = take(b, 1, {.weight = 3, .lease = 7s});
  EXPECT_EQ(second.outcome, Got::granted);
  EXPECT_GT(second.mine, first.mine);
  EXPECT_EQ(view().used, 5U);
  EXPECT_EQ(view().holders, 2U);
  EXPECT_EQ(view().capacity, 5U);
  EXPECT_LE(view().expires_in, 5s);
  const AcquireReply third = take(c, 1);
  EXPECT_EQ(third.outcome, Got::queued);
  EXPECT_LE(third.left, 5s);  // until the next of them ends
  EXPECT_GT(third.left, 1s);
  EXPECT_EQ(take(c, 2, {.once = Once::yes}).outcome, Got::busy);
  EXPECT_EQ(view().waiting, 1U);
}

TEST_F(PermitsScriptsTest, NobodyPassesTheHeadAlsoWhoWouldFit) {
  listen(b);
  listen(c);
  const AcquireReply first = take(a, 1, {.weight = 3});
  EXPECT_EQ(take(b, 1, {.weight = 4}).outcome, Got::queued);
  EXPECT_EQ(take(c, 1).outcome, Got::queued);  // 2 are free
  EXPECT_EQ(take(c, 2, {.once = Once::yes}).outcome, Got::busy);
  give(a, 1, first.mine);
  const FifoGrant big = heard(b);
  const FifoGrant small = heard(c);
  EXPECT_LT(big.token, small.token);
  EXPECT_EQ(view().used, 5U);
  EXPECT_TRUE(is_silent(b));
}

TEST_F(PermitsScriptsTest, OneReleaseGrantsAllThatFitInOneScript) {
  listen(b);
  const AcquireReply first = take(a, 1, {.weight = 5});
  for (std::uint64_t number = 1; number <= 3; ++number) take(b, number);
  take(a, 2);
  take(a, 3);
  take(a, 4, {.weight = 2});
  const ReleaseReply gave = give(a, 1, first.mine);
  for (std::uint64_t number = 1; number <= 3; ++number) EXPECT_EQ(heard(b).number, number);
  ASSERT_EQ(gave.grants.size(), 2U);  // to the caller's process: not sent
  EXPECT_EQ(gave.grants[0].number, 2U);
  EXPECT_EQ(gave.grants[1].number, 3U);
  EXPECT_EQ(gave.grants[1].token, gave.token);
  EXPECT_EQ(view().used, 5U);
  EXPECT_EQ(view().waiting, 1U);
}

TEST_F(PermitsScriptsTest, WhatIsHeldForTooLongIsTakenBackWhenSomebodyNeedsIt) {
  const AcquireReply first = take(a, 1, {.weight = 4, .lease = 1s});
  const AcquireReply second = take(b, 1, {.weight = 1, .lease = 9s});
  pass(1s);
  EXPECT_EQ(view().used, 1U);
  EXPECT_EQ(view().holders, 1U);
  EXPECT_EQ(prolong(a, 1, first.mine, 5s), 0ms);  // over, though nobody has noticed
  EXPECT_EQ(take(c, 1, {.weight = 4}).outcome, Got::granted);
  EXPECT_EQ(give(a, 1, first.mine).outcome, Gave::lost);
  EXPECT_EQ(give(a, 1, first.mine, Repeated::yes).outcome, Gave::lost);
  EXPECT_EQ(prolong(b, 1, second.mine, 5s), 5s);
  EXPECT_EQ(view().used, 5U);
}

TEST_F(PermitsScriptsTest, APulseMovesOnFromDeadHoldersAndNamesWhatMessagesWereLost) {
  take(a, 1, {.weight = 5, .lease = 1s});
  take(b, 1, {.weight = 2});
  take(b, 2, {.weight = 3});
  take(b, 3);
  pass(1s);
  const PulseReply moved = beat(b, {1, 2, 3});
  EXPECT_TRUE(moved.known);
  ASSERT_EQ(moved.grants.size(), 2U);
  EXPECT_EQ(moved.waiting, 1U);
  EXPECT_LE(moved.left, 1500ms);
  const PulseReply later = beat(b, {1, 2, 3, 9});
  EXPECT_TRUE(later.grants.empty());
  ASSERT_EQ(later.found.size(), 3U);
  EXPECT_EQ(later.found[0].number, 1U);
  EXPECT_EQ(later.found[0].token, moved.grants[0].token);
  EXPECT_FALSE(later.found[0].sure);
  EXPECT_EQ(later.found[2].number, 9U);  // nobody knows it: it must ask again
  EXPECT_EQ(later.found[2].token, 0U);
}

TEST_F(PermitsScriptsTest, AProcessWhoseClaimHasLapsedIsNotKnownAndItsWaitersArePassedOver) {
  const AcquireReply first = take(a, 1, {.weight = 5});
  take(b, 1, {.weight = 5, .trust = Trust::no});
  take(b, 2, {.weight = 5});
  take(c, 1, {.weight = 5});
  give(a, {.grant = {1, first.mine}}, Trust::no);
  pass(1'500ms);
  listen(c);
  beat(c, {1});  // its own lease as a waiter is over 2 s after it asked
  EXPECT_EQ(view().waiting, 0U);
  EXPECT_FALSE(beat(b, {2}).known);
  EXPECT_FALSE(has("w3"));
}

TEST_F(PermitsScriptsTest, AWaiterWhoseProcessIsGoneCostsNothing) {
  listen(c);
  const AcquireReply first = take(a, 1, {.weight = 5});
  take(b, 1, {.weight = 5});  // hears nothing
  take(b, 2, {.weight = 5});
  take(c, 1, {.weight = 5});
  give(a, 1, first.mine);
  EXPECT_EQ(heard(c).number, 1U);
  EXPECT_EQ(view().used, 5U);
  EXPECT_EQ(view().holders, 1U);
}

TEST_F(PermitsScriptsTest, AskingAgainHasOneEffect) {
  const AcquireReply first = take(a, 1, {.weight = 3, .lease = 5s});
  pass(1s);
  const AcquireReply told = take_again(a, 1, 3);
  EXPECT_EQ(told.outcome, Got::granted);
  EXPECT_EQ(told.mine, first.mine);
  EXPECT_LE(told.left, 4s);
  EXPECT_EQ(view().used, 3U);
  take(b, 1, {.weight = 3});
  const AcquireReply waits = take_again(b, 1, 3);
  EXPECT_EQ(waits.outcome, Got::queued);
  EXPECT_EQ(waits.ticket, 2U);
  EXPECT_EQ(view().waiting, 1U);
  EXPECT_EQ(take_again(c, 9).ticket, 3U);  // never came: that is its first time
}

TEST_F(PermitsScriptsTest, WhoAsksAgainHearsOfAGrantInTheAnswerOnly) {
  const AcquireReply first = take(a, 1, {.weight = 5, .lease = 1s});
  take(b, 1, {.weight = 5});
  pass(1s);
  const AcquireReply told = take_again(b, 1, 5);
  EXPECT_EQ(told.outcome, Got::granted);
  EXPECT_FALSE(told.sure);
  EXPECT_GT(told.mine, first.mine);
  EXPECT_TRUE(told.grants.empty());
}

TEST_F(PermitsScriptsTest, ARepeatedReleaseIsCarriedOutOnce) {
  const AcquireReply one = take(a, 1, {.weight = 2});
  const AcquireReply two = take(a, 2, {.weight = 2});
  EXPECT_EQ(give(a, 1, one.mine).outcome, Gave::released);
  EXPECT_EQ(give(a, 1, one.mine, Repeated::yes).outcome, Gave::released);
  EXPECT_EQ(view().used, 2U);
  EXPECT_EQ(give(a, 1, one.mine).outcome, Gave::lost);  // a first one is never carried out twice
  EXPECT_EQ(give(a, 2, two.mine + 7, Repeated::yes).outcome, Gave::unknown);
  EXPECT_EQ(view().used, 2U);
}

TEST_F(PermitsScriptsTest, APartIsGivenBackOnceAndGrantsWhatFits) {
  listen(b);
  const AcquireReply first = take(a, 1, {.weight = 5});
  take(b, 1, {.weight = 3});
  take(b, 2, {.weight = 3});
  EXPECT_EQ(shrink(a, 1, first.mine, 2).outcome, Gave::released);
  EXPECT_EQ(heard(b).number, 1U);
  EXPECT_EQ(shrink(a, 1, first.mine, 2).outcome, Gave::released);
  EXPECT_EQ(shrink(a, 1, first.mine, 4).outcome, Gave::released);  // nothing comes back
  EXPECT_EQ(view().used, 5U);
  EXPECT_EQ(prolong(a, 1, first.mine, 5s), 5s);  // the same grant
  EXPECT_EQ(give(a, 1, first.mine).outcome, Gave::released);
  EXPECT_EQ(view().used, 3U);  // the next needs 3 of 2
  EXPECT_EQ(shrink(a, 1, first.mine, 1).outcome, Gave::lost);
}

TEST_F(PermitsScriptsTest, AHeadThatLeavesLetsThoseBehindIt) {
  listen(c);
  take(a, 1, {.weight = 3});
  take(b, 1, {.weight = 5});
  take(c, 1, {.weight = 2});
  EXPECT_EQ(give_up(b, 1), "left");
  EXPECT_EQ(heard(c).number, 1U);
  EXPECT_EQ(view().used, 5U);
}

TEST_F(PermitsScriptsTest, WhatWasJustGrantedIsGivenBackByCancelAndWhatNeverCameIsRefused) {
  take(a, 1, {.weight = 3});
  EXPECT_EQ(give_up(a, 1), "gave");
  EXPECT_EQ(view().used, 0U);
  EXPECT_EQ(give_up(a, 5), "nothing");
  EXPECT_EQ(take(a, 5).outcome, Got::refused);
  EXPECT_EQ(take(a, 6).outcome, Got::granted);
}

TEST_F(PermitsScriptsTest, TheFirstCallerFixesTheCapacity) {
  EXPECT_EQ(take(a, 1, {.weight = 6}).outcome, Got::weight);
  EXPECT_EQ(take(a, 1, {.capacity = 5}).outcome, Got::granted);
  const AcquireReply wrong = take(b, 1, {.capacity = 7});
  EXPECT_EQ(wrong.outcome, Got::capacity);
  EXPECT_EQ(wrong.capacity, 5U);
  set_capacity(c, 7);
  EXPECT_EQ(take(b, 2, {.weight = 5, .capacity = 7}).outcome, Got::granted);
  EXPECT_EQ(take(b, 3, {.weight = 1, .capacity = 5}).outcome, Got::granted);  // from before the change
  EXPECT_EQ(take(b, 4, {.capacity = 6}).outcome, Got::capacity);
  EXPECT_EQ(view().capacity, 7U);
  EXPECT_EQ(view().used, 7U);
}

TEST_F(PermitsScriptsTest, ANewCapacityGrantsAndALowerOneTakesFromNobody) {
  listen(b);
  const AcquireReply first = take(a, 1, {.weight = 5});
  take(b, 1, {.weight = 3});
  take(b, 2, {.weight = 1});
  set_capacity(a, 8);
  EXPECT_EQ(heard(b).number, 1U);
  EXPECT_EQ(view().used, 8U);
  set_capacity(a, 2);
  EXPECT_EQ(view().used, 8U);
  give(a, 1, first.mine);
  EXPECT_EQ(view().used, 3U);
  EXPECT_TRUE(is_silent(b));
}

TEST_F(PermitsScriptsTest, WhoWaitsForMoreThanThereAreIsToldToAskAgain) {
  listen(b);
  take(a, 1, {.weight = 4});
  take(b, 1, {.weight = 5});
  take(b, 2);
  set_capacity(a, 4);
  EXPECT_EQ(heard(b), (FifoGrant{1, 0, 0ms, 2}));
  EXPECT_EQ(take_again(b, 1, 5).outcome, Got::weight);
  EXPECT_EQ(view().waiting, 1U);
}

TEST_F(PermitsScriptsTest, ReachingTheBoundIsFull) {
  times.most_waiters = 2;
  take(a, 1, {.weight = 5});
  take(b, 1);
  take(b, 2);
  EXPECT_EQ(take(c, 1).outcome, Got::full);
  EXPECT_FALSE(has("p" + c.process));
}

TEST_F(PermitsScriptsTest, ManyDeadTicketsArePassedOverAFewHundredAtATime) {
  const AcquireReply first = take(a, 1, {.weight = 5, .lease = 60s});
  for (std::uint64_t number = 1; number <= 600; ++number) take(b, number);
  pass(3s);
  listen(c);
  EXPECT_EQ(take(c, 1).left, 0ms);  // so a pulse comes soon
  EXPECT_EQ(view().waiting, 601U - 512U);
  EXPECT_EQ(beat(c, {1}).waiting, 1U);
  give(a, 1, first.mine);
  EXPECT_EQ(heard(c).number, 1U);
}

TEST_F(PermitsScriptsTest, TimesHoldWhenTheClockGoesBack) {
  const AcquireReply first = take(a, 1, {.weight = 5, .lease = 10s});
  pass(-3600s);
  EXPECT_EQ(take(b, 1, {.weight = 5}).outcome, Got::queued);
  EXPECT_LE(beat(b, {1}).left, 10s);
  const ReleaseReply gave = give(a, 1, first.mine);
  EXPECT_GT(gave.token, first.mine);
}

TEST_F(PermitsScriptsTest, TheKeysAreLostTogetherOrNotAtAll) {
  const AcquireReply first = take(a, 1, {.weight = 5});
  const auto ttl = [&](const char* key) { return run(net::RedisCommand("PEXPIRETIME", key)).integer; };
  EXPECT_EQ(ttl("firstcome:semaphore:{S}"), ttl("firstcome:semaphore:{S}:h"));
  EXPECT_GT(ttl("firstcome:semaphore:{S}"), 0);
  // Only the holders' (as an eviction does): they are lost, and told so.
  run(net::RedisCommand("DEL", "firstcome:semaphore:{S}:h"));
  const AcquireReply second = take(b, 1, {.weight = 4});
  EXPECT_EQ(second.outcome, Got::granted);
  EXPECT_GT(second.mine, first.mine);
  EXPECT_EQ(give(a, 1, first.mine).outcome, Gave::lost);
  EXPECT_EQ(view().used, 4U);
  EXPECT_GT(ttl("firstcome:semaphore:{S}:h"), 0);
  // Only the hash: a new life.
  run(net::RedisCommand("DEL", "firstcome:semaphore:{S}"));
  EXPECT_EQ(take(c, 1, {.weight = 5}).outcome, Got::granted);
  EXPECT_EQ(prolong(b, 1, second.mine, 5s), 0ms);
  EXPECT_EQ(view().used, 5U);
}

TEST_F(PermitsScriptsTest, KeysOfAnotherTypeAreLeftAlone) {
  run(net::RedisCommand("SET", "firstcome:semaphore:{S}:h", "mine"));
  const FifoPlace at = semaphore(a);
  const Share share{Share::Of::semaphore, 5, 1};
  EXPECT_THAT(error_of(acquire_command(permits.same, at, times, {1, 5s, Once::no, Repeated::no, share}, Trust::yes)),
              StartsWith("WRONGTYPE"));
  EXPECT_EQ(run(net::RedisCommand("GET", "firstcome:semaphore:{S}:h")).text, "mine");
  EXPECT_EQ(run(net::RedisCommand("EXISTS", "firstcome:semaphore:{S}")).integer, 0);
  run(net::RedisCommand("DEL", "firstcome:semaphore:{S}:h"));
  run(net::RedisCommand("SET", "firstcome:semaphore:{S}", "mine"));
  EXPECT_THAT(error_of(capacity_command(permits, at, times, 7, Trust::yes)), StartsWith("WRONGTYPE"));
}

/// Against a model: the sum of what is held is what the server says, never more than the capacity, and in turn.
class PermitsModelTest : public PermitsScriptsTest {
 protected:
  struct One {
    std::uint64_t number;
    std::uint32_t weight;
    std::uint64_t token;  ///< 0: waits
  };

  void granted(std::uint64_t number, std::uint64_t token) {
    const auto one = std::ranges::find(all, number, &One::number);
    ASSERT_NE(one, all.end());
    EXPECT_TRUE(std::none_of(all.begin(), one, [](const One& earlier) { return earlier.token == 0; }));
    EXPECT_GT(token, last);
    last = token;
    one->token = token;
  }
  void granted(const std::vector<FifoGrant>& grants) {
    for (const FifoGrant& grant : grants) granted(grant.number, grant.token);
  }
  void arrive(std::uint64_t number, std::uint32_t weight) {
    all.push_back({number, weight, 0});
    const AcquireReply got = take(a, number, {.weight = weight});
    granted(got.grants);
    if (got.outcome == Got::granted) granted(number, got.mine);
  }
  enum class Exit : std::uint8_t { release, shrink, cancel };
  void leave(std::size_t which, Exit exit) {
    const auto one = all.begin() + static_cast<std::ptrdiff_t>(which);
    const One gone = *one;
    if (exit == Exit::shrink && gone.token != 0 && gone.weight > 1) {
      one->weight = 1;
      return granted(shrink(a, gone.number, gone.token, 1).grants);
    }
    all.erase(one);
    if (exit == Exit::cancel || gone.token == 0) {
      EXPECT_EQ(give_up(a, gone.number), gone.token == 0 ? "left" : "gave");
      granted(cancelled.grants);
    } else {
      granted(give(a, gone.number, gone.token).grants);
    }
  }

  std::vector<One> all;  ///< in the order of arrival
  std::uint64_t last = 0;
};

TEST_F(PermitsModelTest, RandomCallsKeepTheSumAndTheOrder) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (std::uint64_t step = 1; step <= 600; ++step) {
    const std::uint64_t dice = random() % 10;
    if (all.empty() || (dice < 5 && all.size() < 12)) {
      arrive(step, static_cast<std::uint32_t>(1 + random() % 5));
    } else {
      leave(random() % all.size(), dice == 9 ? Exit::shrink : dice == 8 ? Exit::cancel : Exit::release);
    }
    std::uint32_t sum = 0;
    for (const One& one : all) sum += one.token != 0 ? one.weight : 0;
    ASSERT_LE(sum, 5U);
    ASSERT_EQ(view().used, sum);
    const auto head = std::ranges::find(all, 0U, &One::token);
    if (head != all.end()) {
      ASSERT_GT(sum + head->weight, 5U) << "somebody waits for nothing";
    }
  }
}

}  // namespace
}  // namespace firstcome::lock::test
