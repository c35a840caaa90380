#include "payment/charge_lines.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace firstcome::payment {
namespace {

using namespace std::chrono_literals;

constexpr SaleHandle bad{1};
constexpr SaleHandle good{2};

class ChargeLinesTest : public ::testing::Test {
 protected:
  void add(SaleHandle sale, std::uint64_t first, std::uint64_t count) {
    for (std::uint64_t i = first; i < first + count; ++i) lines.add({sale, Number{i}});
  }
  /// Takes all that may be charged now.
  std::vector<ChargeLines::Hold> take_all() {
    std::vector<ChargeLines::Hold> taken;
    while (const auto hold = lines.next(now)) taken.push_back(*hold);
    return taken;
  }

  ChargeLines lines{{.of_hold = {100ms, 60s}, .of_sale = {100ms, 5s}}};
  ChargeLines::TimePoint now{std::chrono::steady_clock::time_point{} + 1h};
};

TEST_F(ChargeLinesTest, SalesTakeTurns) {
  add(bad, 1, 1'000);
  add(good, 1, 1);
  EXPECT_EQ(lines.next(now)->ref, (ReservationRef{bad, Number{1}}));
  EXPECT_EQ(lines.next(now)->ref, (ReservationRef{good, Number{1}}));
  EXPECT_EQ(lines.next(now)->ref, (ReservationRef{bad, Number{2}}));
}

TEST_F(ChargeLinesTest, HoldsOfOneSaleKeepTheirOrder) {
  add(good, 1, 5);
  const auto taken = take_all();
  ASSERT_EQ(taken.size(), 5U);
  for (std::uint64_t i = 0; i < 5; ++i) EXPECT_EQ(taken[i].ref.number, Number{i + 1});
}

TEST_F(ChargeLinesTest, ASaleWhoseChargesFailIsTriedOneAtATime) {
  add(bad, 1, 300);
  const auto first = *lines.next(now);
  lines.failed(first, now);
  EXPECT_FALSE(lines.next(now)) << "it rests";
  EXPECT_EQ(lines.startable(), 0U);
  ASSERT_EQ(lines.due(), now + 100ms);
  now += 100ms;
  const auto second = lines.next(now);
  ASSERT_TRUE(second);
  EXPECT_NE(second->ref, first.ref) << "the next one in line";
  EXPECT_FALSE(lines.next(now)) << "one at a time";
  lines.failed(*second, now);
  EXPECT_FALSE(lines.next(now)) << "the first hold's own pause is over, but its sale rests";
  EXPECT_EQ(lines.due(), now + 100ms) << "the second hold's own pause";
  now += 199ms;
  EXPECT_FALSE(lines.next(now)) << "the sale's pause has doubled";
  now += 1ms;
  EXPECT_TRUE(lines.next(now));
}

TEST_F(ChargeLinesTest, AnyAnswerOfTheProviderEndsTheRest) {
  add(bad, 1, 10);
  lines.failed(*lines.next(now), now);
  now += 100ms;
  lines.answered(lines.next(now)->ref.sale);
  EXPECT_EQ(take_all().size(), 9U) << "the one that failed among them, which was due as well";
}

TEST_F(ChargeLinesTest, FailuresAtOneTimeCountOnce) {
  add(bad, 1, 100);
  for (const auto& hold : take_all()) lines.failed(hold, now);
  EXPECT_EQ(lines.waiting(), 100U);
  now += 100ms;
  EXPECT_EQ(take_all().size(), 1U);
}

TEST_F(ChargeLinesTest, OneBadHoldComesAgainLessAndLessOftenInAHealthySale) {
  lines.add({good, Number{1}});
  std::uint64_t other = 1;
  int attempts = 0;
  const auto end = now + 10min;
  while (now < end) {
    while (const auto hold = lines.next(now)) {
      if (hold->ref.number != Number{1}) {
        lines.answered(good);
        continue;
      }
      ++attempts;
      lines.failed(*hold, now);
    }
    lines.add({good, Number{++other}});
    now += 100ms;
  }
  EXPECT_GE(attempts, 15);
  EXPECT_LE(attempts, 25);
}

TEST_F(ChargeLinesTest, ASaleThatRestsKeepsNoOtherWaiting) {
  add(bad, 1, 300);
  for (int i = 0; i < 50; ++i) {
    while (const auto hold = lines.next(now)) lines.failed(*hold, now);
    now += 5s;
  }
  lines.add({good, Number{1}});
  const auto taken = take_all();
  ASSERT_GE(taken.size(), 1U);
  EXPECT_LE(taken.size(), 2U);
  EXPECT_TRUE(taken.front().ref.sale == good || taken.back().ref.sale == good);
}

TEST_F(ChargeLinesTest, ASaleRestsWhileAnOutcomeIsUnknown) {
  add(bad, 1, 10);
  lines.unknown(lines.next(now)->ref.sale, now);
  EXPECT_FALSE(lines.next(now));
  lines.recovered(bad);
  now += 100ms;
  EXPECT_EQ(take_all().size(), 9U);
}

TEST_F(ChargeLinesTest, ForgetsWhatHasEnded) {
  add(good, 1, 3);
  for (const auto& hold : take_all()) lines.ended(hold.ref.sale);
  lines.recovered(good);
  EXPECT_FALSE(lines.due());
  EXPECT_FALSE(lines.next(now));
  add(good, 4, 1);
  EXPECT_TRUE(lines.next(now));
}

}  // namespace
}  // namespace firstcome::payment
