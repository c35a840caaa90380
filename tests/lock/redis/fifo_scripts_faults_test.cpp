// The scripts of the FIFO lock where processes, messages, keys or the server fail.
#include "lock/redis/fifo_bench.hpp"
#include "lock/redis/fifo_scripts.hpp"

#include <gmock/gmock.h>

#include <chrono>

namespace firstcome::lock::test {
namespace {

using namespace std::chrono_literals;
using Got = AcquireReply::Outcome;
using Gave = ReleaseReply::Outcome;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

class FifoScriptsFaults : public FifoBench {
 protected:
  const Asker a = asker('a');
  const Asker b = asker('b');
  const Asker c = asker('c');
};

TEST_F(FifoScriptsFaults, AProcessThatIsHeardOfByNobodyIsPassedOverAtOnce) {
  listen(c);
  const AcquireReply first = acquire(a, 1);
  for (std::uint64_t number = 1; number <= 20; ++number) acquire(b, number);  // which hears nothing
  acquire(c, 1);
  release(a, 1, first.token);
  EXPECT_EQ(heard(c).number, 1U);
  EXPECT_FALSE(has_field("p" + b.process));
  EXPECT_THAT(fields(), UnorderedElementsAre("s", "p" + c.process));  // w and o have gone in pairs
}

TEST_F(FifoScriptsFaults, WithoutTrustAMessageToNobodyCountsAsDelivered) {
  listen(c);
  const AcquireReply first = acquire(a, 1);
  acquire(b, 1);
  acquire(c, 1);
  release(a, 1, first.token, Repeated::no, Trust::no);
  EXPECT_EQ(inspect().owner, owner(b, 1));
  EXPECT_TRUE(is_silent(c));
}

TEST_F(FifoScriptsFaults, AnUnansweredClaimCostsItsTimeOnceAndNotOncePerWaiter) {
  listen(b);
  listen(c);
  const AcquireReply first = acquire(a, 1);
  for (std::uint64_t number = 1; number <= 20; ++number) acquire(b, number);  // stopped: hears, and does nothing
  acquire(c, 1);
  release(a, 1, first.token);
  EXPECT_EQ(heard(b).number, 1U);
  pass(1s);
  EXPECT_EQ(pulse(c).owner, owner(b, 1));
  pass(500ms);
  const PulseReply moved = pulse(c);
  ASSERT_EQ(moved.grants.size(), 1U);
  EXPECT_EQ(moved.grants[0].number, 1U);
  EXPECT_EQ(moved.waiting, 0U);
  EXPECT_TRUE(is_silent(b));
}

TEST_F(FifoScriptsFaults, AProcessThatIsNotHeardOfForTheWaiterLeaseIsPassedOver) {
  listen(b);
  const AcquireReply first = acquire(a, 1);
  acquire(b, 1);
  acquire(c, 1);
  pass(1500ms);
  EXPECT_TRUE(pulse(c).known);
  pass(500ms);
  const ReleaseReply released = release(a, 1, first.token, Repeated::no, Trust::no);
  EXPECT_EQ(inspect().owner, owner(c, 1));
  EXPECT_EQ(inspect().token, released.token);
  EXPECT_TRUE(is_silent(b));
}

TEST_F(FifoScriptsFaults, AProcessWhoseClaimLapsedIsNotKnownAndAsksAgainAsANewArrival) {
  const AcquireReply first = acquire(a, 1);
  acquire(b, 1);
  acquire(b, 2);
  acquire(c, 1);
  release(a, 1, first.token, Repeated::no, Trust::no);
  pass(1500ms);
  const PulseReply woken = pulse(b);
  EXPECT_FALSE(woken.known);
  // Its second waiter had not been reached: it keeps its place, its first one has lost it.
  ASSERT_EQ(woken.grants.size(), 1U);
  EXPECT_EQ(woken.grants[0].number, 2U);
  EXPECT_EQ(again(b, 1).ticket, 5U);
  EXPECT_TRUE(pulse(b).known);
}

TEST_F(FifoScriptsFaults, APulseAfterTheKeyWasLostSaysNotKnown) {
  acquire(a, 1);
  acquire(b, 1);
  run(net::RedisCommand("DEL", key()));
  EXPECT_FALSE(pulse(b).known);
  EXPECT_EQ(again(b, 1).outcome, Got::granted);
  EXPECT_EQ(renew(a, 1, 1, 1s).length, 0ms);
}

TEST_F(FifoScriptsFaults, AFailedMessageIsALostMessage) {
  ASSERT_EQ(server->text({"ACL", "SETUSER", "default", "resetchannels"}), "OK");
  const AcquireReply first = acquire(a, 1);
  acquire(b, 1);
  EXPECT_EQ(release(a, 1, first.token).outcome, Gave::released);
  EXPECT_EQ(pulse(b).owner, owner(b, 1));
}

TEST_F(FifoScriptsFaults, WorkPerCallIsBounded) {
  const AcquireReply first = acquire(a, 1);
  for (std::uint64_t number = 1; number <= 1'200; ++number) acquire(b, number);
  acquire(c, 1);
  pass(1s);
  EXPECT_TRUE(pulse(c).known);
  pass(1s);  // b is not heard of any more
  EXPECT_EQ(release(a, 1, first.token, Repeated::no, Trust::no).outcome, Gave::released);
  EXPECT_EQ(inspect().head, 1U + 512);
  EXPECT_EQ(acquire(a, 2, {.once = Once::yes}).outcome, Got::busy);  // not past those who wait
  EXPECT_EQ(inspect().head, 1U + 1'024);
  const PulseReply reached = pulse(c);
  ASSERT_EQ(reached.grants.size(), 1U);
  EXPECT_EQ(reached.grants[0].ticket, 1'202U);
  // One grant in 64 sweeps what b left behind, and tokens begin with the time of day.
  EXPECT_THAT(fields(), ::testing::AnyOf(UnorderedElementsAre("s", "p" + c.process),
                                         UnorderedElementsAre("s", "p" + b.process, "p" + c.process)));
}

TEST_F(FifoScriptsFaults, TheKeyOutlivesTheLongestLeaseByWhatIsKept) {
  const auto left = [this] { return Milliseconds{run(net::RedisCommand("PTTL", key())).integer}; };
  const AcquireReply first = acquire(a, 1, {.lease = 24h});
  EXPECT_GT(left(), 24h + times.keep / 2);
  acquire(b, 1, {.lease = 1s});  // does not shorten it
  EXPECT_GT(left(), 24h + times.keep / 2);
  EXPECT_EQ(renew(a, 1, first.token, 48h).length, 48h);  // also where nobody acquires any more
  EXPECT_GT(left(), 48h + times.keep / 2);
  EXPECT_LE(left(), 48h + times.keep);
}

TEST_F(FifoScriptsFaults, TheExpiryIsHardlyEverSet) {
  const AcquireReply first = acquire(a, 1);
  release(a, 1, first.token);
  run(net::RedisCommand("CONFIG", "RESETSTAT"));
  for (std::uint64_t number = 2; number < 60; ++number) release(a, number, acquire(a, number).token);
  EXPECT_THAT(server->text({"INFO", "commandstats"}), ::testing::Not(HasSubstr("pexpireat")));
}

TEST_F(FifoScriptsFaults, WhatProcessesLeaveBehindGoesWhenItsTimeIsOver) {
  cancel(c, 9);
  std::uint64_t token = acquire(a, 1).token;
  acquire(b, 1);
  release(a, 1, token, Repeated::no, Trust::no);
  release(b, 1, inspect().token);
  std::uint64_t number = 1;
  const auto go_on = [&] {  // until a grant at which the server looks
    do {
      token = acquire(a, ++number).token;
      release(a, number, token);
    } while (token % 64 != 0);
  };
  go_on();
  EXPECT_THAT(fields(), UnorderedElementsAre("s", "p" + b.process, "f" + c.process));
  pass(times.waiter_lease);
  go_on();
  EXPECT_THAT(fields(), UnorderedElementsAre("s", "f" + c.process)) << "a copy may still come";
  EXPECT_EQ(acquire(c, 9).outcome, Got::refused);
  pass(11min);
  go_on();
  EXPECT_THAT(fields(), UnorderedElementsAre("s"));
  EXPECT_GT(run(net::RedisCommand("PTTL", key())).integer, 0);
}

TEST_F(FifoScriptsFaults, WhatProcessesLeaveBehindGoesAlsoWhileTheQueueIsNeverEmpty) {
  std::uint64_t number = 0;
  acquire(a, ++number);
  for (int process = 0; process < 1'200; ++process) {
    const Asker dying{std::to_string(10'000'000 + process) + std::string(24, 'f')};
    acquire(dying, 1);
    acquire(a, ++number);
    pass(times.waiter_lease);  // it died while it waited
    pulse(a);
    release(a, number - 1, inspect().token, Repeated::no, Trust::no);
    ASSERT_EQ(inspect().owner, owner(a, number));
    renew(a, number, inspect().token, 60s);
  }
  EXPECT_LT(fields().size(), 900U);  // of 1,200 processes
}

TEST_F(FifoScriptsFaults, AKeyOfAnotherTypeIsLeftAsItIs) {
  run(net::RedisCommand("SET", key(), "mine"));
  const FifoPlace at = place(a);
  for (const std::string& error :
       {error_of(acquire_command(scripts, at, times, {1, 1s}, Trust::yes)),
        error_of(release_command(scripts, at, times, {.grant = {1, 2}}, Trust::yes)),
        error_of(renew_command(scripts, at, times, {{1, 2}, 1s})),
        error_of(cancel_command(scripts, at, times, {.number = 1}, Trust::yes)),
        error_of(pulse_command(scripts, at, times, Trust::yes)), error_of(inspect_command(scripts, at))}) {
    EXPECT_THAT(error, StartsWith("WRONGTYPE"));
  }
  EXPECT_EQ(run(net::RedisCommand("GET", key())).text, "mine");
}

TEST_F(FifoScriptsFaults, AServerThatLostItsScriptsGetsThemAgain) {
  acquire(a, 1);
  EXPECT_EQ(server->text({"SCRIPT", "FLUSH"}), "OK");
  EXPECT_EQ(acquire(b, 1).outcome, Got::queued);
  EXPECT_TRUE(pulse(b).known);
}

TEST_F(FifoScriptsFaults, AFullServerStillLetsGo) {
  const AcquireReply first = acquire(a, 1);
  acquire(b, 1);
  acquire(b, 2);
  ASSERT_EQ(server->text({"CONFIG", "SET", "maxmemory", "1"}), "OK");
  EXPECT_THAT(error_of(acquire_command(scripts, place(a), times, {2, 1s}, Trust::yes)), StartsWith("OOM"));
  EXPECT_THAT(error_of(pulse_command(scripts, place(b), times, Trust::yes)), StartsWith("OOM"));
  EXPECT_EQ(renew(a, 1, first.token, 30s).length, 30s);
  EXPECT_EQ(cancel(b, 1), "left");
  EXPECT_EQ(release(a, 1, first.token, Repeated::no, Trust::no).outcome, Gave::released);
  EXPECT_EQ(inspect().owner, owner(b, 2));
}

TEST_F(FifoScriptsFaults, AReplicaRefusesAllButTheLook) {
  acquire(a, 1);
  firstcome::testing::RedisServer master;
  ASSERT_EQ(server->text({"REPLICAOF", "127.0.0.1", master.port_text()}), "OK");
  const FifoPlace at = place(a);
  for (const std::string& error : {error_of(acquire_command(scripts, at, times, {1, 1s}, Trust::yes)),
                                   error_of(release_command(scripts, at, times, {.grant = {1, 2}}, Trust::yes)),
                                   error_of(renew_command(scripts, at, times, {{1, 2}, 1s})),
                                   error_of(cancel_command(scripts, at, times, {.number = 1}, Trust::yes)),
                                   error_of(pulse_command(scripts, at, times, Trust::yes))}) {
    EXPECT_THAT(error, StartsWith("READONLY"));
  }
  EXPECT_EQ(error_of(inspect_command(scripts, at)), "");
}

}  // namespace
}  // namespace firstcome::lock::test
