#include "rush/compare/compare.hpp"
#include "rush/compare/rows.hpp"
#include "rush/compare/runner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firstcome::testing {
namespace {

using namespace std::chrono_literals;
using rush::CompareOptions;
using rush::Fault;
using rush::Server;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

CompareOptions options() {
  CompareOptions options;
  options.scenarios = {scenario_of("coupon")};
  options.urls = {{Server::redis, "redis://127.0.0.1:1"}};
  return options;
}

std::vector<std::string> ids(const rush::Plan& plan) {
  std::vector<std::string> ids;
  for (const rush::Task& task : plan.tasks) ids.push_back(task.way.id);
  return ids;
}

TEST(Plan, LeavesOutWaysWhoseServerIsNotThereAndSaysSo) {
  const rush::Plan plan = rush::plan_of(options());
  EXPECT_THAT(ids(plan),
              IsSupersetOf({"embedded", "redis", "queue", "sqlite/none", "sqlite/redisson", "redis/limiter"}));
  EXPECT_THAT(ids(plan), Not(Contains(HasSubstr("postgresql"))));
  EXPECT_THAT(ids(plan), Not(Contains("sqlite/redlock")));
  bool said = false;
  for (const rush::LeftOut& left : plan.left_out)
    if (left.what == "postgresql/none") said = left.why == "no --postgresql was given";
  EXPECT_TRUE(said);
}

TEST(Plan, TakesTheWaysThatAreAskedFor) {
  CompareOptions asked = options();
  asked.ways = "embedded,redis/*incr";
  EXPECT_THAT(ids(rush::plan_of(asked)), ElementsAre("embedded", "redis/incr", "redis/sadd-incr"));
}

TEST(Plan, HasASecondTableWithAPaymentInsideTheGuard) {
  CompareOptions asked = options();
  asked.ways = "redis/fifo";
  asked.pay_delay = 5ms;
  const rush::Plan plan = rush::plan_of(asked);
  ASSERT_EQ(plan.tasks.size(), 2U);
  EXPECT_EQ(plan.tasks[0].scenario.payment, rush::Scenario::Payment::none);
  EXPECT_EQ(plan.tasks[1].scenario.payment, rush::Scenario::Payment::by_shop);
  EXPECT_EQ(plan.tasks[1].table.pay_delay, 5ms);
}

TEST(Plan, HasFaultsWithoutAndWithFencing) {
  CompareOptions asked = options();
  asked.ways = "redis/fifo,redis/redisson,redis/mutex/one-node";
  asked.fault = Fault::pause_holder;
  asked.pay_delay = 100ms;
  const rush::Plan plan = rush::plan_of(asked);
  EXPECT_THAT(ids(plan), ElementsAre("redis/redisson", "redis/fifo", "redis/fifo")) << "only one gives tokens";
  EXPECT_EQ(plan.tasks[2].table.fencing, rush::Table::Fencing::on);
}

TEST(Plan, NamesTheOptionAndTheRuleOfAWrongValue) {
  const auto problem = [](const std::function<void(CompareOptions&)>& change) {
    CompareOptions changed = options();
    change(changed);
    return rush::problem_of(changed).value_or("");
  };
  EXPECT_EQ(problem([](CompareOptions&) {}), "");
  EXPECT_THAT(problem([](CompareOptions& o) { o.time = 1ms; }), HasSubstr("--seconds must be 0.2 to 3600"));
  EXPECT_THAT(problem([](CompareOptions& o) { o.repeats = 0; }), HasSubstr("--repeats must be"));
  EXPECT_THAT(problem([](CompareOptions& o) { o.connections = 0; }), HasSubstr("--connections must be"));
  EXPECT_THAT(problem([](CompareOptions& o) { o.rate = 0; }), HasSubstr("--rate must be"));
  EXPECT_THAT(problem([](CompareOptions& o) { o.customers = 0; }), HasSubstr("--customers must be"));
  EXPECT_THAT(problem([](CompareOptions& o) { o.workers = 0; }), HasSubstr("--guard-workers must be"));
  EXPECT_THAT(problem([](CompareOptions& o) { o.ways = "embedded,oracle/*"; }),
              HasSubstr("there is no way 'oracle/*'; --list shows them"));
  EXPECT_THAT(problem([](CompareOptions& o) { o.fault = Fault::pause_holder; }), HasSubstr("needs --pay-delay-ms"));
  EXPECT_THAT(problem([](CompareOptions& o) { o.fault = Fault::kill_redis; }), HasSubstr("--server-process redis=PID"));
}

TEST(Plan, CrossesTheOrder) { EXPECT_THAT(rush::crossed_order(3, 3), ElementsAre(0, 1, 2, 2, 1, 0, 0, 1, 2)); }

TEST(Plan, SaysHowMuchTimeIsLeft) {
  EXPECT_EQ(rush::time_left(0, 10, 0ms, 2s), 20s) << "before anything is known";
  EXPECT_EQ(rush::time_left(0, 10, 3s, 2s), 17s);
  EXPECT_EQ(rush::time_left(5, 10, 30s, 2s), 30s) << "as slow as so far";
  EXPECT_EQ(rush::time_left(10, 10, 30s, 2s), 0s);
  EXPECT_EQ(rush::time_left(0, 1, 30s, 2s), 0s) << "not less than nothing";
}

TEST(Plan, StartsAGuardedServerWithItsInventoryGuardAndLocks) {
  CompareOptions asked = options();
  asked.urls[Server::postgresql] = "postgresql://shop:secret@127.0.0.1:2/shop";
  const rush::RunPlace place{"/tmp/x", "c1"};
  const auto arguments = [&](const std::string& way, const rush::Table& table = {}) {
    std::string all;
    for (const std::string& word : rush::serve_arguments(asked, {way_of(way), scenario_of("coupon"), table}, place, 1))
      all += word + " ";
    return all;
  };
  const std::string locked = arguments("postgresql/redisson/before-commit");
  EXPECT_THAT(locked,
              HasSubstr("--engine guarded --inventory postgresql://shop:secret@127.0.0.1:2/shop --guard redisson"));
  EXPECT_THAT(locked, HasSubstr("--locks redis://127.0.0.1:1 "));
  EXPECT_THAT(locked, HasSubstr("--node b "));
  EXPECT_THAT(locked, HasSubstr("--release before-commit --commit-after-ms 5"));
  EXPECT_THAT(arguments("sqlite/optimistic"), HasSubstr("--inventory sqlite:///tmp/x/inventory.db "));
  EXPECT_THAT(arguments("sqlite/optimistic"), Not(HasSubstr("--locks")));
  EXPECT_THAT(arguments("redis/fifo"), Not(HasSubstr("--locks"))) << "they are where the stock is";
  EXPECT_THAT(arguments("redis/fifo", {100ms, Fault::pause_holder, rush::Table::Fencing::on}),
              HasSubstr("--guard-lease-ms 1000 --fencing on"));
  EXPECT_THAT(arguments("embedded"), HasSubstr("--data /tmp/x/data "));
}

}  // namespace
}  // namespace firstcome::testing
