#include "rush/compare/stock_size.hpp"

#include "rush/compare/rows.hpp"

#include <gtest/gtest.h>

namespace firstcome::testing {
namespace {

using namespace std::chrono_literals;
using Next = rush::StockSize::Next;

TEST(StockSize, GrowsUntilASaleLastsLongEnough) {
  rush::StockSize size(scenario_of("coupon"), 1s);
  EXPECT_EQ(size.stock(), 100);
  EXPECT_EQ(size.customers(), 10'000U);
  EXPECT_EQ(size.lasted(4ms), Next::larger);
  EXPECT_EQ(size.stock(), 5'000) << "not 250 times as many at once: the first hundred say little";
  EXPECT_FALSE(size.is_as_in_scenario());
  EXPECT_EQ(size.lasted(100ms), Next::larger);
  EXPECT_EQ(size.stock(), 50'000);
  EXPECT_EQ(size.customers(), 150'000U) << "more than there are units";
  EXPECT_EQ(size.lasted(600ms), Next::enough);
  EXPECT_EQ(size.stock(), 50'000);
}

TEST(StockSize, IsTheScenariosOwnWhereThatLastsLongEnough) {
  rush::StockSize size(scenario_of("coupon"), 1s);
  EXPECT_EQ(size.lasted(500ms), Next::enough);
  EXPECT_TRUE(size.is_as_in_scenario());
}

TEST(StockSize, EndsSomewhere) {
  rush::StockSize size(scenario_of("product"), 1s);
  int steps = 0;
  while (size.lasted(1us) == Next::larger) ASSERT_LT(++steps, 10);
  EXPECT_EQ(size.stock(), 100'000);
}

TEST(StockSize, DoesNotGrowWhereTheTimeIsNotTheStocks) {
  EXPECT_EQ(rush::StockSize(scenario_of("mixed"), 1s).lasted(1ms), Next::enough);
  EXPECT_EQ(rush::StockSize(scenario_of("ticket"), 1s).lasted(1ms), Next::enough) << "holds that end";
  EXPECT_EQ(rush::StockSize(scenario_of("coupon"), 1s).lasted(0s), Next::enough) << "nothing was sold";
}

}  // namespace
}  // namespace firstcome::testing
