// What acknowledged answers survive: the server's crash with `aof`, and a replica that confirms them with `replicated`.
#include "engine/redis/binary.hpp"
#include "engine/redis/selling.hpp"

#include <random>
#include <thread>

namespace firstcome::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::eventually;
using testing::RedisServer;

constexpr Units stock = 5'000;

RedisServer server_that_syncs() {
  return RedisServer({.lines = {"appendonly yes", "appendfsync always", "no-appendfsync-on-rewrite no"}});
}

engine::RedisEngineOptions with(const RedisServer& server, engine::Durability durability, milliseconds patience) {
  engine::RedisEngineOptions options = options_for("redis://" + server.address());
  options.durability = durability;
  options.patience = patience;
  return options;
}

/// A crowd asks, and when some have their answer the server is killed and started again.
void kill_amid(RedisServer& server, RedisNode& node, const std::string& name, std::size_t answers, Told& told) {
  constexpr std::size_t crowd_size = 600;
  std::vector<std::unique_ptr<Customer>> crowd;
  for (std::size_t i = 0; i < crowd_size; ++i) {
    const std::string customer = name + "-" + std::to_string(i);
    crowd.push_back(std::make_unique<Customer>(customer, i % 2 == 0 ? key_of(customer) : KeyHash{}));
    node.engine().submit(*crowd.back());
  }
  node.finish(*crowd[answers]);
  server.kill();
  server.start();
  for (const auto& customer : crowd) {
    node.finish(*customer);
    told.add(*customer);
  }
}

/// Those who were told nothing certain ask again, with their keys.
void ask_again(RedisNode& node, Told& told) {
  for (const std::string& customer : std::set<std::string>(told.unknown)) {
    if (std::stoi(customer.substr(customer.rfind('-') + 1)) % 2 == 0)
      told.add(customer, node.reserve(customer, key_of(customer)));
  }
}

TEST(RedisDurability, NoAcknowledgedAnswerIsLostWhenTheServerIsKilled) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server = server_that_syncs();
  RedisNode node(with(server, engine::Durability::aof, seconds{20}));
  create_sale(node, stock);
  std::mt19937 random(7);
  Told told;
  for (int round = 0; round < 6; ++round) {
    kill_amid(server, node, "r" + std::to_string(round), random() % 500, told);
    ASSERT_TRUE(eventually([&node] { return node.engine().readiness().ready; }, recovery_bound));
  }
  ask_again(node, told);
  EXPECT_GT(told.accepted.size(), 1'000U);
  expect_true(node, told, stock);
  EXPECT_EQ(figure_of(node, "firstcome_engine_rollbacks_total"), 0);
}

TEST(RedisDurability, AServerThatWentBackIsToldAndSellsWhatItHas) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  RedisNode node(with(server, engine::Durability::memory, seconds{5}));
  create_sale(node, 10);
  Told told;
  told.add("kept", node.reserve("kept"));
  ASSERT_EQ(server.text({"SAVE"}), "OK");
  ASSERT_TRUE(node.reserve("lost"));  // memory: this is what may be lost
  server.kill();
  server.start();
  ASSERT_TRUE(eventually([&] { return node.engine().readiness().ready; }, recovery_bound));
  told.add("next", node.reserve("next"));
  EXPECT_FALSE(node.ask(AuditSale{"s"})->ok) << "an operator has not dealt with what is lost";
  ASSERT_EQ(node.ask(SettleLosses{"mina", "called"})->outcome, Outcome::done);
  expect_true(node, told, 10);
  EXPECT_TRUE(eventually([&] { return figure_of(node, "firstcome_engine_rollbacks_total") >= 1; }));
}

// --- the outbox ---

/// The numbers of reservations by the confirmations in the sale's stream, whose events must have no gap.
std::set<std::uint64_t> confirmed_by_events(const RedisServer& server, const engine::SaleKeys& keys) {
  std::set<std::uint64_t> numbers;
  std::uint64_t next = 1;
  for (const testing::RedisAnswer& entry : server.command({"XRANGE", keys.stream, "-", "+"}).elements) {
    engine::BinaryReader reader(entry.elements.at(1).elements.at(1).text);
    reader.number(6);  // when
    EXPECT_EQ(reader.number(6), next);
    const std::uint64_t count = reader.number(4);
    EXPECT_GT(count, 0U);
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto type = static_cast<EventType>(reader.number(1));
      const std::uint64_t number = reader.number(4);
      if (type == EventType::reservation_confirmed) {
        EXPECT_TRUE(numbers.insert(number).second) << "two events of " << number;
      }
    }
    EXPECT_TRUE(reader.ok() && reader.at_end());
    next += count;
    EXPECT_EQ(entry.elements.at(0).text, std::to_string(next - 1) + "-0");
  }
  return numbers;
}

/// The same by the stored records.
std::set<std::uint64_t> confirmed_by_records(const RedisServer& server, const engine::SaleKeys& keys) {
  std::set<std::uint64_t> numbers;
  const auto fields = server.command({"HGETALL", keys.hash}).elements;
  for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
    if (fields[i].text.front() != 'r') continue;
    if (fields[i + 1].text.at(0) == static_cast<char>(ReservationState::confirmed)) {
      numbers.insert(std::stoull(fields[i].text.substr(1)));
    }
  }
  return numbers;
}

// KNOWN-BUGS 2: the stock was taken and the process died before the message was written.
TEST(RedisKnownBugs, ASaleAndItsEventAreWrittenTogetherOrNotAtAll) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server = server_that_syncs();
  RedisNode node(with(server, engine::Durability::aof, seconds{20}));
  create_sale(node, stock);
  const engine::SaleKeys keys(node.ask(GetSale{"s"})->sale.handle);
  std::mt19937 random(11);
  Told told;
  for (int round = 0; round < 5; ++round) {
    kill_amid(server, node, "r" + std::to_string(round), random() % 500, told);
    server.kill();  // what is there now is what the log says
    server.start();
    const std::set<std::uint64_t> sold = confirmed_by_records(server, keys);
    EXPECT_EQ(confirmed_by_events(server, keys), sold);
    for (const auto& [customer, number] : told.accepted) ASSERT_TRUE(sold.contains(number)) << customer;
  }
  expect_true(node, told, stock);
}

// --- replicas ---

/// A master and its replica.
struct TwoServers {
  TwoServers() {
    EXPECT_TRUE(eventually([this] { return is_followed(); }));
  }
  /// The master counts its replica only when it has heard from it.
  bool is_followed() const { return first.info("slave0").find("state=online") != std::string::npos; }

  RedisServer first;
  RedisServer second{{.lines = {"replicaof 127.0.0.1 " + first.port_text()}}};
};

TEST(RedisDurability, WhatAReplicaConfirmedIsThereWhenTheMasterIsGone) {
  FIRSTCOME_NEEDS_REDIS();
  TwoServers servers;
  Told told;
  {
    RedisNode node(with(servers.first, engine::Durability::replicated, seconds{2}));
    create_sale(node, 200);
    for (int i = 0; i < 100; ++i) {
      const std::string customer = "c" + std::to_string(i);
      told.add(customer, node.reserve(customer, key_of(customer)));
    }
    EXPECT_EQ(told.accepted.size(), 100U);
    servers.first.kill();
  }
  ASSERT_EQ(servers.second.text({"REPLICAOF", "NO", "ONE"}), "OK");
  RedisNode node(with(servers.second, engine::Durability::memory, seconds{2}));
  expect_true(node, told, 200);
}

TEST(RedisDurability, WithoutItsReplicaNothingIsCertainUntilItIsBack) {
  FIRSTCOME_NEEDS_REDIS();
  constexpr milliseconds patience{1'000};
  TwoServers servers;
  RedisNode node(with(servers.first, engine::Durability::replicated, patience));
  create_sale(node, 10);
  Told told;
  told.add("before", node.reserve("before"));
  servers.second.pause();
  for (const std::string customer : {"first", "second"}) {
    const auto asked_at = steady_clock::now();
    const auto answer = node.reserve(customer, key_of(customer));
    EXPECT_LT(steady_clock::now() - asked_at, 5 * patience);
    ASSERT_FALSE(answer);
    EXPECT_NE(answer.error().code, FailureCode::store_lost);
    if (customer == "first") {
      EXPECT_EQ(answer.error().code, FailureCode::outcome_unknown) << answer.error().detail;
    }
    EXPECT_TRUE(eventually([&] { return !node.engine().readiness().ready; }));
    told.add(customer, answer);
  }
  EXPECT_NE(node.engine().readiness().reason.find("replica"), std::string::npos) << node.engine().readiness().reason;
  servers.second.resume();
  ASSERT_TRUE(eventually([&] { return node.engine().readiness().ready; }, recovery_bound));
  for (const std::string customer : {"first", "second", "third"})
    told.add(customer, node.reserve(customer, key_of(customer)));
  EXPECT_EQ(told.accepted.size(), 4U);
  EXPECT_EQ(node.reserve("first", key_of("first"))->outcome, Outcome::unchanged);
  expect_true(node, told, 10);
}

TEST(RedisDurability, AReplicaThatIsStartedAgainConfirmsAgain) {
  FIRSTCOME_NEEDS_REDIS();
  TwoServers servers;
  RedisNode node(with(servers.first, engine::Durability::replicated, milliseconds{1'000}));
  create_sale(node, 10);
  servers.second.kill();
  Told told;
  const auto answer = node.reserve("a", key_of("a"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, FailureCode::outcome_unknown) << answer.error().detail;
  EXPECT_TRUE(eventually([&] { return !node.engine().readiness().ready; }));
  servers.second.start();
  ASSERT_TRUE(eventually([&] { return node.engine().readiness().ready; }, recovery_bound));
  told.add("a", node.reserve("a", key_of("a")));
  EXPECT_EQ(told.accepted.size(), 1U);
  expect_true(node, told, 10);
}

}  // namespace
}  // namespace firstcome::test
