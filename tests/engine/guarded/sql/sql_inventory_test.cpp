// What every session of an inventory does, on each database.
#include "engine/guarded/sql/sql_inventory.hpp"

#include "engine/guarded/sql/sql_inventories.hpp"
#include "engine/guarded/sql/sql_shelf.hpp"
#include "engine/sql/sql_session.hpp"

#include <gmock/gmock.h>

#include <barrier>
#include <set>
#include <thread>

namespace firstcome::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class SqlInventories : public OnEachInventory {
 protected:
  void SetUp() override {
    OnEachInventory::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    node.emplace(options(GuardKind::conditional_update));
    session = node->open();
  }

  std::optional<TestNode> node;
  std::unique_ptr<InventorySession> session;
};
FIRSTCOME_ON_EACH_INVENTORY(SqlInventories);

TEST_P(SqlInventories, KeepASaleAsItWasCreated) {
  SaleTerms odd = terms(7);
  odd.name = "\"O'Neill\" \\ 첫 줄 :name 🎫";
  odd.kind = SaleKind::coupon;
  odd.limit_per_customer = 3;
  odd.hold = 5s;
  odd.payment = PaymentMode::automatic;
  const SaleAnswer made = session->create(odd);
  EXPECT_EQ(made.outcome, Outcome::done);
  EXPECT_EQ(made.sale.terms, odd);
  EXPECT_EQ(made.sale.available, 7);
  EXPECT_EQ(made.sale.state, SaleState::open);
  const SaleAnswer again = session->create(odd);
  EXPECT_EQ(again.outcome, Outcome::unchanged);
  EXPECT_EQ(again.sale.handle, made.sale.handle);
  SaleTerms other = odd;
  other.stock = 8;
  EXPECT_EQ(session->create(other).outcome, Outcome::sale_exists);
  EXPECT_EQ(session->sale(odd.id).value().terms, odd);
  EXPECT_FALSE(session->sale("nobody's"));
}

TEST_P(SqlInventories, ListSalesById) {
  std::vector<std::string> ids;
  for (const char* const end : {"a", "b", "c"}) {
    SaleTerms listed = terms(1);
    listed.id = std::string("zz-listed-") + end;
    ids.push_back(session->create(listed).sale.terms.id);
  }
  const auto after = session->sales("zz-listed-a", 10);
  ASSERT_THAT(after, SizeIs(2));
  EXPECT_EQ(after[0].terms.id, ids[1]);
  EXPECT_EQ(after[1].terms.id, ids[2]);
  EXPECT_THAT(session->sales("zz-listed-", 2), SizeIs(2));
}

// No statement can name a text with a zero byte, but requests can.
TEST_P(SqlInventories, FindNothingByATextWithAZeroByte) {
  using namespace std::string_literals;
  SaleTerms listed = terms(1);
  listed.id = "zero-b";
  const SaleView sale = session->create(listed).sale;
  EXPECT_FALSE(session->sale("zero\0-b"s));
  EXPECT_FALSE(session->sale("zero-b\0"s));
  EXPECT_THAT(session->orders(sale.handle, "ann\0"s, {}, 10), SizeIs(0));
  ASSERT_THAT(session->sales("zero-a\0z"s, 1), SizeIs(1));
  EXPECT_EQ(session->sales("zero-a\0z"s, 1)[0].terms.id, "zero-b");
  EXPECT_THAT(session->sales("zero-b\0"s, 1),
              ::testing::Each(::testing::Field(&SaleView::handle, ::testing::Ne(sale.handle))));
}

/// What the tables did not have in version 2.
void drop_what_is_new(SqlSession& database) {
  const bool is_of_a_table = database.dialect().kind() == Kind::mariadb;
  database.run(std::string("DROP INDEX guarded_orders_unpaid") + (is_of_a_table ? " ON guarded_orders" : ""));
  database.run("ALTER TABLE guarded_orders DROP COLUMN payment_id");
  database.run("ALTER TABLE guarded_orders DROP COLUMN account_number");
}

/// How the database finds rows of guarded_orders, in its own words.
std::string plan_of(SqlSession& database, const std::string& where) {
  const Kind kind = database.dialect().kind();
  const std::string_view explain = kind == Kind::sqlite ? "EXPLAIN QUERY PLAN " : "EXPLAIN ";
  const std::size_t columns = kind == Kind::sqlite ? 4 : kind == Kind::postgresql ? 1 : 10;
  std::string plan;
  for (const auto& row :
       database.ask(fmt::format("{}SELECT number, customer FROM guarded_orders WHERE {}", explain, where), columns)) {
    for (const auto& cell : row) plan += cell.value_or("") + " ";
  }
  return plan;
}

TEST_P(SqlInventories, FindOrdersThatWaitForPaymentAmongManyByTheirIndex) {
  SaleTerms held = terms(2'000);
  held.hold = 1min;
  const SaleView sale = session->create(held).sale;
  SqlSession database({.database = inventory->url()});
  std::string sql =
      "INSERT INTO guarded_orders (sale, customer, quantity, reference, paid, sold_at_ms, node, seen_available,"
      " read_at_us, written_at_us) VALUES ";
  for (int i = 0; i < 2'000; ++i)
    sql += fmt::format("{}({}, 'c-{}', 1, '', {}, 1, 'a', 1, 1, 1)", i == 0 ? "" : ", ", value(sale.handle), i,
                       i == 1'999 ? 0 : 1);
  database.run(sql);
  database.run(GetParam() == Kind::mariadb ? "ANALYZE TABLE guarded_orders" : "ANALYZE guarded_orders");
  const Instant before{Milliseconds{1'000}};
  EXPECT_THAT(session->unpaid(sale.handle, before), SizeIs(1));
  const std::string plan = plan_of(database, SqlShelf::where_unpaid(sale.handle, before));
  EXPECT_THAT(plan, ::testing::HasSubstr("guarded_orders_unpaid"));
  EXPECT_THAT(plan, ::testing::Not(::testing::AnyOf(::testing::HasSubstr("Sort"), ::testing::HasSubstr("filesort"),
                                                    ::testing::HasSubstr("TEMP B-TREE"))));
}

TEST_P(SqlInventories, BringUpTheTablesOfTheVersionBefore) {
  SqlSession database({.database = inventory->url()});
  drop_what_is_new(database);
  database.run("UPDATE guarded_meta SET value = '2' WHERE name = 'version'");
  node->open();
  drop_what_is_new(database);  // it is there again
  database.run("UPDATE guarded_meta SET value = '2' WHERE name = 'version'");
  node->open();
}

TEST_P(SqlInventories, BringUpTheTablesOfTheFirstVersion) {
  const SaleView old = session->create(terms(3)).sale;
  SqlSession database({.database = inventory->url()});
  database.run("ALTER TABLE guarded_sales DROP COLUMN max_open");
  database.run("DROP TABLE guarded_commits");
  drop_what_is_new(database);
  database.run("UPDATE guarded_meta SET value = '1' WHERE name = 'version'");
  const auto opened = node->open();
  EXPECT_EQ(opened->sale(old.terms.id).value().terms, old.terms);
  SaleTerms limited = terms(3);
  limited.max_open = 2;
  EXPECT_EQ(opened->create(limited).sale.terms, limited);
  const Sold sold = opened->sell(purchase(old, "ann"));
  const CommitTime committed{old.handle, sold.number, wall_microseconds()};
  opened->keep_commit_times({&committed, 1});
  EXPECT_EQ(opened->order({old.handle, sold.number}).value().committed_at, committed.at);
}

class SqlInventoriesOfServers : public SqlInventories {};
FIRSTCOME_ON_INVENTORIES(SqlInventoriesOfServers, Kind::postgresql, Kind::mariadb);

// MariaDB commits each change of a table by itself.
TEST_P(SqlInventoriesOfServers, GoOnWhereSomebodyDiedWhileBringingUpTheTables) {
  const SaleView old = session->create(terms(3)).sale;
  SqlSession database({.database = inventory->url()});
  database.run("UPDATE guarded_meta SET value = '1' WHERE name = 'version'");
  EXPECT_EQ(node->open()->sale(old.terms.id).value().terms, old.terms);
}

class SqlInventoriesOfMariadb : public SqlInventories {};
FIRSTCOME_ON_INVENTORIES(SqlInventoriesOfMariadb, Kind::mariadb);

TEST_P(SqlInventoriesOfMariadb, GoOnWhereAnEarlierReleaseDiedWhileMakingTheTables) {
  SqlSession database({.database = inventory->url()});
  drop_what_is_new(database);
  database.run("ALTER TABLE guarded_sales DROP COLUMN max_open");
  database.run("DELETE FROM guarded_meta WHERE name = 'version'");
  const auto opened = node->open();
  const SaleView sale = opened->create(terms(3)).sale;
  const Sold sold = opened->sell(purchase(sale, "ann"));
  ASSERT_EQ(sold.outcome, Outcome::done);
  EXPECT_TRUE(opened->order({sale.handle, sold.number}));
}

TEST_P(SqlInventories, SellWhatIsThereAndSayWhyNoMore) {
  for (const GuardKind guard : sellers_of(GetParam())) {
    SCOPED_TRACE(text_of(guard));
    TestNode seller(options(guard, "node-1"));
    const auto sells = seller.open();
    SaleTerms limited = terms(5);
    limited.limit_per_customer = 3;
    const SaleView sale = sells->create(limited).sale;
    const Sold first = sells->sell(purchase(sale, "ann", 2));
    EXPECT_EQ(first.outcome, Outcome::done);
    EXPECT_GT(value(first.number), 0U);
    const Sold too_many = sells->sell(purchase(sale, "ann", 2));
    EXPECT_EQ(too_many.outcome, Outcome::limit_exceeded);
    EXPECT_EQ(too_many.left, 1);
    EXPECT_EQ(sells->sell(purchase(sale, "ben", 2)).outcome, Outcome::done);
    const Sold no_two = sells->sell(purchase(sale, "cat", 2));
    EXPECT_EQ(no_two.outcome, Outcome::not_enough);
    EXPECT_EQ(no_two.left, 1);
    EXPECT_EQ(sells->sell(purchase(sale, "cat")).outcome, Outcome::done);
    EXPECT_EQ(sells->sell(purchase(sale, "dan")).outcome, Outcome::sold_out);
    const SaleView after = sells->sale(limited.id).value();
    EXPECT_EQ(after.available, 0);
    EXPECT_EQ(after.sold, 5);
    EXPECT_EQ(after.held, 0);
    EXPECT_EQ(after.state, SaleState::sold_out);
  }
}

TEST_P(SqlInventories, KeepWhatAnOrderWasAndHowItCameToBe) {
  const SaleView sale = session->create(terms(9)).sale;
  const Microsecond before = wall_microseconds();
  const Sold sold = session->sell(purchase(sale, "it's \\ me :x", 4));
  const Microsecond after = wall_microseconds();
  const OrderRow row = session->order({sale.handle, sold.number}).value();
  EXPECT_EQ(row.number, sold.number);
  EXPECT_EQ(row.customer, "it's \\ me :x");
  EXPECT_EQ(row.quantity, 4);
  EXPECT_EQ(row.reference, "ref");
  EXPECT_EQ(row.at, sold.at);
  EXPECT_TRUE(row.paid);
  EXPECT_EQ(row.node, "a");
  EXPECT_EQ(row.seen_available, 9);
  EXPECT_GE(row.read_at, before);
  EXPECT_GE(row.written_at, row.read_at);
  EXPECT_LE(row.written_at, after);
  EXPECT_FALSE(session->order({sale.handle, Number{value(sold.number) + 1}}));
  EXPECT_FALSE(session->order({SaleHandle{value(sale.handle) + 1'000}, sold.number}));
}

TEST_P(SqlInventories, ListOrdersByNumber) {
  const SaleView sale = session->create(terms(9)).sale;
  std::vector<Number> numbers;
  for (const char* const customer : {"ann", "ben", "ann"}) {
    numbers.push_back(session->sell(purchase(sale, customer)).number);
  }
  const auto listed = [&](const std::optional<std::string>& customer, Number after, std::uint32_t limit) {
    std::vector<Number> found;
    for (const OrderRow& row : session->orders(sale.handle, customer, after, limit)) found.push_back(row.number);
    return found;
  };
  EXPECT_EQ(listed({}, Number{}, 10), numbers);
  EXPECT_THAT(listed({}, numbers[0], 1), ElementsAre(numbers[1]));
  EXPECT_THAT(listed("ann", Number{}, 10), ElementsAre(numbers[0], numbers[2]));
  EXPECT_THAT(listed("dan", Number{}, 10), ElementsAre());
}

TEST_P(SqlInventories, AnswerAKeyAgainAsTheFirstTime) {
  for (const GuardKind guard : sellers_of(GetParam())) {
    SCOPED_TRACE(text_of(guard));
    TestNode seller(options(guard));
    const auto sells = seller.open();
    const SaleView sale = sells->create(terms(2)).sale;
    const KeyHash key{.high = 1, .low = 0xffff'ffff'ffff'ffffU};
    const Sold first = sells->sell(purchase(sale, "ann", 1, key));
    const Sold again = sells->sell(purchase(sale, "ann", 1, key));
    EXPECT_EQ(first.outcome, Outcome::done);
    EXPECT_EQ(again.outcome, Outcome::unchanged);
    EXPECT_EQ(again.number, first.number);
    EXPECT_EQ(again.at, first.at);
    EXPECT_EQ(sells->sell(purchase(sale, "ann", 2, key)).outcome, Outcome::idempotency_key_reused);
    EXPECT_EQ(sells->sell(purchase(sale, "ben", 1)).outcome, Outcome::done);
    EXPECT_EQ(sells->sell(purchase(sale, "ann", 1, key)).outcome, Outcome::unchanged) << "also when all are sold";
  }
}

/// Eight nodes that find nothing, at once.
TEST_P(SqlInventories, TablesAndTheSecretAreMadeOnceForAllNodes) {
  session.reset();
  {
    SqlSession console({.database = inventory->url()});
    for (const char* const table : {"meta", "sales", "stock", "orders", "units", "free_units", "buyers"}) {
      console.run(fmt::format("DROP TABLE guarded_{}", table));
    }
  }
  constexpr int nodes = 8;
  std::vector<StoreSecret> secrets(nodes);
  std::vector<std::string> failures(nodes);
  std::barrier together(nodes);
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < nodes; ++i) {
    threads.emplace_back([&, i] {
      TestNode one(options(GuardKind::conditional_update));
      together.arrive_and_wait();
      try {
        one.open();
      } catch (const InventoryFailure& failure) {
        failures[i] = failure.sentence;
      }
      secrets[i] = one.secret;
    });
  }
  threads.clear();
  EXPECT_THAT(failures, ::testing::Each(""));
  EXPECT_THAT(std::set<StoreSecret>(secrets.begin(), secrets.end()), SizeIs(1));
  EXPECT_NE(secrets[0], StoreSecret{});
}

class SqlServerInventories : public SqlInventories {};
FIRSTCOME_ON_INVENTORIES(SqlServerInventories, Kind::postgresql, Kind::mariadb);

TEST_P(SqlServerInventories, AServerThatWasKilledIsFoundAgain) {
  const SaleView sale = session->create(terms(3)).sale;
  EXPECT_EQ(session->sell(purchase(sale, "ann")).outcome, Outcome::done);
  inventory->server().kill();
  for (int i = 0; i < 2; ++i) {
    try {
      session->sell(purchase(sale, "ben"));
      ADD_FAILURE() << "it was sold";
    } catch (const InventoryFailure& failure) {
      EXPECT_EQ(failure.kind, InventoryFailure::Kind::unavailable) << failure.sentence;
      EXPECT_THAT(failure.sentence, ::testing::Not(::testing::HasSubstr("secret")));
    }
  }
  inventory->server().start();
  EXPECT_EQ(session->sell(purchase(sale, "ben")).outcome, Outcome::done);
  EXPECT_EQ(session->sale(sale.terms.id).value().sold, 2);
}

}  // namespace
}  // namespace firstcome::engine
