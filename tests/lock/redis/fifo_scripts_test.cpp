#include "lock/redis/fifo_scripts.hpp"

#include "lock/redis/fifo_bench.hpp"

#include <gmock/gmock.h>

#include <chrono>

namespace firstcome::lock::test {
namespace {

using namespace std::chrono_literals;
using Got = AcquireReply::Outcome;
using Gave = ReleaseReply::Outcome;
using ::testing::UnorderedElementsAre;

class FifoScriptsTest : public FifoBench {
 protected:
  const Asker a = asker('a');
  const Asker b = asker('b');
  const Asker c = asker('c');
};

TEST(FifoMessage, IsFourNumbersAndNothingElse) {
  EXPECT_EQ(read_message("7 1700000000000001 1500 12"), (FifoGrant{7, 1'700'000'000'000'001, 1500ms, 12}));
  for (const char* text : {"", "7", "7 1 2", "7 1 2 3 ", " 7 1 2 3", "7 1 2 3 4", "7  1 2 3", "-7 1 2 3", "a 1 2 3",
                           "7 1 2 99999999999999999999999"}) {
    EXPECT_FALSE(read_message(text)) << text;
  }
}

TEST(FifoOwner, IsOfOneProcess) {
  EXPECT_EQ(number_of("abc:17", "abc"), 17U);
  for (const char* owner : {"", "abc", "abc:", "abd:17", "abc:1x", "abc17"}) EXPECT_FALSE(number_of(owner, "abc"));
}

TEST_F(FifoScriptsTest, AFreeLockIsGrantedForTheWholeLease) {
  const AcquireReply got = acquire(a, 1, {.lease = 5s});
  EXPECT_EQ(got.outcome, Got::granted);
  EXPECT_EQ(got.left, 5s);
  EXPECT_TRUE(got.sure);
  EXPECT_EQ(inspect().head, 1U);                 // its ticket
  EXPECT_GT(got.token, 1'700'000'000'000'000U);  // the server's time in us
  EXPECT_LT(got.token, std::uint64_t{1} << 53U);
  EXPECT_EQ(inspect().owner, owner(a, 1));
  EXPECT_EQ(fields(), std::vector<std::string>{"s"});  // nothing else is needed where nobody waits
}

TEST_F(FifoScriptsTest, ATakenOneIsBusyForWhoTriesOnceAndLeavesNoTrace) {
  acquire(a, 1, {.lease = 5s});
  pass(1s);
  const AcquireReply got = acquire(b, 1, {.once = Once::yes});
  EXPECT_EQ(got.outcome, Got::busy);
  EXPECT_LE(got.left, 4s);
  EXPECT_GT(got.left, 3s);
  EXPECT_EQ(fields(), std::vector<std::string>{"s"});
}

TEST_F(FifoScriptsTest, ATakenOneIsQueuedForWithATicket) {
  const AcquireReply first = acquire(a, 1);
  EXPECT_EQ(acquire(b, 1).before, 0U);
  const AcquireReply got = acquire(c, 1, {.lease = 700ms});
  EXPECT_EQ(got.outcome, Got::queued);
  EXPECT_EQ(got.ticket, 3U);
  EXPECT_EQ(got.before, 1U);
  EXPECT_EQ(got.token, first.token);
  EXPECT_THAT(fields(), UnorderedElementsAre("s", "w2", "w3", "o" + owner(b, 1), "o" + owner(c, 1), "p" + b.process,
                                             "p" + c.process));
  EXPECT_EQ(run(net::RedisCommand("HGET", key(), "w2")).text, owner(b, 1) + " 1500");
  EXPECT_EQ(run(net::RedisCommand("HGET", key(), "w3")).text,
            owner(c, 1) + " 700");  // no claim is longer than the lease
}

TEST_F(FifoScriptsTest, AReleaseHandsItToTheFirstTicketAndTellsItsProcessOnly) {
  listen(b);
  listen(c);
  const AcquireReply first = acquire(a, 1);
  acquire(b, 1);
  acquire(c, 1);
  const ReleaseReply released = release(a, 1, first.token);
  EXPECT_EQ(released.outcome, Gave::released);
  EXPECT_TRUE(released.grants.empty());
  const FifoGrant grant = heard(b);
  EXPECT_EQ(grant.number, 1U);
  EXPECT_EQ(grant.token, released.token);
  EXPECT_EQ(grant.length, 1500ms);
  EXPECT_EQ(grant.ticket, 2U);
  EXPECT_GT(grant.token, first.token);
  EXPECT_EQ(inspect().owner, owner(b, 1));
  EXPECT_FALSE(inspect().sure);
  EXPECT_FALSE(has_field("w2"));
  EXPECT_FALSE(has_field("o" + owner(b, 1)));
  EXPECT_TRUE(is_silent(c));
  EXPECT_TRUE(is_silent(b));
}

TEST_F(FifoScriptsTest, AGrantToTheCallersOwnProcessIsInTheReplyAndNotSent) {
  listen(a);
  const AcquireReply first = acquire(a, 1);
  acquire(a, 2);
  const ReleaseReply released = release(a, 1, first.token);
  ASSERT_EQ(released.grants.size(), 1U);
  EXPECT_EQ(released.grants[0], (FifoGrant{2, released.token, 1500ms, 2}));
  EXPECT_TRUE(is_silent(a));
}

TEST_F(FifoScriptsTest, NobodyPassesATicketThatWaits) {
  const AcquireReply first = acquire(a, 1, {.lease = 1s});
  acquire(b, 1);
  pass(1s);  // lapsed, and nobody has looked since
  listen(b);
  EXPECT_EQ(acquire(c, 1, {.once = Once::yes}).outcome, Got::busy);
  EXPECT_GT(heard(b).token, first.token);
  EXPECT_EQ(inspect().owner, owner(b, 1));
}

TEST_F(FifoScriptsTest, ALapsedGrantIsRememberedAsSuch) {
  const AcquireReply first = acquire(a, 1, {.lease = 1s});
  pass(500ms);
  EXPECT_EQ(acquire(b, 1, {.once = Once::yes}).outcome, Got::busy);
  pass(500ms);
  const AcquireReply second = acquire(b, 2, {.once = Once::yes});
  EXPECT_EQ(second.outcome, Got::granted);
  EXPECT_GT(second.token, first.token);
  EXPECT_EQ(inspect().lapse, first.token);
  EXPECT_EQ(release(a, 1, first.token).outcome, Gave::lost);
  EXPECT_EQ(release(a, 1, first.token, Repeated::yes).outcome, Gave::lost);
  EXPECT_EQ(inspect().owner, owner(b, 2));
}

TEST_F(FifoScriptsTest, AskingAgainKeepsTheTicketOrSaysWhatIsLeft) {
  const AcquireReply first = acquire(a, 1, {.lease = 5s});
  pass(1s);
  const AcquireReply told = again(a, 1);
  EXPECT_EQ(told.outcome, Got::granted);
  EXPECT_EQ(told.token, first.token);
  EXPECT_LE(told.left, 4s);
  EXPECT_GT(told.left, 3s);
  EXPECT_TRUE(told.sure);
  acquire(b, 1);
  acquire(c, 1);
  const AcquireReply waits = again(b, 1);
  EXPECT_EQ(waits.outcome, Got::queued);
  EXPECT_EQ(waits.ticket, 2U);
  EXPECT_EQ(inspect().tail, 3U);
  EXPECT_EQ(again(c, 7).ticket, 4U);  // never came: that is its first time
}

TEST_F(FifoScriptsTest, WhoAsksAgainIsToldThatItHasOnlyAClaim) {
  const AcquireReply first = acquire(a, 1);
  acquire(b, 1);
  const ReleaseReply released = release(a, 1, first.token, Repeated::no, Trust::no);
  const AcquireReply told = again(b, 1);
  EXPECT_EQ(told.outcome, Got::granted);
  EXPECT_FALSE(told.sure);
  EXPECT_EQ(told.token, released.token);
  EXPECT_LE(told.left, 1500ms);
  EXPECT_TRUE(told.grants.empty());
}

TEST_F(FifoScriptsTest, ReachingTheBoundIsFull) {
  times.most_waiters = 2;
  acquire(a, 1);
  EXPECT_EQ(acquire(b, 1).outcome, Got::queued);
  EXPECT_EQ(acquire(b, 2).outcome, Got::queued);
  EXPECT_EQ(acquire(c, 1).outcome, Got::full);
  EXPECT_EQ(inspect().tail, 3U);
  EXPECT_FALSE(has_field("p" + c.process));
}

TEST_F(FifoScriptsTest, RenewalProlongsAndMakesALeaseOfAClaim) {
  const AcquireReply first = acquire(a, 1, {.lease = 1s});
  acquire(b, 1, {.lease = 10s});
  const ReleaseReply released = release(a, 1, first.token, Repeated::no, Trust::no);
  EXPECT_EQ(renew(b, 1, first.token, 10s).length, 0ms);
  EXPECT_EQ(renew(b, 2, released.token, 10s).length, 0ms);
  EXPECT_EQ(renew(a, 1, first.token, 10s).length, 0ms);
  EXPECT_EQ(renew(b, 1, released.token, 10s).length, 10s);
  EXPECT_TRUE(inspect().sure);
  pass(9s);
  EXPECT_GT(inspect().left, 0ms);
  pass(1s);
  EXPECT_EQ(renew(b, 1, released.token, 10s).length, 0ms);  // over, though nobody has noticed
  EXPECT_EQ(inspect().owner, "");
}

TEST_F(FifoScriptsTest, CancellingLeavesTheQueue) {
  listen(c);
  const AcquireReply first = acquire(a, 1);
  acquire(b, 1);
  acquire(c, 1);
  EXPECT_EQ(cancel(b, 1), "left");
  EXPECT_FALSE(has_field("w2"));
  EXPECT_FALSE(has_field("o" + owner(b, 1)));
  release(a, 1, first.token);
  EXPECT_EQ(heard(c).ticket, 3U);  // over the hole
}

TEST_F(FifoScriptsTest, CancellingWhatWasJustGrantedGivesItOn) {
  listen(b);
  listen(c);
  const AcquireReply first = acquire(a, 1);
  acquire(b, 1);
  acquire(c, 1);
  release(a, 1, first.token);
  const FifoGrant grant = heard(b);
  EXPECT_EQ(cancel(b, 1), "gave");
  EXPECT_GT(heard(c).token, grant.token);
}

TEST_F(FifoScriptsTest, WhatWasCancelledBeforeItCameIsRefusedWhenItComes) {
  EXPECT_EQ(cancel(b, 5), "nothing");
  EXPECT_EQ(cancel(b, 3), "nothing");
  EXPECT_EQ(acquire(b, 5).outcome, Got::refused);
  EXPECT_EQ(acquire(b, 4).outcome, Got::refused);
  EXPECT_EQ(inspect().owner, "");
  EXPECT_EQ(acquire(b, 6).outcome, Got::granted);
  EXPECT_EQ(acquire(c, 1).outcome, Got::queued);
  EXPECT_LE(run(net::RedisCommand("PTTL", key())).integer, (times.keep + 30s).count());
}

TEST_F(FifoScriptsTest, ANoteOfACancellationAloneDoesNotStayForEver) {
  EXPECT_EQ(cancel(b, 5), "nothing");
  EXPECT_GT(run(net::RedisCommand("PTTL", key())).integer, times.keep.count() / 2);
  EXPECT_LE(run(net::RedisCommand("PTTL", key())).integer, times.keep.count());
}

TEST_F(FifoScriptsTest, ARepeatedReleaseOfWhatWasReleasedSaysSo) {
  const AcquireReply first = acquire(a, 1);
  acquire(b, 1);
  EXPECT_EQ(release(a, 1, first.token, Repeated::no, Trust::no).outcome, Gave::released);
  EXPECT_EQ(release(a, 1, first.token, Repeated::yes, Trust::no).outcome, Gave::released);
  EXPECT_EQ(inspect().owner, owner(b, 1));
  EXPECT_EQ(release(a, 1, first.token).outcome, Gave::lost);  // a first one is never carried out twice
}

TEST_F(FifoScriptsTest, WhatTheServerKnowsNothingOfIsUnknown) {
  const AcquireReply first = acquire(a, 1);
  run(net::RedisCommand("DEL", key()));
  EXPECT_EQ(release(a, 1, first.token, Repeated::yes).outcome, Gave::unknown);
  acquire(b, 1);
  EXPECT_EQ(release(a, 1, first.token, Repeated::yes).outcome, Gave::unknown);
  EXPECT_EQ(release(a, 1, first.token).outcome, Gave::lost);
  EXPECT_EQ(release(a, 1, inspect().token + 5, Repeated::yes).outcome, Gave::unknown);  // a rolled-back server
  EXPECT_EQ(inspect().owner, owner(b, 1));
}

TEST_F(FifoScriptsTest, TokensRiseAlsoWhenTheKeyWasLost) {
  std::uint64_t last = 0;
  for (std::uint64_t number = 1; number <= 20; ++number) {
    const AcquireReply got = acquire(a, number);
    EXPECT_GT(got.token, last);
    last = got.token;
    if (number % 3 == 0) {
      run(net::RedisCommand("DEL", key()));
    } else {
      release(a, number, got.token);
    }
  }
}

TEST_F(FifoScriptsTest, TokensRiseAndTimesHoldWhenTheClockGoesBack) {
  const AcquireReply first = acquire(a, 1, {.lease = 10s});
  acquire(b, 1);
  pass(-1h);
  const PulseReply seen = pulse(b);
  EXPECT_EQ(seen.left, 10s);  // not an hour and ten seconds
  pass(10s);
  const PulseReply moved = pulse(b);
  ASSERT_EQ(moved.grants.size(), 1U);
  EXPECT_EQ(moved.grants[0].token, first.token + 1);
}

TEST_F(FifoScriptsTest, APulseFindsWhatAMessageLost) {
  const AcquireReply first = acquire(a, 1);
  acquire(b, 1);
  const ReleaseReply released = release(a, 1, first.token, Repeated::no, Trust::no);
  pass(500ms);
  const PulseReply seen = pulse(b);
  EXPECT_TRUE(seen.known);
  EXPECT_EQ(seen.owner, owner(b, 1));
  EXPECT_FALSE(seen.sure);
  EXPECT_EQ(seen.token, released.token);
  EXPECT_EQ(seen.ticket, 2U);
  EXPECT_LE(seen.left, 1s);
  EXPECT_GT(seen.left, 500ms);
}

TEST_F(FifoScriptsTest, APulseMovesOnFromADeadHolder) {
  listen(c);
  acquire(a, 1, {.lease = 1s});
  acquire(c, 1);
  acquire(b, 1);
  pass(1s);
  const PulseReply seen = pulse(b);
  EXPECT_TRUE(seen.grants.empty());
  EXPECT_EQ(seen.owner, owner(c, 1));
  EXPECT_EQ(seen.left, 1500ms);
  EXPECT_EQ(seen.waiting, 1U);
  EXPECT_EQ(heard(c).number, 1U);
}

}  // namespace
}  // namespace firstcome::lock::test
