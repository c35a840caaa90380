// The scripts of the FIFO lock where its owner is a holder that no process is: a named lease.
#include "lock/redis/fifo_bench.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace firstcome::lock::test {
namespace {

using namespace std::chrono_literals;
using Got = AcquireReply::Outcome;
using Gave = ReleaseReply::Outcome;

class FifoHolder : public FifoBench {
 protected:
  AcquireRequest wanted(std::uint64_t number, Repeated repeated = Repeated::no) const {
    return {.number = number, .lease = 5s, .repeated = repeated, .holder = holder};
  }
  ReleaseRequest released(std::uint64_t token, Repeated repeated = Repeated::no) const {
    return {.grant = {0, token}, .repeated = repeated, .holder = holder};
  }

  const Asker a = asker('a');
  const Asker b = asker('b');
  const std::string holder = "lease:0123456789abcdef";
};

TEST_F(FifoHolder, HasAFreeLockInThePlaceOfWhoAsks) {
  const AcquireReply got = acquire(a, wanted(1));
  EXPECT_EQ(got.outcome, Got::granted);
  EXPECT_TRUE(got.sure);
  EXPECT_EQ(inspect().owner, holder);
  EXPECT_EQ(fields(), std::vector<std::string>{"s"});
  pass(1s);
  const AcquireReply again = acquire(b, wanted(1));
  EXPECT_EQ(again.outcome, Got::granted);
  EXPECT_TRUE(again.sure);
  EXPECT_EQ(again.mine, got.mine);
  EXPECT_LE(again.left, 4s);
  EXPECT_EQ(acquire(b, 2, {.once = Once::yes}).outcome, Got::busy);
}

TEST_F(FifoHolder, IsPassedAClaimOnceAndByItsOwnerOnly) {
  const AcquireReply first = acquire(a, 1);
  acquire(b, wanted(1));
  EXPECT_EQ(acquire(b, wanted(1, Repeated::yes)).outcome, Got::queued);
  release(a, 1, first.token, Repeated::no, Trust::no);
  const AcquireReply claim = acquire(b, wanted(1, Repeated::yes));
  EXPECT_EQ(claim.outcome, Got::granted);
  EXPECT_FALSE(claim.sure) << "it is still to be passed on";
  const std::uint64_t token = inspect().token;
  EXPECT_EQ(renew(a, {{1, token}, 5s, holder}).length, 0ms);
  EXPECT_EQ(renew(b, {{1, token - 1}, 5s, holder}).length, 0ms);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(renew(b, {{1, token}, 5s, holder}).length, 5s) << "also repeated";
  EXPECT_EQ(inspect().owner, holder);
  EXPECT_TRUE(inspect().sure);
  EXPECT_EQ(inspect().token, token);
  EXPECT_EQ(release(b, 1, token).outcome, Gave::lost) << "it is not its own any more";
  EXPECT_EQ(cancel(b, {1}), "nothing");
  EXPECT_EQ(inspect().owner, holder);
}

TEST_F(FifoHolder, IsPassedNoClaimThatHasLapsed) {
  const AcquireReply first = acquire(a, 1);
  acquire(b, wanted(1));
  release(a, 1, first.token, Repeated::no, Trust::no);
  const std::uint64_t token = inspect().token;
  pass(times.claim + 1ms);
  EXPECT_EQ(renew(b, {{1, token}, 5s, holder}).length, 0ms);
  EXPECT_TRUE(inspect().owner.empty());
}

TEST_F(FifoHolder, IsRenewedByAnybodyForAsLongAsBefore) {
  acquire(a, wanted(1));
  pass(4s);
  EXPECT_EQ(renew(b, {.grant = {}, .holder = holder}).length, 5s);
  EXPECT_EQ(renew(b, {.grant = {}, .holder = "lease:another"}).length, 0ms);
  pass(4s);
  EXPECT_GT(inspect().left, 0ms);
  pass(1s + 1ms);
  EXPECT_EQ(renew(b, {.grant = {}, .holder = holder}).length, 0ms);
}

TEST_F(FifoHolder, KeepsItsLengthWhereARepeatedAcquireConfirmsIt) {
  const std::uint64_t token = acquire(a, wanted(1)).mine;
  for (const Milliseconds other : {Milliseconds{1s}, Milliseconds{60s}}) {
    EXPECT_EQ(renew(b, {{1, token}, other, holder}).length, 5s);
    pass(2s);
    EXPECT_GT(inspect().left, 0ms) << "it is not shortened";
  }
  pass(2s);
  EXPECT_EQ(renew(b, {.grant = {}, .holder = holder}).length, 5s);
  pass(5s + 1ms);
  EXPECT_TRUE(inspect().owner.empty()) << "nor is it made longer";
}

TEST_F(FifoHolder, HasTheLengthThatIsAskedForWhenAClaimIsPassedOn) {
  const AcquireReply first = acquire(a, 1);
  acquire(b, wanted(1));
  release(a, 1, first.token, Repeated::no, Trust::no);
  const std::uint64_t token = inspect().token;
  EXPECT_EQ(renew(b, {{1, token}, 60s, holder}).length, 60s);
  EXPECT_EQ(renew(b, {.grant = {}, .holder = holder}).length, 60s);
}

TEST_F(FifoHolder, ReleasesTheGrantThatIsNamedToTheNextInLine) {
  const std::uint64_t token = acquire(a, wanted(1)).mine;
  acquire(a, 2);
  EXPECT_EQ(release(b, released(token - 1)).outcome, Gave::lost);
  const ReleaseReply gave = release(b, released(token), Trust::no);
  EXPECT_EQ(gave.outcome, Gave::released);
  EXPECT_EQ(inspect().owner, owner(a, 2));
  EXPECT_EQ(release(b, released(token)).outcome, Gave::lost);
  EXPECT_EQ(release(b, released(token, Repeated::yes)).outcome, Gave::released);
  EXPECT_EQ(inspect().owner, owner(a, 2));
}

TEST_F(FifoHolder, AtALateAskingGetsNothingThatWasGivenUp) {
  cancel(a, {1, LateCopy::possible});
  EXPECT_EQ(acquire(a, wanted(1)).outcome, Got::refused);
  EXPECT_TRUE(inspect().owner.empty());
}

}  // namespace
}  // namespace firstcome::lock::test
