// Sales that an earlier release has written are read, and written anew.
#include "engine/redis/redis_harness.hpp"

namespace firstcome::test {
namespace {

/// Takes from a sale's keys what format 1 did not have. REQUIRES: all of that has its usual value.
void make_older(RedisHarness& redis, SaleHandle handle) {
  redis.server().command({"EVAL",
                          "local m = redis.call('HGET', KEYS[1], 'm'):sub(1, 128) "
                          "local o = redis.call('HGET', KEYS[1], 'o') "
                          "return redis.call('HSET', KEYS[1], 'f', '1', 'm', m, 'o', '\\1' .. o:sub(2, -5))",
                          "1", engine::SaleKeys(handle).hash});
}

TEST(RedisOldFormat, IsReadAndWrittenAnew) {
  FIRSTCOME_NEEDS_REDIS();
  RedisHarness redis;
  Asked asked;
  asked.command = CreateSale{terms_of("s", 3)};
  redis.engine().submit(asked);
  redis.finish(asked);
  const SaleHandle handle = asked.as<SaleAnswer>().sale.handle;
  const ReservationRef held = redis.node().reserve("a")->ref;
  make_older(redis, handle);
  redis.reopen();

  EXPECT_EQ(redis.node().ask(CreateSale{terms_of("s", 3)})->outcome, Outcome::unchanged);
  const SaleView seen = redis.node().ask(GetSale{"s"})->sale;
  EXPECT_EQ(seen.held, 1);
  EXPECT_EQ(seen.state, SaleState::open);
  EXPECT_EQ(seen.revision, 0U);
  EXPECT_EQ(redis.node().ask(PatchSale{.sale = "s", .state = PatchSale::State::paused})->outcome, Outcome::done);
  EXPECT_EQ(redis.node().ask(Confirm{held, "p-1"})->outcome, Outcome::done);
  EXPECT_EQ(redis.node().ask(GetSale{"s"})->sale.state, SaleState::paused);
  EXPECT_EQ(redis.server().text({"HGET", engine::SaleKeys(handle).hash, "f"}), "2");
}

}  // namespace
}  // namespace firstcome::test
