// A store that was restored from a backup: no id is given twice, and what is lost is known.
#include "engine/embedded/embedded_harness.hpp"
#include "engine/embedded/old_store.hpp"
#include "engine/embedded/sqlite.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace firstcome::test {
namespace {

using engine::ReservationIds;
using ::testing::HasSubstr;

class RestoredStore : public ::testing::Test {
 protected:
  void SetUp() override {
    SaleTerms terms = terms_of("s", 100);
    terms.hold = Milliseconds{0};
    ASSERT_TRUE(harness.ask(CreateSale{terms}));
  }

  std::string id_of(ReservationRef ref) {
    const auto text = ReservationIds(harness.engine().identity()).encode(ref);
    return {text.begin(), text.end()};
  }
  std::string buy(std::string_view customer) { return id_of(harness.reserve(customer).value().ref); }
  std::optional<ReservationRef> known(const std::string& id) {
    return ReservationIds(harness.engine().identity()).decode(id);
  }

  void back_up() {
    harness.close();
    std::filesystem::copy_file(harness.file(), backup);
    harness.reopen();
  }
  void restore() {
    harness.close();
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(harness.file().string() + suffix);
    std::filesystem::copy_file(backup, harness.file());
    harness.reopen();
  }

  /// As an order database remembers: the last event and the last reservation.
  Memory remembered() {
    const auto feed = harness.ask(ReadEvents{{}, 0, 1'000}).value();
    ReservationIds ids(harness.engine().identity());
    Memory memory;
    for (const EventView& event : feed.items) {
      const auto told = ids.told_sequence(event.ref.sale, event.sale_sequence);
      memory.sale = event.ref.sale;
      memory.sale_id = event.sale_id;
      memory.incarnation = told.incarnation;
      memory.sequence = told.sequence;
      if (value(event.ref.number) == 0) continue;
      memory.number = value(ids.told(event.ref));
      memory.number_incarnation = harness.engine().identity()->incarnations()->told(event.ref).incarnation;
    }
    return memory;
  }
  LossesAnswer compare(const Memory& memory) { return harness.ask(ComparePast{"the orders", {memory}}).value(); }

  EmbeddedHarness harness;
  TemporaryFolder folder;
  std::filesystem::path backup = folder.path() / "backup.db";
};

TEST_F(RestoredStore, GivesNobodyTheIdOfAnother) {
  const std::string common = buy("mon");
  back_up();
  const std::string lost = buy("tue");
  restore();
  EXPECT_FALSE(known(lost)) << "nobody has it now";
  const std::string fresh = buy("wed");
  EXPECT_NE(fresh, lost);
  EXPECT_FALSE(known(lost)) << "it is not the other's";
  EXPECT_TRUE(known(fresh));
  EXPECT_TRUE(known(common));
}

TEST_F(RestoredStore, KeepsEveryIdAcrossCleanRestarts) {
  std::vector<std::string> given;
  for (int start = 0; start < 4; ++start) {
    given.push_back(buy("c" + std::to_string(start)));
    harness.reopen();
    harness.reopen();
    for (std::size_t i = 0; i < given.size(); ++i) {
      EXPECT_EQ(known(given[i]), (ReservationRef{SaleHandle{1}, Number{i + 1}}));
      EXPECT_EQ(id_of({SaleHandle{1}, Number{i + 1}}), given[i]);
    }
  }
}

TEST_F(RestoredStore, GoesOnAboveWhatTheOrdersRemember) {
  buy("mon");
  back_up();
  buy("tue-2");
  buy("tue-3");
  const Memory memory = remembered();
  restore();
  const LossesAnswer found = compare(memory);
  ASSERT_EQ(found.outcome, Outcome::done);
  ASSERT_EQ(found.items.size(), 1U);
  EXPECT_EQ(found.items[0].number_from, 2U);
  EXPECT_EQ(found.items[0].number_upto, 3U);
  const ReservationRef fresh = harness.reserve("wed").value().ref;
  EXPECT_EQ(ReservationIds(harness.engine().identity()).told(fresh), Number{4});
  EXPECT_GT(remembered().sequence, memory.sequence);
}

TEST_F(RestoredStore, SaysWhatIsLostUntilItIsSettled) {
  buy("mon");
  back_up();
  buy("tue");
  const Memory memory = remembered();
  restore();
  EXPECT_EQ(harness.engine().readiness().reason, "");
  compare(memory);
  EXPECT_TRUE(harness.engine().readiness().ready);
  EXPECT_THAT(harness.engine().readiness().reason, HasSubstr("lost part of its past"));
  EXPECT_EQ(harness.engine().counters().losses, 1U);
  AuditAnswer audit = harness.ask(AuditSale{"s", AuditSale::Depth::standard}).value();
  EXPECT_FALSE(audit.ok);
  ASSERT_EQ(audit.mismatches.size(), 1U);
  EXPECT_THAT(audit.mismatches[0], HasSubstr("reservations 2 to 2"));

  harness.reopen();
  EXPECT_EQ(compare(memory).outcome, Outcome::unchanged) << "it was noted";
  EXPECT_EQ(harness.engine().counters().losses, 1U);
  const LossesAnswer settled = harness.ask(SettleLosses{"mina", "called both"}).value();
  EXPECT_EQ(settled.outcome, Outcome::done);
  EXPECT_EQ(harness.engine().readiness().reason, "");
  EXPECT_TRUE(harness.ask(AuditSale{"s", AuditSale::Depth::standard}).value().ok);
  EXPECT_EQ(harness.ask(SettleLosses{"mina", "again"}).value().outcome, Outcome::unchanged);

  harness.reopen();
  const LossesAnswer kept = harness.ask(ListLosses{}).value();
  ASSERT_EQ(kept.items.size(), 1U);
  EXPECT_EQ(kept.items[0].settled->by, "mina");
  EXPECT_EQ(kept.items[0].settled->reason, "called both");
  EXPECT_EQ(compare(memory).outcome, Outcome::unchanged);
}

TEST_F(RestoredStore, NeverGivesTheHandleOfASaleThatIsLost) {
  back_up();
  harness.ask(CreateSale{terms_of("lost", 5)}).value();
  ASSERT_TRUE(harness.ask(Reserve{"lost", "tue", 1, {}, {}}));
  const Memory memory = remembered();
  ASSERT_EQ(memory.sale, SaleHandle{2});
  restore();
  ASSERT_EQ(compare(memory).outcome, Outcome::done);
  EXPECT_EQ(harness.ask(CreateSale{terms_of("new", 5)}).value().sale.handle, SaleHandle{3});
  harness.reopen();
  EXPECT_EQ(harness.ask(CreateSale{terms_of("newer", 5)}).value().sale.handle, SaleHandle{4});
  EXPECT_EQ(compare(memory).outcome, Outcome::unchanged);
}

TEST_F(RestoredStore, ComparesPastsOfTheSameLength) {
  back_up();
  buy("tue");
  const Memory memory = remembered();
  restore();
  buy("wed");
  EXPECT_EQ(compare(memory).outcome, Outcome::done);
  EXPECT_EQ(compare(remembered()).outcome, Outcome::unchanged) << "its own past is known";
}

TEST_F(RestoredStore, ForgetsTheErasOfASaleThatIsDeletedWhenItsEventsHaveGoneToo) {
  const auto count = [&](const std::string& sql) {
    auto connection = engine::sqlite::Connection::open(harness.file(), engine::sqlite::Access::read_write, {}).value();
    return connection.integer(sql.c_str()).value();
  };
  std::vector<std::string> given;
  for (int start = 0; start < 3; ++start) {
    given.push_back(buy("c" + std::to_string(start)));
    harness.reopen();
  }
  ASSERT_TRUE(harness.ask(PatchSale{.sale = "s", .state = PatchSale::State::closed}));
  ASSERT_EQ(harness.ask(DeleteSale{"s"}).value().outcome, Outcome::done);
  while (count("SELECT count(*) FROM sale WHERE deleted = 2") == 0) harness.ask(GetSale{"s"}).value();
  harness.reopen();
  EXPECT_EQ(count("SELECT count(*) FROM era"), 3) << "its events are still shown";
  harness.close();
  count("DELETE FROM outbox RETURNING 0");  // as if all had been delivered long ago
  harness.reopen();
  EXPECT_EQ(count("SELECT count(*) FROM era"), 0);
  harness.reopen();

  ASSERT_EQ(harness.ask(CreateSale{terms_of("s", 100)}).value().sale.handle, SaleHandle{2});
  for (int i = 0; i < 3; ++i) {
    const std::string fresh = buy("d" + std::to_string(i));
    EXPECT_EQ(std::ranges::count(given, fresh), 0) << "no id is given again";
  }
  for (const std::string& id : given) {
    const auto ref = known(id);
    EXPECT_TRUE(!ref || harness.ask(GetReservation{*ref}).value().outcome == Outcome::reservation_not_found);
  }
}

TEST_F(RestoredStore, SellsOnWhereTheOrdersSayWhatCannotBe) {
  buy("mon");
  back_up();
  buy("tue");
  Memory memory = remembered();
  const std::uint64_t told = memory.sequence;
  restore();
  for (const std::uint64_t absurd : {UINT64_MAX, std::uint64_t{INT64_MAX}, std::uint64_t{1} << 62}) {
    memory.sequence = absurd;
    EXPECT_EQ(compare(memory).outcome, Outcome::unchanged);
  }
  buy("wed");
  EXPECT_LT(remembered().sequence, told + 2'000) << "it was not raised";
  memory.sequence = told;
  EXPECT_EQ(compare(memory).outcome, Outcome::done) << "once the row is mended the loss is found";
}

TEST_F(RestoredStore, OfAnEarlierSchemaKeepsItsIds) {
  harness.close();
  write_old_store(harness.file(), 3);
  harness.reopen();
  const std::string old = id_of({SaleHandle{1}, Number{1}});
  EXPECT_EQ(old.size(), engine::reservation_id_length_without_incarnation);
  ASSERT_TRUE(harness.ask(PatchSale{.sale = "s", .stock_by = 1}));
  const std::string fresh = buy("somebody else");
  EXPECT_EQ(fresh.size(), engine::reservation_id_length);
  EXPECT_TRUE(known(old));
  EXPECT_TRUE(known(fresh));
}

}  // namespace
}  // namespace firstcome::test
