// What a client of the FIFO lock does in each doubtful case, with a real server.
#include "lock/redis/fifo_bench.hpp"
#include "lock/redis/fifo_crowd.hpp"
#include "lock/waiting.hpp"
#include "support/tcp_proxy.hpp"

#include <firstcome/lock_mutex.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <sstream>

namespace firstcome::lock::test {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::eventually;
using firstcome::testing::free_port;
using firstcome::testing::RedisServer;
using firstcome::testing::TcpProxy;
using Why = NotAcquired::Why;

class FifoFaults : public ::testing::Test {
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
  static Acquired get(LockSpace& space, Milliseconds lease = 60s) {
    return ask(space, {.wait = patience, .lease = lease}).take();
  }
  static LockView view(LockSpace& space) {
    Box<std::expected<LockView, LockFailure>> box;
    space.inspect(crowd_lock, box.setter());
    return box.take().value();
  }
  static bool waiting(LockSpace& space, std::size_t count) {
    return eventually([&] { return view(space).waiting == count; });
  }
  static bool is_free(LockSpace& space) {
    return eventually([&] { return !view(space).held && view(space).waiting == 0U; });
  }
  /// The server's connections have been there long enough to be trusted.
  static void settle(LockSpace& space) {
    get(space);
    const BootTime since = BootClock::now();
    eventually([&] { return BootClock::now() - since > 1'200ms; });
  }

  std::unique_ptr<RedisServer> server;
};

TEST_F(FifoFaults, AKilledHeadOfTheQueueCostsNothing) {
  const auto holder = fifo_space(server->port());
  const auto behind = fifo_space(server->port());
  settle(*holder);
  for (int round = 0; round < 3; ++round) {
    Acquired lease = get(*holder);
    ASSERT_TRUE(lease);
    const auto head = start_crowd(server->port(), CrowdWork::hold);
    ASSERT_TRUE(waiting(*holder, 1));
    Box<Acquired> next = ask(*behind, {.wait = patience, .lease = 60s});
    ASSERT_TRUE(waiting(*holder, 2));
    head->kill();
    const BootTime released = BootClock::now();
    lease->release();
    ASSERT_TRUE(next.take());
    EXPECT_LT(BootClock::now() - released, 5 * 50ms);
    ASSERT_TRUE(is_free(*holder));
  }
}

TEST_F(FifoFaults, AStoppedHeadOfTheQueueCostsItsClaimOnce) {
  const auto holder = fifo_space(server->port());
  const auto behind = fifo_space(server->port());
  settle(*holder);
  Acquired lease = get(*holder);
  const auto head = start_crowd(server->port(), CrowdWork::hold);
  ASSERT_TRUE(waiting(*holder, 1));
  Box<Acquired> next = ask(*behind, {.wait = patience, .lease = 60s});
  ASSERT_TRUE(waiting(*holder, 2));
  head->signal(SIGSTOP);
  const BootTime released = BootClock::now();
  lease->release();
  const Acquired got = next.take();
  ASSERT_TRUE(got);
  EXPECT_GT(BootClock::now() - released, 990ms);  // its claim of 1 s, of whole milliseconds of the server's
  EXPECT_LT(BootClock::now() - released, 5 * 2s);
  // Woken, it finds that it has lost its place, and waits again.
  head->signal(SIGCONT);
  EXPECT_TRUE(waiting(*holder, 1));
  EXPECT_FALSE(got->lost());
}

TEST_F(FifoFaults, ADeadHolderCostsTheRestOfItsLease) {
  const auto waiter = fifo_space(server->port());
  const auto holder = start_crowd(server->port(), CrowdWork::hold);
  ASSERT_EQ(holder->read_line(20s), "got");
  Box<Acquired> next = ask(*waiter, {.wait = patience, .lease = 60s});
  const BootTime killed = BootClock::now();
  holder->kill();
  ASSERT_TRUE(next.take());
  EXPECT_LT(BootClock::now() - killed, 5 * 1s);
}

TEST_F(FifoFaults, ALostMessageIsFoundByThePulseAndADeafInboxIsMadeAnew) {
  FifoOptions losing;
  losing.scripts =
      altered(losing.scripts, "local heard = redis.pcall(publish, inbox .. its_process, text)", "local heard = 1");
  const auto loser = fifo_space(server->port(), losing);
  const auto waiter = fifo_space(server->port());
  get(*waiter);
  const auto inboxes = [&] {
    std::string ids;
    std::istringstream lines(server->text({"CLIENT", "LIST", "TYPE", "pubsub"}));
    for (std::string line; std::getline(lines, line);) ids += line.substr(0, line.find(' ')) + " ";
    return ids;
  };
  const std::string before = inboxes();
  for (int round = 0; round < 2; ++round) {
    Acquired lease = get(*loser);
    Box<Acquired> next = ask(*waiter, {.wait = patience, .lease = 60s});
    ASSERT_TRUE(waiting(*loser, 1));
    const BootTime released = BootClock::now();
    lease->release();
    ASSERT_TRUE(next.take());
    EXPECT_LT(BootClock::now() - released, 5 * 1s);
    EXPECT_TRUE(is_free(*loser));
  }
  EXPECT_TRUE(eventually([&] { return inboxes() != before; })) << before;
}

TEST_F(FifoFaults, AClaimIsConfirmedInTheBackground) {
  const auto space = fifo_space(server->port(), {}, {.watchdog_lease = 6s});
  for (const std::optional<Milliseconds> asked : {std::optional<Milliseconds>(60s), std::optional<Milliseconds>()}) {
    Acquired first = get(*space);
    Box<Acquired> next = ask(*space, {.wait = patience, .lease = asked});
    first->release();
    const Acquired lease = next.take();
    ASSERT_TRUE(lease);
    EXPECT_TRUE(eventually([&] { return view(*space).expires_in > 4s; }));
    EXPECT_FALSE(stops_within(lease->stop_token(), 2s));  // longer than a claim
  }
}

TEST_F(FifoFaults, AnAcquireWhoseReplyIsLostHasOneEffect) {
  TcpProxy proxy(server->port());
  const auto space = fifo_space(proxy.port());
  const auto direct = fifo_space(server->port());
  for (int round = 0; round < 5; ++round) {
    release_blocking(get(*space).value());  // connected, and nothing is under way
    proxy.cut_after(1, TcpProxy::Direction::to_client);
    const Acquired lease = get(*space);
    ASSERT_TRUE(lease) << lease.error().detail;
    const LockView seen = view(*direct);
    EXPECT_EQ(seen.owner, lease->owner());
    EXPECT_EQ(seen.token, lease->token());
    EXPECT_EQ(seen.waiting, 0U);
  }
}

TEST_F(FifoFaults, AReleaseWhoseReplyIsLostIsStillARelease) {
  TcpProxy proxy(server->port());
  const auto space = fifo_space(proxy.port());
  const auto direct = fifo_space(server->port());
  for (int round = 0; round < 5; ++round) {
    Acquired lease;
    // The connection may still be about to break, of which one that is tried once hears.
    ASSERT_TRUE(eventually([&] {
      lease = get(*space);
      return lease.has_value();
    })) << lease.error().detail;
    Box<Acquired> next = ask(*direct, {.wait = patience, .lease = 60s});
    ASSERT_TRUE(waiting(*direct, 1));
    proxy.cut_after(1, TcpProxy::Direction::to_client);
    EXPECT_EQ(release_blocking(std::move(*lease)), ReleaseOutcome::released);
    EXPECT_TRUE(next.take());
  }
}

TEST_F(FifoFaults, AWaitSurvivesItsConnections) {
  TcpProxy proxy(server->port());
  const auto space = fifo_space(proxy.port());
  const auto direct = fifo_space(server->port());
  Acquired lease = get(*direct);
  Box<Acquired> next = ask(*space, {.wait = patience, .lease = 60s});
  ASSERT_TRUE(waiting(*direct, 1));
  for (int round = 0; round < 3; ++round) {
    proxy.cut();
    eventually([] { return false; }, 100ms);
  }
  EXPECT_FALSE(next.ready());
  EXPECT_EQ(view(*direct).waiting, 1U);  // the same place
  lease->release();
  const Acquired got = next.take();
  ASSERT_TRUE(got);
  EXPECT_EQ(view(*direct).owner, got->owner());
}

TEST_F(FifoFaults, AGrantThatNobodyWantsAnyMoreIsGivenBackAtOnce) {
  FifoOptions forgetful;
  forgetful.scripts = altered(forgetful.scripts, "if ticket then", "if false then");  // cancels nothing
  const auto gone = fifo_space(server->port(), forgetful);
  const auto direct = fifo_space(server->port());
  Acquired lease = get(*direct);
  EXPECT_FALSE(ask(*gone, {.wait = 50ms, .lease = 60s}).take());
  Box<Acquired> next = ask(*direct, {.wait = patience, .lease = 60s});
  ASSERT_TRUE(waiting(*direct, 2));
  const BootTime released = BootClock::now();
  lease->release();
  ASSERT_TRUE(next.take());
  EXPECT_LT(BootClock::now() - released, 1s);  // a claim that nobody answers takes longer
}

TEST_F(FifoFaults, ANumberThatIsRefusedWhileItIsWantedIsReplaced) {
  const auto space = fifo_space(server->port());
  const std::string owner = get(*space)->owner();
  ASSERT_TRUE(is_free(*space));
  const std::size_t colon = owner.find(':');
  const std::string next = std::to_string(std::stoull(owner.substr(colon + 1)) + 1);
  const auto give_up = [&](const std::string& number) {
    server->command({"EVAL", FifoScripts::standard().cancel.text(), "1", "firstcome:lock:{crowd}",
                     owner.substr(0, colon), "firstcome:inbox:", "0", number, "3600000"});
  };
  give_up(next);
  const Acquired lease = get(*space);
  ASSERT_TRUE(lease);
  EXPECT_GT(std::stoull(lease->owner().substr(colon + 1)), std::stoull(next));
  EXPECT_EQ(view(*space).owner, lease->owner());
  // A server that refuses all numbers is not asked for ever.
  give_up("1000000");
  EXPECT_EQ(ask(*space, {.lease = 1s}).take().error().why, Why::timed_out);
}

TEST_F(FifoFaults, AWaitGivenUpWhileTheServerIsSilentLeavesTheQueueAfterwards) {
  TcpProxy proxy(server->port());
  const auto space = fifo_space(proxy.port(), {.request_limit = 500ms});
  const auto direct = fifo_space(server->port());
  Acquired lease = get(*direct);
  Box<Acquired> given_up = ask(*space, {.wait = 300ms, .lease = 60s});
  ASSERT_TRUE(waiting(*direct, 1));
  proxy.stall();
  const BootTime begin = BootClock::now();
  EXPECT_FALSE(given_up.take());
  EXPECT_LT(BootClock::now() - begin, 5s);
  proxy.resume();
  lease->release();
  EXPECT_TRUE(is_free(*direct));  // well before the 60 s of that lease
}

TEST_F(FifoFaults, WhoeverWaitsGetsALockWhoseKeyWasLostAndItsHolderIsTold) {
  const auto holder = fifo_space(server->port(), {}, {.watchdog_lease = 1'500ms});
  const auto waiter = fifo_space(server->port());
  const Acquired lease = ask(*holder, {.wait = patience}).take();
  Box<Acquired> next = ask(*waiter, {.wait = patience, .lease = 60s});
  ASSERT_TRUE(waiting(*waiter, 1));
  server->command({"FLUSHALL"});
  const Acquired got = next.take();
  ASSERT_TRUE(got);
  EXPECT_GT(*got->token(), *lease->token());
  EXPECT_TRUE(stops_within(lease->stop_token(), 5s));
}

TEST_F(FifoFaults, ANewConnectionRenewsAllLeasesAtOnceAndNoneForLongerThanAskedFor) {
  TcpProxy proxy(server->port());
  const auto space = fifo_space(proxy.port(), {}, {.watchdog_lease = 300s});
  const auto lock = space->lock("fixed");
  const Acquired kept = ask(*space, {.wait = patience}).take();
  const Acquired fixed = acquire_blocking(*lock, {.wait = patience, .lease = 60s});
  ASSERT_TRUE(kept && fixed);
  const BootTime fixed_until = fixed->deadline();
  const BootTime kept_until = kept->deadline();
  proxy.cut();
  ASSERT_TRUE(eventually([&] { return kept->deadline() > kept_until && fixed->deadline() != fixed_until; }));
  EXPECT_LT(fixed->deadline(), fixed_until + 1s);
  server->command({"FLUSHALL"});
  proxy.cut();
  EXPECT_TRUE(stops_within(kept->stop_token(), 10s));  // long before the third of its lease
  EXPECT_TRUE(stops_within(fixed->stop_token(), 10s));
}

TEST_F(FifoFaults, AServerThatLostItsScriptsGoesOn) {
  const auto space = fifo_space(server->port());
  Acquired lease = get(*space);
  Box<Acquired> next = ask(*space, {.wait = patience, .lease = 60s});
  ASSERT_EQ(server->text({"SCRIPT", "FLUSH"}), "OK");
  EXPECT_EQ(release_blocking(std::move(*lease)), ReleaseOutcome::released);
  EXPECT_TRUE(next.take());
}

TEST_F(FifoFaults, AFullServerStillTakesALockBack) {
  const auto space = fifo_space(server->port());
  Acquired lease = get(*space);
  ASSERT_EQ(server->text({"CONFIG", "SET", "maxmemory", "1"}), "OK");
  EXPECT_EQ(ask(*space, {.lease = 1s}).take().error().why, Why::unavailable);
  EXPECT_EQ(release_blocking(std::move(*lease)), ReleaseOutcome::released);
}

TEST_F(FifoFaults, SaysWhyThereIsNoLock) {
  const auto why = [](const std::string& url) {
    const auto space = make_fifo_lock_space(net::parse_redis_url(url).value()).value();
    const Acquired got = ask(*space, {.wait = patience, .lease = 1s}).take();
    return got ? std::string("granted") : std::string(text_of(got.error().why));
  };
  const std::string at = server->address();
  EXPECT_EQ(why("redis://127.0.0.1:" + std::to_string(free_port())), "unavailable");
  server->command({"ACL", "SETUSER", "mute", "on", ">secret", "~*", "+@all", "resetchannels"});
  EXPECT_EQ(why("redis://mute:wrong@" + at), "denied");
  EXPECT_EQ(why("redis://mute:secret@" + at), "denied");  // it would hear nothing
  server->command({"ACL", "SETUSER", "mute", "&firstcome:inbox:*"});
  EXPECT_EQ(why("redis://mute:secret@" + at), "granted");
  server->command({"SET", "firstcome:lock:{crowd}", "mine"});
  EXPECT_EQ(why("redis://" + at), "wrong-type");
  server->command({"DEL", "firstcome:lock:{crowd}"});
  RedisServer master;
  server->command({"REPLICAOF", "127.0.0.1", master.port_text()});
  EXPECT_EQ(why("redis://" + at), "read-only");
}

TEST_F(FifoFaults, ListsTheLocksThatThereAre) {
  const net::RedisUrl url = net::parse_redis_url("redis://" + server->address()).value();
  EXPECT_TRUE(list_fifo_locks(url).value().empty());
  const auto space = fifo_space(server->port());
  for (const char* name : {"b", "a", "c d"}) {
    ASSERT_TRUE(acquire_blocking(*space->lock(name), {.lease = 60s}));
  }
  server->command({"SET", "other", "1"});
  EXPECT_EQ(list_fifo_locks(url).value(),
            (std::vector<ShareName>{{Share::Of::lock, "a"}, {Share::Of::lock, "b"}, {Share::Of::lock, "c d"}}));
  server->stop();
  EXPECT_EQ(list_fifo_locks(url).error().kind, LockFailure::Kind::unavailable);
}

TEST_F(FifoFaults, TheFenceRefusesAHolderThatWasStoppedForTooLong) {
  const auto stopped = fifo_space(server->port());
  const auto next = fifo_space(server->port());
  Wire wire(server->port());
  const Acquired old = get(*stopped, 300ms);
  use_lease(wire, *old);
  const Acquired young = get(*next);  // after its end
  use_lease(wire, *young);
  use_lease(wire, *old);  // as one would that does not know what time it is
  const Findings found = look_at(*server);
  EXPECT_EQ(found.uses, 2U);
  EXPECT_EQ(found.refused, 1U);
  EXPECT_EQ(found.lower_tokens, 0U);
  EXPECT_EQ(found.unfenced_lower, 1U);  // so a fence is needed
  EXPECT_EQ(found.overlaps, 0U);
}

}  // namespace
}  // namespace firstcome::lock::test
