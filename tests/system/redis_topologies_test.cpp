// Several processes sell one stock while Redis itself moves: a failover by Sentinel, and a slot of a Cluster that goes
// to another node and back.
#include "system/redis_nodes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace firstcome::testing {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string url_of(const RedisSentinels& servers) {
  return "redis+sentinel://" + servers.addresses() + "/" + RedisSentinels::master_name;
}

/// The replica cannot follow any more, as if the network between the two were cut.
void cut_off_the_replica(RedisSentinels& servers) {
  ASSERT_EQ(servers.second().text({"CONFIG", "SET", "masteruser", "nobody", "masterauth", "wrong"}), "OK");
  ASSERT_EQ(servers.first().text({"CLIENT", "KILL", "TYPE", "replica"}), "1");
}

void print_lost(const char* durability, const rush::RushResult& result) {
  std::cout << "  failover with durability " << durability << ": " << result.verdict.told_yes_has_it
            << " acknowledged reservations are there, " << result.verdict.lost.count << " are lost\n";
}

TEST(RedisFailover, NeverStoresMoreThanTheStockAndCountsWhatItLost) {
  FIRSTCOME_NEEDS_REDIS();
  RedisSentinels servers;
  Nodes nodes(2, url_of(servers));
  create_sale(nodes[0].port(), R"({"id":"tee","kind":"coupon","stock":6000})");
  rush::RushOptions options = crowd_for(nodes, 12'000);
  enum class Stage : std::uint8_t { whole, cut_off, killed } stage = Stage::whole;
  std::uint64_t answered_before = 0;
  const rush::RushResult result = rushed(options, [&](const rush::CrowdFigures& figures) {
    if (stage == Stage::whole && figures.clicks > 1'500) {
      stage = Stage::cut_off;
      cut_off_the_replica(servers);
      answered_before = figures.finished;
    } else if (stage == Stage::cut_off && figures.finished > answered_before + 500) {  // which are not replicated
      stage = Stage::killed;
      servers.first().kill();
    }
  });
  ASSERT_EQ(stage, Stage::killed) << "all was over before: the test has no power";
  print_lost("memory", result);
  EXPECT_EQ(servers.master_port(), servers.second().port());
  EXPECT_EQ(result.after.sold, 6'000) << rush::report(result) << nodes.logs();
  EXPECT_GT(result.verdict.lost.count, 0U) << "all had been replicated: the test has no power";
  EXPECT_THAT(rush::report(result), HasSubstr("lost                  " + rush::grouped(result.verdict.lost.count)));
  // More were told that they have one than there are units. Stored are not more.
  EXPECT_THAT(result.verdict.oversold.first, Each(StartsWith("customers were told")));
  EXPECT_EQ(result.verdict.equation.count, 0U);
  EXPECT_THAT(result.verdict.audit.first, Each(HasSubstr("lost part of its past"))) << rush::report(result);
  EXPECT_GT(result.verdict.audit.count, 0U);
  EXPECT_EQ(result.verdict.undersold.count, 0U);
  EXPECT_EQ(result.totals.unanswered, 0U);
}

TEST(RedisFailover, LosesNothingThatWasReplicated) {
  FIRSTCOME_NEEDS_REDIS();
  RedisSentinels servers;
  Nodes nodes(2, url_of(servers), {"--durability", "replicated"});
  create_sale(nodes[0].port(), R"({"id":"tee","kind":"coupon","stock":6000})");
  rush::RushOptions options = crowd_for(nodes, 12'000);
  options.double_click = 0.2;
  enum class Stage : std::uint8_t { whole, killed, whole_again } stage = Stage::whole;
  const rush::RushResult result = rushed(options, [&](const rush::CrowdFigures& figures) {
    if (stage == Stage::whole && figures.clicks > 3'000) {
      stage = Stage::killed;
      servers.first().kill();
    } else if (stage == Stage::killed && servers.master_port() == servers.second().port()) {
      stage = Stage::whole_again;  // without a second one nothing could be acknowledged
      servers.first().start();
      servers.first().command({"REPLICAOF", "127.0.0.1", servers.second().port_text()});
    }
  });
  ASSERT_EQ(stage, Stage::whole_again) << "all was over before: the test has no power" << rush::report(result);
  print_lost("replicated", result);
  EXPECT_EQ(result.verdict.lost.count, 0U);
  EXPECT_EQ(result.grade(), rush::Grade::fine) << rush::report(result) << nodes.logs();
  EXPECT_EQ(result.after.sold, 6'000);
  EXPECT_EQ(result.totals.unanswered, 0U);
}

/// Moves the slot there and back, again and again.
class Mover {
 public:
  Mover(RedisCluster& cluster, unsigned slot, int times) : thread_(&Mover::move, this, &cluster, slot, times) {}
  int moves() const { return moves_; }
  bool is_done() const { return done_; }

 private:
  void move(RedisCluster* cluster, unsigned slot, int times) {
    RedisServer* home = &cluster->owner_of(slot);
    RedisServer* away = home == &cluster->node(0) ? &cluster->node(1) : &cluster->node(0);
    try {
      for (int i = 0; i < 2 * times; ++i) {
        cluster->begin_move(slot, *home, *away);
        cluster->move_keys(slot, *home, *away);
        cluster->finish_move(slot, *home, *away);
        ++moves_;
        std::swap(home, away);
      }
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
    done_ = true;
  }

  std::atomic<int> moves_ = 0;
  std::atomic<bool> done_ = false;
  std::jthread thread_;
};

unsigned slot_of_the_sale(RedisCluster& cluster) {
  return static_cast<unsigned>(std::stoul(cluster.node(0).text({"CLUSTER", "KEYSLOT", "firstcome:{sale-1}:sale"})));
}

TEST(RedisReshard, ShowsNoErrorWhenTheSaleMovesFiveTimesThereAndBack) {
  FIRSTCOME_NEEDS_REDIS();
  RedisCluster cluster;
  Nodes nodes(2, "redis+cluster://" + cluster.addresses());
  create_sale(nodes[0].port(), R"({"id":"tee","kind":"coupon","stock":24000})");
  ASSERT_EQ(rushed(crowd_for(nodes, 20'000)).grade(), rush::Grade::fine);
  const unsigned slot = slot_of_the_sale(cluster);
  ASSERT_EQ(cluster.owner_of(slot).text({"CLUSTER", "COUNTKEYSINSLOT", std::to_string(slot)}), "2");

  rush::RushOptions options = crowd_for(nodes, 10'000);
  options.rate = 1'250;  // it lasts eight seconds
  std::optional<Mover> mover;
  int moved_meanwhile = 0;
  const rush::RushResult result = rushed(options, [&](const rush::CrowdFigures& figures) {
    if (!mover && figures.clicks > 500) mover.emplace(cluster, slot, 5);
    if (mover && figures.clicks < 10'000) moved_meanwhile = mover->moves();
  });
  ASSERT_TRUE(mover);
  EXPECT_GE(moved_meanwhile, 2) << "the crowd had gone before it was there and back: the test has no power";
  EXPECT_TRUE(eventually([&] { return mover->is_done(); }, std::chrono::seconds{60}));
  EXPECT_EQ(mover->moves(), 10);
  EXPECT_TRUE(result.verdict.kept()) << rush::report(result) << nodes.logs();
  EXPECT_EQ(result.after.sold, 24'000);
  EXPECT_EQ(result.totals.unanswered, 0U);
  expect_undisturbed(result, 0);
  expect_undisturbed(result, 1);
  std::cout << "  the slowest reservation took " << result.reservations.largest() / std::chrono::milliseconds{1}
            << " ms\n";
}

}  // namespace
}  // namespace firstcome::testing
