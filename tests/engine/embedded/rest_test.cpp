// Closed sales leave memory, come back when somebody names one of their reservations, and answer as if nothing had
// been.
#include "engine/asking.hpp"
#include "engine/embedded/embedded_harness.hpp"
#include "engine/embedded/sqlite.hpp"

#include <firstcome/limits.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
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

class Rest : public ::testing::Test {
 protected:
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
  EmbeddedCounters counters() { return harness.engine().counters(); }

  /// A sale whose units are sold at once, with so many reservations. Returns the first.
  ReservationRef sold(const std::string& id, std::size_t count) {
    SaleTerms terms = terms_of(id, 100'000);
    terms.hold = 0ms;
    harness.ask(CreateSale{terms}).value();
    const Several crowd = submit(count, Reserve{id, "ann", 1, {}, {}});
    for (const auto& one : crowd) harness.finish(*one);
    return crowd.front()->as<ReserveAnswer>().ref;
  }
  void close(const std::string& id) {
    PatchSale command;
    command.sale = id;
    command.state = PatchSale::State::closed;
    ASSERT_EQ(harness.ask(command).value().outcome, Outcome::done);
  }
  /// The same, closed and at rest.
  ReservationRef at_rest(const std::string& id, std::size_t count) {
    const ReservationRef first = sold(id, count);
    close(id);
    harness.advance(long_ago);
    turn();
    return first;
  }
  ReservationAnswer get(ReservationRef ref) { return harness.ask(GetReservation{ref}).value(); }

  EmbeddedHarness harness{{}, TemporaryFolder::Where::memory};
};

TEST_F(Rest, AStartDoesNotLoadWhatWasClosedLongAgo) {
  for (int sale = 0; sale < 20; ++sale) {
    sold("old" + std::to_string(sale), 3);
    close("old" + std::to_string(sale));
  }
  const ReservationRef open = sold("open", 5);
  harness.advance(long_ago - 1ms);
  harness.reopen();
  EXPECT_EQ(counters().loaded, 65U);
  harness.advance(1ms);
  harness.reopen();
  EXPECT_EQ(counters().loaded, 5U);
  EXPECT_EQ(counters().reservations, 65U) << "they are still stored";
  EXPECT_EQ(counters().sales_at_rest, 20U);
  EXPECT_EQ(counters().sales_in_memory, 1U);
  EXPECT_EQ(get(open).outcome, Outcome::done);
  EXPECT_EQ(harness.ask(ListSales{{}, 100}).value().items.size(), 21U);
  EXPECT_EQ(counters().loaded, 5U);
  EXPECT_EQ(get({SaleHandle{7}, Number{2}}).reservation.customer, "ann");
  EXPECT_EQ(counters().loaded, 8U);
}

TEST_F(Rest, ASaleLeavesMemoryOnceItWasClosedLongAgoAndIsIdle) {
  const ReservationRef ref = sold("s", 3);
  close("s");
  harness.advance(long_ago - 1ms);
  turn();
  EXPECT_EQ(counters().sales_at_rest, 0U);
  EXPECT_EQ(get(ref).outcome, Outcome::done);
  harness.advance(idle - 1ms);
  turn();
  EXPECT_EQ(counters().sales_at_rest, 0U) << "somebody named a reservation";
  harness.advance(1ms);
  turn();
  EXPECT_EQ(counters().sales_at_rest, 1U);
}

TEST_F(Rest, ASaleThatCameBackLeavesAgainWhenItIsIdle) {
  const ReservationRef ref = at_rest("s", 3);
  for (int poll = 0; poll < 5; ++poll) {
    EXPECT_EQ(get(ref).outcome, Outcome::done);
    harness.advance(idle - 1ms);
    turn();
  }
  EXPECT_EQ(counters().sales_brought_back, 1U);
  harness.advance(1ms);
  turn();
  EXPECT_EQ(counters().sales_at_rest, 1U);
  EXPECT_EQ(get(ref).outcome, Outcome::done);
  EXPECT_EQ(counters().sales_brought_back, 2U);
}

TEST_F(Rest, WhatNamesNoReservationIsAnsweredWithoutThem) {
  at_rest("s", 3);
  const SaleView seen = harness.ask(GetSale{"s"}).value().sale;
  EXPECT_EQ(seen.state, SaleState::closed);
  EXPECT_EQ(seen.sold, 3);
  EXPECT_EQ(harness.reserve("ann").value().outcome, Outcome::sale_closed);
  EXPECT_EQ(get({SaleHandle{1}, Number{4}}).outcome, Outcome::reservation_not_found);
  EXPECT_EQ(get({SaleHandle{1}, Number{0}}).outcome, Outcome::reservation_not_found);
  PatchSale restock;
  restock.sale = "s";
  restock.stock = 7;
  EXPECT_EQ(harness.ask(restock).value().sale.available, 4);
  EXPECT_TRUE(harness.ask(AuditSale{"s"}).value().ok);
  EXPECT_EQ(counters().sales_brought_back, 0U);
  harness.reopen();
  EXPECT_EQ(harness.ask(GetSale{"s"}).value().sale.available, 4);
  EXPECT_EQ(harness.ask(DeleteSale{"s"}).value().outcome, Outcome::done);
  EXPECT_EQ(counters().sales_at_rest, 0U);
  EXPECT_EQ(get({SaleHandle{1}, Number{1}}).outcome, Outcome::reservation_not_found);
  EXPECT_EQ(counters().sales_brought_back, 0U);
}

TEST_F(Rest, UnitsThatAreGivenBackAfterARestAreStored) {
  const ReservationRef ref = at_rest("s", 3);
  EXPECT_EQ(harness.ask(Return{ref}).value().outcome, Outcome::done);
  EXPECT_EQ(harness.ask(Transfer{{ref.sale, Number{2}}, "bob"}).value().outcome, Outcome::done);
  EXPECT_TRUE(harness.ask(AuditSale{"s"}).value().ok);
  harness.advance(long_ago);
  harness.reopen();
  EXPECT_EQ(counters().loaded, 0U);
  EXPECT_EQ(get(ref).reservation.state, ReservationState::returned);
  EXPECT_EQ(harness.ask(ListReservations{"s", "bob", {}, 10}).value().items.size(), 1U);
  EXPECT_EQ(harness.ask(GetSale{"s"}).value().sale.sold, 2);
}

TEST_F(Rest, ARunningChargeOrARefundKeepsASaleInMemory) {
  SaleTerms terms = terms_of("s", 1);
  terms.hold = 60s;
  harness.ask(CreateSale{terms}).value();
  const ReservationRef ref = harness.reserve("ann").value().ref;
  harness.ask(BeginPayment{ref, BeginPayment::By::client}).value();
  close("s");
  harness.advance(long_ago * 2);
  turn();
  EXPECT_EQ(counters().sales_at_rest, 0U) << "nobody knows yet whether it is charged";
  EXPECT_EQ(harness.ask(FinishPayment{ref, Charge::charged, {"p", ""}}).value().outcome, Outcome::paid_unfulfilled);
  harness.advance(long_ago);
  harness.reopen();
  turn();
  EXPECT_EQ(counters().loaded, 1U) << "a refund is due";
  EXPECT_EQ(counters().sales_at_rest, 0U);
  EXPECT_EQ(harness.ask(TakePaymentTasks{}).value().tasks.size(), 1U);
  EXPECT_EQ(harness.ask(FinishRefund{ref}).value().outcome, Outcome::done);
  harness.advance(idle);
  turn();
  EXPECT_EQ(counters().sales_at_rest, 1U);
}

TEST_F(Rest, ALargeSaleComesBackInManyTurnsWhileOthersAreServed) {
  const ReservationRef ref = at_rest("large", 5'000);
  sold("other", 1);
  const Several first = submit(1, GetReservation{ref});
  turn();
  const Several list = submit(1, ListReservations{"large", "ann", {}, 10});
  int turns = 0;
  for (; !first[0]->done; ++turns) {
    const Several other = submit(1, Reserve{"other", "bob", 1, {}, {}});
    const Several sale = submit(1, GetSale{"large"});
    turn();
    EXPECT_TRUE(other[0]->done);
    EXPECT_TRUE(sale[0]->done);
    ASSERT_LT(turns, 100);
  }
  EXPECT_GE(turns, 4);
  harness.finish(*list[0]);
  EXPECT_EQ(list[0]->as<ReservationsAnswer>().items.size(), 10U);
  EXPECT_EQ(counters().sales_brought_back, 1U);
}

TEST_F(Rest, ASaleMayBeRestockedOrDeletedWhileItComesBack) {
  const ReservationRef ref = at_rest("s", 5'000);
  const Several asked = submit(3, GetReservation{ref});
  turn();
  PatchSale restock;
  restock.sale = "s";
  restock.stock = 6'000;
  const Several restocked = submit(1, restock);
  turn();
  EXPECT_EQ(restocked[0]->as<SaleAnswer>().sale.available, 1'000);
  const Several deleted = submit(1, DeleteSale{"s"});
  harness.finish(*deleted[0]);
  EXPECT_EQ(deleted[0]->as<SaleAnswer>().outcome, Outcome::done);
  for (const auto& one : asked) {
    harness.finish(*one);
    EXPECT_EQ(one->as<ReservationAnswer>().outcome, Outcome::reservation_not_found);
  }
  EXPECT_EQ(counters().sales_at_rest, 0U);
}

TEST_F(Rest, TooManyThatWaitForASaleAreRefused) {
  const ReservationRef ref = at_rest("s", 5'000);
  const Several asked = submit(limits::wait_for_a_sale + 1, GetReservation{ref});
  for (const auto& one : asked) harness.finish(*one);
  ASSERT_FALSE(asked.back()->answer);
  EXPECT_EQ(asked.back()->answer.error().code, FailureCode::overloaded);
  for (std::size_t at = 0; at < limits::wait_for_a_sale; ++at) ASSERT_TRUE(asked[at]->answer);
}

TEST_F(Rest, AServerThatStopsAnswersWhoWaits) {
  const ReservationRef ref = at_rest("s", 5'000);
  const Several asked = submit(2, GetReservation{ref});
  turn();
  turn();
  harness.close();
  for (const auto& one : asked) {
    ASSERT_TRUE(one->done);
    EXPECT_EQ(one->answer.error().code, FailureCode::stopping);
  }
}

TEST_F(Rest, AKilledServerFindsTheSaleAsItWas) {
  const ReservationRef ref = at_rest("s", 3);
  EXPECT_EQ(harness.ask(Return{ref}).value().outcome, Outcome::done);
  harness.advance(idle);
  turn();
  ASSERT_EQ(counters().sales_at_rest, 1U);
  const TemporaryFolder copy;  // as the files are while it runs
  for (const char* name : {"firstcome.db", "firstcome.db-wal"})
    std::filesystem::copy(harness.data() / name, copy.path() / name);
  engine::EmbeddedOptions options = harness.options();
  options.data = copy.path();
  const auto other = engine::EmbeddedEngine::open(options);
  ASSERT_TRUE(other) << other.error().detail;
  EXPECT_EQ((*other)->counters().loaded, 0U);
  Asked asked;
  asked.command = GetReservation{ref};
  (*other)->submit(asked);
  for (int turns = 0; turns < 10 && !asked.done; ++turns) static_cast<void>((*other)->turn());
  ASSERT_TRUE(asked.done);
  EXPECT_EQ(asked.as<ReservationAnswer>().reservation.state, ReservationState::returned);
}

TEST_F(Rest, ASaleThatCannotBeReadIsRefusedAndReported) {
  const ReservationRef ref = at_rest("s", 2'000);
  const ReservationRef fine = at_rest("fine", 2);
  Connection program = Connection::open(harness.file(), Access::read_write, {}).value();
  ASSERT_TRUE(program.execute("UPDATE reservation SET customer = 'bob' WHERE customer = 'ann' AND id % 2000 = 1500"));
  const auto changed = program.integer("SELECT count(*) FROM reservation WHERE customer = 'bob'").value();
  ASSERT_EQ(changed, 1);
  for (int again = 0; again < 2; ++again) {
    const auto answer = harness.ask(GetReservation{ref});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, FailureCode::store_unavailable);
    EXPECT_THAT(answer.error().detail, HasSubstr("sale s cannot be read"));
  }
  EXPECT_EQ(counters().failed_returns, 2U);
  EXPECT_TRUE(harness.engine().readiness().ready);
  EXPECT_THAT(harness.engine().readiness().reason, HasSubstr("has a wrong checksum"));
  EXPECT_EQ(get(fine).outcome, Outcome::done);
  EXPECT_EQ(harness.ask(GetSale{"s"}).value().sale.sold, 2'000);

  ASSERT_TRUE(program.execute("UPDATE reservation SET customer = 'ann' WHERE customer = 'bob'"));
  EXPECT_EQ(get(ref).outcome, Outcome::done);
  EXPECT_EQ(harness.engine().readiness().reason, "");
}

TEST_F(Rest, ReservationsThatAreMissingAreFound) {
  const ReservationRef ref = at_rest("s", 3);
  Connection program = Connection::open(harness.file(), Access::read_write, {}).value();
  ASSERT_TRUE(program.execute("DELETE FROM reservation WHERE id = (SELECT max(id) FROM reservation)"));
  const auto answer = harness.ask(GetReservation{ref});
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().detail, HasSubstr("the row of reservation 3 is missing"));
}

}  // namespace
}  // namespace firstcome::test
