#include "lock/redis/fifo_line.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace firstcome::lock {
namespace {

using namespace std::chrono_literals;
using Outcome = AcquireReply::Outcome;

const std::string process(32, 'a');

class FifoLineTest : public ::testing::Test {
 protected:
  static BootTime at(std::chrono::milliseconds time) { return BootTime(1h) + time; }
  static std::string owner(std::uint64_t number) { return process + ":" + std::to_string(number); }

  /// Number 1 waits since `at(0)`; the reply showed token 100 and a holder with 10 s left.
  FifoSteps wait(std::uint64_t number = 1, std::chrono::milliseconds sent = 0ms) {
    line.asks(at(sent), number);
    return line.acquire_answered(at(sent), at(sent + 1ms), number,
                                 {.outcome = Outcome::queued, .token = 100, .left = 10s, .ticket = 2});
  }
  FifoSteps pulse(std::chrono::milliseconds sent, const PulseReply& reply) {
    line.pulse_sent(at(sent));
    return line.pulse_answered(at(sent), at(sent + 1ms), reply);
  }
  static PulseReply others(std::uint64_t token, Milliseconds left = 10s) {
    return {.known = true, .token = token, .left = left, .owner = "b:1", .waiting = 9, .ticket = 1, .last_ticket = 10};
  }

  FifoLine line{process, FifoTimes{}};
};

TEST_F(FifoLineTest, DatesAPushedGrantByTheFirstAskingWhereNothingBetterIsKnown) {
  line.asks(at(0ms), 1);
  line.asks(at(700ms), 1);  // again: may have been granted since the first
  const FifoSteps steps = line.told(at(2s), {1, 101, 1500ms, 2});
  ASSERT_EQ(steps.granted.size(), 1U);
  EXPECT_EQ(steps.granted[0].first, 1U);
  EXPECT_EQ(steps.granted[0].second.base, at(0ms));
  EXPECT_EQ(steps.granted[0].second.length, 1500ms);
  EXPECT_EQ(steps.granted[0].second.kind, Grant::Kind::claim);
  EXPECT_EQ(steps.granted[0].second.token, 101U);
}

TEST_F(FifoLineTest, DatesAPushedGrantByTheLatestRequestThatShowedALowerToken) {
  wait();
  pulse(500ms, others(105));
  pulse(1000ms, others(105));
  pulse(1500ms, others(110));
  EXPECT_EQ(line.told(at(5s), {1, 107, 1500ms, 2}).granted.at(0).second.base, at(1000ms));
}

TEST_F(FifoLineTest, NeverDatesAGrantByAReplyThatShowedItOrALaterOne) {
  wait();
  pulse(500ms, others(107));
  EXPECT_EQ(line.told(at(5s), {1, 107, 1500ms, 2}).granted.at(0).second.base, at(0ms));
}

TEST_F(FifoLineTest, NeverDatesAGrantEarlierThanItsOwnAsking) {
  wait(1, 0ms);
  pulse(500ms, others(105));
  line.asks(at(900ms), 2);
  EXPECT_EQ(line.told(at(5s), {2, 106, 1500ms, 3}).granted.at(0).second.base, at(900ms));
}

TEST_F(FifoLineTest, ForgetsWhatOlderRepliesShowedWithANewConnection) {
  wait();
  pulse(500ms, others(105));
  line.reconnected(at(600ms));
  EXPECT_EQ(line.told(at(5s), {1, 106, 1500ms, 2}).granted.at(0).second.base, at(0ms));
}

TEST_F(FifoLineTest, DoesNotDateByAServerThatLostTheKey) {
  wait();
  pulse(500ms, others(105));
  pulse(1000ms, others(0));  // the grant of 106 may have come before the loss
  EXPECT_EQ(line.told(at(5s), {1, 106, 1500ms, 2}).granted.at(0).second.base, at(500ms));
}

TEST_F(FifoLineTest, TellsOfAGrantOnce) {
  wait();
  EXPECT_EQ(line.told(at(1s), {1, 101, 1500ms, 2}).granted.size(), 1U);
  const FifoSteps twice = line.told(at(2s), {1, 101, 1500ms, 2});
  EXPECT_TRUE(twice.granted.empty());
  EXPECT_TRUE(twice.strays.empty());
  PulseReply shown = others(101);
  shown.owner = owner(1);
  EXPECT_TRUE(pulse(3s, shown).granted.empty());
}

TEST_F(FifoLineTest, TakesAMessageThatOvertakesTheReply) {
  line.asks(at(0ms), 1);
  EXPECT_EQ(line.told(at(1ms), {1, 101, 1500ms, 2}).granted.size(), 1U);
  line.acquire_answered(at(0ms), at(2ms), 1, {.outcome = Outcome::queued, .token = 100, .left = 10s, .ticket = 2});
  EXPECT_FALSE(line.wake());  // it waits no longer
}

TEST_F(FifoLineTest, GivesBackWhatNobodyWants) {
  const FifoSteps steps = line.told(at(1s), {7, 101, 1500ms, 2});
  ASSERT_EQ(steps.strays.size(), 1U);
  EXPECT_EQ(steps.strays[0].number, 7U);
  EXPECT_EQ(steps.strays[0].token, 101U);
}

TEST_F(FifoLineTest, LeavesToTheCancellationWhatItWillFind) {
  wait();
  line.leaves(1);
  const FifoSteps steps = line.told(at(1s), {1, 101, 1500ms, 2});
  EXPECT_TRUE(steps.granted.empty());
  EXPECT_TRUE(steps.strays.empty());
  line.forget(1);
  EXPECT_EQ(line.told(at(1s), {1, 101, 1500ms, 2}).strays.size(), 1U);
}

TEST_F(FifoLineTest, DatesAGrantInAReplyByItsOwnRequest) {
  wait();
  const FifoSteps steps = line.answered(at(800ms), at(801ms), 101, {FifoGrant{1, 101, 1500ms, 2}});
  EXPECT_EQ(steps.granted.at(0).second.base, at(800ms));
}

TEST_F(FifoLineTest, FindsByAPulseWhatAMessageLost) {
  wait();
  PulseReply shown = others(101, 1200ms);
  shown.owner = owner(1);
  shown.sure = false;
  const FifoSteps steps = pulse(500ms, shown);
  ASSERT_EQ(steps.granted.size(), 1U);
  EXPECT_EQ(steps.granted[0].second.base, at(500ms));
  EXPECT_EQ(steps.granted[0].second.length, 1200ms);
  EXPECT_EQ(steps.granted[0].second.kind, Grant::Kind::claim);
  EXPECT_FALSE(steps.deaf);
}

TEST_F(FifoLineTest, TakesAnInboxForDeafAfterTwoLostMessagesInARow) {
  const auto lose_one = [this](std::uint64_t number, std::uint64_t token) {
    wait(number);
    PulseReply shown = others(token, 1200ms);
    shown.owner = owner(number);
    shown.sure = false;
    return pulse(500ms, shown).deaf;
  };
  EXPECT_FALSE(lose_one(1, 101));
  line.told(at(1s), {1, 101, 1500ms, 2});  // it was only late
  EXPECT_FALSE(lose_one(2, 102));
  EXPECT_TRUE(lose_one(3, 103));
  EXPECT_FALSE(lose_one(4, 104));
}

TEST_F(FifoLineTest, ReleasesAnOwnerOfThisProcessThatNobodyHereKnows) {
  wait();
  PulseReply shown = others(101);
  shown.owner = owner(77);
  EXPECT_EQ(pulse(500ms, shown).strays.at(0).number, 77U);
  shown.owner = std::string(32, 'b') + ":77";
  EXPECT_TRUE(pulse(1s, shown).strays.empty());
}

TEST_F(FifoLineTest, SendsAllWhoWaitToAskAgainWhereTheProcessIsNotKnown) {
  wait(1);
  wait(2);
  PulseReply unknown = others(101);
  unknown.known = false;
  EXPECT_EQ(pulse(500ms, unknown).nudged, (std::vector<std::uint64_t>{1, 2}));
  line.asks(at(600ms), 1);
  EXPECT_EQ(pulse(1s, unknown).nudged, (std::vector<std::uint64_t>{2}));  // the first is asking
}

TEST_F(FifoLineTest, SendsWhomeverTheQueueHasPassedToAskAgain) {
  wait(1);  // with ticket 2
  EXPECT_TRUE(pulse(500ms, others(101)).nudged.empty());
  PulseReply passed = others(103);  // its claim, which no message told of, has lapsed; the process was heard of since
  passed.ticket = 2;
  EXPECT_EQ(pulse(1500ms, passed).nudged, std::vector<std::uint64_t>{1});
  line.asks(at(1600ms), 1);
  line.acquire_answered(at(1600ms), at(1601ms), 1,
                        {.outcome = Outcome::queued, .token = 103, .left = 10s, .ticket = 5});
  EXPECT_TRUE(pulse(2000ms, passed).nudged.empty());
}

TEST_F(FifoLineTest, SendsWhoHasATicketThatTheServerNeverGaveToAskAgain) {
  wait(1);
  PulseReply lost = others(101);  // the key was, and others have come since
  lost.ticket = 0;
  lost.waiting = 1;
  lost.last_ticket = 1;
  EXPECT_EQ(pulse(500ms, lost).nudged, std::vector<std::uint64_t>{1});
}

TEST_F(FifoLineTest, SendsAllWhoWaitToAskAgainAfterANewConnection) {
  wait(1);
  wait(2);
  EXPECT_EQ(line.reconnected(at(100ms)).nudged, (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(line.wake(), at(100ms));
}

TEST_F(FifoLineTest, PulsesTwiceASecondWhileSomebodyWaits) {
  EXPECT_FALSE(line.wake());
  line.asks(at(0ms), 1);
  EXPECT_FALSE(line.wake());
  wait();
  EXPECT_EQ(line.wake(), at(501ms));
  line.pulse_sent(at(501ms));
  EXPECT_FALSE(line.wake());  // one at a time
  line.pulse_answered(at(501ms), at(502ms), others(100));
  EXPECT_EQ(line.wake(), at(1001ms));
  line.pulse_sent(at(1001ms));
  line.pulse_failed();
  EXPECT_EQ(line.wake(), at(1501ms));
  line.told(at(1200ms), {1, 101, 1500ms, 2});
  EXPECT_FALSE(line.wake());
}

TEST_F(FifoLineTest, PulsesSoonerWhereTheHoldersTimeEndsSooner) {
  wait();
  line.asks(at(1ms), 2);
  line.acquire_answered(at(1ms), at(2ms), 2, {.outcome = Outcome::queued, .token = 100, .left = 120ms, .ticket = 3});
  EXPECT_EQ(line.wake(), at(122ms));
  pulse(122ms, others(101, 80ms));
  EXPECT_EQ(line.wake(), at(203ms));
}

TEST_F(FifoLineTest, PulsesAtOnceWhereNobodyHasTheLockAndSomebodyWaits) {
  wait();
  PulseReply nobody = others(100, 0ms);
  nobody.owner = "";
  nobody.waiting = 600;
  pulse(100ms, nobody);
  EXPECT_LE(*line.wake(), at(110ms));
}

TEST_F(FifoLineTest, PulsesAtOnceWhenTheInboxHearsAgain) {
  wait();
  line.heard_again(at(50ms));
  EXPECT_EQ(line.wake(), at(50ms));
}

TEST_F(FifoLineTest, IsEmptyWhenAllAreForgotten) {
  wait(1);
  wait(2);
  line.told(at(1s), {1, 101, 1500ms, 2});
  line.forget(1);
  EXPECT_FALSE(line.is_empty());
  line.forget(2);
  EXPECT_TRUE(line.is_empty());
  EXPECT_FALSE(line.wake());
}

TEST_F(FifoLineTest, NamesTheOldestThatWaitAndTakesWhatAPulseFindsOfThem) {
  for (std::uint64_t number = 1; number <= 20; ++number) wait(number);
  line.told(at(10ms), {2, 102, 1500ms, 2});
  const std::vector<std::uint64_t> named = line.oldest_waiting();
  ASSERT_EQ(named.size(), 16U);
  EXPECT_EQ(named[0], 1U);
  EXPECT_EQ(named[1], 3U);
  EXPECT_EQ(named[15], 17U);
  PulseReply reply{.known = true, .token = 104, .left = 1s, .waiting = 17, .last_ticket = 30};
  reply.found = {{1, 101, 1400ms, false}, {2, 102, 900ms, false}, {3, 103, 9s, true}, {4, 0, 0ms, false}};
  const FifoSteps steps = pulse(500ms, reply);
  ASSERT_EQ(steps.granted.size(), 2U);  // the second was known
  EXPECT_EQ(steps.granted[0].first, 1U);
  EXPECT_EQ(steps.granted[0].second.base, at(500ms));
  EXPECT_EQ(steps.granted[0].second.kind, Grant::Kind::claim);
  EXPECT_EQ(steps.granted[1].second.kind, Grant::Kind::lease);
  EXPECT_EQ(steps.nudged, std::vector<std::uint64_t>{4});
  EXPECT_FALSE(steps.deaf);
}

TEST_F(FifoLineTest, ManyGrantsThatOnePulseFindsAreNoDeafnessButTwoPulsesAre) {
  for (std::uint64_t number = 1; number <= 4; ++number) wait(number);
  PulseReply reply{.known = true, .token = 104, .left = 1s, .waiting = 2, .last_ticket = 30};
  reply.found = {{1, 101, 1400ms, false}, {2, 102, 1400ms, false}};
  EXPECT_FALSE(pulse(500ms, reply).deaf);
  reply.found = {{3, 103, 1400ms, false}, {4, 104, 1400ms, false}};
  EXPECT_TRUE(pulse(1000ms, reply).deaf);
}

TEST_F(FifoLineTest, AnInboxThroughWhichAPlaceWasLostTwiceIsDeaf) {
  wait();
  PulseReply passed_over = others(101);
  passed_over.known = false;
  const FifoSteps first = pulse(500ms, passed_over);
  EXPECT_EQ(first.places_lost, 1U);
  EXPECT_FALSE(first.deaf);
  EXPECT_TRUE(pulse(1000ms, passed_over).deaf);
}

TEST_F(FifoLineTest, AHeartbeatThatFailsMakesAllWhoWaitAskAgain) {
  wait(1);
  line.asks(at(0ms), 2);  // not answered yet
  wait(3);
  line.told(at(10ms), {3, 101, 1500ms, 2});
  line.pulse_sent(at(500ms));
  EXPECT_EQ(line.pulse_failed().nudged, std::vector<std::uint64_t>{1});
}

TEST_F(FifoLineTest, AMessageWithoutATokenMeansToAskAgain) {
  wait();
  EXPECT_EQ(line.told(at(10ms), {1, 0, 0ms, 2}).nudged, std::vector<std::uint64_t>{1});
  const FifoSteps unknown = line.told(at(10ms), {7, 0, 0ms, 2});
  EXPECT_TRUE(unknown.nudged.empty());
  EXPECT_TRUE(unknown.strays.empty());
}

}  // namespace
}  // namespace firstcome::lock
