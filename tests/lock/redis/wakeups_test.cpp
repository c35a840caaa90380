#include "lock/redis/wakeups.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::lock {
namespace {

using namespace std::chrono_literals;
using Seat = Wakeups::Seat;
using Ended = Wakeups::Ended;

constexpr const char* channel = "redisson_lock__channel:{a}";

/// Confirms or refuses subscriptions, and does nothing else.
class FakeClient final : public net::RedisClient {
 public:
  explicit FakeClient(net::IoExecutor executor) : executor_(executor) {}

  void execute(std::string_view, net::RedisCommand, std::chrono::steady_clock::time_point, net::RedisDone) override {
    ADD_FAILURE() << "nothing is to be sent";
  }
  void subscribe(std::string name, std::chrono::steady_clock::time_point, net::RedisSubscribed done) override {
    subscribed.push_back(std::move(name));
    boost::asio::post(executor_, [works = works, done = std::move(done)]() mutable {
      if (works) return done({});
      done(std::unexpected(net::RedisFailure{.code = "down", .detail = "down"}));
    });
  }
  void unsubscribe(const std::string&) override {}
  void reconnect_channel(const std::string&, const std::string&) override {}
  std::chrono::steady_clock::time_point settled_since(std::string_view) const override { return {}; }
  std::string_view publish_command() const override { return "PUBLISH"; }
  net::RedisCounters counters() const override { return {}; }

  std::vector<std::string> subscribed;
  bool works = true;

 private:
  net::IoExecutor executor_;
};

struct Waiter final : ContenderEvents {
  void granted(Grant) override {}
  void worth_trying() override { ++woken; }
  int woken = 0;
};

struct WakeupsTest : ::testing::Test {
  struct Someone {
    std::shared_ptr<Waiter> waiter = std::make_shared<Waiter>();
    std::shared_ptr<Seat> seat = std::make_shared<Seat>();
    int woken() const { return waiter->woken; }
  };
  /// Has asked, and waits.
  Someone someone() {
    Someone one;
    one.seat->channel = channel;
    one.seat->events = one.waiter;
    wakeups.sit(one.seat);
    return one;
  }
  ~WakeupsTest() override { wakeups.close(); }

  boost::asio::io_context io;
  FakeClient client{io.get_executor()};
  Wakeups wakeups{io.get_executor(), client};
};

TEST_F(WakeupsTest, OneMessageWakesTheOneWhoWaitsLongest) {
  const Someone first = someone();
  const Someone second = someone();
  wakeups.message(channel, "0");
  EXPECT_EQ(first.woken(), 1);
  EXPECT_EQ(second.woken(), 0);
  wakeups.message(channel, "0");
  EXPECT_EQ(first.woken(), 1);
  EXPECT_EQ(second.woken(), 1);
}

TEST_F(WakeupsTest, AMessageForAllWakesAll) {
  const Someone first = someone();
  const Someone second = someone();
  wakeups.message(channel, "1");
  EXPECT_EQ(first.woken() + second.woken(), 2);
}

TEST_F(WakeupsTest, OtherChannelsWakeNobody) {
  const Someone one = someone();
  wakeups.message("redisson_lock__channel:{b}", "0");
  EXPECT_EQ(one.woken(), 0);
}

TEST_F(WakeupsTest, OneWhoLeavesPassesItsWakeupOn) {
  const Someone first = someone();
  const Someone second = someone();
  wakeups.message(channel, "0");
  wakeups.leave(first.seat);
  EXPECT_EQ(second.woken(), 1);
}

TEST_F(WakeupsTest, OneWhoLeavesWhileItsAttemptIsUnderWayPassesItOnToo) {
  const Someone first = someone();
  const Someone second = someone();
  wakeups.message(channel, "0");
  Wakeups::begins(*first.seat);
  wakeups.leave(first.seat);
  EXPECT_EQ(second.woken(), 1);
}

TEST_F(WakeupsTest, OneWhoGotTheLockOrFoundItTakenPassesNothingOn) {
  for (const Ended how : {Ended::taken, Ended::busy}) {
    const Someone first = someone();
    const Someone second = someone();
    wakeups.message(channel, "0");
    Wakeups::begins(*first.seat);
    Wakeups::ends(*first.seat, how);
    wakeups.leave(first.seat);
    EXPECT_EQ(second.woken(), 0);
    wakeups.leave(second.seat);
  }
}

TEST_F(WakeupsTest, AFailedAttemptHasNotUsedItsWakeup) {
  const Someone first = someone();
  const Someone second = someone();
  wakeups.message(channel, "0");
  Wakeups::begins(*first.seat);
  Wakeups::ends(*first.seat, Ended::failed);
  EXPECT_EQ(second.woken(), 0);  // the first tries again by itself
  wakeups.leave(first.seat);
  EXPECT_EQ(second.woken(), 1);
}

TEST_F(WakeupsTest, WhoeverJustAsksIsWokenOnlyWhereNobodyElseIs) {
  const Someone asks = someone();
  Wakeups::begins(*asks.seat);
  {
    const Someone waits = someone();
    wakeups.message(channel, "0");
    EXPECT_EQ(asks.woken(), 0);
    Wakeups::begins(*waits.seat);
    Wakeups::ends(*waits.seat, Ended::busy);
    wakeups.leave(waits.seat);
  }
  wakeups.message(channel, "0");  // its attempt may have been too early
  EXPECT_EQ(asks.woken(), 1);
  Wakeups::ends(*asks.seat, Ended::busy);  // of the attempt that began before the message
  const Someone next = someone();
  wakeups.leave(asks.seat);
  EXPECT_EQ(next.woken(), 1);
}

TEST_F(WakeupsTest, OneWhoHasGoneWithoutLeavingIsPassedOver) {
  Someone gone = someone();
  gone.waiter.reset();
  const Someone second = someone();
  wakeups.message(channel, "0");
  EXPECT_EQ(second.woken(), 1);
}

TEST_F(WakeupsTest, ComingBackAfterALossWakesOneOfEachName) {
  const Someone first = someone();
  const Someone second = someone();
  wakeups.deaf();
  wakeups.subscribed();
  EXPECT_EQ(first.woken() + second.woken(), 1);
}

TEST_F(WakeupsTest, HearsWhatWasConfirmedUntilItIsDeaf) {
  std::optional<bool> heard;
  wakeups.hear(channel, {}, [&heard](bool yes) { heard = yes; });
  EXPECT_FALSE(wakeups.hears(channel));
  io.poll();
  EXPECT_EQ(heard, true);
  EXPECT_TRUE(wakeups.hears(channel));
  wakeups.deaf();
  EXPECT_FALSE(wakeups.hears(channel));
  client.works = false;
  wakeups.hear(channel, {}, [&heard](bool yes) { heard = yes; });
  io.restart();
  io.poll();
  EXPECT_EQ(heard, false);
  EXPECT_FALSE(wakeups.hears(channel));
}

}  // namespace
}  // namespace firstcome::lock
