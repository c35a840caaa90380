// The outbox as the relay sees it: the watermark, what comes behind it, what stays of what is before it.
#include "engine/embedded/embedded_harness.hpp"
#include "engine/embedded/sqlite.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::test {
namespace {

using engine::sqlite::Access;
using engine::sqlite::Connection;

class Delivery : public ::testing::Test {
 protected:
  void SetUp() override {
    SaleTerms terms = terms_of("s", 100'000);
    terms.hold = Milliseconds{0};  // confirmed at once
    ASSERT_TRUE(harness.ask(CreateSale{terms}));
  }

  OutboxAnswer behind(std::uint32_t limit = 1'000) { return harness.ask(ReadOutbox{whole_store, limit}).value(); }
  DeliveredAnswer deliver(std::uint64_t upto) { return harness.ask(DeliverEvents{whole_store, upto, 0}).value(); }
  EventsAnswer feed(std::uint64_t after = 0, std::uint32_t limit = 1'000) {
    return harness.ask(ReadEvents{{}, after, limit}).value();
  }
  void reserve(int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(harness.reserve("c" + std::to_string(i)));
  }
  /// One that can be cancelled, of a second sale. Two events.
  ReservationRef held(std::string_view customer) {
    harness.ask(CreateSale{terms_of("t", 5)}).value();
    return harness.ask(Reserve{"t", customer, 1, {}, {}}).value().ref;
  }
  void change_file(const std::string& sql) {
    harness.close();
    auto connection = Connection::open(harness.file(), Access::read_write, {}).value();
    ASSERT_TRUE(connection.execute(sql.c_str()));
  }

  EmbeddedHarness harness;
};

TEST_F(Delivery, ReadsWhatComesBehindTheWatermarkAndOnlyThat) {
  reserve(3);
  ASSERT_EQ(behind().items.size(), 4U);
  EXPECT_EQ(behind(2).items.size(), 2U);
  EXPECT_EQ(behind(2).upto, 2U);
  EXPECT_EQ(deliver(2).outcome, Outcome::done);
  const OutboxAnswer rest = behind();
  ASSERT_EQ(rest.items.size(), 2U);
  EXPECT_EQ(rest.items[0].sequence, 3U);
  EXPECT_EQ(rest.items[0].customer, "c1");
  EXPECT_EQ(rest.upto, 4U);
  EXPECT_EQ(deliver(4).outcome, Outcome::done);
  EXPECT_EQ(behind().upto, 0U);
  EXPECT_EQ(harness.ask(FindUndelivered{}).value().events, 0U);
}

/// Of this process, that take what processor time is left.
std::size_t background_threads() {
  std::size_t count = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    const auto id = static_cast<id_t>(std::stoul(thread.path().filename()));
    if (::getpriority(PRIO_PROCESS, id) == 19) ++count;
  }
  return count;
}

TEST_F(Delivery, IsReadInTheBackgroundWhereTheRelayIsThere) {
  reserve(1);
  ASSERT_EQ(behind().items.size(), 2U);
  EXPECT_EQ(background_threads(), 0U);
  harness.close();
  harness.deliveries = engine::Deliveries::in_background;
  harness.reopen();
  ASSERT_EQ(behind().items.size(), 2U);
  EXPECT_EQ(background_threads(), 1U);
}

TEST_F(Delivery, TellsTheStockAsItIsWithTheLastEventAsItsVersion) {
  reserve(3);
  const OutboxAnswer page = behind(1);
  ASSERT_EQ(page.levels.size(), 1U);
  EXPECT_EQ(page.levels[0].sale_id, "s");
  EXPECT_EQ(page.levels[0].version, 4U);
  EXPECT_EQ(page.levels[0].held, 0);
  EXPECT_EQ(page.levels[0].available, 99'997);
  EXPECT_EQ(page.levels[0].sold, 3);
}

TEST_F(Delivery, TellsWhatAReservationWasPaidWithAndNotWhatWasBeforeThat) {
  ASSERT_TRUE(harness.ask(CreateSale{terms_of("paid", 5)}));
  const ReservationRef ref = harness.ask(Reserve{"paid", "a", 1, {}, {}}).value().ref;
  ASSERT_TRUE(harness.ask(BeginPayment{ref}));
  ASSERT_TRUE(harness.ask(FinishPayment{ref, Charge::charged, {"p-1", "110"}}));
  const OutboxAnswer page = behind();
  ASSERT_EQ(page.items.size(), 3U) << "two sales and a confirmation; neither the hold nor the beginning of the charge";
  EXPECT_EQ(page.upto, 5U);
  const EventView confirmed = page.items.back();
  EXPECT_EQ(confirmed.type, EventType::reservation_confirmed);
  EXPECT_EQ(confirmed.payment, (Payment{"p-1", "110"}));
}

TEST_F(Delivery, MovesTheWatermarkForwardOnlyAndNeverPastTheEnd) {
  reserve(3);
  EXPECT_EQ(deliver(3).upto, 3U);
  EXPECT_EQ(deliver(2).outcome, Outcome::unchanged);
  EXPECT_EQ(deliver(2).upto, 3U);
  EXPECT_EQ(deliver(1'000'000).upto, 4U);
  reserve(5);
  EXPECT_EQ(behind().items.size(), 5U);
}

TEST_F(Delivery, RemembersTheWatermarkAcrossARestart) {
  reserve(3);
  deliver(3);
  harness.reopen();
  EXPECT_EQ(behind().items.front().sequence, 4U);
  EXPECT_EQ(harness.ask(FindUndelivered{}).value().events, 1U);
  EXPECT_THAT(harness.ask(FindUndelivered{}).value().streams, ::testing::ElementsAre(whole_store));
}

TEST_F(Delivery, TrimsWhatIsDeliveredAndKeepsTheLatestForTheFeed) {
  harness.outbox_keep = 10;
  harness.reopen();
  reserve(3'000);
  deliver(1'005);
  EXPECT_EQ(feed(0, 1).oldest, 1U) << "not worth it yet";
  deliver(1'500);
  EXPECT_EQ(feed(0, 1).oldest, 1'491U);
  EXPECT_EQ(feed(0, 1).items.front().sequence, 1'491U);
  deliver(3'001);
  EXPECT_EQ(feed(0, 1).oldest, 2'992U);
  EXPECT_EQ(feed(3'000).items.size(), 1U);
  harness.reopen();  // the file is as it should be
  reserve(3'001);
  EXPECT_EQ(behind().items.front().sequence, 3'002U);
  EXPECT_TRUE(harness.ask(AuditSale{"s"}).value().ok);
}

TEST_F(Delivery, NeverTrimsWhatIsNotDelivered) {
  harness.outbox_keep = 0;  // the last stays all the same
  harness.reopen();
  reserve(2'000);
  EXPECT_EQ(feed(0, 1).oldest, 1U);
  deliver(1'500);
  EXPECT_EQ(feed(0, 1).oldest, 1'500U);
  EXPECT_EQ(behind(1).items.front().sequence, 1'501U);
  deliver(2'001);
  harness.reopen();
  EXPECT_EQ(behind().upto, 0U);
}

TEST_F(Delivery, TellsWhomeverItConcernsAfterEachCommitThatWroteEvents) {
  int rings = 0;
  harness.engine().on_events([&](SaleHandle stream) {
    EXPECT_EQ(stream, whole_store);
    ++rings;
  });
  harness.reserve("a").value();
  EXPECT_EQ(rings, 1);
  harness.ask(GetSale{"s"}).value();
  deliver(2);
  EXPECT_EQ(rings, 1);
}

TEST_F(Delivery, SellsNothingWhileTheOutboxIsFullAndGoesOnWhenItIsNot) {
  harness.outbox_limit = 4;
  harness.reopen();
  const ReservationRef ref = held("a");
  harness.reserve("b").value();
  const auto refused = harness.reserve("c");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, FailureCode::outbox_full);
  EXPECT_EQ(harness.ask(Cancel{ref}).value().outcome, Outcome::done) << "what was begun goes on";
  EXPECT_EQ(harness.engine().counters().undelivered, 5U);
  deliver(2);
  EXPECT_TRUE(harness.reserve("c"));
}

TEST_F(Delivery, KeepsASaleUntilItsEventsAreDelivered) {
  harness.deliveries = engine::Deliveries::expected;
  harness.reopen();
  const ReservationRef ref = held("a");
  harness.ask(Cancel{ref}).value();
  PatchSale close;
  close.sale = "t";
  close.state = PatchSale::State::closed;
  harness.ask(close).value();
  EXPECT_EQ(harness.ask(DeleteSale{"t"}).value().outcome, Outcome::sale_active);
  harness.reopen();
  EXPECT_EQ(harness.ask(DeleteSale{"t"}).value().outcome, Outcome::sale_active) << "known again after a restart";
  deliver(behind().upto);
  EXPECT_EQ(harness.ask(DeleteSale{"t"}).value().outcome, Outcome::done);
}

TEST_F(Delivery, TellsNothingOfSalesThatWereDeletedWhileNobodyDelivered) {
  reserve(2);
  PatchSale close;
  close.sale = "s";
  close.state = PatchSale::State::closed;
  harness.ask(close).value();
  ASSERT_EQ(harness.ask(DeleteSale{"s"}).value().outcome, Outcome::done);
  for (auto next = harness.engine().turn(); next && *next <= std::chrono::steady_clock::now();)
    next = harness.engine().turn();
  harness.deliveries = engine::Deliveries::expected;
  harness.reopen();
  const std::uint64_t deleted_upto = harness.ask(FindUndelivered{}).value().events;
  held("a");
  const OutboxAnswer page = behind();
  ASSERT_EQ(page.items.size(), 1U) << "orders of nobody, for nothing, would be made of the others";
  EXPECT_EQ(page.items[0].sale_id, "t");
  EXPECT_GT(page.items[0].sequence, deleted_upto);
  EXPECT_EQ(deliver(page.upto).outcome, Outcome::done) << "the watermark passes over them";
}

TEST_F(Delivery, ADamagedRowDoesNotHoldBackTheOthers) {
  reserve(3);
  auto connection = Connection::open(harness.file(), Access::read_write, {}).value();
  ASSERT_TRUE(connection.execute("UPDATE outbox SET number = 7 WHERE seq = 3"));
  const OutboxAnswer page = behind();
  EXPECT_EQ(page.items.size(), 3U);
  EXPECT_EQ(page.upto, 4U);
  EXPECT_EQ(feed().items.size(), 3U);
}

TEST_F(Delivery, TheFeedTakesEveryCursorThereIs) {
  reserve(3);
  for (const std::uint64_t after : {std::uint64_t{4}, std::uint64_t{INT64_MAX}, UINT64_MAX - 1, UINT64_MAX}) {
    EXPECT_TRUE(feed(after).items.empty()) << after;
    EXPECT_EQ(feed(after).next, 0U);
    EXPECT_TRUE(harness.ask(ReadEvents{"s", after, 10}).value().items.empty());
  }
}

TEST_F(Delivery, APageOfAQuietSaleLooksAtSoManyEventsOfOthersAndNoMore) {
  ASSERT_TRUE(harness.ask(CreateSale{terms_of("quiet", 5)}));
  std::vector<std::unique_ptr<Asked>> asked;
  for (int i = 0; i < 60'000; ++i) {
    asked.push_back(std::make_unique<Asked>());
    asked.back()->command = Reserve{"s", "c", 1, {}, {}};
    harness.engine().submit(*asked.back());
  }
  harness.finish(*asked.back());
  harness.ask(Reserve{"quiet", "a", 1, {}, {}}).value();
  const EventsAnswer first = harness.ask(ReadEvents{"quiet", 2, 10}).value();
  EXPECT_TRUE(first.items.empty());
  EXPECT_GT(first.next, 2U) << "there may be more behind";
  EXPECT_LT(first.next, 60'000U);
  const EventsAnswer second = harness.ask(ReadEvents{"quiet", first.next, 10}).value();
  EXPECT_EQ(second.items.size(), 1U);
  EXPECT_EQ(second.next, 0U);
}

TEST_F(Delivery, TheRelayDoesNotStandInLineWithThoseWhoReadTheFeed) {
  reserve(1'000);
  std::vector<std::unique_ptr<Asked>> pollers;
  for (int i = 0; i < 300; ++i) {
    pollers.push_back(std::make_unique<Asked>());
    pollers.back()->command = ReadEvents{{}, 0, 1'000};
    harness.engine().submit(*pollers.back());
  }
  Asked relay;
  relay.command = ReadOutbox{whole_store, 1'000};
  harness.engine().submit(relay);
  harness.finish(relay);
  EXPECT_FALSE(pollers.back()->done);
  harness.finish(*pollers.back());
}

TEST_F(Delivery, TheFeedOfOneSaleLeavesTheOthersOut) {
  ASSERT_TRUE(harness.ask(CreateSale{terms_of("other", 5)}));
  reserve(2);
  const EventsAnswer page = harness.ask(ReadEvents{"s", 1, 1'000}).value();
  ASSERT_EQ(page.items.size(), 2U);
  EXPECT_EQ(page.items[0].sequence, 3U);
  EXPECT_EQ(harness.ask(ReadEvents{"nobody-knows", 0, 1}).value().outcome, Outcome::sale_not_found);
}

TEST_F(Delivery, AWatermarkThatCannotBeIsRefused) {
  reserve(3);
  deliver(3);
  change_file("UPDATE delivery SET upto = 2");
  EXPECT_THAT(harness.refusal(), ::testing::HasSubstr("delivery has a wrong checksum"));
}

TEST_F(Delivery, EventsThatAreMissingBehindTheWatermarkAreNoticed) {
  reserve(3);
  deliver(1);
  change_file("DELETE FROM outbox WHERE seq < 3");
  EXPECT_THAT(harness.refusal(), ::testing::HasSubstr("the outbox begins at 3, and is delivered up to 1 only"));
}

}  // namespace
}  // namespace firstcome::test
