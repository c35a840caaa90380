#include "rush/compare/scenario.hpp"

#include "rush/compare/rows.hpp"
#include "support/json.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace firstcome::testing {
namespace {

using rush::Scenario;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> names(const std::string& chosen) {
  std::vector<std::string> names;
  const auto found = rush::find_scenarios(chosen);
  if (!found) return {found.error()};
  for (const Scenario& scenario : *found) names.push_back(scenario.name);
  return names;
}

TEST(Scenarios, AreFoundByName) {
  EXPECT_THAT(names("coupon"), ElementsAre("coupon"));
  EXPECT_THAT(names("double-click"),
              ElementsAre("double-click-bare", "double-click-key", "double-click-max-open", "double-click-lock"));
  EXPECT_THAT(names("double-click-key"), ElementsAre("double-click-key"));
  EXPECT_EQ(names("all").size(), 8U);
  EXPECT_THAT(names("black-friday"), ElementsAre(HasSubstr("there is no scenario 'black-friday': product, ticket")));
}

TEST(Scenarios, SellTheCouponThatTheComparisonIsAbout) {
  const Scenario coupon = scenario_of("coupon");
  EXPECT_EQ(coupon.stock, 100);
  EXPECT_EQ(coupon.customers, 10'000U);
  EXPECT_EQ(coupon.limit_per_customer, 1);
}

TEST(Scenarios, AreReadFromAFile) {
  TemporaryFolder folder;
  const auto path = folder.path() / "mine.json";
  std::ofstream(path) << R"({"name": "mine", "stock": 7, "customers": 70, "limit_per_customer": 2, "rate": 12.5,
    "units_each": "1-2", "double_click": 0.5, "hold_ms": 3000, "payment": "client", "abandon": 0.25})";
  const auto found = rush::find_scenarios(path.string());
  ASSERT_TRUE(found) << found.error();
  const Scenario& mine = found->front();
  EXPECT_EQ(mine.name, "mine");
  EXPECT_EQ(mine.stock, 7);
  EXPECT_EQ(mine.limit_per_customer, 2);
  EXPECT_EQ(mine.hold, Milliseconds{3'000});
  EXPECT_EQ(mine.units_each, (rush::UnitsEach{1, 2}));
  EXPECT_DOUBLE_EQ(mine.rate, 12.5);
  EXPECT_DOUBLE_EQ(mine.abandon, 0.25);
}

TEST(Scenarios, WithMistakesNameTheMemberAndTheRule) {
  const std::vector<std::pair<std::string, std::string>> mistakes{
      {"stock", "it is not JSON"},
      {"[1]", "it must be a JSON object"},
      {R"({"stock": 5})", "name must be there"},
      {R"({"name": "A B"})", "name must be 1 to 24 of a-z"},
      {R"({"name": "a", "stock": 0})", "stock must be a whole number from 1 to 1000000"},
      {R"({"name": "a", "stock": 1.5})", "stock must be a whole number"},
      {R"({"name": "a", "customers": "many"})", "customers must be a whole number"},
      {R"({"name": "a", "colour": "red"})", "there is no member 'colour'"},
      {R"({"name": "a", "kind": "car"})", "kind must be product, ticket or coupon"},
      {R"({"name": "a", "payment": "cash"})", "payment must be none, client or auto"},
      {R"({"name": "a", "units_each": "3-1"})", "units_each must be a text with a number or a range"},
      {R"({"name": "a", "double_click": 2})", "double_click must be a number from 0 to 1"},
      {R"({"name": "a", "sales": 2000})", "sales must be a whole number from 1 to 1000"},
      {R"({"name": "a", "payment": "auto"})", "hold_ms must be at least 1 where payment is client or auto"},
      {R"({"name": "a", "hold_ms": 5})", "hold_ms must be 0 where payment is none"},
      {R"({"name": "a", "abandon": 0.5})", "abandon must be 0 unless payment is client"},
      {R"({"name": "a", "hold_ms": 5, "payment": "auto", "fail_before": 0.6, "fail_during": 0.6})",
       "fail_before and fail_during together must be at most 1"},
  };
  for (const auto& [text, rule] : mistakes) {
    const auto scenario = rush::parse_scenario(text);
    ASSERT_FALSE(scenario) << text;
    EXPECT_THAT(scenario.error(), HasSubstr(rule)) << text;
  }
  const auto missing = rush::find_scenarios("./no-such-file.json");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error(), HasSubstr("./no-such-file.json: there is no such file"));
}

TEST(Scenarios, LeaveOutTheWaysThatCannotTakePart) {
  for (const char* const lock : {"postgresql/fifo", "mariadb/row-lock", "redis/setnx-try", "sqlite/optimistic"})
    EXPECT_EQ(rush::obstacle(way_of(lock), scenario_of("ticket")), std::nullopt) << lock;
  for (const char* const way : {"postgresql/unique-key", "redis/incr", "redis/limiter"})
    EXPECT_EQ(rush::obstacle(way_of(way), scenario_of("ticket")), "cannot give a unit back later") << way;
  EXPECT_EQ(rush::obstacle(way_of("mariadb/redisson"), scenario_of("double-click-max-open")), std::nullopt);
  EXPECT_EQ(rush::obstacle(way_of("mariadb/one-statement"), scenario_of("double-click-max-open")),
            "does not count a customer's open orders");
  EXPECT_EQ(rush::obstacle(way_of("mariadb/redisson"), scenario_of("double-click-lock")), std::nullopt);
  EXPECT_EQ(rush::obstacle(way_of("postgresql/row-lock"), scenario_of("double-click-lock")),
            "keeps no locks for customers");
  EXPECT_EQ(rush::obstacle(way_of("queue"), scenario_of("mixed")), "lets one sale in at a time");
  EXPECT_FALSE(rush::obstacle(way_of("redis"), scenario_of("ticket")));
  EXPECT_FALSE(rush::obstacle(way_of("postgresql/fifo"), scenario_of("product")));
}

TEST(Scenarios, MakeTheSaleThatTheServerTakes) {
  const auto coupon = parse_json(rush::sale_body(scenario_of("coupon"), way_of("embedded"), "c-1", 100));
  EXPECT_EQ(text_of(coupon, "id"), "c-1");
  EXPECT_EQ(coupon.at("stock").to_number<int>(), 100);
  EXPECT_EQ(coupon.at("limit_per_customer").to_number<int>(), 1);
  EXPECT_EQ(coupon.at("hold_ms").to_number<int>(), 0);
  EXPECT_FALSE(coupon.as_object().contains("queue"));
  const auto queued = parse_json(rush::sale_body(scenario_of("coupon"), way_of("queue"), "c-1", 100));
  EXPECT_EQ(queued.at("queue").at("admit_per_tick").to_number<int>(), 10) << "all in ten ticks";
  const auto product = parse_json(rush::sale_body(scenario_of("product"), way_of("embedded"), "c-1", 100));
  EXPECT_EQ(text_of(product, "payment"), "auto");
  EXPECT_TRUE(product.at("limit_per_customer").is_null());
}

}  // namespace
}  // namespace firstcome::testing
