// Each way to sell over plain Redis keys, with more customers than units: what is exact is exact, and what is broken is
// seen to break.
#include "engine/guarded/guarded_harness.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

namespace firstcome::test {
namespace {

using engine::GuardedOptions;
using engine::GuardKind;
using ::testing::Contains;
using ::testing::HasSubstr;

constexpr Units stock = 20;
constexpr int customers = 64;
constexpr int tries = 5;

/// One sale, sold to a crowd.
struct Sold {
  Told told;
  AuditAnswer audit;
};

Sold sell(const GuardedNodes& nodes, const SaleTerms& terms) {
  if (nodes[0]->ask(CreateSale{terms}).value().outcome != Outcome::done) throw std::runtime_error("not created");
  Sold sold;
  sold.told = crowd(nodes, customers);
  sold.audit = nodes[0]->audit();
  return sold;
}

void expect_exact(Sold sold) {
  EXPECT_EQ(sold.told[Outcome::done], stock);
  EXPECT_EQ(sold.told[Outcome::sold_out], customers - stock);
  EXPECT_EQ(sold.audit.sold, stock);
  EXPECT_EQ(sold.audit.available, 0);
  EXPECT_EQ(sold.audit.number_inversions, 0U);
  EXPECT_TRUE(sold.audit.ok) << ::testing::PrintToString(sold.audit.mismatches);
}

void expect_oversold(const Sold& sold) {
  EXPECT_GT(sold.audit.sold, stock);
  EXPECT_FALSE(sold.audit.ok);
  EXPECT_THAT(sold.audit.mismatches, Contains(HasSubstr("oversold: ")));
  EXPECT_THAT(sold.audit.mismatches, Contains(HasSubstr(": both sold the ")));
}

/// Sells anew, up to five times, until it oversells.
Sold oversold_once(const GuardedOptions& options, std::size_t node_count) {
  Sold sold;
  for (int i = 0; i < tries && sold.audit.sold <= stock; ++i) {
    const testing::RedisServer server;
    GuardedOptions fresh = options;
    fresh.inventory = guarded_over(server, options.guard).inventory;
    sold = sell(guarded_nodes(node_count, fresh), coupon(stock));
  }
  return sold;
}

class RedisWays : public ::testing::Test {
 protected:
  void SetUp() override { FIRSTCOME_NEEDS_REDIS(); }
};

TEST_F(RedisWays, WithoutAGuardTooMuchIsSold) {
  Meeting meeting(4);
  GuardedOptions options;
  options.guard = GuardKind::none;
  options.between_read_and_write = [&] { meeting.join(); };
  expect_oversold(oversold_once(options, 2));
}

TEST_F(RedisWays, AMutexIsExactOnOneNode) {
  const testing::RedisServer server;
  expect_exact(sell(guarded_nodes(1, guarded_over(server, GuardKind::mutex)), coupon(stock)));
}

TEST_F(RedisWays, AMutexOversellsOnTwoNodes) {
  Meeting meeting(2);
  GuardedOptions options;
  options.guard = GuardKind::mutex;
  options.between_read_and_write = [&] { meeting.join(); };
  expect_oversold(oversold_once(options, 2));
}

TEST_F(RedisWays, ALockThatIsLetGoBeforeTheCommitOversells) {
  GuardedOptions options;
  options.guard = GuardKind::fifo;
  options.release = engine::ReleaseTime::before_commit;
  expect_oversold(oversold_once(options, 2));
}

class RedisWaysThatAreExact : public ::testing::TestWithParam<GuardKind> {};

TEST_P(RedisWaysThatAreExact, SellEachUnitOnceOnTwoNodes) {
  FIRSTCOME_NEEDS_REDIS();
  const testing::RedisServer server;
  const GuardedNodes nodes = guarded_nodes(2, guarded_over(server, GetParam()));
  expect_exact(sell(nodes, coupon(stock)));
  EXPECT_EQ(nodes[1]->audit().sold, stock) << "the other node sees the same";
}

TEST_P(RedisWaysThatAreExact, TellSumsThatAreRightAtAnyTime) {
  FIRSTCOME_NEEDS_REDIS();
  const testing::RedisServer server;
  GuardedOptions options = guarded_over(server, GetParam());
  const GuardedNodes nodes = guarded_nodes(2, options);
  ASSERT_TRUE(nodes[0]->ask(CreateSale{charging(200)}));
  GuardedNode witness(options);
  std::atomic<int> looks = 0;
  std::jthread watching([&](const std::stop_token& over) {
    while (!over.stop_requested()) {
      const SaleView sale = witness.sale();
      EXPECT_EQ(sale.available + sale.held + sale.sold, 200) << sale.available << " " << sale.held << " " << sale.sold;
      ++looks;
    }
  });
  ASSERT_TRUE(testing::eventually([&] { return looks > 0; }));
  crowd(nodes, 300);
  EXPECT_TRUE(testing::eventually([&] { return looks > 2; }));
}

INSTANTIATE_TEST_SUITE_P(Guards, RedisWaysThatAreExact,
                         ::testing::Values(GuardKind::setnx_try, GuardKind::setnx_spin, GuardKind::redisson,
                                           GuardKind::fifo, GuardKind::incr, GuardKind::sadd_incr),
                         [](const auto& test) {
                           std::string name(text_of(test.param));
                           std::erase(name, '-');
                           return name;
                         });

TEST_F(RedisWays, RedlockIsExactOverThreeServers) {
  const testing::RedisServer server;
  const std::vector<testing::RedisServer> lock_servers(3);
  GuardedOptions options = guarded_over(server, GuardKind::redlock);
  options.locks = "redlock://";
  for (const testing::RedisServer& one : lock_servers) {
    options.locks += (options.locks.ends_with('/') ? "" : ",") + one.address();
  }
  expect_exact(sell(guarded_nodes(2, options), coupon(stock)));
}

TEST_F(RedisWays, TryingOnceIsBusyWhileSomebodyElseIsInside) {
  const testing::RedisServer server;
  Door door;
  GuardedOptions options = guarded_over(server, GuardKind::setnx_try);
  options.between_read_and_write = [&] { door.pass(); };
  GuardedNode node(options);
  ASSERT_TRUE(node.ask(CreateSale{coupon(stock)}));
  Asked first;
  first.command = Reserve{"s", "ann", 1, {}, {}};
  node.engine().submit(first);
  door.wait_until_somebody_came();
  EXPECT_EQ(node.reserve("bob").outcome, Outcome::busy);
  door.open();
  node.finish(first);
  EXPECT_EQ(first.as<ReserveAnswer>().outcome, Outcome::done);
}

TEST_F(RedisWays, WaitingForAGuardEndsWithBusy) {
  const testing::RedisServer server;
  for (const GuardKind guard : {GuardKind::mutex, GuardKind::fifo}) {
    SCOPED_TRACE(text_of(guard));
    Door door;
    std::atomic<bool> stops = false;
    GuardedOptions options = guarded_over(server, guard);
    options.wait = Milliseconds{500};
    options.between_read_and_write = [&] {
      if (stops) door.pass();
    };
    GuardedNode node(options);
    ASSERT_TRUE(node.ask(CreateSale{coupon(stock)}));
    const std::string name(text_of(guard));
    // When it is connected to its lock, that takes no time.
    int before = 0;
    ASSERT_TRUE(testing::eventually(
        [&] { return node.reserve(name + "-before-" + std::to_string(++before)).outcome == Outcome::done; }));
    stops = true;
    Asked first;
    first.command = Reserve{"s", name, 1, {}, {}};
    node.engine().submit(first);
    door.wait_until_somebody_came();
    EXPECT_EQ(node.reserve("bob").outcome, Outcome::busy);
    door.open();
    node.finish(first);
  }
}

TEST_F(RedisWays, TheLimiterLeavesUnitsUnsoldThatSecondClicksHaveUsedUp) {
  const testing::RedisServer server;
  GuardedNode node(guarded_over(server, GuardKind::limiter));
  ASSERT_TRUE(node.ask(CreateSale{coupon(stock)}));
  for (int i = 0; i < stock / 2; ++i) {
    const std::string customer = "customer-" + std::to_string(i);
    ASSERT_EQ(node.reserve(customer).outcome, Outcome::done);
    ASSERT_EQ(node.reserve(customer).outcome, Outcome::limit_exceeded);
  }
  EXPECT_EQ(node.reserve("who comes now").outcome, Outcome::sold_out);
  const AuditAnswer audit = node.audit();
  EXPECT_EQ(audit.sold, stock / 2);
  EXPECT_EQ(audit.available, stock / 2) << "what nobody will be told of";
  EXPECT_TRUE(audit.ok);
  const std::int64_t ends_in_ms = std::stoll(server.text({"PTTL", "firstcome-guarded:{s}:gate"}));
  EXPECT_GT(ends_in_ms, 0) << "the gate opens again";
  EXPECT_LE(ends_in_ms, 60'000);
}

TEST_F(RedisWays, TheLimiterNeverSellsMoreToACrowd) {
  const testing::RedisServer server;
  const Sold sold = sell(guarded_nodes(2, guarded_over(server, GuardKind::limiter)), coupon(stock));
  EXPECT_EQ(sold.audit.sold, stock);
  EXPECT_TRUE(sold.audit.ok);
}

TEST_F(RedisWays, IncrGivesBackWhatIsTooMuchAndTellsOthersMeanwhileThatItIsSoldOut) {
  const testing::RedisServer server;
  GuardedNode node(guarded_over(server, GuardKind::incr));
  SaleTerms terms = coupon(3);
  terms.limit_per_customer.reset();
  ASSERT_TRUE(node.ask(CreateSale{terms}));
  ASSERT_EQ(node.reserve("ann", 2).outcome, Outcome::done);
  const ReserveAnswer too_much = node.reserve("bob", 2);
  EXPECT_EQ(too_much.outcome, Outcome::not_enough);
  EXPECT_EQ(too_much.left, 1);
  // Somebody has counted two that do not fit, and not given them back yet.
  ASSERT_EQ(server.text({"INCRBY", "firstcome-guarded:{s}:sold", "2"}), "4");
  EXPECT_EQ(node.reserve("cid").outcome, Outcome::sold_out) << "the flaw that this way has";
  ASSERT_EQ(server.text({"DECRBY", "firstcome-guarded:{s}:sold", "2"}), "2");
  EXPECT_EQ(node.reserve("dan").outcome, Outcome::done);
  EXPECT_TRUE(node.audit().ok);
}

TEST_F(RedisWays, SaddIncrLocksOutWhoseNextStepFailed) {
  const testing::RedisServer server;
  std::atomic<bool> declines = true;
  GuardedOptions options = guarded_over(server, GuardKind::sadd_incr);
  options.charge = [&](const ChargeRequest&) {
    return said(declines ? ChargeOutcome::declined : ChargeOutcome::charged);
  };
  GuardedNode node(options);
  ASSERT_TRUE(node.ask(CreateSale{charging(1)}));
  EXPECT_EQ(node.reserve("ann").outcome, Outcome::payment_failed);
  declines = false;
  EXPECT_EQ(node.reserve("ann").outcome, Outcome::limit_exceeded) << "the flaw: marked, and has nothing";
  EXPECT_EQ(node.reserve("bob").outcome, Outcome::done) << "the unit came back";
}

TEST_F(RedisWays, GiveTheSameKeyTheSameAnswer) {
  for (const GuardKind guard : {GuardKind::none, GuardKind::incr, GuardKind::sadd_incr, GuardKind::limiter}) {
    SCOPED_TRACE(text_of(guard));
    const testing::RedisServer server;
    GuardedNode node(guarded_over(server, guard));
    ASSERT_TRUE(node.ask(CreateSale{coupon(5)}));
    const ReserveAnswer first = node.reserve("ann", 1, {7, 7});
    ASSERT_EQ(first.outcome, Outcome::done);
    const ReserveAnswer again = node.reserve("ann", 1, {7, 7});
    EXPECT_EQ(again.outcome, Outcome::unchanged);
    EXPECT_EQ(again.ref, first.ref);
    EXPECT_EQ(node.reserve("ann", 2, {7, 7}).outcome, Outcome::idempotency_key_reused);
    EXPECT_EQ(node.audit().sold, 1);
  }
}

}  // namespace
}  // namespace firstcome::test
