// What is different where the sales of a store lie on several servers.
#include "engine/redis/sale_codec.hpp"
#include "engine/redis/selling.hpp"
#include "net/redis/slots.hpp"

#include <gmock/gmock.h>

#include <memory>
#include <optional>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;
using testing::eventually;
using testing::RedisCluster;
using testing::RedisServer;

engine::RedisEngineOptions options_for(const RedisCluster& cluster) {
  return test::options_for("redis+cluster://" + cluster.addresses());
}

std::string hash_of(RedisNode& node, const std::string& sale) {
  return engine::SaleKeys(node.ask(GetSale{sale})->sale.handle).hash;
}

TEST(RedisClusterEngine, SaysThatASaleHasGrownTooLargeForItsSlotToMove) {
  FIRSTCOME_NEEDS_REDIS();
  RedisCluster cluster;
  RedisNode node(options_for(cluster));
  create_sale(node, 10);
  ASSERT_TRUE(node.reserve("c"));
  const std::string hash = hash_of(node, "s");
  // As the counters say of a sale of which 200 001 were sold: the last number, and up to which number all were served.
  constexpr const char* grow =
      "local m = redis.call('HGET', KEYS[1], 'm') "
      "redis.call('HSET', KEYS[1], 'm', m:sub(1, 22) .. struct.pack('<I4I4', ARGV[1], ARGV[1]) .. m:sub(31))";
  RedisServer& owner = cluster.owner_of(net::key_slot(hash));
  const auto says = [&node](const std::string& text) {
    return eventually([&] {
      const Readiness readiness = node.engine().readiness();
      return readiness.ready && readiness.reason.find(text) != std::string::npos;
    });
  };
  owner.command({"EVAL", grow, "1", hash, "200000"});
  ASSERT_EQ(node.ask(GetSale{"s"})->sale.serving, Number{200'000});
  EXPECT_EQ(node.engine().readiness().reason, "");
  owner.command({"EVAL", grow, "1", hash, "200001"});
  ASSERT_TRUE(node.ask(GetSale{"s"}));
  EXPECT_TRUE(says("sale s has 200001 stored reservations: moving its slot"));
}

/// An answer to a question of a desk that is being opened comes after the end.
TEST(RedisClusterEngine, EndsWhileItLooksAtTheServerOfASale) {
  FIRSTCOME_NEEDS_REDIS();
  RedisCluster cluster;
  RedisNode first(options_for(cluster));
  RedisServer& registry = cluster.owner_of(net::key_slot("firstcome:sales"));
  std::optional<std::string> elsewhere;
  for (int i = 0; i < 10 && !elsewhere; ++i) {
    const std::string id = "s" + std::to_string(i);
    ASSERT_TRUE(first.ask(CreateSale{terms_of(id, 1)}));
    if (&cluster.owner_of(net::key_slot(hash_of(first, id))) != &registry) elsewhere = id;
  }
  ASSERT_TRUE(elsewhere);
  RedisServer& owner = cluster.owner_of(net::key_slot(hash_of(first, *elsewhere)));
  auto second = std::make_unique<RedisNode>(options_for(cluster));
  const auto begin = std::chrono::steady_clock::now();
  owner.pause();  // not for so long that its replica takes its place
  {
    Asked asked;
    asked.command = GetSale{*elsewhere};
    second->engine().submit(asked);
    const auto is_answered = [&] {
      second->engine().turn();
      return asked.done.load();
    };
    EXPECT_FALSE(eventually(is_answered, 300ms)) << "its server does not answer";
    second.reset();
  }
  owner.resume();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
  EXPECT_TRUE(eventually([&] { return first.ask(GetSale{*elsewhere}).has_value(); }));
}

}  // namespace
}  // namespace firstcome::test
