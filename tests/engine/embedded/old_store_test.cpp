// Stores that earlier releases have written are read, and brought up to date.
#include "engine/embedded/old_store.hpp"

#include "engine/embedded/embedded_harness.hpp"

#include <firstcome/lock_command.hpp>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;

class OldStore : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    harness.close();
    write_old_store(harness.file(), GetParam());
    harness.reopen();
  }

  ReservationView reservation(std::uint64_t number) {
    return harness.ask(GetReservation{{SaleHandle{1}, Number{number}}}).value().reservation;
  }
  SaleView sale() { return harness.ask(GetSale{"s"}).value().sale; }

  EmbeddedHarness harness;
};

TEST_P(OldStore, IsReadAsItWasWritten) {
  const SaleView seen = sale();
  EXPECT_EQ(seen.state, SaleState::open);
  EXPECT_EQ(seen.available, 0);
  EXPECT_EQ(seen.held, 2);
  EXPECT_EQ(seen.sold, 3);
  EXPECT_EQ(seen.queued, 1U);
  EXPECT_EQ(seen.revision, 0U);
  EXPECT_EQ(reservation(1).payment->id, "p-1");
  EXPECT_EQ(reservation(1).quantity, 3);
  EXPECT_EQ(reservation(4).position, 1U);
}

TEST_P(OldStore, TakesWhatThisReleaseAddsAndKeepsIt) {
  PatchSale pause{.sale = "s", .stock_by = 1, .state = PatchSale::State::paused};
  ASSERT_EQ(harness.ask(pause).value().outcome, Outcome::done);
  ASSERT_EQ(harness.ask(AcquireLock{"a", "holder", 10s, 0ms}).value().outcome, Outcome::done);
  harness.reopen();
  EXPECT_EQ(sale().state, SaleState::paused);
  EXPECT_EQ(sale().revision, 1U);
  EXPECT_EQ(sale().available, 1);
  EXPECT_EQ(harness.ask(AcquireLock{"a", "other", 10s, 0ms}).value().outcome, Outcome::locked);
}

TEST_P(OldStore, DeliversItsEvents) {
  const OutboxAnswer behind = harness.ask(ReadOutbox{}).value();
  EXPECT_EQ(behind.items.size(), 4U) << "created, confirmed, restocked, cancelled";
  EXPECT_EQ(harness.ask(DeliverEvents{.upto = behind.upto}).value().outcome, Outcome::done);
  harness.reopen();
  EXPECT_EQ(harness.ask(ReadOutbox{}).value().items.size(), 0U);
}

INSTANTIATE_TEST_SUITE_P(OfSchema, OldStore, ::testing::Values(1, 2, 3),
                         [](const auto& schema) { return std::to_string(schema.param); });

}  // namespace
}  // namespace firstcome::test
