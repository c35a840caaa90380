// The outbox where there are many sales, several nodes, and servers and networks that fail.
#include "engine/redis/sale_codec.hpp"
#include "engine/redis/selling.hpp"
#include "net/redis/slots.hpp"
#include "support/tcp_proxy.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <set>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;
using testing::eventually;
using testing::RedisCluster;
using testing::RedisServer;
using testing::TcpProxy;

class RedisOutboxNodes : public ::testing::Test {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    server_ = std::make_unique<RedisServer>();
    first_ = std::make_unique<RedisNode>(options());
  }
  engine::RedisEngineOptions options() const { return options_for("redis://" + server_->address()); }
  SaleHandle handle() { return first_->ask(GetSale{"s"})->sale.handle; }

  std::unique_ptr<RedisServer> server_;
  std::unique_ptr<RedisNode> first_;
};

/// Delivers all there is, as a relay does.
std::vector<EventView> deliver_all(RedisNode& node, SaleHandle stream, std::uint64_t token = 0) {
  std::vector<EventView> events;
  for (;;) {
    const auto read = node.ask(ReadOutbox{stream});
    if (!read) {
      ADD_FAILURE() << read.error().detail;
      return events;
    }
    if (read->upto == 0) return events;
    events.insert(events.end(), read->items.begin(), read->items.end());
    const auto delivered = node.ask(DeliverEvents{stream, read->upto, token});
    if (!delivered || delivered->outcome != Outcome::done) {
      ADD_FAILURE() << "the watermark did not move";
      return events;
    }
  }
}

TEST_F(RedisOutboxNodes, OneNodeDeliversWhatAllHaveWritten) {
  create_sale(*first_, 100);
  std::atomic<int> told = 0;
  RedisNode second(options());
  second.engine().on_events([&](SaleHandle) { ++told; });
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE((i % 2 == 0 ? *first_ : second).reserve("c" + std::to_string(i)));
  }
  EXPECT_GE(told, 10) << "each of its calls wrote";
  const auto events = deliver_all(second, handle(), 5);
  ASSERT_EQ(events.size(), 21U);
  for (std::uint64_t i = 1; i <= 20; ++i) EXPECT_EQ(events[i].customer, "c" + std::to_string(i - 1));
  EXPECT_EQ(first_->ask(ReadOutbox{handle()})->upto, 0U);
  EXPECT_EQ(first_->ask(DeliverEvents{handle(), 21, 4})->outcome, Outcome::lease_lost);
  second.reserve("another");
  EXPECT_EQ(first_->ask(ReadOutbox{handle()})->items.at(0).customer, "another");
}

TEST_F(RedisOutboxNodes, FindsTheStreamsThatHaveSomethingLeft) {
  std::vector<SaleHandle> sales;
  for (const char* id : {"a", "b", "c"}) sales.push_back(first_->ask(CreateSale{terms_of(id, 5)})->sale.handle);
  deliver_all(*first_, sales[1]);
  ASSERT_TRUE(first_->ask(Reserve{"c", "customer", 1, {}, {}}));
  RedisNode fresh(options());  // has heard of none of them
  const auto found = fresh.ask(FindUndelivered{});
  ASSERT_TRUE(found) << found.error().detail;
  EXPECT_EQ(found->streams, (std::vector{sales[0], sales[2]}));
  EXPECT_EQ(found->events, 3U);
  EXPECT_TRUE(eventually([&] { return figure_of(fresh, "firstcome_outbox_undelivered") == 3; }));
  EXPECT_TRUE(eventually([&] { return figure_of(*first_, "firstcome_outbox_undelivered") == 3; }));
  deliver_all(*first_, sales[0]);
  deliver_all(*first_, sales[2]);
  EXPECT_TRUE(fresh.ask(FindUndelivered{})->streams.empty());
  EXPECT_TRUE(eventually([&] { return figure_of(*first_, "firstcome_outbox_undelivered") == 0; }));
}

TEST_F(RedisOutboxNodes, TellsAThousandStreamsAtOnceAndTheOthersNext) {
  std::deque<Asked> creations;
  for (int i = 0; i < 1'200; ++i) {
    creations.emplace_back().command = CreateSale{terms_of("sale-" + std::to_string(i), 1)};
    first_->engine().submit(creations.back());
  }
  for (const Asked& one : creations) first_->finish(one);
  std::set<SaleHandle> told;
  for (int i = 0; i < 2; ++i) {
    const auto found = first_->ask(FindUndelivered{});
    ASSERT_TRUE(found) << found.error().detail;
    EXPECT_EQ(found->streams.size(), 1'000U);
    EXPECT_EQ(found->events, 1'200U);
    told.insert(found->streams.begin(), found->streams.end());
  }
  EXPECT_EQ(told.size(), 1'200U);
}

TEST_F(RedisOutboxNodes, IsEmptyInAnEmptyStore) {
  const auto found = first_->ask(FindUndelivered{});
  ASSERT_TRUE(found) << found.error().detail;
  EXPECT_TRUE(found->streams.empty());
  EXPECT_EQ(found->events, 0U);
}

// KNOWN-BUGS 2: what was decided is told, whoever dies when.
TEST_F(RedisOutboxNodes, WhatADeadNodeHasWrittenIsFoundByAnother) {
  create_sale(*first_, 100);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(first_->reserve("c" + std::to_string(i)));
  const SaleHandle stream = handle();
  first_.reset();
  RedisNode other(options());
  ASSERT_EQ(other.ask(FindUndelivered{})->streams, std::vector{stream});
  const auto events = deliver_all(other, stream);
  EXPECT_EQ(events.size(), 11U);
  EXPECT_TRUE(other.ask(FindUndelivered{})->streams.empty());
}

TEST_F(RedisOutboxNodes, ADeliveryWhoseAnswerWasLostIsRepeatedAndHasOneEffect) {
  create_sale(*first_, 100);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(first_->reserve("c" + std::to_string(i)));
  const SaleHandle stream = handle();
  TcpProxy proxy(server_->port());
  engine::RedisEngineOptions through = options_for("redis://127.0.0.1:" + std::to_string(proxy.port()));
  through.patience = 10s;
  RedisNode relay(std::move(through));
  ASSERT_TRUE(relay.ask(ReadOutbox{stream}));
  for (std::uint64_t upto = 2; upto <= 11; ++upto) {
    proxy.drop(TcpProxy::Direction::to_client);
    Asked asked;
    asked.command = DeliverEvents{stream, upto, 7};
    relay.engine().submit(asked);
    ASSERT_TRUE(eventually([&] { return first_->ask(DeliverEvents{stream, 0, 7})->upto == upto; }));
    proxy.cut();
    proxy.resume();
    relay.finish(asked);
    ASSERT_TRUE(asked.answer) << asked.answer.error().detail;
    EXPECT_EQ(asked.as<DeliveredAnswer>().outcome, Outcome::unchanged) << "the first one had the effect";
    EXPECT_EQ(asked.as<DeliveredAnswer>().upto, upto);
  }
  EXPECT_EQ(first_->ask(ReadOutbox{stream})->upto, 0U);
}

TEST_F(RedisOutboxNodes, ALostStoreIsToldAndNotTakenForAnEmptyOutbox) {
  create_sale(*first_, 100);
  const SaleHandle stream = handle();
  server_->command({"FLUSHALL"});
  const auto read = first_->ask(ReadOutbox{stream});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, FailureCode::store_lost) << read.error().detail;
  const auto found = first_->ask(FindUndelivered{});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, FailureCode::store_lost);
}

TEST_F(RedisOutboxNodes, CountsNothingWrongWhereEventsAreTrimmedMeanwhile) {
  create_sale(*first_, 20'000);
  const std::string stream = engine::SaleKeys(handle()).stream;
  int made = 0;
  const auto sell = [&](int count) {
    std::deque<Customer> customers;
    for (int i = 0; i < count; ++i) {
      customers.emplace_back("c" + std::to_string(++made));
      first_->engine().submit(customers.back());
    }
    for (const Customer& one : customers) first_->finish(one);
  };
  sell(12'000);
  Asked audit;
  audit.command = AuditSale{"s"};
  first_->engine().submit(audit);
  int rounds = 0;
  for (; !audit.done && rounds < 5'000; ++rounds) {
    sell(1);
    server_->command({"XTRIM", stream, "MAXLEN", "0"});
  }
  first_->finish(audit);
  ASSERT_GT(rounds, 3) << "nothing changed while it counted";
  if (audit.answer) {
    const auto& mismatches = audit.as<AuditAnswer>().mismatches;
    EXPECT_TRUE(audit.as<AuditAnswer>().ok) << (mismatches.empty() ? "" : mismatches.front());
  } else {
    EXPECT_EQ(audit.answer.error().code, FailureCode::overloaded) << audit.answer.error().detail;
  }
  const auto quiet = first_->ask(AuditSale{"s"});
  ASSERT_TRUE(quiet) << quiet.error().detail;
  EXPECT_TRUE(quiet->ok);
}

TEST(RedisOutboxCluster, IsReadWhileItsSlotMoves) {
  FIRSTCOME_NEEDS_REDIS();
  RedisCluster cluster;
  RedisNode node(options_for("redis+cluster://" + cluster.addresses()));
  create_sale(node, 5'000);
  const SaleHandle stream = node.ask(GetSale{"s"})->sale.handle;
  const unsigned slot = net::key_slot(engine::SaleKeys(stream).hash);
  int made = 0;
  std::vector<EventView> events;
  const auto sell_and_deliver = [&] {
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(node.reserve("c" + std::to_string(made++)));
    const auto read = node.ask(ReadOutbox{stream, 30});
    ASSERT_TRUE(read) << read.error().detail;
    events.insert(events.end(), read->items.begin(), read->items.end());
    const auto delivered = node.ask(DeliverEvents{stream, read->upto, 1});
    ASSERT_TRUE(delivered) << delivered.error().detail;
    ASSERT_EQ(delivered->upto, read->upto);
    EXPECT_EQ(node.ask(FindUndelivered{})->events, made + 1 - delivered->upto);
  };
  for (int moves = 0; moves < 3; ++moves) {
    RedisServer& source = cluster.owner_of(slot);
    RedisServer& target = &source == &cluster.node(0) ? cluster.node(1) : cluster.node(0);
    sell_and_deliver();
    cluster.begin_move(slot, source, target);
    sell_and_deliver();
    cluster.move_keys(slot, source, target);
    sell_and_deliver();
    cluster.finish_move(slot, source, target);
    sell_and_deliver();
  }
  for (const EventView& event : deliver_all(node, stream, 1)) events.push_back(event);
  ASSERT_EQ(events.size(), static_cast<std::size_t>(made) + 1);
  for (std::size_t i = 1; i < events.size(); ++i) {
    ASSERT_EQ(events[i].sequence, i + 1);
    EXPECT_EQ(events[i].customer, "c" + std::to_string(i - 1));
  }
}

}  // namespace
}  // namespace firstcome::test
