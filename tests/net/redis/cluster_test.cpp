#include "net/redis/loop.hpp"
#include "net/redis/slots.hpp"
#include "support/redis_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace firstcome::net {
namespace {

using namespace testing;
using firstcome::testing::eventually;
using firstcome::testing::free_port;
using firstcome::testing::RedisCluster;
using firstcome::testing::RedisServer;
using Kind = RedisFailure::Kind;
using ::testing::HasSubstr;

struct Heard {
  int connected = 0;
  int subscribed = 0;
  std::vector<std::string> deaf;
  std::vector<std::string> messages;

  RedisClientEvents events() {
    RedisClientEvents all;
    all.connected = [this] { ++connected; };
    all.subscribed = [this] { ++subscribed; };
    all.deaf = [this](const std::string& reason) { deaf.push_back(reason); };
    all.message = [this](std::string_view channel, std::string_view payload) {
      messages.push_back(std::string(channel) + "=" + std::string(payload));
    };
    return all;
  }
};

std::unique_ptr<RedisClient> client_of(Loop& loop, const std::string& addresses, RedisClientEvents events = {},
                                       RedisOptions options = {}) {
  const auto url = parse_redis_url("redis+cluster://" + addresses);
  EXPECT_TRUE(url) << url.error();
  auto client = make_redis_client(loop.executor(), *url, std::move(events), options);
  EXPECT_TRUE(client) << client.error();
  return std::move(*client);
}

TEST(RedisClusterOfOthers, SaysThatItDeniesUs) {
  FIRSTCOME_NEEDS_REDIS();
  // Its own choice, the port plus 10 000, lies where other connections get their ports from.
  const std::string bus = "cluster-port " + std::to_string(free_port());
  RedisServer node({.password = "secret", .lines = {"cluster-enabled yes", bus}});
  Loop loop;
  const auto client = client_of(loop, ":guessed@" + node.address());
  const RedisResult result = loop.ask(*client, "k", RedisCommand("SET", "k", "1"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, "denied") << result.error().detail;
}

/// One cluster for all: it takes seconds to make. A test that breaks it makes its own.
class RedisClusterTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (firstcome::testing::redis_is_installed()) cluster_ = std::make_unique<RedisCluster>();
  }
  static void TearDownTestSuite() { cluster_.reset(); }
  void SetUp() override { FIRSTCOME_NEEDS_REDIS(); }

  RedisServer& another_than(const RedisServer& node) {
    return &node == &cluster_->node(0) ? cluster_->node(1) : cluster_->node(0);
  }

  static inline std::unique_ptr<RedisCluster> cluster_;
  Loop loop_;
};

TEST_F(RedisClusterTest, SendsEachCommandToTheNodeOfItsKey) {
  const auto client = client_of(loop_, cluster_->node(5).address());  // a replica knows the slots, too
  for (int i = 0; i < 100; ++i) {
    const std::string key = "key" + std::to_string(i);
    EXPECT_EQ(text_of(loop_.ask(*client, key, RedisCommand("SET", key, i))), "OK");
  }
  for (int i = 0; i < 100; ++i) {
    const std::string key = "key" + std::to_string(i);
    EXPECT_EQ(text_of(loop_.ask(*client, key, RedisCommand("GET", key))), std::to_string(i));
  }
  EXPECT_EQ(client->counters().redirects, 0U);
  EXPECT_EQ(client->counters().refreshes, 1U);
}

TEST_F(RedisClusterTest, RunsScriptsAndGivesErrorsToTheCaller) {
  const auto client = client_of(loop_, cluster_->addresses());
  const RedisScript script("return redis.call('INCRBY', KEYS[1], ARGV[1])");
  for (const char* key : {"a", "b", "c", "d"}) {
    EXPECT_EQ(text_of(loop_.ask(*client, key, RedisCommand(script, {key}, 2))), "2");
  }
  const RedisResult result = loop_.ask(*client, "a", RedisCommand("HGET", "a", "f"));
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().is_refused("WRONGTYPE"));
}

TEST_F(RedisClusterTest, FollowsASlotThatMovesWhileCommandsRun) {
  Heard heard;
  const auto client = client_of(loop_, cluster_->addresses(), heard.events());
  const unsigned slot = key_slot("{moving}");
  RedisServer& source = cluster_->owner_of(slot);
  RedisServer& target = another_than(source);
  const auto increment = [&](int key) {
    const std::string name = "{moving}" + std::to_string(key);
    RedisCommand command("EVAL", "return {redis.call('INCR', KEYS[1]), ARGV[1]}", 1, name);
    command.add_unless_redirected("1", "0");
    return loop_.ask(*client, name, std::move(command));
  };
  for (int i = 0; i < 5; ++i) EXPECT_EQ(increment(i)->at(1).text, "1");
  EXPECT_LE(client->settled_since("{moving}"), steady_clock::now());

  cluster_->begin_move(slot, source, target);
  EXPECT_EQ(increment(0)->at(1).text, "1");  // still there
  const steady_clock::time_point before = steady_clock::now();
  const RedisResult asked = increment(7);  // a new key is made at the target
  ASSERT_TRUE(asked) << asked.error().detail;
  EXPECT_EQ(asked->at(1).text, "0");
  EXPECT_GE(client->settled_since("{moving}"), before);
  cluster_->move_keys(slot, source, target);
  for (int i = 0; i < 5; ++i) {
    const RedisResult result = increment(i);
    ASSERT_TRUE(result) << result.error().detail;
    EXPECT_EQ(result->at(0).integer, i == 0 ? 3 : 2);
  }
  cluster_->finish_move(slot, source, target);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(increment(i)->at(0).integer, i == 0 ? 4 : 3);
  ASSERT_TRUE(loop_.run_until([&] { return increment(0)->at(1).text == "1"; }));  // no detour any more
  EXPECT_GE(client->counters().redirects, 7U);
}

TEST_F(RedisClusterTest, WaitsWhereTheKeysOfACommandAreBeingMoved) {
  const auto client = client_of(loop_, cluster_->addresses());
  const unsigned slot = key_slot("{apart}");
  RedisServer& source = cluster_->owner_of(slot);
  RedisServer& target = another_than(source);
  ASSERT_TRUE(loop_.ask(*client, "{apart}", RedisCommand("MSET", "{apart}1", "a", "{apart}2", "b")));
  cluster_->begin_move(slot, source, target);
  const std::vector<std::string> one{"MIGRATE", "127.0.0.1", target.port_text(), "{apart}1", "0", "5000"};
  ASSERT_EQ(source.text(one), "OK");
  const RedisResult early = loop_.ask(*client, "{apart}", RedisCommand("MGET", "{apart}1", "{apart}2"), 200ms);
  ASSERT_FALSE(early);
  EXPECT_TRUE(early.error().is_refused("TRYAGAIN")) << early.error().detail;
  std::optional<RedisResult> result;
  client->execute("{apart}", RedisCommand("MGET", "{apart}1", "{apart}2"), in(20s),
                  [&](RedisResult given) { result = std::move(given); });
  EXPECT_FALSE(loop_.run_until([&] { return result.has_value(); }, 100ms));
  cluster_->finish_move(slot, source, target);
  ASSERT_TRUE(loop_.run_until([&] { return result.has_value(); }));
  ASSERT_TRUE(*result) << result->error().detail;
  EXPECT_EQ((*result)->at(0).text + (*result)->at(1).text, "ab");
}

TEST_F(RedisClusterTest, HearsShardedChannelsAlsoAfterTheirSlotHasMoved) {
  Heard heard;
  const auto client = client_of(loop_, cluster_->addresses(), heard.events());
  EXPECT_EQ(client->publish_command(), "SPUBLISH");
  for (const char* channel : {"{wandering}:inbox", "other"}) {
    ASSERT_EQ(loop_.subscribed([&](RedisSubscribed done) { client->subscribe(channel, in(10s), std::move(done)); }),
              "");
  }
  const auto publish = [&](const std::string& payload) {
    RedisCommand command(client->publish_command(), "{wandering}:inbox", payload);
    return text_of(loop_.ask(*client, "{wandering}", std::move(command)));
  };
  EXPECT_EQ(publish("a"), "1");
  ASSERT_TRUE(loop_.run_until([&] { return heard.messages.size() == 1; }));
  const int subscribed = heard.subscribed;

  const unsigned slot = key_slot("{wandering}");
  RedisServer& source = cluster_->owner_of(slot);
  RedisServer& target = another_than(source);
  cluster_->begin_move(slot, source, target);
  cluster_->finish_move(slot, source, target);
  ASSERT_TRUE(loop_.run_until([&] { return heard.subscribed > subscribed; }));
  EXPECT_THAT(heard.deaf.at(0), HasSubstr("no longer subscribed to {wandering}:inbox"));
  EXPECT_EQ(publish("b"), "1");
  ASSERT_TRUE(loop_.run_until([&] { return heard.messages.size() == 2; }));
  EXPECT_EQ(heard.messages[1], "{wandering}:inbox=b");
  client->unsubscribe("{wandering}:inbox");
  ASSERT_TRUE(loop_.run_until([&] { return publish("c") == "0"; }));
}

/// How often a server was asked to do it, or "rejected_calls" of it.
int calls(RedisServer& server, const std::string& command, const std::string& what = "calls") {
  const std::string stats = server.text({"INFO", "commandstats"});
  const std::size_t line = stats.find("cmdstat_" + command + ":");
  if (line == std::string::npos) return 0;
  const std::size_t at = stats.find(what + "=", line);
  return std::stoi(stats.substr(at + what.size() + 1));
}

TEST(RedisClusterOfItsOwn, StaysSubscribedWhereANodeThatHasNotHeardNamesAnotherOwner) {
  FIRSTCOME_NEEDS_REDIS();
  RedisCluster cluster;
  Loop loop;
  Heard heard;
  const auto client = client_of(loop, cluster.addresses(), heard.events());
  const unsigned slot = key_slot("{stays}");
  RedisServer& owner = cluster.owner_of(slot);
  std::vector<RedisServer*> others;
  for (std::size_t i = 0; i < 3; ++i) {
    if (&cluster.node(i) != &owner) others.push_back(&cluster.node(i));
  }
  RedisServer& named = *others.at(0);
  RedisServer& misled = *others.at(1);
  ASSERT_EQ(loop.subscribed([&](RedisSubscribed done) { client->subscribe("{stays}", in(10s), std::move(done)); }), "");
  owner.command({"CLUSTER", "BUMPEPOCH"});  // so that nobody else comes to believe it
  // Until the client has believed it and was sent back.
  ASSERT_TRUE(loop.run_until(
      [&] {
        misled.command({"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", cluster.id_of(named)});
        loop.ask(*client, "{stays}", RedisCommand("PING"));
        owner.command({"CLIENT", "KILL", "TYPE", "normal"});
        return calls(named, "ssubscribe", "rejected_calls") + calls(named, "ssubscribe", "failed_calls") > 0;
      },
      60s));
  EXPECT_EQ(calls(owner, "sunsubscribe"), 0);
  EXPECT_EQ(calls(owner, "ssubscribe"), 1);
  EXPECT_EQ(heard.deaf, std::vector<std::string>{});
}

TEST_F(RedisClusterTest, SaysThatNoNodeIsThere) {
  const auto client = client_of(loop_, "127.0.0.1:" + std::to_string(free_port()));
  const RedisResult result = loop_.ask(*client, "k", RedisCommand("GET", "k"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::not_sent);
  EXPECT_THAT(result.error().detail, HasSubstr("no node of the cluster says who has which slot: cannot connect"));
}

TEST_F(RedisClusterTest, SaysThatAServerIsNoCluster) {
  RedisServer server;
  const auto client = client_of(loop_, server.address());
  EXPECT_THAT(text_of(loop_.ask(*client, "k", RedisCommand("GET", "k"))), HasSubstr("cluster support disabled"));
}

TEST_F(RedisClusterTest, CompletesWhatWaitsWhenItIsDestroyed) {
  auto client = client_of(loop_, cluster_->addresses());
  std::vector<std::string> said;
  client->execute("k", RedisCommand("GET", "k"), in(10s), [&](RedisResult result) { said.push_back(text_of(result)); });
  client->subscribe("c", in(10s), [&](std::expected<void, RedisFailure> result) {
    said.push_back(result ? "confirmed" : result.error().detail);
  });
  client.reset();
  ASSERT_TRUE(loop_.run_until([&] { return said.size() == 2; }));
  EXPECT_THAT(said[0], HasSubstr("the client was closed here"));
  EXPECT_THAT(said[1], HasSubstr("the client was closed here"));

  client = client_of(loop_, cluster_->addresses());
  ASSERT_TRUE(loop_.ask(*client, "k", RedisCommand("SET", "k", "v")));
  client->execute("k", RedisCommand("GET", "k"), in(10s), [&](RedisResult) { client.reset(); });
  client->execute("k", RedisCommand("GET", "k"), in(10s), [&](RedisResult result) { said.push_back(text_of(result)); });
  ASSERT_TRUE(loop_.run_until([&] { return said.size() == 3; }));
  EXPECT_EQ(client, nullptr);
}

TEST(RedisClusterFailover, GoesOnAtTheReplicaWhenAMasterIsKilled) {
  FIRSTCOME_NEEDS_REDIS();
  RedisCluster cluster;
  Loop loop;
  Heard heard;
  const auto client = client_of(loop, cluster.addresses(), heard.events());
  ASSERT_TRUE(loop.ask(*client, "k", RedisCommand("SET", "k", "1")));
  ASSERT_EQ(loop.subscribed([&](RedisSubscribed done) { client->subscribe("{k}c", in(10s), std::move(done)); }), "");
  RedisServer& master = cluster.owner_of(key_slot("k"));
  ASSERT_TRUE(eventually([&] { return master.text({"WAIT", "1", "100"}) == "1"; }));
  const int subscribed = heard.subscribed;
  master.kill();
  // What was on its way may be unknown. What was surely not sent waits for the new master.
  ASSERT_TRUE(eventually([&] {
    const RedisResult result = loop.ask(*client, "k", RedisCommand("SET", "k", "2"), 20s);
    EXPECT_TRUE(result || result.error().kind == Kind::unknown) << result.error().detail;
    return result.has_value();
  }));
  RedisServer& now = cluster.owner_of(key_slot("k"));
  EXPECT_NE(&now, &master);
  EXPECT_EQ(now.text({"GET", "k"}), "2");
  ASSERT_TRUE(loop.run_until([&] { return heard.subscribed > subscribed; }));
  EXPECT_EQ(now.text({"SPUBLISH", "{k}c", "x"}), "1");
  ASSERT_TRUE(loop.run_until([&] { return heard.messages.size() == 1; }));
}

}  // namespace
}  // namespace firstcome::net
