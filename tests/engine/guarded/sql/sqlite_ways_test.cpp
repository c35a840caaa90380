// Guarded engines over a file of SQLite: whole nodes, with more customers than units.
#include "engine/guarded/guarded_harness.hpp"

#include <gmock/gmock.h>

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
