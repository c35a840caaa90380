// Locks that are wrong in one place, and scenes in which that shows. Each scene finds nothing wrong with the real one.
#include "lock/redis/fifo_bench.hpp"
#include "lock/redis/fifo_crowd.hpp"
#include "lock/waiting.hpp"
#include "support/tcp_proxy.hpp"

#include <firstcome/lock_mutex.hpp>

#include <gtest/gtest.h>

#include <chrono>

namespace firstcome::lock::test {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::eventually;
using firstcome::testing::RedisServer;
using firstcome::testing::TcpProxy;

/// Dates what is pushed by its arrival.
class ByArrival final : public LockBackend {
 public:
  explicit ByArrival(std::shared_ptr<LockBackend> of) : of_(std::move(of)) {}

  struct Events final : ContenderEvents {
    explicit Events(std::weak_ptr<ContenderEvents> real) : to(std::move(real)) {}
    void granted(Grant grant) override {
      grant.base = BootClock::now();
      if (const auto events = to.lock()) events->granted(grant);
    }
    void worth_trying() override {
      if (const auto events = to.lock()) events->worth_trying();
    }
    const std::weak_ptr<ContenderEvents> to;
  };

  const LockTraits& traits() const override { return of_->traits(); }
  std::shared_ptr<Contender> contend(Contention contention, std::weak_ptr<ContenderEvents> events) override {
    kept_.push_back(std::make_shared<Events>(std::move(events)));
    return of_->contend(std::move(contention), kept_.back());
  }
  void inspect(const std::string& name, Answer<std::expected<LockView, LockFailure>> done) override {
    of_->inspect(name, std::move(done));
  }
  void close() override { of_->close(); }

 private:
  const std::shared_ptr<LockBackend> of_;
  std::vector<std::shared_ptr<Events>> kept_;
};

enum class Dating : std::uint8_t { real, by_arrival };

class FifoMutants : public ::testing::Test {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    server = std::make_unique<RedisServer>();
  }

  static Box<Acquired> ask(LockSpace& space, AcquireOptions options) {
    Box<Acquired> box;
    space.lock(crowd_lock)->acquire(std::move(options), box.setter());
    return box;
  }
  static Lease get(LockSpace& space, Milliseconds lease = 60s) {
    return ask(space, {.wait = patience, .lease = lease}).take().value();
  }
  static bool waiting(LockSpace& space, std::size_t count) {
    return eventually([&] {
      Box<std::expected<LockView, LockFailure>> box;
      space.inspect(crowd_lock, box.setter());
      return box.take()->waiting == count;
    });
  }

  /// A message that comes when its claim has lapsed: whether two believe in the lock at one time.
  bool a_late_message_makes_two_holders(Dating dating) {
    TcpProxy proxy(server->port());
    auto backend = make_fifo_locks(net::parse_redis_url("redis://127.0.0.1:" + std::to_string(proxy.port())).value(),
                                   {.request_limit = 20s})
                       .value();
    if (dating == Dating::by_arrival) backend = std::make_shared<ByArrival>(std::move(backend));
    const auto late = make_lock_space(std::move(backend), {});
    const auto direct = fifo_space(server->port());
    Lease first = get(*direct);
    Box<Acquired> stalled = ask(*late, {.wait = patience, .lease = 1s});
    waiting(*direct, 1);
    Box<Acquired> second = ask(*direct, {.wait = patience, .lease = 60s});
    waiting(*direct, 2);
    proxy.stall();
    first.release();
    Lease lease = second.take().value();  // the claim of the stalled one has lapsed
    proxy.resume();
    const bool both = stalled.there_within(1s);
    EXPECT_FALSE(lease.lost());
    return both;
  }

  std::unique_ptr<RedisServer> server;
};

TEST_F(FifoMutants, ALateMessageDoesNotStartADeadLease) {
  EXPECT_FALSE(a_late_message_makes_two_holders(Dating::real));
}

TEST_F(FifoMutants, APushDatedByItsArrivalIsCaught) {
  EXPECT_TRUE(a_late_message_makes_two_holders(Dating::by_arrival));
}

/// Whether the next holder is there while the first one believes in its lease.
bool too_early(RedisServer& server, const FifoScripts& scripts) {
  const auto one = fifo_space(server.port(), {.scripts = scripts});
  const auto two = fifo_space(server.port(), {.scripts = scripts});
  const auto lock = two->lock(crowd_lock);
  const Lease lease = acquire_blocking(*one->lock(crowd_lock), {.wait = patience, .lease = 1s}).value();
  Box<bool> lost_before;
  lock->acquire({.wait = patience, .lease = 60s},
                [token = lease.stop_token(), set = lost_before.setter()](const Acquired& got) mutable {
                  set(got && token.stop_requested());
                });
  while (!lost_before.there_within(20ms)) {  // somebody always looks
    static_cast<void>(acquire_blocking(*two->lock(crowd_lock), {}));
  }
  return !lost_before.take();
}

TEST_F(FifoMutants, ALeaseLapsesNotBeforeItsHolderKnows) { EXPECT_FALSE(too_early(*server, FifoScripts::standard())); }

TEST_F(FifoMutants, ALapseThatComesEarlyIsCaught) {
  EXPECT_TRUE(
      too_early(*server, altered(FifoScripts::standard(), "elseif till <= now then", "elseif till - 300 <= now then")));
}

/// Two in turns.
Findings hand_over(RedisServer& server, const FifoScripts& scripts) {
  const auto one = fifo_space(server.port(), {.scripts = scripts});
  const auto two = fifo_space(server.port(), {.scripts = scripts});
  Wire wire(server.port());
  for (int round = 0; round < 10; ++round) {
    Lease lease = acquire_blocking(*one->lock(crowd_lock), {.wait = patience, .lease = 60s}).value();
    Box<Acquired> box;
    two->lock(crowd_lock)->acquire({.wait = patience, .lease = 60s}, box.setter());
    use_lease(wire, lease);
    lease.release();
    const Lease next = box.take().value();
    use_lease(wire, next);
  }
  return look_at(server);
}

TEST_F(FifoMutants, EachHandOverHasATokenOfItsOwn) {
  const Findings found = hand_over(*server, FifoScripts::standard());
  EXPECT_EQ(found.uses, 20U);
  EXPECT_EQ(found.equal_tokens, 0U);
  EXPECT_EQ(found.refused, 0U);
}

TEST_F(FifoMutants, AHandOverThatKeepsTheTokenIsCaught) {
  const Findings found = hand_over(
      *server, altered(FifoScripts::standard(), "token = token < micros and micros or token + 1\n        owner = who\n",
                       "owner = who\n"));
  EXPECT_GT(found.equal_tokens, 0U);
  EXPECT_GT(found.refused, 0U);  // by the fence: an equal token of another owner
}

}  // namespace
}  // namespace firstcome::lock::test
