// Calls that reach a sale twice, or from another release of the program.
#include "engine/redis/selling.hpp"
#include "support/tcp_proxy.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace firstcome::test {
namespace {

using testing::eventually;
using testing::RedisServer;
using testing::TcpProxy;

/// A node whose connections can be cut.
struct CutNode {
  explicit CutNode(const RedisServer& server) : proxy(server.port()), node(options(proxy)) {}

  static engine::RedisEngineOptions options(const TcpProxy& proxy) {
    engine::RedisEngineOptions options = options_for("redis://127.0.0.1:" + std::to_string(proxy.port()));
    options.redis.first_pause = std::chrono::milliseconds{1};
    options.redis.longest_pause = std::chrono::milliseconds{10};
    options.patience = std::chrono::seconds{30};
    return options;
  }

  TcpProxy proxy;
  RedisNode node;
};

enum class Keys { none, one_each };

/// Each node's connection is cut before the reply to each call: at least a thousand of them are sent again.
void cut_a_thousand_times(Keys keys) {
  constexpr int node_count = 11;
  constexpr int asked_each = 100;
  constexpr Units stock = 2'000;
  RedisServer server;
  std::vector<std::unique_ptr<CutNode>> nodes;
  for (int i = 0; i < node_count; ++i) nodes.push_back(std::make_unique<CutNode>(server));
  create_sale(nodes.front()->node, stock);
  Told told;
  for (int round = 0; round < asked_each; ++round) {
    std::vector<std::unique_ptr<Customer>> asked;
    for (int i = 0; i < node_count; ++i) {
      const std::string name = std::to_string(i) + "-" + std::to_string(round);
      asked.push_back(std::make_unique<Customer>(name, keys == Keys::none ? KeyHash{} : key_of(name)));
      nodes[static_cast<std::size_t>(i)]->proxy.cut_after(1, TcpProxy::Direction::to_client);
      nodes[static_cast<std::size_t>(i)]->node.engine().submit(*asked.back());
    }
    for (std::size_t i = 0; i < asked.size(); ++i) {
      nodes[i]->node.finish(*asked[i]);
      told.add(*asked[i]);
    }
  }
  EXPECT_EQ(told.accepted.size(), static_cast<std::size_t>(node_count * asked_each));
  EXPECT_EQ(told.unknown.size(), 0U);
  EXPECT_EQ(told.failed.size(), 0U);
  RedisNode quiet(options_for("redis://" + server.address()));
  for (const auto& [customer, number] : told.accepted) {
    if (keys == Keys::none) break;
    const auto again = quiet.reserve(customer, key_of(customer));
    ASSERT_TRUE(again) << again.error().detail;
    ASSERT_EQ(again->outcome, Outcome::unchanged);
    ASSERT_EQ(value(again->ref.number), number);
  }
  expect_true(quiet, told, stock);
  EXPECT_TRUE(eventually([&nodes] {
    double repeated = 0;
    for (const auto& one : nodes) repeated += figure_of(one->node, "firstcome_engine_calls_repeated_total");
    return repeated >= 1'000;
  })) << "fewer calls than that were sent again";
}

TEST(RedisRepeatedCalls, HaveOneEffectAndOneAnswerAThousandTimesWithKeys) {
  FIRSTCOME_NEEDS_REDIS();
  cut_a_thousand_times(Keys::one_each);
}

TEST(RedisRepeatedCalls, HaveOneEffectAndOneAnswerAThousandTimesWithoutKeys) {
  FIRSTCOME_NEEDS_REDIS();
  cut_a_thousand_times(Keys::none);
}

TEST(RedisRepeatedCalls, HaveOneEffectWhereverTheConnectionIsCut) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  CutNode cut(server);
  create_sale(cut.node, 500);
  Told told;
  for (std::size_t i = 0; i < 150; ++i) {
    const Customer customer("c" + std::to_string(i));
    const bool there = i % 2 == 0;
    cut.proxy.cut_after((i * 37) % 400, there ? TcpProxy::Direction::to_server : TcpProxy::Direction::to_client);
    told.add(customer.name, cut.node.reserve(customer.name));
  }
  EXPECT_EQ(told.accepted.size(), 150U);
  RedisNode quiet(options_for("redis://" + server.address()));
  expect_true(quiet, told, 500);
}

class RedisCallsByHand : public ::testing::Test {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    server_ = std::make_unique<RedisServer>();
    node_ = std::make_unique<RedisNode>(options_for("redis://" + server_->address()));
    create_sale(*node_, 10);
    handle_ = node_->ask(GetSale{"s"})->sale.handle;
    script_ = engine::SaleScripts::standard().decide.text();
  }

  std::string call(const HandMadeCall& one, const std::string& script) {
    const std::string sha = server_->text({"SCRIPT", "LOAD", script});
    return server_->text(one.arguments(*server_, handle_, "EVALSHA", sha));
  }
  std::string call(const HandMadeCall& one) { return call(one, script_); }
  std::map<std::string, std::string> fields_of(const std::string& key) {
    std::map<std::string, std::string> fields;
    const auto all = server_->command({"HGETALL", key}).elements;
    for (std::size_t i = 0; i + 1 < all.size(); i += 2) fields.emplace(all[i].text, all[i + 1].text);
    return fields;
  }
  Units sold() { return node_->ask(GetSale{"s"})->sale.sold; }

  std::unique_ptr<RedisServer> server_;
  std::unique_ptr<RedisNode> node_;
  SaleHandle handle_{};
  std::string script_;
};

/// A reply may begin with any byte, a minus too.
bool is_error(std::string_view reply) {
  constexpr std::array words{"-ERR ", "-NOSALE ", "-LATER ", "-STALE ", "-NOSCRIPT ", "-WRONGTYPE ", "-OOM "};
  return std::ranges::any_of(words, [reply](std::string_view word) { return reply.starts_with(word); });
}

TEST_F(RedisCallsByHand, TheSameCallAgainHasNoEffectAndTheSameReply) {
  const std::string first = call({.sequence = 7});
  ASSERT_FALSE(is_error(first)) << first;
  EXPECT_EQ(sold(), 1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(call({.sequence = 7}), first);
  EXPECT_EQ(sold(), 1);
  // The same sequence of another node is another call.
  EXPECT_NE(call({.node = "another1", .sequence = 7, .customer = "b"}), first);
  EXPECT_EQ(sold(), 2);
}

TEST_F(RedisCallsByHand, AnOlderCallThanTheLastIsStale) {
  ASSERT_FALSE(is_error(call({.sequence = 7})));
  EXPECT_TRUE(call({.sequence = 6, .customer = "late"}).starts_with("-STALE")) << call({.sequence = 6});
  EXPECT_EQ(sold(), 1);
  EXPECT_FALSE(is_error(call({.sequence = 8})));
  EXPECT_EQ(sold(), 2);
}

TEST_F(RedisCallsByHand, AnotherReleasesTextOfTheScriptWorksOnTheSameSale) {
  const std::string other = script_ + "\n-- of another release\n";
  Told told;
  told.add("first", node_->reserve("first"));
  for (std::uint64_t i = 1; i <= 4; ++i) {
    const std::string name = "other" + std::to_string(i);
    const std::string reply = call({.sequence = i, .customer = name}, other);
    ASSERT_FALSE(is_error(reply)) << reply;
    told.unknown.insert(name);  // by hand nobody reads the answer
    told.add("ours" + std::to_string(i), node_->reserve("ours" + std::to_string(i)));
  }
  EXPECT_EQ(sold(), 9);
  expect_true(*node_, told, 10);
  // A call that the other release made is the same call for this one.
  const std::string reply = call({.sequence = 5, .customer = "last"}, other);
  EXPECT_EQ(call({.sequence = 5, .customer = "last"}), reply);
  EXPECT_EQ(sold(), 10);
}

TEST_F(RedisCallsByHand, ASaleOfALaterFormatIsAFailureAndIsLeftAsItIs) {
  ASSERT_TRUE(node_->reserve("a"));
  const engine::SaleKeys keys(handle_);
  server_->command({"HSET", keys.hash, "f", "9"});
  const auto hash = fields_of(keys.hash);
  const std::string stream = server_->text({"DUMP", keys.stream});
  const auto answer = node_->reserve("b");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, FailureCode::store_unavailable);
  EXPECT_NE(answer.error().detail.find("another format"), std::string::npos) << answer.error().detail;
  RedisNode fresh(options_for("redis://" + server_->address()));
  const auto another = fresh.reserve("c");
  ASSERT_FALSE(another);
  EXPECT_EQ(another.error().code, FailureCode::store_unavailable);
  EXPECT_EQ(fields_of(keys.hash), hash);
  EXPECT_EQ(server_->text({"DUMP", keys.stream}), stream);
  server_->command({"HSET", keys.hash, "f", "1"});
  EXPECT_TRUE(eventually([this] { return node_->reserve("b").has_value(); }, recovery_bound));
  EXPECT_EQ(sold(), 2);
}

}  // namespace
}  // namespace firstcome::test
