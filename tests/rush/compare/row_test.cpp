#include "rush/compare/row.hpp"

#include "rush/compare/rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firstcome::testing {
namespace {

using rush::Doubt;
using rush::Expected;
using rush::Fault;
using rush::Measured;
using rush::Table;

constexpr Table::Fencing fenced = Table::Fencing::on;
constexpr Table::Fencing unfenced = Table::Fencing::off;

Measured with(std::uint64_t rush::Round::* what, std::uint64_t count) {
  Measured broken = measured(100);
  broken.rounds.front().*what = count;
  return broken;
}

TEST(Rows, OfExactWaysAreRightWhereNothingIsWrong) {
  const rush::Row row = row_of("postgresql/row-lock", measured(500));
  EXPECT_TRUE(row.ok);
  EXPECT_EQ(row.found(), "exact");
  EXPECT_DOUBLE_EQ(row.sold_per_s, 500);
}

TEST(Rows, OfExactWaysAreWrongByAnyBrokenPromise) {
  for (std::uint64_t rush::Round::* const what :
       {&rush::Round::oversold, &rush::Round::undersold, &rush::Round::lost, &rush::Round::doubled}) {
    const rush::Row row = row_of("postgresql/row-lock", with(what, 1));
    EXPECT_FALSE(row.ok);
    EXPECT_NE(row.found(), "exact");
  }
}

TEST(Rows, HoldEveryWayThatIsExactToItsSumsAndItsNumbers) {
  for (const char* const way : {"embedded", "postgresql/row-lock"}) {
    const rush::Row inverted = row_of(way, with(&rush::Round::inversions, 2));
    EXPECT_FALSE(inverted.ok) << way;
    EXPECT_EQ(inverted.found(), "out of order");
    const rush::Row miscounts = row_of(way, with(&rush::Round::audit, 1));
    EXPECT_FALSE(miscounts.ok) << way << ": a stock that loses what came back oversells nothing, and is wrong";
    EXPECT_EQ(miscounts.found(), "miscounts");
  }
  EXPECT_FALSE(row_of("embedded", with(&rush::Round::refused_wrongly, 1)).ok);
  EXPECT_TRUE(row_of("redis/incr", with(&rush::Round::refused_wrongly, 1)).ok) << "it counts before it looks";
  EXPECT_TRUE(row_of("postgresql/none", with(&rush::Round::oversold, 1)).ok) << "sums are wrong there of course";
  Measured limiter = with(&rush::Round::undersold, 3);
  limiter.rounds.front().audit = 1;
  EXPECT_FALSE(row_of("redis/limiter", limiter).ok);
}

TEST(Rows, OfWaysThatBreakAreRightOnlyWhereTheyDid) {
  EXPECT_TRUE(row_of("postgresql/none", with(&rush::Round::oversold, 3)).ok);
  EXPECT_FALSE(row_of("postgresql/none", measured(500)).ok);
  EXPECT_TRUE(row_of("redis/limiter", with(&rush::Round::undersold, 3)).ok);
  EXPECT_FALSE(row_of("redis/limiter", with(&rush::Round::oversold, 3)).ok) << "that is another flaw";
}

TEST(Rows, TellTheWorstOfAllRounds) {
  Measured all = measured(100);
  Measured broken = with(&rush::Round::oversold, 7);
  broken.rounds.front().sold = 107;
  broken.rounds.front().cases = {"oversold: the sale says that 107 of 100 units are held or sold"};
  all.add(broken);
  all.add(measured(900));
  const rush::Row row = row_of("postgresql/row-lock", all);
  EXPECT_EQ(row.rounds, 3U);
  EXPECT_EQ(row.worst.oversold, 7U);
  EXPECT_EQ(row.worst.sold, 107);
  EXPECT_EQ(row.worst.cases.size(), 1U);
  EXPECT_DOUBLE_EQ(row.sold_per_s, 100) << "the middle one";
  EXPECT_EQ(row.all.count(), 6U) << "latencies of all rounds";
}

TEST(Rows, ExpectWrongSumsOfWaysThatBreakByThemselvesWhereTheyDouble) {
  Measured doubled = with(&rush::Round::doubled, 40);
  doubled.rounds.front().audit = 1;
  const auto is_ok = [&](const std::string& way, const std::string& scenario) {
    return rush::make_row(way_of(way), scenario_of(scenario), {}, doubled).ok;
  };
  EXPECT_TRUE(is_ok("redis/none", "double-click-max-open"));
  EXPECT_FALSE(is_ok("redis/fifo", "double-click-bare")) << "two orders are right there, wrong sums are not";
  EXPECT_FALSE(is_ok("redis/setnx-try", "double-click-max-open")) << "nor where it need not double";
  doubled.rounds.front().audit = 0;
  EXPECT_TRUE(is_ok("redis/setnx-try", "double-click-max-open")) << "where it sends clicks away for long";
}

TEST(Rows, TakeTheMeanOfTheTwoInTheMiddle) {
  Measured two = measured(100);
  two.add(measured(300));
  EXPECT_DOUBLE_EQ(row_of("embedded", two).sold_per_s, 200);
}

TEST(Rows, CountWhatASaleCostsInTheWarmUp) {
  Measured measured_ = measured(100);
  measured_.warm_up.redis_commands = 200;
  measured_.warm_up.redis_processed = 1'200;
  const rush::Row row = row_of("redis/fifo", measured_);
  EXPECT_DOUBLE_EQ(*row.commands_per_sale, 6);
  EXPECT_DOUBLE_EQ(*row.calls_in_scripts_per_sale, 10);
}

TEST(Rows, SayWhenTheGeneratorWasTheLimit) {
  Measured busy = measured(50'000);
  busy.generator_busy = 0.99;
  EXPECT_EQ(row_of("embedded", busy).bound, rush::Row::Bound::generator);
  EXPECT_EQ(row_of("embedded", measured(50'000)).bound, rush::Row::Bound::server);
}

TEST(Rows, OfAWayThatCouldNotBeRunAreWrong) {
  Measured nothing;
  nothing.error = "a server did not start";
  const rush::Row row = row_of("embedded", nothing);
  EXPECT_FALSE(row.ok);
  EXPECT_EQ(row.found(), "error");
}

TEST(Rows, ExpectAPausedHolderToOversellUnlessItsLateWriteIsRefused) {
  const auto expected = [](const std::string& way, Table::Fencing fencing) {
    return rush::expected_with(way_of(way), scenario_of("coupon"),
                               {std::chrono::milliseconds{100}, Fault::pause_holder, fencing})
        .expected;
  };
  EXPECT_EQ(expected("postgresql/fifo", unfenced), Expected::oversells);
  EXPECT_EQ(expected("postgresql/fifo", fenced), Expected::exact);
  EXPECT_EQ(expected("mariadb/redisson", unfenced), Expected::oversells);
  EXPECT_EQ(expected("sqlite/redisson", unfenced), Expected::exact) << "its own isolation refuses it";
  EXPECT_EQ(expected("postgresql/row-lock", unfenced), Expected::exact) << "the row stays locked";
  EXPECT_EQ(expected("embedded", unfenced), Expected::exact);
}

TEST(Rows, ExpectNothingForSureOfLocksThatRedisForgets) {
  const Table killed{std::chrono::milliseconds{0}, Fault::kill_redis, unfenced};
  EXPECT_EQ(rush::expected_with(way_of("postgresql/redisson"), scenario_of("coupon"), killed).doubt, Doubt::anything);
  EXPECT_EQ(rush::expected_with(way_of("postgresql/row-lock"), scenario_of("coupon"), killed).doubt, Doubt::none);
}

TEST(Rows, ForgiveADoubtfulWayOnlyWhatItIsDoubtedFor) {
  rush::Scenario one_open = scenario_of("double-click-max-open");
  const auto is_ok = [&](std::uint64_t rush::Round::* what) {
    return rush::make_row(way_of("redis/setnx-try"), one_open, {}, with(what, 1)).ok;
  };
  EXPECT_TRUE(is_ok(&rush::Round::doubled));
  for (const auto what : {&rush::Round::oversold, &rush::Round::undersold, &rush::Round::lost, &rush::Round::audit})
    EXPECT_FALSE(is_ok(what));
  EXPECT_FALSE(rush::make_row(way_of("redis/setnx-try"), one_open, {}, {}).ok) << "nor that it did not run";
  const Table killed{std::chrono::milliseconds{0}, Fault::kill_node, unfenced};
  const auto counter_is_ok = [&](std::uint64_t rush::Round::* what) {
    return rush::make_row(way_of("redis/incr"), scenario_of("coupon"), killed, with(what, 1)).ok;
  };
  EXPECT_TRUE(counter_is_ok(&rush::Round::undersold));
  EXPECT_FALSE(counter_is_ok(&rush::Round::oversold));
}

TEST(Rows, LetALimiterDoubleInsteadOfUnderselling) {
  const auto is_ok = [](const std::string& scenario, std::uint64_t rush::Round::* what, std::uint64_t count) {
    return rush::make_row(way_of("redis/limiter"), scenario_of(scenario), {}, with(what, count)).ok;
  };
  for (const char* const clicked_twice : {"coupon", "double-click-key"}) {
    EXPECT_TRUE(is_ok(clicked_twice, &rush::Round::undersold, 1)) << clicked_twice;
    EXPECT_TRUE(is_ok(clicked_twice, &rush::Round::doubled, 1)) << clicked_twice;
    EXPECT_FALSE(is_ok(clicked_twice, &rush::Round::doubled, 0)) << clicked_twice << ": it has to break";
    EXPECT_FALSE(is_ok(clicked_twice, &rush::Round::oversold, 1)) << clicked_twice;
  }
  EXPECT_TRUE(is_ok("double-click-bare", &rush::Round::doubled, 1)) << "as all ways do there";
  EXPECT_FALSE(is_ok("double-click-bare", &rush::Round::undersold, 1));
  EXPECT_TRUE(is_ok("product", &rush::Round::undersold, 1));
  EXPECT_FALSE(is_ok("product", &rush::Round::doubled, 1)) << "nobody clicks twice there";
}

TEST(Rows, CompareTheEmbeddedEngineWithTheBestInSqlAndWithTheFastestOfAll) {
  std::vector<rush::Row> rows{row_of("embedded", measured(20'000)),
                              row_of("postgresql/row-lock", measured(1'000)),
                              row_of("mariadb/conditional-update", measured(2'000)),
                              row_of("sqlite/mutex/one-node", measured(5'000)),  // one node
                              row_of("redis/incr", measured(25'000)),            // not SQL
                              row_of("postgresql/none", with(&rush::Round::oversold, 9))};
  const auto line = rush::headline(rows, "coupon", {});
  ASSERT_TRUE(line);
  EXPECT_EQ(
      rush::sentence_of(*line),
      "embedded sells 0.8 times as fast as redis/incr, the fastest of all others that are exact, and 10.0 times as "
      "fast as mariadb/conditional-update, the best of 2 that are exact on two nodes with their stock in SQL");
  EXPECT_FALSE(rush::headline(rows, "ticket", {}));
  rows.erase(rows.begin() + 2, rows.end());
  EXPECT_EQ(
      rush::sentence_of(*rush::headline(rows, "coupon", {})),
      "embedded sells 20.0 times as fast as postgresql/row-lock, the fastest of all others that are exact, the only "
      "one compared that is exact on two nodes with its stock in SQL");
}

TEST(Rows, AreInvalidWhereTheCrowdGaveUpWhileUnitsWereLeft) {
  rush::RushResult result;
  result.after.stock = 100;
  result.after.sold = 24;
  result.after.available = 76;
  result.figures.sent_home = true;
  Measured given_up;
  given_up.add(result);
  EXPECT_TRUE(given_up.invalid);
  EXPECT_EQ(given_up.rounds.front().undersold, 0U);
  result.verdict.undersold.add("customer 7 was told sold-out and wants 1; 76 units are available", 76);
  Measured turned_away;
  turned_away.add(result);
  EXPECT_EQ(turned_away.rounds.front().undersold, 76U) << "these did not give up";
  result.verdict.oversold.add("the sale says that 124 of 100 units are held or sold", 24);
  Measured oversold;
  oversold.add(result);
  EXPECT_FALSE(oversold.invalid) << "that is proof enough";
  result.verdict.oversold = {};
  result.figures.sent_home = false;
  Measured undersold;
  undersold.add(result);
  EXPECT_FALSE(undersold.invalid);
  EXPECT_EQ(undersold.rounds.front().undersold, 76U);
}

TEST(Rows, ReadTheCountsOfARush) {
  rush::RushResult result;
  result.after.stock = 100;
  result.after.sold = 97;
  result.after.available = 1;
  result.totals.served_twice = 4;
  result.totals.refused["payment-failed"] = 6;
  result.totals.expired = 2;
  result.verdict.lost.add("r-1: told confirmed, not in the sale");
  const rush::Round round = rush::round_of(result);
  EXPECT_EQ(round.undersold, 2U) << "neither sold nor there";
  EXPECT_EQ(round.doubled, 4U);
  EXPECT_EQ(round.abandoned, 8U);
  EXPECT_EQ(round.lost, 1U);
  EXPECT_THAT(round.cases, ::testing::ElementsAre("lost: r-1: told confirmed, not in the sale"));
}

}  // namespace
}  // namespace firstcome::testing
