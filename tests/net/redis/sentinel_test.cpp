#include "net/redis/loop.hpp"
#include "net/redis/master_finder.hpp"
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
using firstcome::testing::RedisSentinels;
using firstcome::testing::RedisServer;
using Kind = RedisFailure::Kind;
using ::testing::HasSubstr;

TEST(RedisMasterFinder, ReadsTheSwitchOfItsOwnMaster) {
  EXPECT_EQ(read_switch("m 10.0.0.1 6379 10.0.0.2 6380", "m"), (RedisAddress{"10.0.0.2", 6380}));
  EXPECT_EQ(read_switch("m 10.0.0.1 6379 ::1 6380", "m"), (RedisAddress{"::1", 6380}));
  EXPECT_EQ(read_switch("m2 10.0.0.1 6379 10.0.0.2 6380", "m"), std::nullopt);
  EXPECT_EQ(read_switch("m 10.0.0.1 6379 10.0.0.2", "m"), std::nullopt);
  EXPECT_EQ(read_switch("m 10.0.0.1 6379 10.0.0.2 0", "m"), std::nullopt);
  EXPECT_EQ(read_switch("m 10.0.0.1 6379 10.0.0.2 70000", "m"), std::nullopt);
  EXPECT_EQ(read_switch("", "m"), std::nullopt);
}

std::unique_ptr<RedisClient> client_of(Loop& loop, const std::string& url, RedisClientEvents events = {},
                                       RedisOptions options = {}) {
  const auto parsed = parse_redis_url(url);
  EXPECT_TRUE(parsed) << parsed.error();
  auto client = make_redis_client(loop.executor(), *parsed, std::move(events), options);
  EXPECT_TRUE(client) << client.error();
  return std::move(*client);
}

TEST(RedisSentinel, SaysThatNoSentinelIsThere) {
  Loop loop;
  const auto client = client_of(loop, "redis+sentinel://127.0.0.1:" + std::to_string(free_port()) + "/m");
  const RedisResult result = loop.ask(*client, "k", RedisCommand("GET", "k"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::not_sent);
  EXPECT_THAT(result.error().detail, HasSubstr("the sentinels do not know the master: cannot connect"));
}

TEST(RedisSentinel, SaysThatTheMasterIsNotKnown) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer sentinel({.arguments = {"--sentinel"}});
  Loop loop;
  const auto client = client_of(loop, "redis+sentinel://" + sentinel.address() + "/other");
  EXPECT_THAT(text_of(loop.ask(*client, "k", RedisCommand("GET", "k"))), HasSubstr("does not know a master \"other\""));
}

TEST(RedisSentinel, SaysThatTheMasterOrTheSentinelsDenyUs) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer master({.password = "secret"});
  RedisServer sentinel({.password = "sentinels",
                        .lines = {"sentinel monitor m 127.0.0.1 " + master.port_text() + " 1"},
                        .arguments = {"--sentinel"}});
  Loop loop;
  const auto code = [&](const std::string& password, const std::string& parameters) {
    const auto client = client_of(loop, "redis+sentinel://:" + password + "@" + sentinel.address() + "/m" + parameters);
    const RedisResult result = loop.ask(*client, "k", RedisCommand("SET", "k", "1"));
    return result ? result->text : result.error().code;
  };
  EXPECT_EQ(code("secret", "?sentinel_password=sentinels"), "OK");
  EXPECT_EQ(code("guessed", "?sentinel_password=sentinels"), "denied");
  EXPECT_EQ(code("secret", "?sentinel_password=guessed"), "denied");
  EXPECT_EQ(code("secret", ""), "denied");
}

TEST(RedisSentinel, LogsInAtSentinelsThatAskForItAsItDoesAtTheMaster) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer master({.password = "secret"});
  RedisServer sentinel({.password = "secret",
                        .lines = {"sentinel monitor m 127.0.0.1 " + master.port_text() + " 1"},
                        .arguments = {"--sentinel"}});
  Loop loop;
  const auto client = client_of(loop, "redis+sentinel://:secret@" + sentinel.address() + "/m");
  EXPECT_EQ(text_of(loop.ask(*client, "k", RedisCommand("SET", "k", "1"))), "OK");
  EXPECT_TRUE(eventually([&] {
    return sentinel.text({"CLIENT", "LIST", "TYPE", "pubsub"}).find("sub=1") != std::string::npos;
  })) << "nobody listens for a new master";
}

TEST(RedisSentinel, ServesTheUserOfTheDocumentation) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer master({.lines = {std::string("user shop ") + firstcome::testing::documented_rights}});
  RedisServer sentinel(
      {.lines = {"sentinel monitor m 127.0.0.1 " + master.port_text() + " 1"}, .arguments = {"--sentinel"}});
  Loop loop;
  const auto client = client_of(loop, "redis+sentinel://shop:secret@" + sentinel.address() + "/m");
  EXPECT_EQ(text_of(loop.ask(*client, "k", RedisCommand("SET", "firstcome:k", "1"))), "OK");
}

void write_until_taken(Loop& loop, RedisClient& client, const std::string& value) {
  EXPECT_TRUE(eventually([&] { return loop.ask(client, "k", RedisCommand("SET", "k", value), 1s).has_value(); }));
}

TEST(RedisSentinel, GoesOnAtTheNewMasterWhenTheOldOneIsKilled) {
  FIRSTCOME_NEEDS_REDIS();
  RedisSentinels servers("secret");
  Loop loop;
  int connected = 0;
  int subscribed = 0;
  std::vector<std::string> messages;
  RedisClientEvents events;
  events.connected = [&] { ++connected; };
  events.subscribed = [&] { ++subscribed; };
  events.message = [&](std::string_view, std::string_view payload) { messages.emplace_back(payload); };
  const auto client =
      client_of(loop, "redis+sentinel://:secret@" + servers.addresses() + "/mymaster", std::move(events));
  EXPECT_EQ(text_of(loop.ask(*client, "k", RedisCommand("SET", "k", "1"))), "OK");
  ASSERT_EQ(loop.subscribed([&](RedisSubscribed done) { client->subscribe("c", in(10s), std::move(done)); }), "");
  EXPECT_EQ(servers.first().text({"PUBLISH", "c", "a"}), "1");
  EXPECT_EQ(servers.first().text({"GET", "k"}), "1");

  servers.first().kill();
  write_until_taken(loop, *client, "2");
  EXPECT_EQ(servers.second().text({"GET", "k"}), "2");
  EXPECT_EQ(servers.second().info("role"), "master");
  EXPECT_EQ(connected, 2);
  ASSERT_TRUE(loop.run_until([&] { return subscribed == 2; }));
  EXPECT_EQ(servers.second().text({"PUBLISH", "c", "b"}), "1");
  ASSERT_TRUE(loop.run_until([&] { return messages.size() == 2; }));
  EXPECT_LE(client->settled_since("k"), steady_clock::now());

  // The old master comes back and still takes itself for one; nobody writes there.
  servers.first().start();
  EXPECT_EQ(text_of(loop.ask(*client, "k", RedisCommand("SET", "k", "3"))), "OK");
  EXPECT_EQ(servers.second().text({"GET", "k"}), "3");
}

TEST(RedisSentinel, WaitsForTheNewMasterWhereThatIsWanted) {
  FIRSTCOME_NEEDS_REDIS();
  RedisSentinels servers;
  Loop loop;
  const auto client = client_of(loop, "redis+sentinel://" + servers.addresses() + "/mymaster", {},
                                {.when_down = RedisOptions::WhenDown::wait});
  EXPECT_EQ(text_of(loop.ask(*client, "k", RedisCommand("SET", "k", "1"))), "OK");
  servers.first().kill();
  std::optional<RedisResult> at_once;  // sent before the loss is noticed, or not
  client->execute("k", RedisCommand("GET", "k"), in(20s), [&](RedisResult result) { at_once = std::move(result); });
  ASSERT_TRUE(loop.run_until([&] { return at_once.has_value(); }));
  EXPECT_EQ(text_of(loop.ask(*client, "k", RedisCommand("SET", "k", "2"), 20s)), "OK");
  EXPECT_EQ(servers.second().text({"GET", "k"}), "2");
}

TEST(RedisSentinel, LeavesAMasterThatBecameAReplicaAlsoWhereNoSentinelTellsOfIt) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer old_master;
  RedisServer new_master;
  RedisServer sentinel(
      {.lines = {"sentinel monitor mymaster 127.0.0.1 " + old_master.port_text() + " 1"}, .arguments = {"--sentinel"}});
  Loop loop;
  const auto client = client_of(loop, "redis+sentinel://" + sentinel.address() + "/mymaster");
  EXPECT_EQ(text_of(loop.ask(*client, "k", RedisCommand("SET", "k", "1"))), "OK");
  // As an operator does by hand. The kept connection answers READONLY, a new one is refused for its role.
  ASSERT_EQ(old_master.text({"REPLICAOF", "127.0.0.1", new_master.port_text()}), "OK");
  const RedisResult refused = loop.ask(*client, "k", RedisCommand("SET", "k", "2"));
  ASSERT_FALSE(refused);
  EXPECT_FALSE(refused.error().may_have_run()) << refused.error().detail;
  ASSERT_EQ(sentinel.text({"SENTINEL", "REMOVE", "mymaster"}), "OK");
  ASSERT_EQ(sentinel.text({"SENTINEL", "MONITOR", "mymaster", "127.0.0.1", new_master.port_text(), "1"}), "OK");
  write_until_taken(loop, *client, "3");
  EXPECT_EQ(new_master.text({"GET", "k"}), "3");
}

}  // namespace
}  // namespace firstcome::net
