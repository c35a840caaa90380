// Who stays exact when two nodes sell at once, and who does not.
#include "engine/guarded/sql/sql_book.hpp"
#include "engine/guarded/sql/sql_crowd.hpp"

#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <barrier>
#include <mutex>
#include <set>
#include <thread>

namespace firstcome::engine {
namespace {

/// Declines some, and keeps the books.
class TestBank {
 public:
  ChargeResult charge(const ChargeRequest& request) {
    const std::lock_guard lock(mutex_);
    ChargeResult result;
    result.outcome = ++asked_ % 4 == 0 ? ChargeOutcome::declined : ChargeOutcome::charged;
    if (result.outcome == ChargeOutcome::charged) {
      EXPECT_TRUE(charged_.insert(request.key).second) << request.key << " was charged twice";
    }
    return result;
  }
  void refund(const std::string& key) {
    const std::lock_guard lock(mutex_);
    charged_.erase(key);
  }
  std::size_t charged() const { return charged_.size(); }

 private:
  std::mutex mutex_;
  int asked_ = 0;
  std::set<std::string> charged_;
};

class SqlSellers : public CrowdAtEachInventory {};
FIRSTCOME_ON_EACH_INVENTORY(SqlSellers);

TEST_P(SqlSellers, AreExactOnTwoNodes) {
  for (const GuardKind guard : sellers_of(GetParam())) {
    SCOPED_TRACE(text_of(guard));
    TestNode a(options(guard, "a"));
    TestNode b(options(guard, "b"));
    const auto session = a.open();
    SaleTerms limited = terms(stock);
    limited.limit_per_customer = 1;
    const SaleView sale = session->create(limited).sale;
    Crowd crowd;
    sell_to_all({&a, &b}, sale, crowd, threads_of_a_node);
    expect_exact(*session, limited, crowd);
    EXPECT_EQ(crowd.of(Outcome::done), stock);
    EXPECT_EQ(crowd.of(Outcome::sold_out) + crowd.of(Outcome::limit_exceeded), 2 * customers - stock);
    EXPECT_GT(a.waits().waits, 0U);
  }
}

TEST_P(SqlSellers, KeepToOneOpenOrderOfACustomerOnTwoNodes) {
  for (const GuardKind guard : sellers_of(GetParam())) {
    if (guard == GuardKind::unique_key || guard == GuardKind::one_statement) continue;  // which do not count them
    SCOPED_TRACE(text_of(guard));
    TestNode a(options(guard, "a"));
    TestNode b(options(guard, "b"));
    const auto session = a.open();
    SaleTerms held = terms(2 * customers);  // enough for everybody's second click
    held.hold = std::chrono::minutes{1};
    held.payment = PaymentMode::client;
    held.max_open = 1;
    const SaleView sale = session->create(held).sale;
    Crowd crowd;
    sell_to_all({&a, &b}, sale, crowd, threads_of_a_node);
    EXPECT_THAT(crowd.failures, ::testing::IsEmpty());
    EXPECT_EQ(crowd.of(Outcome::done), customers);
    EXPECT_EQ(crowd.of(Outcome::already_open), customers);
  }
}

TEST_P(SqlSellers, AreExactOnTwoNodesAlsoWhereChargesFail) {
  for (const GuardKind guard : sellers_of(GetParam())) {
    for (const PayTime pay : {PayTime::inside, PayTime::after}) {
      SCOPED_TRACE(fmt::format("{}, pay {}", text_of(guard), pay == PayTime::inside ? "inside" : "after"));
      TestBank bank;
      const auto with_bank = [&](const char* name) {
        GuardedOptions made = options(guard, name);
        made.pay = pay;
        made.charge = [&](const ChargeRequest& request) { return bank.charge(request); };
        made.refund = [&](const std::string& key) { bank.refund(key); };
        return made;
      };
      TestNode a(with_bank("a"));
      TestNode b(with_bank("b"));
      const auto session = a.open();
      SaleTerms paid = terms(stock);
      paid.limit_per_customer = 1;
      paid.hold = 1s;
      paid.payment = PaymentMode::automatic;
      const SaleView sale = session->create(paid).sale;
      Crowd crowd;
      sell_to_all({&a, &b}, sale, crowd, 5);
      expect_exact(*session, paid, crowd);
      EXPECT_GT(crowd.of(Outcome::payment_failed), 0);
      EXPECT_EQ(bank.charged(), static_cast<std::size_t>(crowd.of(Outcome::done)));
    }
  }
}

TEST_P(SqlSellers, TellWhatWasPaid) {
  std::vector<GuardKind> guards = sellers_of(GetParam());
  guards.push_back(GuardKind::mutex);
  for (const GuardKind guard : guards) {
    for (const PayTime pay : {PayTime::inside, PayTime::after}) {
      SCOPED_TRACE(fmt::format("{}, pay {}", text_of(guard), pay == PayTime::inside ? "inside" : "after"));
      GuardedOptions made = options(guard, "a");
      made.pay = pay;
      made.charge = [](const ChargeRequest&) { return ChargeResult{ChargeOutcome::charged, "p-1", "110-1", {}}; };
      TestNode node(made);
      const auto session = node.open();
      SaleTerms paid = terms(stock);
      paid.hold = 1s;
      paid.payment = PaymentMode::automatic;
      const SaleView sale = session->create(paid).sale;
      const Purchase wanted = purchase(sale, "ann", 1, {.high = 1, .low = 1});
      const Sold sold = session->sell(wanted);
      const Payment payment{"p-1", "110-1"};
      EXPECT_EQ(sold.payment, payment);
      EXPECT_EQ(session->order({sale.handle, sold.number}).value().payment, payment);
      const Sold again = session->sell(wanted);
      EXPECT_EQ(again.outcome, Outcome::unchanged);
      EXPECT_EQ(again.payment, payment);
    }
  }
}

TEST_P(SqlSellers, MakeOneOrderOfAKeyThatComesTwiceAtOnce) {
  for (const GuardKind guard : sellers_of(GetParam())) {
    SCOPED_TRACE(text_of(guard));
    TestNode a(options(guard, "a"));
    TestNode b(options(guard, "b"));
    const std::array sessions{a.open(), b.open()};
    const SaleView sale = sessions[0]->create(terms(stock)).sale;
    for (std::uint64_t key = 1; key <= 10; ++key) {
      std::array<Sold, 2> sold;
      std::barrier together(2);
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < 2; ++i) {
        threads.emplace_back([&, i] {
          together.arrive_and_wait();
          sold[i] = sessions[i]->sell(purchase(sale, "ann", 1, {.high = key, .low = 1}));
        });
      }
      threads.clear();
      EXPECT_EQ(sold[0].number, sold[1].number);
      EXPECT_THAT((std::array{sold[0].outcome, sold[1].outcome}),
                  ::testing::UnorderedElementsAre(Outcome::done, Outcome::unchanged));
    }
    EXPECT_EQ(sessions[0]->sale(sale.terms.id).value().available, stock - 10);
  }
}

/// Two sessions with a transaction each, step by step.
class SqlBooks : public OnEachInventory {
 protected:
  struct Shop {
    explicit Shop(const GuardedOptions& made) : options(made), link(options), book(options, link) {}
    GuardedOptions options;
    SqlLink link;
    SqlBook book;
  };

  SaleView sale_of(Units units) {
    TestNode node(options(GuardKind::mutex));
    return node.open()->create(terms(units)).sale;
  }
  static bool is_conflict(const std::function<void()>& work) {
    try {
      work();
    } catch (const InventoryFailure& failure) {
      return failure.kind == InventoryFailure::Kind::conflict;
    }
    return false;
  }
};
FIRSTCOME_ON_EACH_INVENTORY(SqlBooks);

TEST_P(SqlBooks, ATransactionThatHasReadTooEarlyIsRefusedBySqliteOnly) {
  const SaleView sale = sale_of(1);
  Shop a(options(GuardKind::mutex, "a")), b(options(GuardKind::mutex, "b"));
  for (Shop* const shop : {&a, &b}) shop->book.begin();
  const Seen seen_by_a = a.book.read(purchase(sale, "ann"));
  const Seen seen_by_b = b.book.read(purchase(sale, "ben"));
  EXPECT_EQ(seen_by_b.available, 1);
  a.book.write(purchase(sale, "ann"), seen_by_a, {});
  a.book.commit();
  const bool refused = is_conflict([&] {
    b.book.write(purchase(sale, "ben"), seen_by_b, {});
    b.book.commit();
  });
  EXPECT_EQ(refused, GetParam() == Kind::sqlite);
  b.book.roll_back();
}

TEST_P(SqlBooks, AFencedSaleRefusesALowerToken) {
  const SaleView sale = sale_of(5);
  GuardedOptions fenced = options(GuardKind::fifo);
  fenced.fencing = Fencing::on;
  Shop shop(fenced);
  const auto write_with = [&](std::uint64_t token) {
    shop.book.begin();
    const Seen seen = shop.book.read(purchase(sale, "ann"));
    shop.book.write(purchase(sale, "ann"), seen, {.token = token});
    shop.book.commit();
  };
  write_with(7);
  EXPECT_TRUE(is_conflict([&] { write_with(6); }));
  shop.book.roll_back();
  write_with(7);
  write_with(8);
  TestNode node(options(GuardKind::mutex));
  EXPECT_EQ(node.open()->sale(sale.terms.id).value().available, 2);
  EXPECT_EQ(node.open()->sale(sale.terms.id).value().sold, 3);
}

/// The lease of the first has passed to the second, which has read but not written when the first awakes.
TEST_P(SqlBooks, AFencedSaleSeesALateWriteBetweenAReadAndAWrite) {
  const SaleView sale = sale_of(5);
  GuardedOptions fenced = options(GuardKind::fifo);
  fenced.fencing = Fencing::on;
  Shop late(fenced), next(fenced);
  const auto read = [&](Shop& shop) {
    shop.book.begin();
    const Seen seen = shop.book.read(purchase(sale, "ann"));
    shop.book.commit();
    return seen;
  };
  const auto write = [&](Shop& shop, const Seen& seen, std::uint64_t token) {
    shop.book.begin();
    shop.book.write(purchase(sale, "ann"), seen, {.token = token});
    shop.book.commit();
  };
  const Seen seen_by_late = read(late);
  const Seen seen_by_next = read(next);
  write(late, seen_by_late, 1);
  EXPECT_TRUE(is_conflict([&] { write(next, seen_by_next, 2); }));
  next.book.roll_back();
  write(next, read(next), 2);
  EXPECT_TRUE(is_conflict([&] { write(late, read(late), 1); }));
}

TEST_P(SqlBooks, WithoutFencingALowerTokenMeansNothing) {
  const SaleView sale = sale_of(5);
  Shop shop(options(GuardKind::fifo));
  for (const std::uint64_t token : {7U, 6U}) {
    shop.book.begin();
    const Seen seen = shop.book.read(purchase(sale, "ann"));
    EXPECT_FALSE(is_conflict([&] { shop.book.write(purchase(sale, "ann"), seen, {.token = token}); }));
    shop.book.commit();
  }
}

TEST_P(SqlBooks, WhatIsTakenBackIsThereAgainOnce) {
  const SaleView sale = sale_of(5);
  Shop shop(options(GuardKind::mutex));
  const auto write = [&] {
    shop.book.begin();
    const Seen seen = shop.book.read(purchase(sale, "ann", 2));
    const WrittenOrder written = shop.book.write(purchase(sale, "ann", 2), seen, {.paid = false});
    shop.book.commit();
    return written.number;
  };
  TestNode node(options(GuardKind::mutex));
  const auto session = node.open();
  const Number first = write();
  EXPECT_EQ(session->sale(sale.terms.id).value().held, 2);
  EXPECT_TRUE(shop.book.take_back(purchase(sale, "ann", 2), first, After::forgotten));
  EXPECT_FALSE(shop.book.take_back(purchase(sale, "ann", 2), first, After::forgotten));
  EXPECT_EQ(session->sale(sale.terms.id).value().available, 5);
  EXPECT_FALSE(session->order({sale.handle, first}));
  const Number second = write();
  EXPECT_TRUE(shop.book.mark_paid(purchase(sale, "ann", 2), second, {"p-1", ""}));
  EXPECT_FALSE(shop.book.mark_paid(purchase(sale, "ann", 2), second, {"p-1", ""}));
  EXPECT_FALSE(shop.book.take_back(purchase(sale, "ann", 2), second, After::expired));
  EXPECT_EQ(session->sale(sale.terms.id).value().sold, 2) << "what is paid is not taken back";
}

TEST_P(SqlBooks, WhatEndsUnpaidStaysToBeToldOf) {
  const SaleView sale = sale_of(5);
  Shop shop(options(GuardKind::mutex));
  TestNode node(options(GuardKind::mutex));
  const auto session = node.open();
  for (const After after : {After::expired, After::declined}) {
    shop.book.begin();
    const Seen seen = shop.book.read(purchase(sale, "ann", 2));
    const WrittenOrder written = shop.book.write(purchase(sale, "ann", 2), seen, {.paid = false});
    shop.book.commit();
    ASSERT_EQ(session->unpaid(sale.handle, written.at + Milliseconds{1}).size(), 1U);
    EXPECT_TRUE(session->unpaid(sale.handle, written.at).empty()) << "its time is not over";
    EXPECT_TRUE(shop.book.take_back(purchase(sale, "ann", 2), written.number, after));
    EXPECT_EQ(session->order({sale.handle, written.number})->ended, after);
    EXPECT_FALSE(shop.book.mark_paid(purchase(sale, "ann", 2), written.number, {"p-1", ""}));
    EXPECT_EQ(session->sale(sale.terms.id)->available, 5);
    EXPECT_EQ(session->sale(sale.terms.id)->held, 0);
  }
}

/// Of the one that has one writer.
class SqliteBooks : public SqlBooks {};
FIRSTCOME_ON_INVENTORIES(SqliteBooks, Kind::sqlite);

/// Each reads and then writes in one transaction. Where each may only wait for SQLite, one of two begins again.
TEST_P(SqliteBooks, SessionsOfOneNodeNeverConflict) {
  const SaleView sale = sale_of(1'000);
  std::timed_mutex writer;
  std::atomic<int> conflicts = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const GuardedOptions made = options(GuardKind::mutex);
      SqlLink link(made, &writer);
      SqlBook book(made, link);
      for (int order = 0; order < 25; ++order) {
        conflicts += is_conflict([&] {
          book.begin();
          const Seen seen = book.read(purchase(sale, "ann"));
          book.write(purchase(sale, "ann"), seen, {});
          book.commit();
        });
        book.roll_back();
      }
    });
  }
  threads.clear();
  EXPECT_EQ(conflicts, 0);
  TestNode node(options(GuardKind::mutex));
  EXPECT_EQ(node.open()->sale(sale.terms.id).value().available, 900);
}

TEST_P(SqlBooks, TellWhenACommitWasHeardOf) {
  const SaleView sale = sale_of(2);
  TestNode node(options(GuardKind::mutex));
  const auto session = node.open();
  const Sold sold = session->sell(purchase(sale, "ann"));
  EXPECT_FALSE(session->order({sale.handle, sold.number})->committed_at) << "nobody has written it down yet";
  const Microsecond at = wall_microseconds();
  session->keep_commit_times({{CommitTime{sale.handle, sold.number, at}}});
  EXPECT_EQ(session->order({sale.handle, sold.number})->committed_at, at);
}

}  // namespace
}  // namespace firstcome::engine
