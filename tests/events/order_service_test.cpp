// The order service between a source and a store that do what a test says.
#include "events/order_service.hpp"

#include "support/redis_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

namespace firstcome::events {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::eventually;
using ::testing::HasSubstr;

Event confirmation(int number) {
  Event event;
  event.id = "1-" + std::to_string(number);
  event.type = EventType::reservation_confirmed;
  event.sale = "s";
  event.sequence = static_cast<std::uint64_t>(number);
  event.reservation = std::to_string(number) + std::string(engine::reservation_id_length, 'r');
  event.reservation.resize(engine::reservation_id_length);
  event.number = Number{static_cast<std::uint64_t>(number)};
  event.customer = "c";
  event.quantity = 1;
  event.currency = "KRW";
  return event;
}

/// What both peers do, and what became of it; outlives them.
struct World {
  std::mutex mutex;  ///< protects what follows
  std::condition_variable changed;
  std::deque<std::string> topic;
  std::size_t polled = 0;  ///< of the topic
  std::size_t poll_most = 1'000'000;
  std::size_t confirmed = 0;  ///< of the topic
  int kept_alive = 0;
  int polls = 0;
  bool source_works = true;
  bool confirms = true;
  bool tells_lag = true;
  std::map<std::string, int> stored;  ///< event id -> how often
  std::vector<std::string> stored_in_order;
  std::vector<std::size_t> batches;
  bool store_waits = false;
  std::size_t stores_begun = 0;
  std::vector<std::string> parked;  ///< the places of what is no event
  std::set<std::string> poison;     ///< event ids that the store parks
  std::string trouble;              ///< of the store; empty: none
  int opened = 0;
  std::vector<std::chrono::steady_clock::time_point> stored_at;

  template <class F>
  auto with(F f) {
    const std::lock_guard guard(mutex);
    return f(*this);
  }
  void let_the_store_work() {
    with([](World& self) { self.store_waits = false; });
    changed.notify_all();
  }
  void add(const Event& event) {
    with([&](World& self) { self.topic.push_back(to_json(event)); });
  }
};

struct FakeSource final : EventSource {
  explicit FakeSource(World& its_world) : world(its_world) {
    world.with([](World& self) { self.polled = self.confirmed; });  // as after a restart
  }
  std::expected<SourceRecords, std::string> poll(std::size_t limit, std::chrono::milliseconds,
                                                 const std::stop_token&) override {
    const std::lock_guard guard(world.mutex);
    ++world.polls;
    if (!world.source_works) return std::unexpected("the source is dry");
    SourceRecords read;
    while (read.records.size() < std::min(limit, world.poll_most) && world.polled < world.topic.size()) {
      read.records.push_back({world.topic[world.polled], "orders/0@" + std::to_string(world.polled)});
      ++world.polled;
    }
    read.mark = world.polled;
    return read;
  }
  std::expected<void, std::string> confirm(std::uint64_t mark, const std::stop_token&) override {
    const std::lock_guard guard(world.mutex);
    if (!world.confirms) return std::unexpected("the source takes no confirmation");
    EXPECT_GE(mark, world.confirmed);
    EXPECT_LE(mark, world.stored_in_order.size() + world.parked.size()) << "confirmed before it was stored";
    world.confirmed = mark;
    return {};
  }
  void keep_alive() override {
    world.with([](World& self) { ++self.kept_alive; });
  }
  std::optional<std::uint64_t> lag() override {
    return world.with([](World& self) -> std::optional<std::uint64_t> {
      if (!self.tells_lag) return std::nullopt;
      return self.topic.size() - self.polled;
    });
  }
  World& world;
};

struct FakeStore final : OrderStore {
  explicit FakeStore(World& its_world) : world(its_world) {}
  Result<Stored> store(std::span<const Event> events) override {
    std::unique_lock guard(world.mutex);
    ++world.stores_begun;
    world.changed.wait(guard, [&] { return !world.store_waits; });
    if (!world.trouble.empty()) return std::unexpected(Trouble{Trouble::Kind::connection, world.trouble});
    Stored done;
    for (const Event& event : events) {
      if (world.poison.contains(event.id)) {
        ++done.parked;
      } else {
        ++world.stored[event.id];
        world.stored_in_order.push_back(event.id);
        ++done.written;
      }
    }
    world.batches.push_back(events.size());
    world.stored_at.push_back(std::chrono::steady_clock::now());
    return done;
  }
  Result<void> park(const NoEvent& what) override {
    world.with([&](World& self) { self.parked.push_back(what.source + ": " + what.error); });
    return {};
  }
  Result<Retried> retry_due(Instant, std::size_t) override { return Retried{}; }
  Result<std::uint64_t> failed_count() override {
    return world.with([](World& self) { return self.poison.size() + self.parked.size(); });
  }
  Result<std::uint64_t> due_count(Instant) override { return 0; }
  Result<Erased> erase(const std::string&, const std::string&) override { return Erased{}; }
  Result<FailedPage> failed(const std::string&, std::size_t) override { return FailedPage{}; }
  Result<std::uint64_t> retry_now(const std::optional<std::string>&) override { return 0; }
  Result<std::uint64_t> discard(const std::string&, const Discard&) override { return 0; }
  Result<std::optional<Order>> order(const std::string&) override { return std::optional<Order>{}; }
  Result<std::vector<Order>> orders_with(std::span<const std::string>) override { return std::vector<Order>{}; }
  Result<OrderPage> orders_of(const std::string&, const std::string&, std::size_t) override { return OrderPage{}; }
  Result<void> export_orders(const std::string&, const std::function<bool(const Order&)>&) override { return {}; }
  Result<void> summaries(const std::optional<std::string>&, const std::function<bool(const OrderSummary&)>&) override {
    return {};
  }
  Result<std::vector<firstcome::events::Told>> told() override { return std::vector<firstcome::events::Told>{}; }
  Result<void> settle(std::span<const std::string>, const Discard&) override { return {}; }
  Result<std::vector<std::string>> settled() override { return std::vector<std::string>{}; }
  Result<std::uint64_t> count(const std::string&, const std::string&) override { return 0; }
  World& world;
};

class OrderServiceTest : public ::testing::Test {
 protected:
  void start(OrderServiceOptions options = {}) {
    options.poll_timeout = 1ms;
    options.first_pause = 1ms;
    options.longest_pause = 5ms;
    options.now = [] { return Instant{}; };
    service = std::make_unique<OrderService>(
        std::make_unique<FakeSource>(world),
        [this](const std::stop_token&) -> std::expected<std::unique_ptr<OrderStore>, std::string> {
          const std::lock_guard guard(world.mutex);
          ++world.opened;
          if (!world.trouble.empty()) return std::unexpected(world.trouble);
          return std::make_unique<FakeStore>(world);
        },
        std::move(options));
    thread = std::jthread([one = service.get()](const std::stop_token& stop) { one->run(stop); });
  }
  void stop() {
    thread = {};
    service.reset();
  }
  std::size_t stored() {
    return world.with([](World& self) { return self.stored.size(); });
  }
  std::size_t confirmed() {
    return world.with([](World& self) { return self.confirmed; });
  }

  World world;
  std::unique_ptr<OrderService> service;
  std::jthread thread;
};

TEST_F(OrderServiceTest, StoresWhatComesAndThenConfirmsIt) {
  for (int i = 1; i <= 100; ++i) world.add(confirmation(i));
  start({.batch = 7});
  ASSERT_TRUE(eventually([&] { return confirmed() == 100; }));
  EXPECT_EQ(stored(), 100U);
  EXPECT_EQ(service->counters().events, 100U);
}

TEST_F(OrderServiceTest, ConfirmsNothingThatIsNotStoredAndBringsItAgain) {
  for (int i = 1; i <= 20; ++i) world.add(confirmation(i));
  world.with([](World& self) { self.trouble = "the database is away"; });
  start({.batch = 5});
  ASSERT_TRUE(eventually([&] { return service->counters().troubles >= 5; }));
  EXPECT_THAT(service->trouble(), HasSubstr("the database is away"));
  EXPECT_EQ(confirmed(), 0U);
  EXPECT_TRUE(eventually([&] { return world.with([](World& self) { return self.kept_alive > 0; }); }));
  world.with([](World& self) { self.trouble.clear(); });
  ASSERT_TRUE(eventually([&] { return confirmed() == 20; }));
  EXPECT_EQ(stored(), 20U);
  EXPECT_TRUE(eventually([&] { return service->trouble().empty(); }));
}

TEST_F(OrderServiceTest, AfterAStopWhatWasNotConfirmedComesAgain) {
  for (int i = 1; i <= 20; ++i) world.add(confirmation(i));
  world.with([](World& self) { self.trouble = "the database is away"; });
  start();
  ASSERT_TRUE(eventually([&] { return service->counters().troubles >= 1; }));
  stop();
  EXPECT_EQ(confirmed(), 0U);
  world.with([](World& self) { self.trouble.clear(); });
  start();
  ASSERT_TRUE(eventually([&] { return confirmed() == 20; }));
  EXPECT_EQ(stored(), 20U);
}

// The reading thread is ahead of the storing one, by one batch.
TEST_F(OrderServiceTest, ReadsOneBatchAheadAndConfirmsNoneBeforeItIsStored) {
  for (int i = 1; i <= 100; ++i) world.add(confirmation(i));
  world.with([](World& self) { self.store_waits = true; });
  start({.batch = 10});
  ASSERT_TRUE(eventually([&] { return world.with([](World& self) { return self.polled == 20; }); }));
  const int before = world.with([](World& self) { return self.kept_alive; });
  ASSERT_TRUE(eventually([&] { return world.with([&](World& self) { return self.kept_alive > before; }); }))
      << "it lives";
  EXPECT_EQ(world.with([](World& self) { return self.polled; }), 20U) << "it reads no further";
  EXPECT_EQ(confirmed(), 0U);
  EXPECT_EQ(service->counters().lag, 100U) << "what is read and not stored waits as well";
  world.let_the_store_work();
  ASSERT_TRUE(eventually([&] { return confirmed() == 100; }));
  const auto order = world.with([](World& self) { return self.stored_in_order; });
  for (int i = 1; i <= 100; ++i) ASSERT_EQ(order.at(static_cast<std::size_t>(i - 1)), "1-" + std::to_string(i));
}

// Five thousand records of a megabyte each would not fit into memory.
TEST_F(OrderServiceTest, ReadsNoFurtherAheadThanSoManyBytes) {
  for (int i = 1; i <= 100; ++i) world.add(confirmation(i));
  world.with([](World& self) {
    self.store_waits = true;
    self.poll_most = 1;
  });
  const std::size_t of_a_record = to_json(confirmation(1)).size();
  start({.batch_bytes = 3 * of_a_record});
  ASSERT_TRUE(eventually([&] { return world.with([](World& self) { return self.kept_alive > 0; }); }))
      << "it reads no further, and lives";
  EXPECT_LE(world.with([](World& self) { return self.polled; }), 8U) << "those that are stored, and those that wait";
  world.let_the_store_work();
  ASSERT_TRUE(eventually([&] { return confirmed() == 100; }));
}

TEST_F(OrderServiceTest, AheadOfADatabaseThatFailsItLosesNothingAndKeepsTheOrder) {
  for (int i = 1; i <= 100; ++i) world.add(confirmation(i));
  world.with([](World& self) { self.store_waits = true; });
  start({.batch = 10});
  ASSERT_TRUE(eventually([&] { return world.with([](World& self) { return self.polled == 20; }); }));
  world.with([](World& self) { self.trouble = "the database is away"; });
  world.let_the_store_work();
  ASSERT_TRUE(eventually([&] { return service->counters().troubles >= 3; }));
  EXPECT_EQ(world.with([](World& self) { return self.polled; }), 20U);
  EXPECT_EQ(confirmed(), 0U);
  stop();  // two batches are read, none is stored
  EXPECT_EQ(confirmed(), 0U);
  world.with([](World& self) { self.trouble.clear(); });
  start({.batch = 10});
  ASSERT_TRUE(eventually([&] { return confirmed() == 100; }));
  const auto order = world.with([](World& self) { return self.stored_in_order; });
  ASSERT_EQ(order.size(), 100U);
  for (int i = 1; i <= 100; ++i) ASSERT_EQ(order.at(static_cast<std::size_t>(i - 1)), "1-" + std::to_string(i));
}

// As after a kill between the commit of the database and that of the offsets.
TEST_F(OrderServiceTest, WhatIsStoredAndNotConfirmedComesAgainAndNothingIsLeftOut) {
  for (int i = 1; i <= 30; ++i) world.add(confirmation(i));
  world.with([](World& self) { self.confirms = false; });
  start({.batch = 10});
  ASSERT_TRUE(eventually([&] { return stored() == 30; }));
  stop();
  EXPECT_EQ(confirmed(), 0U);
  world.with([](World& self) { self.confirms = true; });
  start({.batch = 10});
  ASSERT_TRUE(eventually([&] { return confirmed() == 30; }));
  const auto times = world.with([](World& self) { return self.stored; });
  for (const auto& [id, often] : times) EXPECT_EQ(often, 2) << id;
}

TEST_F(OrderServiceTest, StoresTogetherWhatCameWhileTheDatabaseWasAtWork) {
  world.with([](World& self) { self.store_waits = true; });
  world.add(confirmation(1));
  start();
  ASSERT_TRUE(eventually([&] { return world.with([](World& self) { return self.stores_begun == 1; }); }));
  for (int i = 2; i <= 9; ++i) {
    world.add(confirmation(i));
    ASSERT_TRUE(eventually([&] { return world.with([&](World& self) { return self.polled == std::size_t(i); }); }));
  }
  ASSERT_TRUE(eventually([&] { return service->counters().lag == 9U; }));
  world.let_the_store_work();
  ASSERT_TRUE(eventually([&] { return confirmed() == 9; }));
  EXPECT_EQ(world.with([](World& self) { return self.batches; }), (std::vector<std::size_t>{1, 8}));
}

// KNOWN-BUGS 13: one poison row fails a whole batch.
TEST_F(OrderServiceTest, WhatIsNoEventIsKeptAndStopsNobody) {
  world.add(confirmation(1));
  world.with([](World& self) {
    self.topic.push_back("{");
    self.topic.push_back(R"({"version":9})");
    self.topic.push_back(std::string(event_bytes + 1, ' '));
  });
  world.add(confirmation(2));
  start();
  ASSERT_TRUE(eventually([&] { return confirmed() == 5; }));
  EXPECT_EQ(stored(), 2U);
  const auto parked = world.with([](World& self) { return self.parked; });
  ASSERT_EQ(parked.size(), 3U);
  EXPECT_THAT(parked[0], HasSubstr("orders/0@1: it is not JSON"));
  EXPECT_THAT(parked[1], HasSubstr("orders/0@2: version 9 is later than 1"));
  EXPECT_THAT(parked[2], HasSubstr("orders/0@3"));
  EXPECT_TRUE(eventually([&] { return service->counters().failed == 3; })) << "a metric tells how many";
}

TEST_F(OrderServiceTest, ASourceInTroubleIsAskedAgain) {
  world.with([](World& self) { self.source_works = false; });
  world.add(confirmation(1));
  start();
  ASSERT_TRUE(eventually([&] { return service->counters().troubles >= 3; }));
  EXPECT_THAT(service->trouble(), HasSubstr("the source is dry"));
  world.with([](World& self) { self.source_works = true; });
  EXPECT_TRUE(eventually([&] { return confirmed() == 1; }));
}

TEST_F(OrderServiceTest, StaysInTroubleUntilWhatIsStoredIsConfirmed) {
  world.with([](World& self) { self.confirms = false; });
  world.add(confirmation(1));
  start();
  ASSERT_TRUE(eventually([&] { return !service->trouble().empty(); }));
  const int polls = world.with([](World& self) { return self.polls; });
  // Polls that bring nothing are no sign that offsets can be stored.
  ASSERT_TRUE(eventually([&] {
    EXPECT_THAT(service->trouble(), HasSubstr("takes no confirmation"));
    return world.with([](World& self) { return self.polls; }) > polls + 20;
  }));
  world.with([](World& self) { self.confirms = true; });
  EXPECT_TRUE(eventually([&] { return confirmed() == 1 && service->trouble().empty(); }))
      << "although nothing more comes";
}

TEST_F(OrderServiceTest, TellsALagOnlyWhereTheSourceHasOne) {
  world.with([](World& self) { self.tells_lag = false; });
  start();
  ASSERT_TRUE(eventually([&] { return world.with([](World& self) { return self.polls; }) > 2; }));
  EXPECT_FALSE(service->counters().lag);
  world.with([](World& self) { self.tells_lag = true; });
  EXPECT_TRUE(eventually([&] { return service->counters().lag == 0U; }));
}

TEST_F(OrderServiceTest, KeepsToTheRateThatItWasGiven) {
  for (int i = 1; i <= 60; ++i) world.add(confirmation(i));
  start({.max_rate = 100});
  ASSERT_TRUE(eventually([&] { return confirmed() == 60; }));
  const auto times = world.with([](World& self) { return self.stored_at; });
  ASSERT_GE(times.size(), 2U) << "in pieces, not all at once";
  EXPECT_GE(times.back() - times.front(), 450ms) << "the last ten of sixty begin after half a second";
}

}  // namespace
}  // namespace firstcome::events
