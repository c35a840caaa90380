#include "engine/guarded/guarded_options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firstcome::engine {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

GuardedOptions options_of(std::string_view inventory, GuardKind guard, std::string locks = {}) {
  GuardedOptions options;
  options.inventory = parse_inventory_url(inventory).value();
  options.guard = guard;
  options.locks = std::move(locks);
  return options;
}

constexpr auto redis = "redis://127.0.0.1";
constexpr auto sqlite = "sqlite:///tmp/stock.db";
constexpr auto postgresql = "postgresql://shop@127.0.0.1/shop";
constexpr auto mysql = "mysql://shop@127.0.0.1/shop";

TEST(GuardWords, AreReadAsTheyAreWritten) {
  for (auto kind = GuardKind::none; kind <= GuardKind::limiter;
       kind = static_cast<GuardKind>(static_cast<int>(kind) + 1)) {
    EXPECT_EQ(guard_kind_of(text_of(kind)), kind) << text_of(kind);
  }
  EXPECT_EQ(text_of(GuardKind::conditional_update), "conditional-update");
  EXPECT_EQ(guard_kind_of("conditional_update"), std::nullopt);
  EXPECT_THAT(guard_words(), AllOf(HasSubstr("none, mutex, row-lock"), HasSubstr("limiter")));
}

TEST(InventoryUrls, AreOfDatabasesAndOfRedis) {
  EXPECT_TRUE(std::holds_alternative<net::RedisUrl>(parse_inventory_url(redis).value()));
  EXPECT_TRUE(std::holds_alternative<DatabaseUrl>(parse_inventory_url(sqlite).value()));
  EXPECT_TRUE(std::holds_alternative<DatabaseUrl>(parse_inventory_url(postgresql).value()));
  EXPECT_THAT(parse_inventory_url("oracle://shop:hush@a/b").error(),
              AllOf(HasSubstr("sqlite:///PATH"), Not(HasSubstr("hush"))));
  EXPECT_THAT(parse_inventory_url("postgresql://shop:hush@a").error(),
              AllOf(HasSubstr("database"), Not(HasSubstr("hush"))));
  EXPECT_THAT(parse_inventory_url("redis://a:99999").error(), HasSubstr("port"));
}

TEST(GuardedOptions, FitWhereAGuardStandsBesideAnyInventory) {
  for (const auto* inventory : {redis, sqlite, postgresql, mysql}) {
    EXPECT_EQ(problem_of(options_of(inventory, GuardKind::none)), std::nullopt);
    EXPECT_EQ(problem_of(options_of(inventory, GuardKind::mutex)), std::nullopt);
    EXPECT_EQ(problem_of(options_of(inventory, GuardKind::fifo, redis)), std::nullopt);
    EXPECT_EQ(problem_of(options_of(inventory, GuardKind::redlock, "redlock://a,b,c")), std::nullopt);
  }
  EXPECT_EQ(problem_of(options_of(redis, GuardKind::setnx_try)), std::nullopt) << "the lock is beside the stock";
}

TEST(GuardedOptions, FitWhereTheInventoryHasTheGuard) {
  EXPECT_EQ(problem_of(options_of(sqlite, GuardKind::optimistic)), std::nullopt);
  EXPECT_EQ(problem_of(options_of(mysql, GuardKind::unique_key)), std::nullopt);
  EXPECT_EQ(problem_of(options_of(postgresql, GuardKind::row_lock)), std::nullopt);
  EXPECT_EQ(problem_of(options_of(mysql, GuardKind::named_lock)), std::nullopt);
  EXPECT_EQ(problem_of(options_of(postgresql, GuardKind::advisory_lock)), std::nullopt);
  EXPECT_EQ(problem_of(options_of(redis, GuardKind::incr)), std::nullopt);
}

TEST(GuardedOptions, SayWhatFitsWhereTheInventoryHasNoSuchGuard) {
  EXPECT_EQ(problem_of(options_of(redis, GuardKind::row_lock)),
            "--guard row-lock needs --inventory postgresql:// or mysql://; with redis:// these fit: none, mutex, "
            "setnx-try, setnx-spin, redisson, fifo, redlock, incr, sadd-incr, limiter");
  EXPECT_THAT(*problem_of(options_of(sqlite, GuardKind::row_lock)),
              AllOf(HasSubstr("with sqlite:// these fit"), HasSubstr("conditional-update"), Not(HasSubstr("incr"))));
  EXPECT_THAT(*problem_of(options_of(postgresql, GuardKind::named_lock)), HasSubstr("needs --inventory mysql://"));
  EXPECT_THAT(*problem_of(options_of(mysql, GuardKind::advisory_lock)), HasSubstr("needs --inventory postgresql://"));
  EXPECT_THAT(*problem_of(options_of(mysql, GuardKind::limiter)), HasSubstr("needs --inventory redis://"));
}

TEST(GuardedOptions, SayWhereALockIsKept) {
  EXPECT_THAT(*problem_of(options_of(sqlite, GuardKind::fifo)), HasSubstr("--guard fifo needs --locks redis://"));
  EXPECT_THAT(*problem_of(options_of(redis, GuardKind::redlock)), HasSubstr("needs --locks redlock://"));
  EXPECT_THAT(*problem_of(options_of(redis, GuardKind::redlock, redis)), HasSubstr("needs --locks redlock://"));
  EXPECT_THAT(*problem_of(options_of(redis, GuardKind::fifo, "redlock://a,b,c")), HasSubstr("is for --guard redlock"));
  EXPECT_THAT(*problem_of(options_of(redis, GuardKind::fifo, postgresql)), HasSubstr("--locks must be the URL of a"));
  EXPECT_THAT(*problem_of(options_of(sqlite, GuardKind::none, redis)),
              AllOf(HasSubstr("--locks is not for --guard none"), HasSubstr("redisson")));
  GuardedOptions options = options_of(redis, GuardKind::none);
  options.inventory = net::parse_redis_url("redlock://a,b,c").value();
  EXPECT_THAT(*problem_of(options), HasSubstr("the stock needs one store"));
}

TEST(GuardedOptions, LetGoBeforeTheCommitOnlyWhatStandsBesideIt) {
  for (const GuardKind guard : {GuardKind::none, GuardKind::conditional_update, GuardKind::optimistic}) {
    GuardedOptions options = options_of(sqlite, guard);
    options.release = ReleaseTime::before_commit;
    EXPECT_THAT(*problem_of(options), AllOf(HasSubstr("--release before-commit"), HasSubstr("mutex, setnx-try")));
  }
  GuardedOptions options = options_of(sqlite, GuardKind::mutex);
  options.release = ReleaseTime::before_commit;
  EXPECT_EQ(problem_of(options), std::nullopt);
  options.commit_after = Milliseconds{5};
  EXPECT_EQ(problem_of(options), std::nullopt);
  options.commit_after = Milliseconds{10'001};
  EXPECT_THAT(*problem_of(options), HasSubstr("--commit-after-ms must be 0 to 10000"));
  options.commit_after = Milliseconds{5};
  options.release = ReleaseTime::after_commit;
  EXPECT_THAT(*problem_of(options), HasSubstr("--commit-after-ms is for --release before-commit"));
}

TEST(GuardedOptions, FenceOnlyWithTokens) {
  GuardedOptions options = options_of(sqlite, GuardKind::redisson, redis);
  options.fencing = Fencing::on;
  EXPECT_THAT(*problem_of(options), HasSubstr("--fencing on needs fencing tokens"));
  options.guard = GuardKind::fifo;
  EXPECT_EQ(problem_of(options), std::nullopt);
}

TEST(GuardedOptions, HaveNumbersThatMakeSense) {
  const GuardedOptions fine = options_of(redis, GuardKind::none);
  GuardedOptions options = fine;
  options.workers = 0;
  EXPECT_THAT(*problem_of(options), HasSubstr("--guard-workers"));
  options = fine;
  options.lease = Milliseconds{0};
  EXPECT_THAT(*problem_of(options), HasSubstr("--guard-lease-ms"));
  options = fine;
  options.wait = Milliseconds{-1};
  EXPECT_THAT(*problem_of(options), HasSubstr("--guard-wait-ms"));
  options = fine;
  options.tick = Milliseconds{0};
  EXPECT_THAT(*problem_of(options), HasSubstr("--tick-ms"));
  options = fine;
  options.admit_per_tick = 2'000'000;
  EXPECT_THAT(*problem_of(options), HasSubstr("--admit-per-tick"));
  options = fine;
  options.node = "a b";
  EXPECT_THAT(*problem_of(options), HasSubstr("--node"));
}

}  // namespace
}  // namespace firstcome::engine
