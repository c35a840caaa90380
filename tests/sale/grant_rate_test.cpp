#include "sale/grant_rate.hpp"

#include <gtest/gtest.h>

namespace firstcome::sale {
namespace {

using namespace std::chrono_literals;

constexpr Instant noon{std::chrono::days{20'000}};

TEST(GrantRate, IsUnknownBeforeTheFirstGrantAndAMinuteAfterTheLast) {
  GrantRate rate;
  EXPECT_EQ(rate.time_for(1, noon), std::nullopt);
  rate.count(noon);
  EXPECT_TRUE(rate.time_for(1, noon + 59s));
  EXPECT_EQ(rate.time_for(1, noon + 60s), std::nullopt);
  EXPECT_EQ(rate.time_for(1, noon + 24h), std::nullopt);
}

TEST(GrantRate, MeasuresTheLastMinute) {
  GrantRate rate;
  for (int second = 0; second < 600; ++second) {
    for (int grant = 0; grant < (second < 300 ? 1 : 20); ++grant) rate.count(noon + second * 1s);
  }
  EXPECT_EQ(rate.time_for(100, noon + 599s), 5s) << "the slow minutes are forgotten";
}

TEST(GrantRate, StartsWithAShorterWindowOfAtLeastASecond) {
  GrantRate rate;
  for (int grant = 0; grant < 10; ++grant) rate.count(noon);
  EXPECT_EQ(rate.time_for(10, noon), 1s);
  EXPECT_EQ(rate.time_for(10, noon + 5s), 5s);
  EXPECT_EQ(rate.time_for(1, noon + 100ms), 100ms);
}

TEST(GrantRate, StartsAnewAfterAPause) {
  GrantRate rate;
  for (int grant = 0; grant < 1'000; ++grant) rate.count(noon);
  rate.count(noon + 1h);
  EXPECT_EQ(rate.time_for(1, noon + 1h), 60s);
}

}  // namespace
}  // namespace firstcome::sale
