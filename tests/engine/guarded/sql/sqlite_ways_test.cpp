// Guarded engines over a file of SQLite: whole nodes, with more customers than units.
#include "engine/guarded/guarded_harness.hpp"
#include "engine/sql/sql_session.hpp"

#include <gmock/gmock.h>

#include <array>
#include <chrono>
#include <memory>
#include <thread>

namespace firstcome::test {
namespace {

using engine::GuardedOptions;
using engine::GuardKind;
using ::testing::Contains;
using ::testing::HasSubstr;

constexpr Units stock = 20;
constexpr int customers = 64;

GuardedOptions guarded_in(const TemporaryFolder& folder, GuardKind guard) {
  GuardedOptions options;
  options.inventory = engine::parse_inventory_url("sqlite://" + (folder.path() / "stock.db").string()).value();
  options.guard = guard;
  options.workers = 8;
  return options;
}

class SqliteWays : public ::testing::TestWithParam<GuardKind> {};

TEST_P(SqliteWays, ThatAreExactSellEachUnitOnceOnTwoNodes) {
  const TemporaryFolder folder(TemporaryFolder::Where::memory);
  const GuardedNodes nodes = guarded_nodes(2, guarded_in(folder, GetParam()));
  ASSERT_EQ(nodes[0]->ask(CreateSale{coupon(stock)})->outcome, Outcome::done);
  Told told = crowd(nodes, customers);
  EXPECT_EQ(told[Outcome::done], stock);
  EXPECT_EQ(told[Outcome::sold_out], customers - stock);
  const AuditAnswer audit = nodes[1]->audit();
  EXPECT_EQ(audit.sold, stock);
  EXPECT_EQ(audit.available, 0);
  EXPECT_TRUE(audit.ok) << ::testing::PrintToString(audit.mismatches);
}

// A mutex is none between nodes. But SQLite refuses a transaction that has read what another has written since, and who
// is refused reads again.
INSTANTIATE_TEST_SUITE_P(Guards, SqliteWays,
                         ::testing::Values(GuardKind::conditional_update, GuardKind::optimistic, GuardKind::unique_key,
                                           GuardKind::mutex),
                         [](const auto& test) {
                           std::string name(text_of(test.param));
                           std::erase(name, '-');
                           return name;
                         });

/// Of a kind that nobody expects: a row that was inserted and is not there.
TEST(SqliteNode, AFailureInATransactionKeepsNobodyFromWriting) {
  const TemporaryFolder folder(TemporaryFolder::Where::memory);
  const GuardedOptions options = guarded_in(folder, GuardKind::conditional_update);
  GuardedNode node(options);
  engine::SqlSession console({.database = std::get<engine::DatabaseUrl>(options.inventory)});
  console.run("CREATE TRIGGER lost BEFORE INSERT ON guarded_sales BEGIN SELECT RAISE(IGNORE); END");
  const auto failed = node.ask(CreateSale{coupon(stock)});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, FailureCode::outcome_unknown);
  console.run("DROP TRIGGER lost");
  for (std::size_t worker = 0; worker < options.workers; ++worker) {
    const auto made = node.ask(CreateSale{coupon(stock)});
    ASSERT_TRUE(made) << made.error().detail;
  }
  EXPECT_EQ(node.reserve("ann").outcome, Outcome::done);
}

TEST(SqliteWaysThatBreak, WithoutAGuardTooMuchIsSoldAndTheAuditTellsHow) {
  const TemporaryFolder folder(TemporaryFolder::Where::memory);
  Meeting meeting(4);
  GuardedOptions options = guarded_in(folder, GuardKind::none);
  options.between_read_and_write = [&] { meeting.join(); };
  const GuardedNodes nodes = guarded_nodes(2, options);
  ASSERT_EQ(nodes[0]->ask(CreateSale{coupon(stock)})->outcome, Outcome::done);
  crowd(nodes, customers);
  const AuditAnswer audit = nodes[0]->audit();
  EXPECT_GT(audit.sold, stock);
  EXPECT_THAT(audit.mismatches, Contains(HasSubstr("oversold: ")));
  EXPECT_THAT(audit.mismatches, Contains(HasSubstr(": both sold the ")));
}

// As a copy that somebody takes of the file, or a transaction that a tool has left open.
TEST(SqliteWaysThatWait, GiveUpASaleThatCannotBeMadeWhileSomebodyElseWrites) {
  const TemporaryFolder folder(TemporaryFolder::Where::memory);
  GuardedOptions options = guarded_in(folder, GuardKind::conditional_update);
  options.wait = Milliseconds{50};
  GuardedNode node(options);
  auto other = std::make_unique<engine::SqlSession>(
      engine::SqlSessionOptions{.database = std::get<engine::DatabaseUrl>(options.inventory)});
  other->run("BEGIN IMMEDIATE");
  Asked asked;
  asked.command = CreateSale{coupon(stock)};
  node.engine().submit(asked);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  while (!asked.done && std::chrono::steady_clock::now() < deadline) {
    node.engine().turn();
    std::this_thread::yield();
  }
  EXPECT_TRUE(asked.done) << "nobody else ends the wait";
  other.reset();
  node.finish(asked);
  ASSERT_FALSE(asked.answer);
  EXPECT_EQ(asked.answer.error().code, FailureCode::store_unavailable);
  EXPECT_EQ(node.ask(CreateSale{coupon(stock)})->outcome, Outcome::done);
}

TEST(SqliteWaysThatAdmit, AnswerOthersWhileTheWaitingRoomIsFull) {
  const TemporaryFolder folder(TemporaryFolder::Where::memory);
  std::array<Asked, 4> buyers;  // the node must not outlive them
  GuardedOptions options = guarded_in(folder, GuardKind::conditional_update);
  options.admit_per_tick = 1;
  options.tick = std::chrono::minutes{1};
  options.queue_operations = 2;
  GuardedNode node(options);
  ASSERT_EQ(node.ask(CreateSale{coupon(stock)})->outcome, Outcome::done);
  for (Asked& buyer : buyers) {
    buyer.command = Reserve{"s", "ann", 1, {}, {}};
    node.engine().submit(buyer);
    if (&buyer == &buyers.front()) node.finish(buyer);  // who is let in
  }
  node.finish(buyers.back());
  ASSERT_FALSE(buyers.back().answer) << "the waiting room is full";
  EXPECT_EQ(buyers.back().answer.error().code, FailureCode::overloaded);
  EXPECT_TRUE(node.ask(GetSale{"s"}));
}

TEST(SqliteWaysThatCharge, GiveTheUnitBackWhenTheChargeFails) {
  for (const engine::PayTime pay : {engine::PayTime::inside, engine::PayTime::after}) {
    const TemporaryFolder folder(TemporaryFolder::Where::memory);
    GuardedOptions options = guarded_in(folder, GuardKind::conditional_update);
    options.pay = pay;
    std::atomic<int> charges = 0;
    options.charge = [&](const ChargeRequest&) {
      return said(++charges % 2 == 0 ? ChargeOutcome::charged : ChargeOutcome::declined);
    };
    GuardedNode node(options);
    ASSERT_TRUE(node.ask(CreateSale{charging(1)}));
    EXPECT_EQ(node.reserve("ann").outcome, Outcome::payment_failed);
    EXPECT_EQ(node.sale().available, 1);
    EXPECT_EQ(node.reserve("bob").outcome, Outcome::done);
    EXPECT_EQ(node.reserve("cid").outcome, Outcome::sold_out);
    EXPECT_TRUE(node.audit().ok);
  }
}

}  // namespace
}  // namespace firstcome::test
