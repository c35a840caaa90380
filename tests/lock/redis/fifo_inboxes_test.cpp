// The inboxes of a process, over a client that a test plays.
#include "lock/redis/fifo_inboxes.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::lock {
namespace {

using namespace std::chrono_literals;

class PlayedClient final : public net::RedisClient {
 public:
  using RedisClient::execute;
  void execute(std::string_view, net::RedisCommand, std::chrono::steady_clock::time_point,
               net::RedisDone done) override {
    net::RedisReply one;
    one.type = net::RedisReply::Type::integer;
    one.integer = 1;
    done(std::move(one));
  }
  void subscribe(std::string channel, std::chrono::steady_clock::time_point, net::RedisSubscribed done) override {
    ++asked[channel];
    waiting.push_back(std::move(done));
  }
  void unsubscribe(const std::string& channel) override { unsubscribed.push_back(channel); }
  void reconnect_channel(const std::string& channel, const std::string&) override { reconnected.push_back(channel); }
  std::chrono::steady_clock::time_point settled_since(std::string_view) const override { return {}; }
  std::string_view publish_command() const override { return "SPUBLISH"; }
  net::RedisCounters counters() const override { return {}; }

  void confirm_all() {
    for (net::RedisSubscribed& done : std::exchange(waiting, {})) done({});
  }
  void refuse_all() {
    for (net::RedisSubscribed& done : std::exchange(waiting, {})) done(std::unexpected(net::RedisFailure{}));
  }

  std::map<std::string, int> asked;
  std::vector<net::RedisSubscribed> waiting;
  std::vector<std::string> unsubscribed;
  std::vector<std::string> reconnected;
};

struct FifoInboxesTest : testing::Test {
  void hear(const std::string& channel) {
    inboxes.hear(channel, limit, [](const std::optional<LockFailure>&) {});
    client.confirm_all();
  }

  PlayedClient client;
  FifoInboxes inboxes{client};
  const BootTime start = BootClock::now();
  const BootTime limit = start + 1h;
};

TEST_F(FifoInboxesTest, AnInboxIsGivenUpAMinuteAfterItsLastUse) {
  hear("a");
  hear("b");
  inboxes.idle("a", start);
  inboxes.idle("b", start + 61s);
  EXPECT_EQ(client.unsubscribed, std::vector<std::string>{"a"});
  EXPECT_FALSE(inboxes.use("a"));
}

TEST_F(FifoInboxesTest, AnInboxThatIsUsedAgainIsKept) {
  hear("a");
  hear("b");
  inboxes.idle("a", start);
  EXPECT_TRUE(inboxes.use("a"));  // somebody waits there
  inboxes.idle("b", start + 61s);
  EXPECT_TRUE(client.unsubscribed.empty());
}

TEST_F(FifoInboxesTest, AFailureAfterAnOutageIsFollowedByANewSubscription) {
  hear("a");
  inboxes.deaf();
  EXPECT_FALSE(inboxes.use("a"));
  inboxes.hear("a", limit, [](const std::optional<LockFailure>& failure) { EXPECT_TRUE(failure); });
  client.refuse_all();
  EXPECT_EQ(inboxes.deaf_ones(), 1U);
  inboxes.subscribed(limit);  // of the other channels: this one is not among them, as far as is known
  EXPECT_FALSE(inboxes.use("a"));
  client.confirm_all();
  EXPECT_TRUE(inboxes.use("a"));
  EXPECT_EQ(inboxes.deaf_ones(), 0U);
}

TEST_F(FifoInboxesTest, ADeafInboxIsSubscribedAnewOverANewConnection) {
  hear("a");
  inboxes.renew("a", limit);
  EXPECT_EQ(client.reconnected, std::vector<std::string>{"a"});
  EXPECT_EQ(client.asked["a"], 2);
  inboxes.subscribed(limit);
  EXPECT_FALSE(inboxes.use("a")) << "not confirmed yet";
  client.confirm_all();
  EXPECT_TRUE(inboxes.use("a"));
}

TEST_F(FifoInboxesTest, ASubscriptionThatTheServerEndedIsMadeAnew) {
  hear("a");
  inboxes.dropped("a", limit);
  inboxes.subscribed(limit);
  EXPECT_FALSE(inboxes.use("a"));
  EXPECT_EQ(client.asked["a"], 2);
  client.confirm_all();
  EXPECT_TRUE(inboxes.use("a"));
}

}  // namespace
}  // namespace firstcome::lock
