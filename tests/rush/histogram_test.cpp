#include "rush/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace firstcome::rush {
namespace {

using std::chrono::nanoseconds;

TEST(Histogram, KnowsNothingAtFirst) {
  Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.quantile(0.5), nanoseconds{0});
  EXPECT_EQ(histogram.count_above(nanoseconds{0}), 0U);
}

TEST(Histogram, IsExactForTheLargest) {
  Histogram histogram;
  for (int value : {5, 123'456'789, 17}) histogram.record(nanoseconds{value});
  EXPECT_EQ(histogram.largest(), nanoseconds{123'456'789});
  EXPECT_EQ(histogram.quantile(1), nanoseconds{123'456'789});
  EXPECT_EQ(histogram.quantile(0), nanoseconds{5});
}

TEST(Histogram, StaysWithinOnePercentOfSortedDurations) {
  constexpr std::uint64_t seed = 20261121;
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  // From nanoseconds to a minute, every order of magnitude equally often.
  std::uniform_real_distribution<double> exponent(0, std::log(6e10));
  std::vector<std::int64_t> sorted;
  Histogram histogram;
  for (int i = 0; i < 100'000; ++i) {
    auto value = static_cast<std::int64_t>(std::exp(exponent(random)));
    sorted.push_back(value);
    histogram.record(nanoseconds{value});
  }
  std::ranges::sort(sorted);
  for (double share : {0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999}) {
    auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size()))) - 1;
    auto exact = static_cast<double>(sorted[rank]);
    EXPECT_NEAR(static_cast<double>(histogram.quantile(share).count()), exact, exact * 0.01) << share;
  }
}

TEST(Histogram, IsWithinOnePercentAtEveryBucketsEdges) {
  for (std::int64_t base = 1; base < (std::int64_t{1} << 41); base *= 2) {
    for (std::int64_t value : {base - 1, base, base + 1, base + base / 3}) {
      Histogram histogram;
      histogram.record(nanoseconds{value});
      histogram.record(nanoseconds::max());  // so that quantile(0.5) is not the exact largest
      auto exact = static_cast<double>(value);
      EXPECT_NEAR(static_cast<double>(histogram.quantile(0.5).count()), exact, exact * 0.005) << value;
    }
  }
}

TEST(Histogram, TakesWhatIsOutOfItsRange) {
  Histogram histogram;
  histogram.record(nanoseconds{-5});
  histogram.record(std::chrono::hours{24});
  EXPECT_EQ(histogram.quantile(0.5), nanoseconds{0});
  EXPECT_EQ(histogram.largest(), std::chrono::hours{24});
}

TEST(Histogram, MergesLikeOneThatSawBoth) {
  Histogram one, two, both;
  for (int i = 1; i <= 1'000; ++i) {
    (i % 3 == 0 ? one : two).record(nanoseconds{i * 1'000});
    both.record(nanoseconds{i * 1'000});
  }
  one.merge(two);
  one.merge(Histogram{});
  EXPECT_EQ(one.count(), both.count());
  for (double share : {0.1, 0.5, 0.99, 1.0}) EXPECT_EQ(one.quantile(share), both.quantile(share)) << share;
}

TEST(Histogram, CountsThoseAboveABound) {
  Histogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.record(std::chrono::milliseconds{i});
  EXPECT_EQ(histogram.count_above(std::chrono::milliseconds{90}), 10U);
}

}  // namespace
}  // namespace firstcome::rush
