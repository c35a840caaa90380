#include "rush/compare/cost.hpp"

#include "support/redis_server.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace firstcome::testing {
namespace {

constexpr std::string_view metrics =
    "# HELP firstcome_redis_commands_total Commands sent\n"
    "# TYPE firstcome_redis_commands_total counter\n"
    "firstcome_redis_commands_total 120\n"
    "firstcome_sql_statements_total{kind=\"read\"} 30\n"
    "firstcome_sql_statements_total{kind=\"write\"} 12\n"
    "firstcome_guard_waits_total_of_others 9\n"
    "firstcome_guard_wait_seconds_total 2.5e-1\n"
    "firstcome_guard_waits_total 50";

TEST(Cost, ReadsCountersFromPrometheusText) {
  const rush::Counters counters = rush::counters_in(metrics);
  EXPECT_EQ(counters, (rush::Counters{120, 42, 50, 0.25, 0}));
  EXPECT_FALSE(rush::metric_in(metrics, "firstcome_no_such_total"));
  EXPECT_EQ(rush::counters_in("not a metric at all"), rush::Counters{});
}

TEST(Cost, IsWhatWasSentForEachSale) {
  const rush::Counters before{100, 10, 0, 0, 1'000};
  const rush::Counters after{300, 210, 0, 0, 2'200};
  const rush::Counters spent = after - before;
  EXPECT_DOUBLE_EQ(*rush::commands_per_sale(spent, 100), 4);
  EXPECT_DOUBLE_EQ(*rush::calls_in_scripts_per_sale(spent, 100), 10) << "1 200 were processed, 200 of them were sent";
  EXPECT_FALSE(rush::commands_per_sale(spent, 0)) << "nothing was sold";
  EXPECT_DOUBLE_EQ(*rush::calls_in_scripts_per_sale(before, 0 + 1), 900);
  EXPECT_DOUBLE_EQ(*rush::calls_in_scripts_per_sale({10, 0, 0, 0, 5}, 1), 0) << "never below 0";
}

TEST(Cost, ReadsAProcessWhateverItsName) {
  const auto stat = rush::parse_process_stat(
      "77 (a (strange) name 9) S 12 77 77 0 -1 4194560 5 6 7 8 101 202 303 404 20 0 1 0 5 6 7\n");
  ASSERT_TRUE(stat);
  EXPECT_EQ(*stat, (rush::ProcessStat{12, 1'010}));
  EXPECT_FALSE(rush::parse_process_stat("77 (short) S 12"));
  EXPECT_FALSE(rush::parse_process_stat(""));
}

TEST(Cost, TakesNoOtherProcessForARedisThatRunsElsewhere) {
  EXPECT_FALSE(rush::is_redis(getpid())) << "a server far away may have the same number";
  EXPECT_FALSE(rush::is_redis(0));
  FIRSTCOME_NEEDS_REDIS();
  const RedisServer redis;
  const auto process = rush::redis_process("redis://127.0.0.1:" + std::to_string(redis.port()));
  ASSERT_TRUE(process);
  EXPECT_TRUE(rush::is_redis(*process));
}

TEST(Cost, CountsTheTimeOfThisProcess) {
  const auto before = rush::processor_time(getpid());
  volatile std::uint64_t sum = 0;
  while (rush::processor_time(getpid()) < before + std::chrono::milliseconds{50}) sum = sum + 1;
  EXPECT_GT(rush::processor_time(getpid()), before);
  EXPECT_EQ(rush::processor_time(-5), std::chrono::milliseconds{0});
}

}  // namespace
}  // namespace firstcome::testing
