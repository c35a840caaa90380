// What one turn does and what it leaves: nobody waits long for what others asked for.
#include "engine/asking.hpp"
#include "engine/embedded/checkpointer.hpp"
#include "engine/embedded/embedded_harness.hpp"
#include "engine/embedded/sqlite.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;
using engine::Checkpointer;
using engine::sqlite::Access;
using engine::sqlite::Connection;

using Several = std::vector<std::unique_ptr<Asked>>;

class Turn : public ::testing::Test {
 protected:
  Several submit(std::size_t count, const Command& command) {
    Several asked;
    for (std::size_t i = 0; i < count; ++i) {
      asked.push_back(std::make_unique<Asked>());
      asked.back()->command = command;
      harness.engine().submit(*asked.back());
    }
    return asked;
  }
  static std::ptrdiff_t done(const Several& asked) {
    return std::ranges::count_if(asked, [](const auto& one) { return one->done.load(); });
  }
  void turn() { static_cast<void>(harness.engine().turn()); }
  void close_sale(const std::string& sale) {
    PatchSale close;
    close.sale = sale;
    close.state = PatchSale::State::closed;
    harness.ask(close).value();
  }
  std::int64_t rows() {
    auto connection = Connection::open(harness.file(), Access::read_only, {}).value();
    return connection.integer("SELECT count(*) FROM reservation").value();
  }

  EmbeddedHarness harness{{}, TemporaryFolder::Where::memory};
};

TEST_F(Turn, OtherSalesAreServedWhileOneHasMoreDueThanATurnDoes) {
  SaleTerms terms = terms_of("s", 50'000);
  terms.hold = 60s;
  harness.ask(CreateSale{terms}).value();
  harness.ask(CreateSale{terms_of("other", 10)}).value();
  const Several crowd = submit(50'000, Reserve{"s", "c", 1, {}, {}});
  harness.finish(*crowd.back());
  harness.advance(60s);
  const Several behind = submit(1, GetSale{"s"});
  const Several other = submit(1, Reserve{"other", "a", 1, {}, {}});
  const Several list = submit(1, ListSales{});
  turn();
  EXPECT_TRUE(other[0]->done);
  EXPECT_TRUE(list[0]->done) << "a list shows how far the sale has come";
  EXPECT_FALSE(behind[0]->done) << "its holds have ended, which the answer must say";
  harness.finish(*behind[0]);
  EXPECT_EQ(behind[0]->as<SaleAnswer>().sale.held, 0);
  EXPECT_EQ(behind[0]->as<SaleAnswer>().sale.available, 50'000);
}

TEST_F(Turn, WhatIsAskedOfASaleThatIsBehindIsDecidedInOrder) {
  SaleTerms terms = terms_of("s", 20'000);
  terms.hold = 60s;
  harness.ask(CreateSale{terms}).value();
  const Several crowd = submit(20'000, Reserve{"s", "c", 1, {}, {}});
  harness.finish(*crowd.back());
  harness.advance(60s);
  const Several first = submit(10, Reserve{"s", "first", 1, {}, {}});
  turn();
  const Several second = submit(10, Reserve{"s", "second", 1, {}, {}});
  harness.finish(*second.back());
  EXPECT_EQ(first.front()->as<ReserveAnswer>().ref.number, Number{20'001});
  EXPECT_EQ(first.back()->as<ReserveAnswer>().ref.number, Number{20'010});
  EXPECT_EQ(second.back()->as<ReserveAnswer>().ref.number, Number{20'020});
}

TEST_F(Turn, AnswersACertainLengthOfListsAndTheRestInLaterTurns) {
  harness.ask(CreateSale{terms_of("s", 2'000)}).value();
  const std::string reference(limits::reference_bytes, 'r');
  const Several crowd = submit(2'000, Reserve{"s", "c", 1, reference, {}});
  harness.finish(*crowd.back());
  const Several lists = submit(100, ListReservations{"s", {}, {}, 1'000});
  const Several others = submit(1, GetSale{"s"});
  turn();
  EXPECT_GE(done(lists), 1);
  EXPECT_LE(done(lists), 5);
  EXPECT_TRUE(others[0]->done) << "what is short does not wait for what is long";
  harness.finish(*lists.back());
  EXPECT_EQ(done(lists), 100);
  EXPECT_EQ(lists.back()->as<ReservationsAnswer>().items.size(), 1'000U);
}

TEST_F(Turn, RowsOfADeletedSaleGoWhenNobodyWaits) {
  SaleTerms terms = terms_of("s", 5'000);
  terms.hold = 0ms;
  harness.ask(CreateSale{terms}).value();
  harness.ask(CreateSale{terms_of("other", 100)}).value();
  const Several crowd = submit(5'000, Reserve{"s", "c", 1, {}, {}});
  harness.finish(*crowd.back());
  close_sale("s");
  ASSERT_EQ(harness.ask(DeleteSale{"s"}).value().outcome, Outcome::done);
  const Several waits = submit(1, GetSale{"other"});
  turn();
  EXPECT_TRUE(waits[0]->done);
  EXPECT_GE(rows(), 5'000 - 256) << "a few at most while somebody waits";
  for (int turns = 0; turns < 10; ++turns) turn();
  EXPECT_EQ(rows(), 0);
}

TEST_F(Turn, DeletesASaleThatWasChangedInTheSameTurn) {
  const Several created = submit(1, CreateSale{terms_of("s", 10)});
  PatchSale close;
  close.sale = "s";
  close.state = PatchSale::State::closed;
  const Several closed = submit(1, close);
  const Several deleted = submit(1, DeleteSale{"s"});
  harness.finish(*deleted[0]);
  EXPECT_EQ(deleted[0]->as<SaleAnswer>().outcome, Outcome::done);
  EXPECT_TRUE(harness.engine().readiness().ready);
  harness.reopen();
  EXPECT_EQ(harness.ask(GetSale{"s"}).value().outcome, Outcome::sale_not_found);
}

/// A program that has the file's write lock.
class LockedOut : public Turn {
 protected:
  LockedOut() { lock_out(60s); }
  void lock_out(std::chrono::milliseconds patience) {
    program = Connection();
    harness.patience = patience;
    harness.reopen();
    harness.ask(CreateSale{terms_of("s", 10)}).value();
    program = Connection::open(harness.file(), Access::read_write, {}).value();
    EXPECT_TRUE(program.execute("BEGIN IMMEDIATE"));
  }
  template <class Condition>
  void turn_until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (!condition()) {
      turn();
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }

  Connection program;
};

TEST_F(LockedOut, TheSameWriteIsTriedAgainAndNothingIsThrownAway) {
  const Several asked = submit(1, Reserve{"s", "a", 1, {}, {}});
  for (int turns = 0; turns < 5; ++turns) turn();
  EXPECT_FALSE(asked[0]->done);
  ASSERT_TRUE(program.execute("COMMIT"));
  harness.finish(*asked[0]);
  ASSERT_TRUE(asked[0]->answer);
  EXPECT_EQ(asked[0]->as<ReserveAnswer>().outcome, Outcome::done);
  EXPECT_EQ(harness.engine().counters().failed_commits, 0U);
  EXPECT_TRUE(harness.engine().readiness().ready);
  harness.reopen();
  EXPECT_EQ(harness.ask(GetSale{"s"}).value().sale.held, 1);
}

TEST_F(LockedOut, WhoeverComesLaterIsRefusedOnceItTakesLong) {
  lock_out(20ms);
  const Several first = submit(1, Reserve{"s", "a", 1, {}, {}});
  turn();
  turn_until([&] { return !harness.engine().readiness().ready; });
  EXPECT_THAT(harness.engine().readiness().reason, ::testing::HasSubstr("another program has locked the store"));
  const Several later = submit(1, Reserve{"s", "b", 1, {}, {}});
  turn_until([&] { return later[0]->done.load(); });
  ASSERT_FALSE(later[0]->answer);
  EXPECT_EQ(later[0]->answer.error().code, FailureCode::store_unavailable);
  turn_until([&] { return first[0]->done.load(); });
  ASSERT_FALSE(first[0]->answer);
  EXPECT_EQ(first[0]->answer.error().code, FailureCode::outcome_unknown) << "it is decided, and not stored yet";

  ASSERT_TRUE(program.execute("COMMIT"));
  turn_until([&] { return harness.engine().readiness().ready; });
  EXPECT_EQ(harness.ask(GetSale{"s"}).value().sale.held, 1) << "the first was stored, the later one was not decided";
}

TEST_F(LockedOut, AServerThatStopsMeanwhileAnswersAll) {
  const Several asked = submit(3, Reserve{"s", "a", 1, {}, {}});
  turn();
  const Several later = submit(2, GetSale{"s"});
  harness.close();
  EXPECT_EQ(done(asked), 3);
  EXPECT_EQ(done(later), 2);
  EXPECT_EQ(asked[0]->answer.error().code, FailureCode::stopping);
}

TEST_F(Turn, TheWriterNeitherWaitsForALargeLogNorFoldsIt) {
  Checkpointer checkpointer(harness.file(), {});
  checkpointer.committed(Checkpointer::large_frames);
  EXPECT_FALSE(checkpointer.writer_folds());
  checkpointer.committed(Checkpointer::large_frames + 1);
  EXPECT_FALSE(checkpointer.writer_folds());
}

}  // namespace
}  // namespace firstcome::test
