#include "engine/guarded/waiting_line.hpp"

#include "engine/asking.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;
using engine::WaitingLine;

const WaitingLine::Moment start{1h};

TEST(WaitingLine, LetsEverybodyInInOrderWhereThereIsNoWaitingRoom) {
  WaitingLine line(0, 50ms);
  Asked ann, bob;
  ann.command = Reserve{"s", "ann", 1, {}, {}};
  bob.command = Reserve{"s", "bob", 1, {}, {}};
  line.join(ann);
  line.join(bob);
  EXPECT_EQ(line.size(), 2U);
  EXPECT_EQ(line.next(start), &ann);
  EXPECT_EQ(line.next(start), &bob);
  EXPECT_EQ(line.next(start), nullptr);
}

TEST(WaitingLine, CountsBuyersBeforeTheGuardByThemselves) {
  WaitingLine line(1, 50ms);
  std::array<Asked, 3> buyers;
  Asked looks;
  looks.command = GetSale{"s"};
  for (Asked& buyer : buyers) {
    buyer.command = Reserve{"s", "ann", 1, {}, {}};
    line.join(buyer);
  }
  EXPECT_EQ(line.waiting_with(buyers[0]), 3U);
  EXPECT_EQ(line.waiting_with(looks), 0U);
  line.join(looks);
  EXPECT_EQ(line.waiting_with(looks), 1U);
}

TEST(WaitingLine, LetsSoManyBuyersInEachTickAndOthersAtOnce) {
  WaitingLine line(2, 50ms);
  std::array<Asked, 5> buyers;
  for (Asked& buyer : buyers) {
    buyer.command = Reserve{"s", "ann", 1, {}, {}};
    line.join(buyer);
  }
  Asked looks;
  looks.command = GetSale{"s"};
  line.join(looks);
  EXPECT_EQ(line.next(start), &looks) << "who buys nothing need not wait";
  EXPECT_EQ(line.next(start), &buyers[0]);
  EXPECT_EQ(line.next(start + 1ms), &buyers[1]);
  EXPECT_EQ(line.next(start + 49ms), nullptr);
  EXPECT_EQ(line.next_tick(), start + 50ms);
  EXPECT_EQ(line.next(start + 50ms), &buyers[2]);
  EXPECT_EQ(line.next(start + 50ms), &buyers[3]);
  EXPECT_EQ(line.next(start + 99ms), nullptr);
  line.found_nothing();
  EXPECT_EQ(line.next(start + 99ms), &buyers[4]) << "instead of one who took nothing";
  EXPECT_FALSE(line.next_tick());
}

TEST(WaitingLine, GivesBackAllWhoWait) {
  WaitingLine line(1, 50ms);
  Asked ann, looks;
  ann.command = Reserve{"s", "ann", 1, {}, {}};
  looks.command = GetSale{"s"};
  line.join(ann);
  line.join(looks);
  EXPECT_EQ(line.disband().size(), 2U);
  EXPECT_EQ(line.size(), 0U);
}

}  // namespace
}  // namespace firstcome::test
