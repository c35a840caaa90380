// What `serve --engine guarded` says to options that do not fit together.
#include "support/run_program.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace firstcome::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct Wrong {
  const char* name;
  std::vector<std::string> arguments;
  std::string option;
  std::string rule;  ///< a part of it
};

class WrongGuard : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongGuard, IsRefusedWithWhatFitsAndNeverThePassword) {
  const TemporaryFolder folder;
  std::vector<std::string> arguments{"serve", "--listen", "127.0.0.1:0", "--data", (folder.path() / "data").string()};
  arguments.insert(arguments.end(), GetParam().arguments.begin(), GetParam().arguments.end());
  const Ran ran = run_program(arguments);
  EXPECT_EQ(ran.code, 64) << ran.output;
  EXPECT_THAT(ran.error + ran.output, AllOf(HasSubstr(GetParam().option), HasSubstr(GetParam().rule)));
  EXPECT_THAT(ran.error + ran.output, Not(HasSubstr("hush")));
}

std::vector<std::string> guarded(const std::string& inventory, const std::string& guard,
                                 const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments{"--engine", "guarded", "--inventory", inventory, "--guard", guard};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

constexpr auto redis = "redis://shop:hush@127.0.0.1:1";
constexpr auto sqlite = "sqlite:///tmp/nobody/stock.db";

INSTANTIATE_TEST_SUITE_P(
    Options, WrongGuard,
    ::testing::Values(
        Wrong{"RowLockOnRedis", guarded(redis, "row-lock"), "--guard row-lock",
              "with redis:// these fit: none, mutex, setnx-try"},
        Wrong{"IncrOnSqlite", guarded(sqlite, "incr"), "--guard incr", "with sqlite:// these fit: none, mutex, optim"},
        Wrong{"NoSuchGuard", guarded(redis, "hope"), "--guard", "none, mutex, row-lock"},
        Wrong{"NoGuard", {"--engine", "guarded", "--inventory", redis}, "--guard", "none, mutex, row-lock"},
        Wrong{"NoInventory", {"--engine", "guarded", "--guard", "none"}, "--inventory", "sqlite:///PATH"},
        Wrong{"InventoryElsewhere", guarded("oracle://shop:hush@a/b", "none"), "--inventory", "sqlite:///PATH"},
        Wrong{"LockNowhere", guarded(sqlite, "fifo"), "--guard fifo", "needs --locks redis://"},
        Wrong{"LocksForNothing", guarded(redis, "none", {"--locks", redis}), "--locks", "is not for --guard none"},
        Wrong{"EarlyWithoutLock", guarded(sqlite, "optimistic", {"--release", "before-commit"}), "--release",
              "mutex, setnx-try"},
        Wrong{"FencingWithoutTokens", guarded(redis, "redisson", {"--fencing", "on"}), "--fencing", "fifo"},
        Wrong{"ReleaseWord", guarded(redis, "fifo", {"--release", "later"}), "--release", "before-commit"},
        Wrong{"NoWorkers", guarded(redis, "none", {"--guard-workers", "0"}), "--guard-workers", "1 to 1024"},
        Wrong{"Events", guarded(redis, "none", {"--events", "kafka://a"}), "--events", "makes no events"},
        Wrong{"Orders", guarded(redis, "none", {"--orders", sqlite}), "--orders", "in its --inventory"},
        Wrong{"GuardOfAnother", {"--guard", "fifo"}, "--guard", "is for --engine guarded"},
        Wrong{"InventoryOfAnother", {"--inventory", redis}, "--inventory", "is for --engine guarded"}),
    [](const auto& test) { return test.param.name; });

TEST(GuardedServer, SaysThatTheInventoryIsNotThere) {
  const TemporaryFolder folder;
  std::vector<std::string> arguments{"serve", "--listen", "127.0.0.1:0", "--data", (folder.path() / "data").string()};
  const auto more = guarded(redis, "none");
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Ran ran = run_program(arguments);
  EXPECT_EQ(ran.code, 69);
  EXPECT_THAT(ran.error + ran.output, AllOf(HasSubstr("Redis"), Not(HasSubstr("hush"))));
}

}  // namespace
}  // namespace firstcome::testing
