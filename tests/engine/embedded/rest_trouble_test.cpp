// Sales at rest, and sales that come back, while the disk fails or another program has the file; and those that an
// earlier release has closed.
#include "engine/asking.hpp"
#include "engine/embedded/embedded_harness.hpp"
#include "engine/embedded/rows.hpp"
#include "engine/embedded/schema.hpp"
#include "engine/embedded/sqlite.hpp"
#include "engine/faulty_vfs.hpp"

#include <firstcome/limits.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;
using engine::EmbeddedCounters;
using engine::sqlite::Access;
using engine::sqlite::Connection;
using ::testing::HasSubstr;

constexpr Milliseconds long_ago = limits::closed_sale_in_memory;
constexpr Milliseconds idle = limits::idle_sale_in_memory;
constexpr ReservationRef first_of_old{SaleHandle{1}, Number{1}};

class RestInTrouble : public ::testing::Test {
 protected:
  ~RestInTrouble() override { faulty_vfs::disarm(); }

  using Several = std::vector<std::unique_ptr<Asked>>;
  Several submit(std::size_t count, const Command& command) {
    Several asked;
    for (std::size_t i = 0; i < count; ++i) {
      asked.push_back(std::make_unique<Asked>());
      asked.back()->command = command;
      harness.engine().submit(*asked.back());
    }
    return asked;
  }
  void turn() { static_cast<void>(harness.engine().turn()); }
  template <class Condition>
  void turn_until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (!condition()) {
      turn();
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }
  EmbeddedCounters counters() { return harness.engine().counters(); }
  ReservationAnswer get(ReservationRef ref) { return harness.ask(GetReservation{ref}).value(); }

  /// The sale `old`, closed, with so many units sold at once, one to each reservation; and the sale `s`, open.
  void sell_and_close(std::size_t count) {
    SaleTerms terms = terms_of("old", 100'000);
    terms.hold = 0ms;
    harness.ask(CreateSale{terms}).value();
    harness.ask(CreateSale{terms_of("s", 100)}).value();
    for (const auto& one : submit(count, Reserve{"old", "ann", 1, {}, {}})) harness.finish(*one);
    PatchSale close;
    close.sale = "old";
    close.state = PatchSale::State::closed;
    ASSERT_EQ(harness.ask(close).value().outcome, Outcome::done);
  }
  void sell_and_let_rest(std::size_t count) {
    sell_and_close(count);
    harness.advance(long_ago);
    turn();
    ASSERT_EQ(counters().sales_at_rest, 1U);
  }
  void expect_as_before(std::size_t count) {
    EXPECT_EQ(get(first_of_old).reservation.customer, "ann");
    EXPECT_EQ(get({SaleHandle{1}, Number{count}}).reservation.state, ReservationState::confirmed);
    EXPECT_EQ(get({SaleHandle{1}, Number{count + 1}}).outcome, Outcome::reservation_not_found);
    EXPECT_EQ(harness.ask(GetSale{"old"}).value().sale.sold, static_cast<Units>(count));
    EXPECT_TRUE(harness.ask(AuditSale{"old"}).value().ok);
  }

  EmbeddedHarness harness{faulty_vfs::name(), TemporaryFolder::Where::memory};
};

TEST_F(RestInTrouble, AFullDiskWhileASaleComesBackRefusesWhoWaits) {
  sell_and_let_rest(5'000);
  const Several waiting = submit(3, GetReservation{first_of_old});
  turn();
  turn();
  ASSERT_FALSE(waiting[0]->done);
  faulty_vfs::arm({FileAction::write, 1, SQLITE_FULL, Fault::Lasts::until_disarmed});
  EXPECT_EQ(harness.reserve("bob").error().code, FailureCode::store_unavailable);
  for (const auto& one : waiting) {
    harness.finish(*one);
    ASSERT_FALSE(one->answer);
    EXPECT_EQ(one->answer.error().code, FailureCode::store_unavailable);
  }
  EXPECT_FALSE(harness.ask(GetReservation{first_of_old})) << "nothing is decided until there is room";
  faulty_vfs::disarm();
  turn_until([&] { return harness.engine().readiness().ready; });
  EXPECT_EQ(harness.reserve("bob").value().outcome, Outcome::done);
  EXPECT_EQ(counters().sales_at_rest, 1U) << "the ledger that was built again does not load it";
  expect_as_before(5'000);
}

TEST_F(RestInTrouble, AFullDiskWhileSalesAreInMemoryAgainLosesNothing) {
  sell_and_let_rest(3);
  EXPECT_EQ(harness.ask(Return{first_of_old}).value().outcome, Outcome::done);
  harness.reserve("bob").value();
  faulty_vfs::arm({FileAction::write, 1, SQLITE_FULL, Fault::Lasts::until_disarmed});
  const ReservationRef second{SaleHandle{1}, Number{2}};
  EXPECT_EQ(harness.ask(Return{second}).error().code, FailureCode::store_unavailable);
  faulty_vfs::disarm();
  turn_until([&] { return harness.engine().readiness().ready; });
  EXPECT_EQ(get(first_of_old).reservation.state, ReservationState::returned);
  EXPECT_EQ(get(second).reservation.state, ReservationState::confirmed);
  EXPECT_EQ(harness.ask(GetSale{"old"}).value().sale.sold, 2);
  EXPECT_EQ(counters().loaded, 3U + 1U + 3U) << "when one was named; the open sale's, to build again; once more";
}

TEST_F(RestInTrouble, AProgramThatLocksTheFileHasWhoWaitsForASaleRefused) {
  harness.patience = 20ms;
  harness.reopen();
  sell_and_let_rest(5'000);
  const Several waiting = submit(3, GetReservation{first_of_old});
  turn();
  turn();
  ASSERT_FALSE(waiting[0]->done);
  Connection program = Connection::open(harness.file(), Access::read_write, {}).value();
  ASSERT_TRUE(program.execute("BEGIN IMMEDIATE"));
  const Several decided = submit(1, Reserve{"s", "bob", 1, {}, {}});
  turn_until([&] { return waiting[0]->done && decided[0]->done; });
  for (const auto& one : waiting) EXPECT_EQ(one->answer.error().code, FailureCode::store_unavailable);
  ASSERT_TRUE(program.execute("COMMIT"));
  turn_until([&] { return harness.engine().readiness().ready; });
  expect_as_before(5'000);
  EXPECT_EQ(counters().sales_brought_back, 1U);
}

TEST_F(RestInTrouble, ReadingThatFailsOnceIsOverWhenSomebodyAsksAgain) {
  sell_and_let_rest(5'000);
  harness.reopen();  // what is in the cache is not read from the file
  const Several waiting = submit(2, GetReservation{first_of_old});
  turn();
  turn();
  ASSERT_FALSE(waiting[0]->done);
  faulty_vfs::arm({FileAction::read, 1, SQLITE_IOERR_READ, Fault::Lasts::once});
  turn_until([&] { return waiting[0]->done && waiting[1]->done; });
  ASSERT_EQ(faulty_vfs::failures(), 1U);
  for (const auto& one : waiting) {
    ASSERT_FALSE(one->answer);
    EXPECT_EQ(one->answer.error().code, FailureCode::store_unavailable);
    EXPECT_THAT(one->answer.error().detail, HasSubstr("sale old cannot be read"));
  }
  EXPECT_EQ(harness.reserve("bob").value().outcome, Outcome::done);
  EXPECT_THAT(harness.engine().readiness().reason, HasSubstr("sale old cannot be read"));
  expect_as_before(5'000);
  EXPECT_EQ(harness.engine().readiness().reason, "");
}

TEST_F(RestInTrouble, AnUnreadableSaleCanBeDeletedAndIsNoTroubleAnyMore) {
  sell_and_let_rest(3);
  Connection program = Connection::open(harness.file(), Access::read_write, {}).value();
  ASSERT_TRUE(program.execute("UPDATE reservation SET customer = 'bob'"));
  EXPECT_FALSE(harness.ask(GetReservation{first_of_old}));
  EXPECT_THAT(harness.engine().readiness().reason, HasSubstr("has a wrong checksum"));
  harness.reopen();
  EXPECT_EQ(harness.ask(GetSale{"old"}).value().sale.sold, 3) << "a start reads only its row";
  EXPECT_FALSE(harness.ask(GetReservation{first_of_old}));
  EXPECT_EQ(harness.ask(DeleteSale{"old"}).value().outcome, Outcome::done);
  EXPECT_EQ(harness.engine().readiness().reason, "");
  turn_until([&] { return program.integer("SELECT count(*) FROM reservation").value() == 0; });
  harness.reopen();
  EXPECT_EQ(harness.ask(GetSale{"old"}).value().outcome, Outcome::sale_not_found);
}

/// As a release with schema 5 would have written it.
void write_as_schema_5(const std::filesystem::path& file) {
  Connection program = Connection::open(file, Access::read_write, {}).value();
  std::vector<engine::SaleRow> rows;
  {
    auto select = program.prepare(engine::select_sales_sql).value();
    while (select.step() == SQLITE_ROW) ASSERT_EQ(read_sale(select, rows.emplace_back()), engine::RowCheck::good);
    auto replace = program.prepare(engine::replace_sale_sql).value();
    for (engine::SaleRow& row : rows) {
      row.record.settled = false;
      bind_sale(replace, row);
      ASSERT_TRUE(replace.run());
    }
  }
  ASSERT_TRUE(program.execute("ALTER TABLE sale DROP COLUMN settled; PRAGMA user_version = 5"));
}

TEST_F(RestInTrouble, AStoreOfAnEarlierReleaseIsLoadedOnceMore) {
  sell_and_close(3);
  harness.advance(long_ago);
  harness.close();
  write_as_schema_5(harness.file());
  harness.reopen();
  EXPECT_EQ(counters().loaded, 3U);
  turn();
  EXPECT_EQ(counters().sales_at_rest, 0U) << "its row does not say so yet";
  harness.advance(idle);
  turn();
  EXPECT_EQ(counters().sales_at_rest, 1U);
  harness.reopen();
  EXPECT_EQ(counters().loaded, 0U);
  expect_as_before(3);
}

TEST_F(RestInTrouble, AStartReadsWhatLiesBetweenSalesAtRest) {
  sell_and_let_rest(3);
  const auto make = [&](const std::string& id, Milliseconds hold) {
    SaleTerms terms = terms_of(id, 100'000);
    terms.hold = hold;
    harness.ask(CreateSale{terms}).value();
    return harness.ask(Reserve{id, "bob", 1, {}, {}}).value().ref;
  };
  const auto close = [&](const std::string& id) {
    PatchSale command;
    command.sale = id;
    command.state = PatchSale::State::closed;
    harness.ask(command).value();
  };
  const ReservationRef held = make("held", limits::hold);
  const ReservationRef closed = make("closed", 0ms);
  const ReservationRef left = make("left", 0ms);
  const ReservationRef open = make("open", limits::hold);
  const ReservationRef last = make("last", 0ms);
  for (const char* id : {"closed", "left", "last"}) close(id);
  harness.advance(long_ago);
  turn();
  ASSERT_EQ(counters().sales_at_rest, 4U);
  ASSERT_EQ(harness.ask(DeleteSale{"left"}).value().outcome, Outcome::done);
  harness.reopen();
  EXPECT_EQ(counters().loaded, 2U);
  EXPECT_EQ(counters().sales_at_rest, 3U);
  for (const ReservationRef ref : {held, closed, open, last}) EXPECT_EQ(get(ref).reservation.customer, "bob");
  EXPECT_EQ(get(left).outcome, Outcome::reservation_not_found);
  expect_as_before(3);
}

}  // namespace
}  // namespace firstcome::test
