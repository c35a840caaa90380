// The order service between a real Kafka and a database, stopped where a kill would hurt most.
#include "events/kafka_sink.hpp"
#include "events/kafka_source.hpp"
#include "events/order_service.hpp"
#include "events/orders/order_databases.hpp"
#include "support/kafka_server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <future>
#include <thread>

namespace firstcome::events {
namespace {

using firstcome::testing::eventually;
using firstcome::testing::KafkaServer;

/// Kafka's source, of which is known what was confirmed. One that never confirms is as one that is killed after the
/// database has committed.
struct Watched final : EventSource {
  enum class Confirms : std::uint8_t { never, as_told };
  struct Marks {
    std::atomic<std::uint64_t> polled = 0, confirmed = 0;
  };

  Watched(const KafkaSourceOptions& options, Confirms its_confirms, Marks& its_marks)
      : below(options), confirms(its_confirms), marks(its_marks) {}
  std::expected<SourceRecords, std::string> poll(std::size_t limit, std::chrono::milliseconds timeout,
                                                 const std::stop_token& stop) override {
    auto read = below.poll(limit, timeout, stop);
    if (read) marks.polled = read->mark;
    return read;
  }
  std::expected<void, std::string> confirm(std::uint64_t mark, const std::stop_token& stop) override {
    if (confirms == Confirms::never) return std::unexpected("killed before");
    auto confirmed = below.confirm(mark, stop);
    if (confirmed) marks.confirmed = mark;
    return confirmed;
  }
  void keep_alive() override { below.keep_alive(); }
  std::optional<std::uint64_t> lag() override { return below.lag(); }

  KafkaSource below;
  const Confirms confirms;
  Marks& marks;
};

class KafkaOrders : public ::testing::Test {
 protected:
  static constexpr std::size_t count = 3'000;

  void SetUp() override {
    FIRSTCOME_NEEDS_KAFKA();
    kafka = std::make_unique<KafkaServer>();
    send(confirmed_in_a_row(count));
    store = database.open();
  }
  void send(const std::vector<Event>& events) {
    KafkaSink sink({.url = net::parse_kafka_url(kafka->url()).value()});
    const auto sent = sink.deliver(events, {}, {});
    ASSERT_TRUE(sent) << sent.error();
  }
  KafkaSourceOptions source() { return {.url = net::parse_kafka_url(kafka->url()).value()}; }

  /// A service that works until it is destroyed.
  struct Running {
    Running(std::unique_ptr<EventSource> source, OrderService::OpenStore open)
        : service(std::move(source), std::move(open), {.batch = 500, .now = [] { return Instant{}; }}),
          thread([this](const std::stop_token& stop) { service.run(stop); }) {}
    OrderService service;
    std::jthread thread;
  };
  OrderService::OpenStore opener() {
    return [this](const std::stop_token&) { return OrderStore::open(database.options()); };
  }
  std::unique_ptr<Running> run(Watched::Confirms confirms = Watched::Confirms::as_told) {
    marks.emplace_back();
    return std::make_unique<Running>(std::make_unique<Watched>(source(), confirms, marks.back()), opener());
  }

  std::uint64_t orders() { return store->count("ticket", "").value(); }

  std::unique_ptr<KafkaServer> kafka;
  TestDatabase database{Kind::sqlite};
  std::unique_ptr<OrderStore> store;
  std::deque<Watched::Marks> marks;  ///< of each run
};

TEST_F(KafkaOrders, AreThereOnceAfterAKillBetweenTheCommitsOfDatabaseAndOffsets) {
  {
    const auto first = run(Watched::Confirms::never);
    ASSERT_TRUE(eventually([&] { return first->service.counters().events >= count; }, 60s));
  }
  EXPECT_EQ(orders(), count);
  {
    const auto second = run();
    ASSERT_TRUE(eventually([&] { return second->service.counters().events >= count; }, 60s)) << "they come again";
    ASSERT_TRUE(eventually([&] { return marks.back().confirmed == marks.back().polled; }, 60s));
  }
  const auto third = run();
  ASSERT_TRUE(eventually([&] { return third->service.counters().lag == 0U; }, 60s));
  EXPECT_EQ(third->service.counters().events, 0U) << "all was confirmed";
  EXPECT_EQ(orders(), count);
  EXPECT_EQ(store->failed_count().value(), 0U);
}

TEST_F(KafkaOrders, AreThereOnceWhenPartitionsGoToAnotherWhileTheirEventsAreInHand) {
  std::promise<void> may_store;
  const auto gate = may_store.get_future().share();
  const auto first =
      std::make_unique<Running>(std::make_unique<KafkaSource>(source()), [this, gate](const std::stop_token&) {
        gate.wait();
        return OrderStore::open(database.options());
      });
  ASSERT_TRUE(eventually([&] { return first->service.counters().lag == count; }, 60s)) << "it has read, and waits";
  const auto second = run();
  EXPECT_TRUE(eventually([&] { return second->service.counters().events > 0; }, 60s)) << "it took partitions over";
  may_store.set_value();
  ASSERT_TRUE(eventually([&] { return orders() == count; }, 60s));
  const auto is_done = [](const Running& one) { return one.service.counters().lag == 0U; };
  EXPECT_TRUE(eventually([&] { return is_done(*first) && is_done(*second); }, 60s));
  EXPECT_EQ(orders(), count);
  EXPECT_EQ(store->failed_count().value(), 0U);
}

}  // namespace
}  // namespace firstcome::events
