// Sales in which nothing happens: what they cost, and that something which happens is found all the same.
#include "engine/redis/selling.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;
using testing::eventually;
using testing::RedisServer;

/// How often a command ran since the server's statistics were reset.
long calls_of(const RedisServer& server, std::string_view command) {
  const std::string all = server.text({"INFO", "commandstats"});
  const std::string wanted = "cmdstat_" + std::string(command) + ":calls=";
  const std::size_t at = all.find(wanted);
  return at == std::string::npos ? 0 : std::stol(all.substr(at + wanted.size()));
}

TEST(RedisIdle, CallsHardlyAnyScriptWhereNothingHappens) {
  FIRSTCOME_NEEDS_REDIS();
  constexpr int sales = 200;
  RedisServer server;
  RedisNode node(options_for("redis://" + server.address()));
  for (int i = 0; i < sales; ++i) {
    ASSERT_EQ(node.ask(CreateSale{terms_of("s" + std::to_string(i), 10)})->outcome, Outcome::done);
  }
  // Each look is one HMGET, and each call of a script has one inside. The list of sales is read once a second.
  const auto is_quiet = [&] {
    server.command({"CONFIG", "RESETSTAT"});
    const bool looked = eventually([&] { return calls_of(server, "hmget") >= sales; }, 60s);
    return looked && calls_of(server, "evalsha") <= sales / 4;
  };
  EXPECT_TRUE(eventually(is_quiet, 120s)) << calls_of(server, "evalsha") << " scripts";
}

TEST(RedisIdle, EndsAHoldOfANodeThatHasGone) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  auto first = std::make_unique<RedisNode>(options_for("redis://" + server.address()));
  create_sale(*first, 10, Milliseconds{500});
  RedisNode other(options_for("redis://" + server.address()));
  ASSERT_TRUE(first->reserve("a"));
  first.reset();
  const std::string stream = engine::SaleKeys(SaleHandle{1}).stream;
  // Created, held, ended; nobody asks.
  EXPECT_TRUE(eventually([&] { return server.text({"XLEN", stream}) == "3"; }, recovery_bound));
}

TEST(RedisIdle, AWaitingQueueInWhichNobodyWaitsWritesNothingAtItsTicks) {
  FIRSTCOME_NEEDS_REDIS();
  RedisHarness redis;
  SaleTerms terms = terms_of("s", 5);
  terms.queue = QueueTerms{.admit_per_tick = 1, .tick = 1'000ms};
  terms.standby = Standby::yes;
  Asked asked;
  asked.command = CreateSale{terms};
  redis.engine().submit(asked);
  redis.finish(asked);
  const auto writes = [&redis] { return redis.server().info("rdb_changes_since_last_save"); };
  for (int i = 0; i < 5; ++i) {
    redis.advance(1s);
    const std::string before = writes();
    ASSERT_TRUE(redis.node().ask(GetSale{"s"}));
    EXPECT_EQ(writes(), before);
  }
  // Who comes after all those ticks waits for the next one, as ever.
  ASSERT_EQ(redis.node().reserve("a")->outcome, Outcome::waiting);
  EXPECT_EQ(redis.node().ask(GetSale{"s"})->sale.queued, 1U);
  redis.advance(1s);
  EXPECT_EQ(redis.node().ask(GetSale{"s"})->sale.queued, 0U);
}

}  // namespace
}  // namespace firstcome::test
