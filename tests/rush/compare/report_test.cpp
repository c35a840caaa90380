#include "rush/compare/report.hpp"

#include "rush/compare/rows.hpp"
#include "support/json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace firstcome::testing {
namespace {

using namespace std::chrono_literals;
using rush::Comparison;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

Comparison made_up() {
  Comparison comparison;
  comparison.options.scenarios = {scenario_of("coupon")};
  rush::Measured oversold = measured(3'000);
  oversold.rounds.front().sold = 137;
  oversold.rounds.front().oversold = 37;
  oversold.rounds.front().cases = {"audit: node a read 1 at 12:00:00.000123; node b read 1 <at> 12:00:00.000200"};
  rush::Measured busy = measured(20'000);
  busy.generator_busy = 1;
  comparison.rows = {row_of("embedded", busy), row_of("postgresql/none", oversold),
                     row_of("postgresql/row-lock", measured(1'000))};
  comparison.left_out = {{"mariadb/none", "no --mysql was given"}};
  return comparison;
}

TEST(CompareReport, IsATableWithAVerdictForEachWay) {
  const std::string text = rush::compare_report(made_up());
  EXPECT_THAT(text, HasSubstr("embedded"));
  EXPECT_THAT(text, HasSubstr("oversells 37, as expected"));
  EXPECT_THAT(text, HasSubstr("node a read 1 at 12:00:00.000123"));
  EXPECT_THAT(text, HasSubstr(">20 000")) << "the generator's ceiling is not told as the server's";
  EXPECT_THAT(text, HasSubstr("20.0 times as fast as postgresql/row-lock"));
  EXPECT_THAT(text, HasSubstr("no --mysql was given"));
  EXPECT_TRUE(text.ends_with("AS EXPECTED\n")) << text;
  EXPECT_THAT(text, Not(HasSubstr("NOT AS EXPECTED")));
}

TEST(CompareReport, HasASecondTableWithWhatAnAnswerSurvives) {
  Comparison comparison = made_up();
  comparison.rows[0].speed_stock = 50'000;
  comparison.rows[0].processors["node 1"] = 1'500ms;
  comparison.rows[0].processors["redis"] = 500ms;
  const std::string text = rush::compare_report(comparison);
  EXPECT_THAT(text, HasSubstr("p99.9 ms"));
  EXPECT_THAT(text, ContainsRegex("embedded +2.00 +2.00 +2.00 +5.00 +50 000 +2.00  kill, crash\n"));
  EXPECT_THAT(text, ContainsRegex("postgresql/row-lock .*  kill, crash, server\n"));
  EXPECT_THAT(rush::compare_html(comparison), HasSubstr("<td>kill, crash, server</td>"));
}

TEST(CompareReport, SaysHowManyWereHeldWhereNobodyPays) {
  Comparison comparison = made_up();
  rush::Measured held = measured(1);
  held.rounds.front() = {};
  held.sold_per_s = held.sell_out_ms = {};
  held.rounds.front().stock = 4'000;
  held.rounds.front().reserved = 2'000;
  comparison.rows[0] = row_of("embedded", held);
  EXPECT_THAT(rush::compare_report(comparison), HasSubstr("2 000 held"));
  EXPECT_THAT(rush::compare_html(comparison), HasSubstr("<td>2 000 held</td>"));
}

TEST(CompareReport, SaysSoWhereAWayDidNotDoWhatIsExpected) {
  Comparison comparison = made_up();
  comparison.rows[1] = row_of("postgresql/none", measured(3'000));
  const std::string text = rush::compare_report(comparison);
  EXPECT_THAT(text, HasSubstr("exact, NOT EXPECTED (oversells is)"));
  EXPECT_TRUE(text.ends_with("NOT AS EXPECTED\n")) << text;
  EXPECT_EQ(comparison.grade(), rush::Grade::promise_broken);
}

TEST(CompareReport, IsInvalidWhereTheGeneratorWasLate) {
  Comparison comparison = made_up();
  rush::Measured late = measured(100);
  late.invalid = "the generator was late";
  comparison.rows[2] = row_of("postgresql/row-lock", late);
  EXPECT_EQ(comparison.grade(), rush::Grade::invalid);
  EXPECT_FALSE(comparison.valid());
  EXPECT_THAT(rush::compare_report(comparison), HasSubstr("INVALID: the generator was late"));
  EXPECT_THAT(rush::compare_html(comparison), HasSubstr("INVALID: the generator was late"));
}

TEST(CompareReport, ExpectsNothingOfAStoreThatWasKilled) {
  Comparison comparison = made_up();
  rush::Measured lost;
  lost.error = "503 store-lost";
  const rush::Table killed{100ms, rush::Fault::kill_redis, rush::Table::Fencing::off};
  comparison.rows = {row_of("redis", lost, killed)};
  EXPECT_EQ(comparison.grade(), rush::Grade::fine);
  EXPECT_THAT(rush::compare_report(comparison), HasSubstr("503 store-lost"));
  EXPECT_THAT(rush::compare_json(comparison), HasSubstr("\"expected\":\"may-break\""));
  comparison.rows = {row_of("redis", lost)};
  EXPECT_NE(comparison.grade(), rush::Grade::fine) << "without the fault";
}

TEST(CompareReport, IsJsonWithTheMembersThatAreDocumented) {
  const auto json = parse_json(rush::compare_json(made_up()));
  EXPECT_TRUE(json.at("valid").as_bool());
  const auto& ways = json.at("ways").as_array();
  ASSERT_EQ(ways.size(), 3U);
  for (const char* const name : {"way",
                                 "engine",
                                 "inventory",
                                 "guard",
                                 "nodes",
                                 "scenario",
                                 "stock",
                                 "sold",
                                 "oversold",
                                 "undersold",
                                 "lost",
                                 "doubled",
                                 "inversions",
                                 "sold_per_s",
                                 "p50_ms",
                                 "p99_ms",
                                 "commands_per_sale",
                                 "expected",
                                 "ok",
                                 "reserved",
                                 "sold_per_s_stock",
                                 "survives_kill",
                                 "survives_crash",
                                 "survives_loss_of_a_server"})
    for (const auto& way : ways) EXPECT_TRUE(way.as_object().contains(name)) << name;
  const auto& none = ways[1];
  EXPECT_EQ(text_of(none, "way"), "postgresql/none");
  EXPECT_EQ(none.at("oversold").to_number<int>(), 37);
  EXPECT_EQ(text_of(none, "expected"), "oversells");
  EXPECT_TRUE(none.at("ok").as_bool());
  EXPECT_DOUBLE_EQ(none.at("commands_per_sale").to_number<double>(), 4);
  EXPECT_TRUE(ways[0].at("sold_per_s_is_at_least").as_bool());
}

TEST(CompareReport, IsOnePageThatNeedsNothingElse) {
  const std::string html = rush::compare_html(made_up());
  EXPECT_TRUE(html.starts_with("<!DOCTYPE html>"));
  EXPECT_TRUE(html.ends_with("</body></html>\n"));
  for (const char* const outside : {"<script", "<link", "<img", "@import", "url("})
    EXPECT_THAT(html, Not(HasSubstr(outside)));
  EXPECT_THAT(html, HasSubstr("prefers-color-scheme:dark"));
  EXPECT_THAT(html, HasSubstr(way_of("postgresql/row-lock").explanation.substr(0, 40)));
  EXPECT_THAT(html, HasSubstr("<dt class=\"broken\">postgresql/none (broken)"));
  EXPECT_THAT(html, HasSubstr("read 1 &lt;at&gt; 12")) << "text is no markup";
  EXPECT_THAT(html, HasSubstr("</svg>"));
}

TEST(CompareReport, ClosesEachElementOfThePageThatItOpens) {
  const std::string html = rush::compare_html(made_up());
  for (const std::string element : {"svg", "table", "tr", "td", "th", "h2", "dl", "dt", "ul", "details", "text", "p"}) {
    const auto count = [&](const std::string& what) {
      std::size_t times = 0;
      for (std::size_t at = html.find(what); at != std::string::npos; at = html.find(what, at + 1)) ++times;
      return times;
    };
    EXPECT_EQ(count("<" + element + ">") + count("<" + element + " "), count("</" + element + ">")) << element;
  }
}

TEST(CompareReport, HasAPictureOfItsOwn) {
  const std::string svg = rush::compare_picture(made_up());
  EXPECT_TRUE(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  EXPECT_THAT(svg, HasSubstr("<style>"));
  EXPECT_THAT(svg, HasSubstr("class=\"broken\""));
  EXPECT_THAT(svg, HasSubstr(">more than 20 000<"));
}

TEST(CompareReport, DrawsOnALogarithmicAxis) {
  Comparison comparison = made_up();
  comparison.rows = {row_of("embedded", measured(10'000)), row_of("postgresql/row-lock", measured(100)),
                     row_of("postgresql/fifo", measured(1'000))};
  const std::string svg = rush::sold_chart(rush::groups_of(comparison).front());
  EXPECT_THAT(svg, HasSubstr("width=\"440.0\"")) << "the longest fills it";
  EXPECT_THAT(svg, HasSubstr("width=\"220.0\"")) << "half way in powers of ten";
}

TEST(CompareReport, TellsWhatIsGoingOnAndWhatIsLeft) {
  const rush::Task task{way_of("postgresql/row-lock"), scenario_of("coupon"), {}};
  rush::CrowdFigures figures;
  figures.finished = 640;
  rush::SaleSeen sale;
  sale.stock = 100;
  sale.sold = 64;
  rush::Progress progress;
  progress.figures = &figures;
  progress.sale = &sale;
  progress.clicks_in_all = 12'000;
  const rush::Step step{2, 27, &task, "crowd 1", 61s, 250s, &progress};
  EXPECT_EQ(
      rush::step_line(step),
      "  [3/27] postgresql/row-lock coupon: crowd 1, 64 of 100 sold, 640 of 12 000 answered | 1:01 gone, 4:10 left");
}

}  // namespace
}  // namespace firstcome::testing
