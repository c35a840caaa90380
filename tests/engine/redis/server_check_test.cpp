// Which servers an engine refuses to sell on, and the sentences that say why.
#include "engine/redis/server_check.hpp"

#include "engine/redis/redis_harness.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace firstcome::test {
namespace {

using engine::Durability;
using engine::judge_settings;
using engine::ServerSettings;
using testing::RedisServer;
using testing::RedisServerOptions;

const ServerSettings good{.version = "7.0.15",
                          .maxmemory_policy = "noeviction",
                          .appendonly = "yes",
                          .appendfsync = "always",
                          .no_appendfsync_on_rewrite = "no",
                          .connected_replicas = "1"};

ServerSettings with(std::string ServerSettings::* setting, std::string value) {
  ServerSettings settings = good;
  settings.*setting = std::move(value);
  return settings;
}

ServerSettings without_replicas() {
  ServerSettings settings = good;
  settings.connected_replicas = "0";
  return settings;
}

TEST(RedisServerCheck, JudgesEachSettingByWhatTheDurabilityNeeds) {
  using enum Durability;
  struct Case {
    ServerSettings settings;
    Durability durability;
    std::string named;  ///< what the sentence must name; empty: nothing is wrong
  };
  const std::vector<Case> cases{
      {good, memory, ""},
      {good, aof, ""},
      {good, replicated, ""},
      {with(&ServerSettings::maxmemory_policy, "allkeys-lru"), memory, "allkeys-lru"},
      {with(&ServerSettings::maxmemory_policy, "volatile-ttl"), aof, "maxmemory-policy"},
      {with(&ServerSettings::appendonly, "no"), memory, ""},
      {with(&ServerSettings::appendonly, "no"), replicated, ""},
      {with(&ServerSettings::appendonly, "no"), aof, "appendonly yes"},
      {with(&ServerSettings::appendfsync, "everysec"), aof, "everysec"},
      {with(&ServerSettings::appendfsync, "everysec"), memory, ""},
      {with(&ServerSettings::no_appendfsync_on_rewrite, "yes"), aof, "no-appendfsync-on-rewrite no"},
      {with(&ServerSettings::no_appendfsync_on_rewrite, "yes"), memory, ""},
      {without_replicas(), replicated, "replica"},
      {without_replicas(), memory, ""},
      {without_replicas(), aof, ""},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const engine::JudgedSettings judged = judge_settings(cases[i].settings, cases[i].durability);
    EXPECT_TRUE(judged.unknown.empty()) << "case " << i;
    EXPECT_EQ(judged.wrong.empty(), cases[i].named.empty()) << "case " << i;
    EXPECT_NE(judged.wrong.find(cases[i].named), std::string::npos) << "case " << i << ": " << judged.wrong;
  }
}

TEST(RedisServerCheck, NamesWhatIsNotKnownWhereItMatters) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(judge_settings({}, Durability::memory).unknown, (Names{"maxmemory-policy"}));
  EXPECT_EQ(judge_settings({}, Durability::replicated).unknown, (Names{"maxmemory-policy", "connected_slaves"}));
  EXPECT_EQ(judge_settings(with(&ServerSettings::appendfsync, ""), Durability::memory).unknown, Names{});
  EXPECT_EQ(judge_settings(with(&ServerSettings::appendfsync, ""), Durability::aof).unknown, (Names{"appendfsync"}));
  // What is known to be wrong is wrong, whatever else is not known.
  ServerSettings some;
  some.maxmemory_policy = "allkeys-lru";
  EXPECT_NE(judge_settings(some, Durability::aof).wrong, "");
  some.maxmemory_policy = "noeviction";
  some.appendonly = "no";
  EXPECT_NE(judge_settings(some, Durability::aof).wrong, "");
}

TEST(RedisServerCheck, ReadsInfoToTheLetter) {
  const ServerSettings read = engine::read_info(
      "# Server\r\nredis_version:7.2.4\r\n# Memory\r\nmaxmemory_policy:noeviction\r\n# Persistence\r\n"
      "aof_enabled:1\r\n# Replication\r\nold_connected_slaves:7\r\nconnected_slaves:2\r\n");
  EXPECT_EQ(read.version, "7.2.4");
  EXPECT_EQ(read.maxmemory_policy, "noeviction");
  EXPECT_EQ(read.appendonly, "yes");
  EXPECT_EQ(read.connected_replicas, "2");
}

/// What `open` says of a server that it refuses; empty: it has opened.
std::string refusal(const std::string& url, Durability durability = Durability::memory) {
  engine::RedisEngineOptions options = options_for(url);
  options.durability = durability;
  const auto opened = engine::RedisEngine::open(std::move(options));
  if (opened) return {};
  EXPECT_EQ(opened.error().code, FailureCode::store_unavailable);
  EXPECT_EQ(opened.error().detail.find("secret-of-it"), std::string::npos) << "it shows the password";
  return opened.error().detail;
}

std::string refusal(const RedisServer& server, Durability durability = Durability::memory) {
  return refusal("redis://" + server.address(), durability);
}

bool names(const std::string& sentence, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) {
    if (sentence.find(word) == std::string::npos) return false;
  }
  return true;
}

TEST(RedisServerCheck, OpensOnAServerThatKeepsEverything) {
  FIRSTCOME_NEEDS_REDIS();
  const RedisServer plain;
  EXPECT_EQ(refusal(plain), "");
  const RedisServer syncs({.lines = {"appendonly yes", "appendfsync always"}});
  EXPECT_EQ(refusal(syncs, Durability::aof), "");
}

TEST(RedisServerCheck, RefusesAServerThatMayEvict) {
  FIRSTCOME_NEEDS_REDIS();
  const RedisServer server({.lines = {"maxmemory-policy allkeys-lru"}});
  const std::string said = refusal(server);
  EXPECT_TRUE(names(said, {"maxmemory-policy", "allkeys-lru", "noeviction"})) << said;
  EXPECT_EQ(server.text({"DBSIZE"}), "0") << "it has made a store there";
}

TEST(RedisServerCheck, RefusesAofWhereTheLogIsNotSynced) {
  FIRSTCOME_NEEDS_REDIS();
  const RedisServer server;
  EXPECT_TRUE(names(refusal(server, Durability::aof), {"appendonly yes", "appendfsync always", "no and everysec"}))
      << refusal(server, Durability::aof);
  server.command({"CONFIG", "SET", "appendonly", "yes"});
  EXPECT_TRUE(names(refusal(server, Durability::aof), {"yes and everysec"})) << refusal(server, Durability::aof);
  server.command({"CONFIG", "SET", "appendfsync", "always"});
  server.command({"CONFIG", "SET", "no-appendfsync-on-rewrite", "yes"});
  EXPECT_TRUE(names(refusal(server, Durability::aof), {"no-appendfsync-on-rewrite no"}));
}

TEST(RedisServerCheck, RefusesReplicatedWithoutAReplica) {
  FIRSTCOME_NEEDS_REDIS();
  const RedisServer server;
  const std::string said = refusal(server, Durability::replicated);
  EXPECT_TRUE(names(said, {"replicated", "replica", "none is connected"})) << said;
}

TEST(RedisServerCheck, OpensOnAServerWithoutConfigWhereInfoTellsEnough) {
  FIRSTCOME_NEEDS_REDIS();
  const RedisServer server({.lines = {"rename-command CONFIG \"\""}});
  EXPECT_EQ(refusal(server), "");
  const std::string said = refusal(server, Durability::aof);
  EXPECT_TRUE(names(said, {"appendonly yes", "they are no"})) << said;
  const RedisServer evicts({.lines = {"rename-command CONFIG \"\"", "maxmemory-policy volatile-lru"}});
  EXPECT_TRUE(names(refusal(evicts), {"maxmemory-policy", "volatile-lru"})) << refusal(evicts);
}

TEST(RedisServerCheck, TrustsWhatItIsToldToTrustAndNothingElse) {
  FIRSTCOME_NEEDS_REDIS();
  const RedisServer server({.lines = {"rename-command CONFIG \"\"", "appendonly yes", "appendfsync everysec"}});
  const std::string said = refusal(server, Durability::aof);
  EXPECT_TRUE(names(said, {"appendfsync", "CONFIG GET", "--redis-unchecked"})) << said;
  engine::RedisEngineOptions options = options_for("redis://" + server.address());
  options.durability = Durability::aof;
  options.unknown_settings = engine::UnknownSettings::trusted;
  EXPECT_TRUE(engine::RedisEngine::open(options));
  const RedisServer evicts({.lines = {"rename-command CONFIG \"\"", "maxmemory-policy allkeys-lru"}});
  options.url = net::parse_redis_url("redis://" + evicts.address()).value();
  EXPECT_FALSE(engine::RedisEngine::open(options)) << "it tells that it evicts";
}

TEST(RedisServerCheck, NamesThePermissionThatAUserLacks) {
  FIRSTCOME_NEEDS_REDIS();
  const RedisServer server({.lines = {"user shop on >secret-of-it ~firstcome:* &* +@all -config -info"}});
  const std::string said = refusal("redis://shop:secret-of-it@" + server.address());
  EXPECT_TRUE(names(said, {"maxmemory-policy", "CONFIG GET", "INFO", "+config|get", "+info"})) << said;
  EXPECT_EQ(server.text({"DBSIZE"}), "0");
  server.command({"ACL", "SETUSER", "shop", "+info"});
  EXPECT_EQ(refusal("redis://shop:secret-of-it@" + server.address()), "");
}

TEST(RedisServerCheck, NamesTheKeysThatAUserLacks) {
  FIRSTCOME_NEEDS_REDIS();
  const RedisServer server({.lines = {"user shop on >secret-of-it ~other:* &* +@all"}});
  const std::string said = refusal("redis://shop:secret-of-it@" + server.address());
  EXPECT_TRUE(names(said, {"key"})) << said;
}

TEST(RedisServerCheck, SaysThatThePasswordIsWrong) {
  FIRSTCOME_NEEDS_REDIS();
  const RedisServer server({.password = "right"});
  const std::string said = refusal("redis://:secret-of-it@" + server.address());
  EXPECT_TRUE(names(said, {"WRONGPASS"})) << said;
}

TEST(RedisServerCheck, SaysThatNobodyIsThere) {
  const std::string said = refusal("redis://127.0.0.1:" + std::to_string(testing::free_port()));
  EXPECT_TRUE(names(said, {"refused"})) << said;
}

}  // namespace
}  // namespace firstcome::test
