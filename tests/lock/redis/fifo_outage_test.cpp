// FIFO locks through an outage of Redis: who waits is told, and afterwards everybody hears as before.
#include "lock/redis/fifo.hpp"
#include "lock/redis/redis_harness.hpp"
#include "lock/waiting.hpp"
#include "support/tcp_proxy.hpp"

#include <firstcome/lock_metrics.hpp>
#include <firstcome/lock_mutex.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

namespace firstcome::lock::test {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::eventually;
using firstcome::testing::RedisServer;
using firstcome::testing::TcpProxy;
using Why = NotAcquired::Why;

class FifoOutage : public ::testing::Test {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    server = std::make_unique<RedisServer>();
    proxy = std::make_unique<TcpProxy>(server->port());
    const FifoOptions hasty{.redis = {.connect_timeout = 200ms, .longest_pause = 50ms, .ping_interval = 100ms},
                            .request_limit = 300ms};
    settings.observer = metrics;
    far = make_fifo_lock_space(url_of_port(proxy->port()), settings, hasty).value();
    near = make_fifo_lock_space(url_of_port(server->port())).value();
  }

  /// The channel on which the process of `far` hears.
  std::string inbox() const { return "firstcome:inbox:" + process; }
  std::string listeners() const { return server->command({"PUBSUB", "NUMSUB", inbox()}).elements.at(1).text; }
  /// `far` waits once, so that its inbox is there.
  void warm() {
    Lease lease = get(*near, "a", 60s);
    Box<Acquired> next = ask(*far, "a", {.wait = patience, .lease = 60s});
    ASSERT_TRUE(waiting(1));
    release_blocking(std::move(lease));
    const Acquired got = next.take();
    ASSERT_TRUE(got);
    process = got->owner().substr(0, got->owner().find(':'));
    ASSERT_TRUE(eventually([&] { return listeners() == "1"; }));
  }
  bool waiting(std::size_t count) const {
    return eventually([&] {
      Box<std::expected<LockView, LockFailure>> box;
      near->inspect("a", box.setter());
      return box.take()->waiting == count;
    });
  }
  bool has_line(const std::string& line) const {
    return eventually([&] { return metrics->text().find("\n" + line + "\n") != std::string::npos; });
  }

  std::unique_ptr<RedisServer> server;
  std::unique_ptr<TcpProxy> proxy;
  LockSettings settings{.outage_limit = 1s};
  std::shared_ptr<LockMetrics> metrics = std::make_shared<LockMetrics>();
  std::unique_ptr<LockSpace> far;   ///< behind the proxy
  std::unique_ptr<LockSpace> near;  ///< directly at the server
  std::string process;
};

TEST_F(FifoOutage, AProcessThatAskedMeanwhileHearsAsBefore) {
  warm();
  proxy->stall();
  // Each of these asks for the inbox again, while attempts to connect come and go.
  const std::size_t before = proxy->accepted();
  while (proxy->accepted() < before + 12) ASSERT_FALSE(ask(*far, "other", {.wait = 30ms, .lease = 60s}).take());
  proxy->resume();
  EXPECT_TRUE(eventually([&] { return listeners() == "1"; }));
  EXPECT_TRUE(has_line("firstcome_locks_deaf_inboxes 0"));
  // Others trust the count of its listeners from now on.
  BootClock::duration fastest = patience;
  for (int round = 0; round < 3; ++round) {
    Lease lease = get(*near, "a", 60s);
    Box<Acquired> first = ask(*far, "a", {.wait = patience, .lease = 60s});
    ASSERT_TRUE(waiting(1));
    Box<Acquired> second = ask(*near, "a", {.wait = patience, .lease = 60s});
    ASSERT_TRUE(waiting(2));
    const BootTime released = BootClock::now();
    release_blocking(std::move(lease));
    Acquired got = first.take();
    ASSERT_TRUE(got);
    fastest = std::min(fastest, BootClock::now() - released);
    EXPECT_FALSE(second.ready()) << "it asked later";
    release_blocking(std::move(*got));
    EXPECT_TRUE(second.take());
  }
  EXPECT_LT(fastest, 5 * 50ms) << "of three, on a machine that others use too";
}

TEST_F(FifoOutage, WhoWaitsIsToldThatTheServerIsGone) {
  warm();
  Lease lease = get(*near, "a", 60s);
  Box<Acquired> patient = ask(*far, "a", {.wait = wait_for_ever, .lease = 60s});
  Box<Acquired> brief = ask(*far, "a", {.wait = 2s, .lease = 60s});
  ASSERT_TRUE(waiting(2));
  proxy->refuse();
  proxy->cut();
  const BootTime begin = BootClock::now();
  for (Box<Acquired>* one : {&patient, &brief}) {
    const Acquired none = one->take();
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().why, Why::unavailable) << text_of(none.error().why);
  }
  EXPECT_LT(BootClock::now() - begin, 5 * settings.outage_limit + 5s);
}

TEST_F(FifoOutage, WhoWaitsIsToldThatTheServerIsSilent) {
  warm();
  Lease lease = get(*near, "a", 60s);
  Box<Acquired> patient = ask(*far, "a", {.wait = wait_for_ever, .lease = 60s});
  ASSERT_TRUE(waiting(1));
  proxy->stall();
  const Acquired none = patient.take();
  ASSERT_FALSE(none);
  EXPECT_TRUE(is_failure(none.error().why)) << text_of(none.error().why);
}

TEST_F(FifoOutage, AHeartbeatThatTheServerRefusesIsCounted) {
  // With the usual limits: nothing but a heartbeat finds out, and none is merely late.
  const auto usual = make_fifo_lock_space(url_of_port(server->port()), settings).value();
  Lease lease = get(*near, "a", 60s);
  Box<Acquired> patient = ask(*usual, "a", {.wait = wait_for_ever, .lease = 60s});
  ASSERT_TRUE(waiting(1));
  EXPECT_TRUE(has_line("firstcome_locks_heartbeats_failed_total 0"));
  server->text({"SET", "firstcome:lock:{a}", "of a type that the scripts do not expect"});
  const Acquired none = patient.take();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().why, Why::wrong_type) << text_of(none.error().why);
  EXPECT_TRUE(eventually([&] { return !metrics->text().contains("\nfirstcome_locks_heartbeats_failed_total 0\n"); }));
}

TEST_F(FifoOutage, AWaitShorterThanConnectingIsNotTakenForALockThatIsTaken) {
  proxy->stall();
  const auto slow = make_fifo_lock_space(url_of_port(proxy->port())).value();
  const Acquired none = ask(*slow, "a", {.wait = 1s, .lease = 60s}).take();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().why, Why::unavailable) << text_of(none.error().why);
}

TEST_F(FifoOutage, AnOutageIsSeenInTheMetrics) {
  warm();
  EXPECT_TRUE(has_line("firstcome_locks_reconnects_total 0"));
  proxy->refuse();
  proxy->cut();
  EXPECT_TRUE(has_line("firstcome_locks_deaf_inboxes 1"));
  proxy->resume();
  EXPECT_TRUE(has_line("firstcome_locks_reconnects_total 1"));
  EXPECT_TRUE(has_line("firstcome_locks_deaf_inboxes 0"));
  Lease lease = get(*near, "a", 60s);
  Box<Acquired> next = ask(*far, "a", {.wait = patience, .lease = 60s});
  ASSERT_TRUE(waiting(1));
  server->text({"DEL", "firstcome:lock:{a}"});
  EXPECT_TRUE(next.take());
  EXPECT_TRUE(has_line("firstcome_locks_places_lost_total 1"));
}

}  // namespace
}  // namespace firstcome::lock::test
