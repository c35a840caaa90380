// Guards that stand beside an SQL inventory, and how they break.
#include "engine/guarded/sql/sql_crowd.hpp"

namespace firstcome::engine {
namespace {

class SqlGuards : public CrowdAtEachInventory {
 protected:
  /// Units sold of `stock`, by one node or two.
  Units sold_by(int nodes, ReleaseTime release, Milliseconds commit_after = {}) {
    GuardedOptions mutex = options(GuardKind::mutex, "a");
    mutex.release = release;
    mutex.commit_after = commit_after;
    TestNode a(mutex);
    mutex.node = "b";
    TestNode b(mutex);
    const auto session = a.open();
    const SaleView sale = session->create(terms(stock)).sale;
    Crowd crowd;
    sell_to_all({&a, nodes == 1 ? &a : &b}, sale, crowd, 8);
    EXPECT_THAT(crowd.failures, ::testing::IsEmpty());
    EXPECT_EQ(crowd.of(Outcome::busy), 0);
    const Units sold = session->sale(sale.terms.id).value().sold;
    EXPECT_EQ(sold, crowd.of(Outcome::done)) << "lost, or told of and not there";
    return sold;
  }
  bool oversells(int nodes, ReleaseTime release) {
    for (int attempt = 1; attempt <= 5; ++attempt) {
      if (sold_by(nodes, release) > stock) return true;
    }
    return false;
  }
  /// SQLite lets nobody write after others have written what was read.
  bool saves_itself() const { return GetParam() == Kind::sqlite; }
};
FIRSTCOME_ON_EACH_INVENTORY(SqlGuards);

TEST_P(SqlGuards, AMutexIsExactOnOneNode) { EXPECT_EQ(sold_by(1, ReleaseTime::after_commit), stock); }

TEST_P(SqlGuards, AMutexOversellsOnTwoNodesWhereTheDatabaseLetsIt) {
  EXPECT_EQ(oversells(2, ReleaseTime::after_commit), !saves_itself());
}

TEST_P(SqlGuards, AMutexThatIsLetGoBeforeTheCommitOversellsOnOneNodeWhereTheDatabaseLetsIt) {
  EXPECT_EQ(oversells(1, ReleaseTime::before_commit), !saves_itself());
}

/// A showcase must show it every time.
TEST_P(SqlGuards, AMutexThatIsLetGoSomeTimeBeforeTheCommitOversellsEachTimeWhereTheDatabaseLetsIt) {
  for (int round = 1; round <= 10; ++round)
    EXPECT_EQ(sold_by(1, ReleaseTime::before_commit, 5ms) > stock, !saves_itself()) << "round " << round;
}

/// Whoever reads and writes in two transactions, with nothing around them.
TEST_P(SqlGuards, NoneOversells) {
  for (int attempt = 1; attempt <= 5; ++attempt) {
    std::barrier all_have_read(2 * threads_of_a_node);
    GuardedOptions none = options(GuardKind::none, "a");
    none.between_read_and_write = [&] { all_have_read.arrive_and_wait(); };
    TestNode a(none);
    none.node = "b";
    TestNode b(none);
    const auto session = a.open();
    const SaleView sale = session->create(terms(stock)).sale;
    std::vector<std::unique_ptr<InventorySession>> sessions;
    for (int i = 0; i < 2 * threads_of_a_node; ++i) sessions.push_back((i % 2 == 0 ? a : b).open());
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < sessions.size(); ++i) {
      threads.emplace_back([&, i] {
        try {
          sessions[i]->sell(purchase(sale, fmt::format("c-{}", i)));
        } catch (const InventoryFailure& failure) {
          ADD_FAILURE() << failure.sentence;
        }
        all_have_read.arrive_and_drop();
      });
    }
    threads.clear();
    if (session->sale(sale.terms.id).value().sold > stock) return;
  }
  ADD_FAILURE() << "it has oversold in none of 5 tries";
}

}  // namespace
}  // namespace firstcome::engine
