// What it costs to look at the orders of a sale in Redis.
#include "engine/guarded/redis/redis_inventory.hpp"

#include "engine/guarded/guard.hpp"
#include "engine/guarded/guarded_harness.hpp"

#include <chrono>
#include <string>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;
using namespace engine;

/// Eight pages of orders, all paid but for the last.
constexpr int orders = 40'000;

class RedisOrders : public ::testing::Test {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    server_.emplace();
    options_ = guarded_over(*server_, GuardKind::none);
    guard_ = make_guard(options_, waits_).value();
    session = make_redis_inventory({.options = options_, .guard = guard_.get(), .waits = waits_},
                                   std::make_shared<RedisCaller>(std::get<net::RedisUrl>(options_.inventory)));
    session->open();
    SaleTerms terms = terms_of("s", 2 * orders);
    terms.hold = 60s;
    sale = session->create(terms).sale;
    const Sold first = hold("ann");
    ASSERT_TRUE(session->mark_paid(held("ann"), first.number, {"p-1", ""}));
    const std::string many = std::to_string(orders);
    const std::string key = "firstcome-guarded:{s}:";
    server_->text({"EVAL",
                   "local row = redis.call('LINDEX', KEYS[1], 0) "
                   "for i = 2, tonumber(ARGV[1]) do redis.call('RPUSH', KEYS[1], row) redis.call('HSET', KEYS[2], i, "
                   "'paid') redis.call('HSET', KEYS[3], i, 1) end redis.call('INCRBY', KEYS[4], ARGV[1] - 1)",
                   "4", key + "orders", key + "states", key + "commits", key + "ordered", many});
  }

  Purchase held(const std::string& customer) const {
    Purchase purchase;
    purchase.sale = sale.handle;
    purchase.terms = sale.terms;
    purchase.customer = customer;
    purchase.quantity = 1;
    return purchase;
  }
  Sold hold(const std::string& customer) { return session->sell(held(customer)); }
  std::vector<OrderRow> unpaid(std::chrono::hours later = 1h) {
    return session->unpaid(sale.handle, instant_of(wall_microseconds()) + later);
  }
  /// That the server has sent while something was done.
  template <class Work>
  std::uint64_t bytes_of(Work work) {
    const auto sent = [this] { return std::stoull(server_->info("total_net_output_bytes")); };
    const std::uint64_t before = sent();
    work();
    return sent() - before;
  }

  std::unique_ptr<InventorySession> session;
  SaleView sale;

 private:
  std::optional<testing::RedisServer> server_;
  GuardedOptions options_;
  GuardWaits waits_;
  std::unique_ptr<Guard> guard_;
};

TEST_F(RedisOrders, ThatWaitForPaymentAreFoundWithoutLookingAtAllOthersEachTime) {
  const Sold last = hold("bob");
  ASSERT_EQ(last.outcome, Outcome::done);
  ASSERT_EQ(unpaid().size(), 1U);
  EXPECT_EQ(unpaid().front().number, last.number);
  EXPECT_LT(bytes_of([&] { unpaid(); }), 50'000U);
  EXPECT_TRUE(unpaid(-1h).empty());
  const Sold next = hold("cid");
  EXPECT_TRUE(session->mark_paid(held("bob"), last.number, {"p-2", "110"}));
  ASSERT_EQ(unpaid().size(), 1U);
  EXPECT_EQ(unpaid().front().number, next.number);
  EXPECT_TRUE(session->end_hold(held("cid"), next.number, After::expired));
  EXPECT_TRUE(unpaid().empty());
}

TEST_F(RedisOrders, AreReadInPagesOfWhichEachIsReadOnce) {
  std::size_t read = 0;
  const std::uint64_t bytes =
      bytes_of([&] { read = session->orders(sale.handle, std::nullopt, {}, 2 * orders).size(); });
  EXPECT_EQ(read, static_cast<std::size_t>(orders));
  EXPECT_LT(bytes, std::uint64_t{orders} * 200U);
}

}  // namespace
}  // namespace firstcome::test
