#include "rush/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace firstcome::rush {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Optional;
using ::testing::StartsWith;

RushOptions good() {
  RushOptions options;
  options.targets = {{"127.0.0.1", 8080}};
  options.sale = "ticket-1";
  return options;
}

TEST(RushOptions, DefaultsMakeSense) { EXPECT_EQ(problem_of(good()), std::nullopt); }

TEST(RushOptions, ReadsSeveralTargets) {
  auto targets = parse_targets("http://127.0.0.1:8080,http://localhost:9");
  ASSERT_TRUE(targets.has_value()) << targets.error();
  EXPECT_EQ(*targets, (std::vector<net::HttpOrigin>{{"127.0.0.1", 8080}, {"localhost", 9}}));
}

TEST(RushOptions, RefusesTargetsThatAreNone) {
  for (const char* text : {"", "127.0.0.1:8080", "ftp://127.0.0.1", "http://", "http://a:0", "http://a:1,",
                           "http://a:70000", "http://a/?query", "http://user@a"})
    EXPECT_FALSE(parse_targets(text).has_value()) << text;
}

TEST(RushOptions, ReadsUnitsAsNumberOrRange) {
  EXPECT_EQ(parse_units_each("2"), (UnitsEach{2, 2}));
  EXPECT_EQ(parse_units_each("1-3"), (UnitsEach{1, 3}));
  for (const char* text : {"", "0", "-1", "3-1", "1-", "1-2-3", "x", "1000001", "1-1000001"})
    EXPECT_FALSE(parse_units_each(text).has_value()) << text;
}

TEST(RushOptions, NamesTheOptionAndTheRule) {
  auto problem_with = [](auto change) {
    RushOptions options = good();
    change(options);
    return problem_of(options);
  };
  EXPECT_THAT(problem_with([](RushOptions& o) { o.abandon = 1.5; }),
              Optional(AllOf(StartsWith("--abandon "), HasSubstr("0 to 1"), HasSubstr("1.5"))));
  EXPECT_THAT(problem_with([](RushOptions& o) { o.double_click = -0.1; }), Optional(StartsWith("--double-click ")));
  EXPECT_THAT(problem_with([](RushOptions& o) { o.without_key = std::numeric_limits<double>::quiet_NaN(); }),
              Optional(StartsWith("--without-key ")));
  EXPECT_THAT(problem_with([](RushOptions& o) { o.customers = 0; }), Optional(StartsWith("--customers ")));
  EXPECT_THAT(problem_with([](RushOptions& o) { o.connections = connections_most + 1; }),
              Optional(StartsWith("--connections ")));
  EXPECT_THAT(problem_with([](RushOptions& o) { o.rate = 0; }), Optional(StartsWith("--rate ")));
  EXPECT_THAT(problem_with([](RushOptions& o) { o.sale = "Not An Id"; }), Optional(StartsWith("--sale ")));
  EXPECT_THAT(problem_with([](RushOptions& o) { o.max_p99_ms = 0; }), Optional(StartsWith("--max-p99-ms ")));
  EXPECT_THAT(problem_with([](RushOptions& o) { o.max_lag = Milliseconds{0}; }), Optional(StartsWith("--max-lag-ms ")));
  EXPECT_THAT(problem_with([](RushOptions& o) { o.timeout = Milliseconds{0}; }), Optional(StartsWith("--timeout ")));
  EXPECT_THAT(problem_with([](RushOptions& o) { o.patience = Milliseconds{0}; }), Optional(StartsWith("--patience ")));
  EXPECT_THAT(problem_with([](RushOptions& o) { o.targets.clear(); }), Optional(StartsWith("--target ")));
}

TEST(RushOptions, OpenAtMost256ConnectionsUnlessToldTo) {
  RushOptions options = good();
  options.customers = 10;
  EXPECT_EQ(connections_of(options), 10U);
  options.customers = 100'000;
  EXPECT_EQ(connections_of(options), 256U);
  options.connections = 3'000;
  EXPECT_EQ(connections_of(options), 3'000U);
}

}  // namespace
}  // namespace firstcome::rush
