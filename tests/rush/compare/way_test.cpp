#include "rush/compare/way.hpp"

#include "rush/compare/rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace firstcome::testing {
namespace {

using rush::Expected;
using rush::Server;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

Expected expected(const std::string& way, const std::string& scenario = "coupon") {
  return rush::expected_of(way_of(way), scenario_of(scenario));
}

TEST(Ways, HaveEachAnIdOfTheirOwnAndSayWhatTheyAre) {
  std::set<std::string> ids;
  for (const rush::Way& way : rush::all_ways()) {
    EXPECT_TRUE(ids.insert(way.id).second) << way.id << " is there twice";
    EXPECT_GE(std::ranges::count(way.explanation, '.'), 2) << way.id << ": two sentences: " << way.explanation;
    EXPECT_EQ(way.explanation.back(), '.') << way.id;
    EXPECT_FALSE(way.survives.empty()) << way.id;
    EXPECT_EQ(way.is_guarded(), !way.guard.empty()) << way.id;
  }
  EXPECT_GT(ids.size(), 50U);
}

TEST(Ways, AreOnTwoNodesButForWhatIsMadeForOne) {
  for (const rush::Way& way : rush::all_ways()) {
    const bool for_one = way.engine == "embedded" || way.engine == "queue" || way.id.ends_with("/one-node");
    EXPECT_EQ(way.nodes, for_one ? 1U : 2U) << way.id;
  }
}

TEST(Ways, WithoutAGuardOversellOnEveryInventory) {
  for (const char* const inventory : {"sqlite", "postgresql", "mariadb", "redis"})
    EXPECT_EQ(expected(std::string(inventory) + "/none"), Expected::oversells) << inventory;
}

TEST(Ways, WithAMutexAreExactOnOneNodeAndOversellOnTwo) {
  for (const char* const inventory : {"postgresql", "mariadb", "redis"}) {
    EXPECT_EQ(expected(std::string(inventory) + "/mutex/one-node"), Expected::exact) << inventory;
    EXPECT_EQ(expected(std::string(inventory) + "/mutex"), Expected::oversells) << inventory;
  }
}

TEST(Ways, ThatLetGoBeforeTheCommitOversellUnlessTheDatabaseIsolatesThem) {
  for (const char* const inventory : {"postgresql", "mariadb", "redis"})
    EXPECT_EQ(expected(std::string(inventory) + "/redisson/before-commit"), Expected::oversells) << inventory;
  EXPECT_EQ(expected("sqlite/redisson/before-commit"), Expected::exact);
}

TEST(Ways, ThatLimitRequestsUndersellWhereSomeGiveUp) {
  EXPECT_EQ(expected("redis/limiter"), Expected::undersells);
  rush::Scenario nobody_gives_up = scenario_of("coupon");
  nobody_gives_up.double_click = 0;
  EXPECT_EQ(rush::expected_of(way_of("redis/limiter"), nobody_gives_up), Expected::exact);
  nobody_gives_up.units_each = {1, 3};
  EXPECT_EQ(rush::expected_of(way_of("redis/limiter"), nobody_gives_up), Expected::undersells)
      << "3 do not fit, 1 does";
}

TEST(Ways, BreakOnAHotSaleThoughThereIsEnoughInAll) {
  EXPECT_EQ(expected("sqlite/none", "mixed"), Expected::oversells);
  EXPECT_EQ(expected("sqlite/optimistic", "mixed"), Expected::exact);
  rush::Scenario cold = scenario_of("mixed");
  cold.customers = 50;
  EXPECT_EQ(rush::expected_of(way_of("sqlite/none"), cold), Expected::exact);
}

TEST(Ways, MayDoubleWhereTheLimitLeavesRoomForASecondOrder) {
  rush::Scenario twice = scenario_of("coupon");
  EXPECT_EQ(rush::expected_of(way_of("embedded"), twice), Expected::exact);
  twice.limit_per_customer = 2;
  EXPECT_EQ(rush::expected_of(way_of("embedded"), twice), Expected::doubles);
}

TEST(Ways, AreExactOtherwise) {
  for (const rush::Way& way : rush::all_ways()) {
    const bool breaks = way.guard == "none" || way.id.ends_with("/mutex") || way.id.ends_with("/before-commit") ||
                        way.guard == "limiter";
    if (breaks) continue;
    EXPECT_EQ(rush::expected_of(way, scenario_of("coupon")), Expected::exact) << way.id;
  }
}

TEST(Ways, DoubleWhereNothingTiesTwoClicksTogether) {
  EXPECT_EQ(expected("embedded", "double-click-bare"), Expected::doubles);
  EXPECT_EQ(expected("embedded", "double-click-key"), Expected::exact);
  EXPECT_EQ(expected("embedded", "double-click-max-open"), Expected::exact);
  EXPECT_EQ(expected("embedded", "double-click-lock"), Expected::exact);
  EXPECT_EQ(expected("redis/incr", "double-click-bare"), Expected::doubles);
  EXPECT_EQ(expected("redis/sadd-incr", "double-click-bare"), Expected::exact) << "one order a customer";
  EXPECT_EQ(expected("postgresql/none", "double-click-bare"), Expected::oversells) << "the worse of the two";
}

TEST(Ways, SayWhatAnAnswerSurvives) {
  EXPECT_EQ(words(way_of("embedded").survival), "kill, crash");
  EXPECT_EQ(words(way_of("postgresql/row-lock").survival), "kill, crash, server");
  EXPECT_EQ(words(way_of("sqlite/optimistic").survival), "kill, crash");
  for (const char* const way : {"redis", "redis-kafka", "redis/incr"})
    EXPECT_EQ(words(way_of(way).survival), "server") << way << ": Redis keeps it in memory";
}

TEST(Ways, ThatBreakDoubleWhereThereIsEnoughForAll) {
  EXPECT_EQ(expected("redis/none", "double-click-max-open"), Expected::doubles);
  EXPECT_EQ(expected("redis/mutex/one-node", "double-click-max-open"), Expected::exact);
  EXPECT_EQ(expected("postgresql/redisson", "double-click-max-open"), Expected::exact);
}

TEST(Ways, NeedTheServersThatTheyUse) {
  EXPECT_THAT(rush::needs(way_of("embedded")), IsEmpty());
  EXPECT_THAT(rush::needs(way_of("sqlite/optimistic")), ElementsAre(Server::sqlite));
  EXPECT_THAT(rush::needs(way_of("postgresql/redisson")), UnorderedElementsAre(Server::postgresql, Server::redis));
  EXPECT_THAT(rush::needs(way_of("mariadb/redlock")), UnorderedElementsAre(Server::mariadb, Server::redlock));
  EXPECT_THAT(rush::needs(way_of("redis/fifo")), ElementsAre(Server::redis));
  EXPECT_THAT(rush::needs(way_of("redis-kafka")),
              UnorderedElementsAre(Server::redis, Server::kafka, Server::postgresql));
  EXPECT_THAT(rush::needs(way_of("redis-kafka/mariadb")),
              UnorderedElementsAre(Server::redis, Server::kafka, Server::mariadb));
}

TEST(Ways, AreChosenByPatterns) {
  EXPECT_TRUE(rush::matches(way_of("embedded"), "redis,embedded"));
  EXPECT_FALSE(rush::matches(way_of("redis-kafka"), "redis,embedded"));
  EXPECT_TRUE(rush::matches(way_of("sqlite/none"), "sqlite/*"));
  EXPECT_TRUE(rush::matches(way_of("sqlite/none"), "*/none"));
  EXPECT_FALSE(rush::matches(way_of("sqlite/none"), "*/mutex*"));
  EXPECT_TRUE(rush::matches(way_of("sqlite/mutex/one-node"), "*/mutex*"));
  EXPECT_TRUE(rush::matches(way_of("sqlite/none"), "*"));
}

}  // namespace
}  // namespace firstcome::testing
