#include "net/redis/subscriber.hpp"

#include "net/redis/loop.hpp"
#include "support/redis_server.hpp"
#include "support/tcp_proxy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace firstcome::net {
namespace {

using namespace testing;
using firstcome::testing::RedisServer;
using firstcome::testing::TcpProxy;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// A subscriber whose events a test reads.
struct Listener {
  Listener(Loop& loop, std::uint16_t port, RedisOptions options = {}) {
    RedisSubscriberEvents events;
    events.message = [this](std::string_view channel, std::string_view payload) {
      messages.push_back(std::string(channel) + "=" + std::string(payload));
    };
    events.ready = [this](std::uint64_t nth) { ready.push_back(nth); };
    events.lost = [this](const std::string& reason) { lost.push_back(reason); };
    events.dropped = [this](const std::string& channel, const RedisFailure&) { dropped.push_back(channel); };
    subscriber.emplace(loop.executor(), at_port(port), std::move(events), options);
  }

  std::string subscribe(Loop& loop, const std::string& channel, std::chrono::milliseconds time = 10s,
                        RedisChannelKind kind = RedisChannelKind::plain) {
    return loop.subscribed(
        [&](RedisSubscribed done) { subscriber->subscribe(channel, kind, in(time), std::move(done)); });
  }

  std::vector<std::string> messages;
  std::vector<std::uint64_t> ready;
  std::vector<std::string> lost;
  std::vector<std::string> dropped;
  std::optional<RedisSubscriber> subscriber;
};

TEST(RedisSubscriber, HearsWhatIsPublishedFromTheConfirmationOn) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  Loop loop;
  Listener listener(loop, server.port());
  ASSERT_EQ(listener.subscribe(loop, "a"), "");
  ASSERT_EQ(listener.subscribe(loop, "b"), "");
  ASSERT_EQ(listener.subscribe(loop, "a"), "");  // again: confirmed at once
  EXPECT_EQ(server.text({"PUBLISH", "a", "1"}), "1");
  EXPECT_EQ(server.text({"PUBLISH", "b", "2"}), "1");
  ASSERT_TRUE(loop.run_until([&] { return listener.messages.size() == 2; }));
  EXPECT_THAT(listener.messages, ElementsAre("a=1", "b=2"));
  EXPECT_THAT(listener.ready, ElementsAre(1U));
  EXPECT_TRUE(listener.subscriber->is_ready());
}

TEST(RedisSubscriber, HearsShardedChannels) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  Loop loop;
  Listener listener(loop, server.port());
  ASSERT_EQ(listener.subscribe(loop, "s", 10s, RedisChannelKind::sharded), "");
  EXPECT_EQ(server.text({"SPUBLISH", "s", "1"}), "1");
  ASSERT_TRUE(loop.run_until([&] { return listener.messages.size() == 1; }));
  EXPECT_EQ(listener.messages[0], "s=1");
}

TEST(RedisSubscriber, HearsNoMoreOfAChannelThatIsUnsubscribed) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  Loop loop;
  Listener listener(loop, server.port(), {.ping_interval = 20ms});
  ASSERT_EQ(listener.subscribe(loop, "a"), "");
  listener.subscriber->unsubscribe("a");
  ASSERT_TRUE(loop.run_until([&] { return server.text({"PUBLISH", "a", "1"}) == "0"; }));
  ASSERT_EQ(listener.subscribe(loop, "b"), "");
  ASSERT_EQ(listener.subscribe(loop, "a"), "");
  listener.messages.clear();
  listener.subscriber->unsubscribe("b");
  ASSERT_TRUE(loop.run_until([&] { return server.text({"PUBLISH", "b", "1"}) == "0"; }));
  EXPECT_EQ(server.text({"PUBLISH", "a", "2"}), "1");
  ASSERT_TRUE(loop.run_until([&] { return !listener.messages.empty(); }));
  EXPECT_THAT(listener.messages, ElementsAre("a=2"));
  EXPECT_EQ(listener.subscriber->channels(), 1U);
}

TEST(RedisSubscriber, SubscribesAgainAfterTheConnectionWasLost) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  TcpProxy proxy(server.port());
  Loop loop;
  Listener listener(loop, proxy.port());
  for (int i = 0; i < 50; ++i) ASSERT_EQ(listener.subscribe(loop, "c" + std::to_string(i)), "");
  proxy.cut();
  ASSERT_TRUE(loop.run_until([&] { return listener.ready.size() == 2; }));
  EXPECT_EQ(listener.lost.size(), 1U);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(server.text({"PUBLISH", "c" + std::to_string(i), "x"}), "1");
  EXPECT_TRUE(loop.run_until([&] { return listener.messages.size() == 50; }));
}

/// Whoever asks for it again while attempts to connect fail must not end it.
TEST(RedisSubscriber, KeepsAChannelThatWasConfirmedWhenALaterCallForItFails) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  TcpProxy proxy(server.port());
  Loop loop;
  Listener listener(loop, proxy.port(), {.connect_timeout = 200ms, .longest_pause = 50ms, .ping_interval = 100ms});
  ASSERT_EQ(listener.subscribe(loop, "a"), "");
  proxy.stall();
  ASSERT_TRUE(loop.run_until([&] { return !listener.lost.empty(); }));
  const std::size_t accepted = proxy.accepted();
  while (proxy.accepted() < accepted + 4) {
    EXPECT_NE(listener.subscribe(loop, "a"), "");        // it ends with an attempt to connect
    EXPECT_NE(listener.subscribe(loop, "a", 20ms), "");  // it is late
    EXPECT_EQ(listener.subscriber->channels(), 1U);
  }
  proxy.resume();
  EXPECT_TRUE(loop.run_until([&] {
    server.text({"PUBLISH", "a", "1"});
    return !listener.messages.empty();
  }));
}

TEST(RedisSubscriber, FindsAConnectionThatIsSilentlyDead) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  TcpProxy proxy(server.port());
  Loop loop;
  Listener listener(loop, proxy.port(), {.connect_timeout = 200ms, .ping_interval = 50ms});
  ASSERT_EQ(listener.subscribe(loop, "a"), "");
  const steady_clock::time_point begin = steady_clock::now();
  proxy.stall();
  ASSERT_TRUE(loop.run_until([&] { return !listener.lost.empty(); }));
  EXPECT_THAT(listener.lost[0], StartsWith("no sign of life from "));
  EXPECT_LT(steady_clock::now() - begin, 1s);
  proxy.resume();
  ASSERT_TRUE(loop.run_until([&] { return listener.subscriber->is_ready(); }));
  EXPECT_EQ(server.text({"PUBLISH", "a", "1"}), "1");
  EXPECT_TRUE(loop.run_until([&] { return listener.messages.size() == 1; }));
}

TEST(RedisSubscriber, StaysConnectedWhileNothingIsSaid) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  Loop loop;
  // Also without any channel. A busy machine may answer tens of milliseconds late, and two intervals of silence cut it.
  Listener listener(loop, server.port(), {.ping_interval = 100ms});
  const auto pinged = [&] { return listener.subscriber->counters().bytes_received > 60; };
  ASSERT_TRUE(loop.run_until(pinged));
  ASSERT_EQ(listener.subscribe(loop, "a"), "");
  const std::uint64_t before = listener.subscriber->counters().bytes_received;
  ASSERT_TRUE(loop.run_until([&] { return listener.subscriber->counters().bytes_received > before + 60; }));
  EXPECT_TRUE(listener.lost.empty());
}

TEST(RedisSubscriber, SaysWhyAChannelIsRefused) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server({.lines = {"user default on nopass ~* +@all resetchannels &good"}});
  Loop loop;
  Listener listener(loop, server.port());
  EXPECT_THAT(listener.subscribe(loop, "bad"), HasSubstr("NOPERM"));
  EXPECT_EQ(listener.subscribe(loop, "good"), "");
  EXPECT_EQ(listener.subscriber->channels(), 1U);
}

TEST(RedisSubscriber, TellsThatAChannelWhichWasSubscribedIsRefusedAlsoToOthersThanWhoAsksForItAgain) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server({.lines = {"user default on nopass ~* +@all resetchannels &good"}});
  TcpProxy proxy(server.port());
  Loop loop;
  Listener listener(loop, proxy.port(), {.when_down = RedisOptions::WhenDown::wait, .longest_pause = 50ms});
  ASSERT_EQ(listener.subscribe(loop, "good"), "");
  proxy.stall();
  proxy.cut();
  ASSERT_TRUE(loop.run_until([&] { return !listener.lost.empty(); }));
  std::string refusal;
  listener.subscriber->subscribe("good", RedisChannelKind::plain, in(60s), [&](std::expected<void, RedisFailure> done) {
    refusal = done ? "none" : done.error().detail;
  });
  server.command({"ACL", "SETUSER", "default", "resetchannels", "&other"});
  proxy.resume();
  ASSERT_TRUE(loop.run_until([&] { return !refusal.empty(); }));
  EXPECT_THAT(refusal, HasSubstr("NOPERM"));
  EXPECT_THAT(listener.dropped, ElementsAre("good"));
  EXPECT_EQ(listener.subscriber->channels(), 0U);
}

TEST(RedisSubscriber, FailsASubscriptionThatIsNotConfirmedInTime) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  TcpProxy proxy(server.port());
  Loop loop;
  Listener listener(loop, proxy.port());
  ASSERT_EQ(listener.subscribe(loop, "a"), "");
  proxy.drop(TcpProxy::Direction::to_client);
  EXPECT_THAT(listener.subscribe(loop, "b", 100ms), HasSubstr("not confirmed in time"));
  EXPECT_EQ(listener.subscriber->channels(), 1U);
}

TEST(RedisSubscriber, IsDestroyedFromItsOwnCallback) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  Loop loop;
  Listener listener(loop, server.port());
  std::string waiting;
  listener.subscriber->subscribe("a", RedisChannelKind::plain, in(10s),
                                 [&](std::expected<void, RedisFailure>) { listener.subscriber.reset(); });
  listener.subscriber->subscribe("b", RedisChannelKind::plain, in(10s), [&](std::expected<void, RedisFailure> result) {
    waiting = result ? "confirmed" : result.error().detail;
  });
  ASSERT_TRUE(loop.run_until([&] { return !waiting.empty(); }));
  EXPECT_EQ(waiting, "the subscriber was closed here");
}

}  // namespace
}  // namespace firstcome::net
