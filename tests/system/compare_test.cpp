// `firstcome rush compare` as its users run it, small: the ways do what is expected of them, the broken ones included.
#include "rush/compare/way.hpp"
#include "support/json.hpp"
#include "support/redis_server.hpp"
#include "support/run_program.hpp"
#include "support/sql_server.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

namespace firstcome::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Ran compare(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"rush", "compare"});
  // Others may have the cores: it is not the speed that is judged here.
  arguments.insert(arguments.end(), {"--max-lag-ms", "30000"});
  return run_program(std::move(arguments), {}, std::chrono::seconds{300});
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The rows of the report by way.
std::map<std::string, boost::json::object> rows_of(const boost::json::value& report) {
  std::map<std::string, boost::json::object> rows;
  for (const auto& row : report.at("ways").as_array()) rows.emplace(text_of(row, "way"), row.as_object());
  return rows;
}

class Compare : public ::testing::Test {
 protected:
  /// A small crowd on these ways; its report. A run that says nothing because others had the processors is taken again,
  /// and that it never says anything is a failure.
  boost::json::value report_of(const std::string& ways, const RedisServer& redis, std::vector<std::string> more = {}) {
    boost::json::value report;
    for (int attempt = 1; attempt <= 3; ++attempt) {
      report = report_of_once(ways, redis, more);
      if (ran.code != 3) break;
    }
    EXPECT_EQ(ran.code, 0) << ran.output << ran.error;
    return report;
  }

  TemporaryFolder folder;
  Ran ran;

 private:
  boost::json::value report_of_once(const std::string& ways, const RedisServer& redis, std::vector<std::string> more) {
    const auto json = folder.path() / "report.json";
    more.insert(more.end(), {"--ways", ways, "--redis", "redis://" + redis.address(), "--json", json.string(),
                             "--seconds", "0.6", "--repeats", "1", "--rate", "500"});
    if (std::ranges::find(more, "--customers") == more.end()) more.insert(more.end(), {"--customers", "1000"});
    ran = compare(std::move(more));
    const std::string text = read(json);
    EXPECT_FALSE(text.empty()) << ran.output << ran.error;
    return text.empty() ? parse_json(R"({"ways":[]})") : parse_json(text);
  }
};

TEST_F(Compare, FindsOurEnginesExact) {
  FIRSTCOME_NEEDS_REDIS();
  const RedisServer redis;
  const auto page = folder.path() / "report.html";
  const auto picture = folder.path() / "report.svg";
  const auto report =
      report_of("embedded,redis,queue", redis, {"--html", page.string(), "--picture", picture.string()});
  EXPECT_TRUE(report.at("valid").as_bool());
  const auto rows = rows_of(report);
  ASSERT_EQ(rows.size(), 3U);
  for (const auto& [way, row] : rows) {
    EXPECT_TRUE(row.at("ok").as_bool()) << way << ran.output;
    EXPECT_EQ(text_of(row, "found"), "exact") << way;
    EXPECT_EQ(row.at("stock").to_number<int>(), 100);
    EXPECT_EQ(row.at("sold").to_number<int>(), 100) << way;
    EXPECT_GT(row.at("sold_per_s").to_number<double>(), 0) << way;
    EXPECT_GT(row.at("p99_ms").to_number<double>(), 0) << way;
  }
  EXPECT_EQ(rows.at("redis").at("nodes").to_number<int>(), 2);
  EXPECT_GT(rows.at("redis").at("latency").at("sold-out").at("p99_ms").to_number<double>(), 0) << "by outcome";
  EXPECT_THAT(read(page), HasSubstr("</html>"));
  EXPECT_THAT(read(picture), HasSubstr("</svg>"));
  EXPECT_THAT(ran.output, HasSubstr("AS EXPECTED"));
  EXPECT_THAT(ran.error, HasSubstr("left")) << "progress and time left while it runs";
}

TEST_F(Compare, FindsThatTwoClicksAreTwoSalesUnlessSomethingTiesThemTogether) {
  FIRSTCOME_NEEDS_REDIS();
  const RedisServer redis;
  const auto report = report_of("redis", redis, {"--scenario", "double-click", "--loop", "closed"});
  std::map<std::string, std::string> found;
  for (const auto& row : report.at("ways").as_array()) found[text_of(row, "scenario")] = text_of(row, "found");
  const std::map<std::string, std::string> expected{{"double-click-bare", "doubles"},
                                                    {"double-click-key", "exact"},
                                                    {"double-click-max-open", "exact"},
                                                    {"double-click-lock", "exact"}};
  EXPECT_EQ(found, expected) << ran.output;
}

TEST_F(Compare, JudgesManySalesOneByOne) {
  FIRSTCOME_NEEDS_REDIS();
  const RedisServer redis;
  const auto path = folder.path() / "few.json";
  std::ofstream(path) << R"({"name": "few", "stock": 10, "sales": 20, "customers": 1000, "double_click": 0.2})";
  const auto report = report_of("embedded,redis", redis, {"--scenario", path.string(), "--loop", "closed"});
  for (const auto& [way, row] : rows_of(report)) {
    EXPECT_EQ(row.at("stock").to_number<int>(), 200) << way;
    EXPECT_GT(row.at("sold").to_number<int>(), 100) << way << ": the hot ones are sold out, the cold ones are not";
  }
}

TEST_F(Compare, SeesGuardsBreakThatAreNoneAndOthersHold) {
  FIRSTCOME_NEEDS_REDIS();
  const RedisServer redis;
  const auto report = report_of("redis/none,redis/mutex*,redis/limiter,redis/incr,redis/fifo,redis/*/before-commit",
                                redis, {"--loop", "closed"});
  std::map<std::string, std::string> found;
  for (const auto& [way, row] : rows_of(report)) found[way] = text_of(row, "found");
  const std::map<std::string, std::string> expected{{"redis/none", "oversells"},
                                                    {"redis/mutex", "oversells"},
                                                    {"redis/mutex/one-node", "exact"},
                                                    {"redis/limiter", "undersells"},
                                                    {"redis/incr", "exact"},
                                                    {"redis/fifo", "exact"},
                                                    {"redis/redisson/before-commit", "oversells"}};
  EXPECT_EQ(found, expected) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr(" read ")) << "the interleaving that did it";
  const auto row = rows_of(report).at("redis/fifo");
  EXPECT_GT(row.at("commands_per_sale").to_number<double>(), 1);
  EXPECT_GT(row.at("guard_waits").to_number<double>(), 0);
}

TEST_F(Compare, SellsTicketsThatAreHeldAndPaidUnderLocks) {
  FIRSTCOME_NEEDS_REDIS();
  const RedisServer redis;
  const auto path = folder.path() / "seats.json";
  std::ofstream(path) << R"({"name": "seats", "kind": "ticket", "stock": 20, "customers": 60, "limit_per_customer": 2,
                            "hold_ms": 1000, "payment": "client", "abandon": 0.3, "units_each": "1-2"})";
  const auto report = report_of("embedded,sqlite/optimistic,redis/setnx-spin,redis/redisson,redis/setnx-try/queue",
                                redis, {"--scenario", path.string(), "--loop", "closed", "--customers", "60"});
  const auto rows = rows_of(report);
  ASSERT_EQ(rows.size(), 5U) << ran.output;
  for (const auto& [way, row] : rows) {
    EXPECT_EQ(text_of(row, "found"), "exact") << way << ran.output;
    EXPECT_EQ(row.at("sold").to_number<int>(), 20) << way << ": also those that somebody walked away from";
    EXPECT_GT(row.at("abandoned").to_number<int>(), 0) << way;
  }
}

TEST_F(Compare, TakesALockOfEachOrderSheetAndCountsOpenOrdersOnGuardedWaysToo) {
  FIRSTCOME_NEEDS_REDIS();
  const RedisServer redis;
  const auto locked =
      report_of("redis/setnx-try,redis/redisson", redis, {"--scenario", "double-click-lock", "--loop", "closed"});
  for (const auto& [way, row] : rows_of(locked)) EXPECT_EQ(text_of(row, "found"), "exact") << way << ran.output;
  EXPECT_EQ(rows_of(locked).size(), 2U);
  const auto open = report_of("redis/redisson", redis,
                              {"--scenario", "double-click-max-open", "--loop", "closed", "--customers", "200"});
  const auto row = rows_of(open).at("redis/redisson");
  EXPECT_EQ(text_of(row, "found"), "exact") << ran.output;
  EXPECT_EQ(row.at("reserved").to_number<int>(), 200) << "one each";
  EXPECT_THAT(ran.output, HasSubstr("200 held"));
}

TEST_F(Compare, KillsAServerInTheMiddleOfASale) {
  FIRSTCOME_NEEDS_REDIS();
  const RedisServer redis;
  const auto path = folder.path() / "small.json";
  std::ofstream(path) << R"({"name": "small", "stock": 20, "customers": 200, "limit_per_customer": 1})";
  const auto report = report_of("redis,redis/redisson", redis, {"--scenario", path.string(), "--fault", "kill-node"});
  EXPECT_TRUE(report.at("valid").as_bool());
  const auto rows = rows_of(report);
  ASSERT_EQ(rows.size(), 2U) << ran.output;
  for (const auto& [way, row] : rows) {
    EXPECT_EQ(text_of(row, "found"), "exact") << way << ran.output;
    EXPECT_EQ(row.at("sold").to_number<int>(), 20) << way;
    EXPECT_EQ(text_of(row, "fault"), "kill-node");
    EXPECT_GE(row.at("guard_waits").to_number<double>(), 0) << way;
  }
}

TEST_F(Compare, SaysWhatIsWrongWithItsOptions) {
  const auto file = folder.path() / "wrong.json";
  std::ofstream(file) << R"({"name": "wrong", "stock": 0})";
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong{
      {{"--ways", "oracle/*"}, "there is no way 'oracle/*'"},
      {{"--scenario", "sale"}, "there is no scenario 'sale'"},
      {{"--scenario", file.string()}, "stock must be a whole number from 1 to 1000000"},
      {{"--seconds", "0"}, "--seconds must be"},
      {{"--loop", "round"}, "--loop"},
      {{"--fault", "flood"}, "--fault"},
      {{"--redis", "http://127.0.0.1:1"}, "must begin with redis://"},
      {{"--server-process", "redis"}, "must be NAME=PID"},
      {{"--colour", "red"}, "--colour"},
  };
  for (const auto& [arguments, rule] : wrong) {
    const Ran said = compare(arguments);
    EXPECT_EQ(said.code, 64) << rule;
    EXPECT_THAT(said.error, HasSubstr(rule));
  }
}

TEST_F(Compare, NeedsTheServersThatItIsTold) {
  const Ran nobody = compare({"--redis", "redis://127.0.0.1:1", "--ways", "redis"});
  EXPECT_EQ(nobody.code, 69);
  EXPECT_THAT(nobody.error, HasSubstr("--redis: nobody listens at 127.0.0.1:1"));
  const Ran none = compare({"--ways", "redis"});
  EXPECT_EQ(none.code, 1);
  EXPECT_THAT(none.error, HasSubstr("redis: no --redis was given"));
}

TEST_F(Compare, KeepsItsCrowdsAndItsPasswordsToItself) {
  FIRSTCOME_NEEDS_SQL(PostgresServer);
  // What a shop's own server would be told by the same environment.
  const auto orders = folder.path() / "orders-of-the-shop.db";
  const Ran sold = run_program({"rush", "compare", "--ways", "embedded", "--seconds", "0.2", "--loop", "closed",
                                "--customers", "200", "--repeats", "1", "--max-lag-ms", "30000"},
                               {"FIRSTCOME_ORDERS=sqlite://" + orders.string()}, std::chrono::seconds{120});
  EXPECT_THAT(sold.output, HasSubstr("100/100"));
  EXPECT_FALSE(std::filesystem::exists(orders));

  const PostgresServer server;
  std::string url = server.url();
  url.insert(url.rfind('@'), "-which-is-wrong");
  const auto page = folder.path() / "report.html";
  const Ran refused = compare({"--ways", "postgresql/row-lock", "--seconds", "0.2", "--loop", "closed", "--repeats",
                               "1", "--postgresql", url, "--html", page.string()});
  EXPECT_THAT(refused.output, HasSubstr("refuses this user or password"));
  EXPECT_THAT(refused.output + refused.error + read(page), Not(HasSubstr("-which-is-wrong")));
}

TEST_F(Compare, TakesTheUrlsOfSqlServersThatOthersTake) {
  FIRSTCOME_NEEDS_SQL(PostgresServer);
  const PostgresServer server;
  std::string url = server.url();
  url.replace(0, url.find(':'), "postgres");
  url.insert(url.rfind('@') + 1, "127.0.0.1:1,");
  const Ran found = compare({"--ways", "postgresql/row-lock", "--seconds", "0.2", "--loop", "closed", "--repeats", "1",
                             "--customers", "200", "--postgresql", url + "?target_session_attrs=read-write"});
  EXPECT_THAT(found.output, HasSubstr("100/100")) << found.error;
  const Ran unknown = compare({"--ways", "postgresql/row-lock", "--postgresql", url + "?sslmod=require"});
  EXPECT_EQ(unknown.code, 69);
  EXPECT_THAT(unknown.error, HasSubstr("parameter sslmod is not known"));
}

TEST_F(Compare, ListsItsWays) {
  const Ran list = compare({"--list"});
  EXPECT_EQ(list.code, 0);
  for (const rush::Way& way : rush::all_ways())
    EXPECT_THAT(list.output, HasSubstr(way.id + "\n    " + way.explanation));
}

}  // namespace
}  // namespace firstcome::testing
