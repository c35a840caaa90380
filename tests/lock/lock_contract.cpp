#include "lock/lock_contract.hpp"

#include "support/rounds.hpp"

#include <firstcome/limits.hpp>

#include <atomic>
#include <chrono>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <vector>

namespace firstcome::lock::test {

using namespace std::chrono_literals;
using Why = NotAcquired::Why;

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(LockContract);

void LockContract::SetUp() {
  harness = GetParam().make();
  if (!harness) GTEST_SKIP() << GetParam().name << " cannot be tested here";
  LockSettings observed = settings();
  observer = std::make_shared<CountingObserver>();
  observed.observer = observer;
  space = harness->make_space(observed);
  other = harness->make_space(settings());
}

void LockContract::TearDown() {
  space.reset();
  other.reset();
}

LockSettings LockContract::settings() {
  LockSettings settings;
  settings.watchdog_lease = 1'500ms;
  settings.release_limit = 5s;
  return settings;
}

Box<Acquired> LockContract::ask(LockSpace& from, const std::string& name, AcquireOptions options) {
  Box<Acquired> box;
  from.lock(name)->acquire(std::move(options), box.setter());
  return box;
}

Lease LockContract::get(LockSpace& from, const std::string& name, std::optional<Milliseconds> lease) {
  const BootTime until = BootClock::now() + patience;
  Acquired acquired = ask(from, name, {.wait = patience, .lease = lease}).take();
  // What does not wait is asked again, until what was released in the background is free.
  while (!acquired && !from.traits().waits && acquired.error().why == Why::timed_out && BootClock::now() < until) {
    acquired = ask(from, name, {.lease = lease}).take();
  }
  if (!acquired) {
    throw std::runtime_error(std::string(text_of(acquired.error().why)) + ": " + acquired.error().detail);
  }
  return std::move(*acquired);
}

NotAcquired LockContract::refused(LockSpace& from, const std::string& name, AcquireOptions options) {
  Acquired acquired = ask(from, name, std::move(options)).take();
  if (acquired) throw std::runtime_error("the lock was given");
  return std::move(acquired.error());
}

TEST_P(LockContract, GivesAFreeLockAtOnceAndToOneOnly) {
  const Lease lease = get(*space, "free");
  EXPECT_FALSE(lease.lost());
  EXPECT_FALSE(lease.stop_token().stop_requested());
  EXPECT_FALSE(lease.owner().empty());
  EXPECT_EQ(refused(*other, "free", {}).why, Why::timed_out);
  EXPECT_EQ(refused(*space, "free", {}).why, Why::timed_out);  // ownership is the object, not the thread
}

TEST_P(LockContract, KeepsNamesApart) {
  std::vector<Lease> leases;
  for (int i = 0; i < 30; ++i) leases.push_back(get(i % 2 == 0 ? *space : *other, "name-" + std::to_string(i)));
  for (const Lease& lease : leases) EXPECT_FALSE(lease.lost());
}

TEST_P(LockContract, TakesAnyBytesInANameButBraces) {
  for (const std::string& name : {std::string("a b\n\t'\"\\%;--$1 :*?[]"), std::string("\xC3\xBC\x01\x7F"),
                                  std::string("zero\0byte", 9), std::string(limits::lock_name_bytes, 'n')}) {
    const Lease lease = get(*space, name);
    EXPECT_EQ(refused(*other, name, {}).why, Why::timed_out);
  }
  const Lease one = get(*space, std::string("a\0b", 3));
  const Lease two = get(*space, std::string("a\0c", 3));
}

TEST_P(LockContract, RefusesBadNamesAndLeasesClearly) {
  for (const std::string& name :
       {std::string(), std::string(limits::lock_name_bytes + 1, 'n'), std::string("a{b"), std::string("a}b")}) {
    const NotAcquired no = refused(*space, name, {.wait = 1s});
    EXPECT_EQ(no.why, Why::bad_name);
    EXPECT_FALSE(no.detail.empty());
  }
  for (const Milliseconds lease : {Milliseconds{0}, Milliseconds{-1}, Milliseconds::min(), Milliseconds::max()}) {
    const NotAcquired no = refused(*space, "good", {.wait = 1s, .lease = lease});
    EXPECT_EQ(no.why, Why::bad_lease);
    EXPECT_FALSE(no.detail.empty());
  }
}

TEST_P(LockContract, ExcludesAmongManyWaiters) {
  ONLY_WHERE_PROMISED(waits());
  const int rounds = 4;
  const int threads = harness->most_threads();
  int counter = 0;  // protected by the lock alone
  std::atomic<int> inside = 0;
  std::atomic<int> together = 0;
  std::atomic<int> failed = 0;
  std::vector<std::jthread> crowd;
  for (int i = 0; i < threads; ++i) {
    crowd.emplace_back([&, i] {
      const auto lock = (i % 2 == 0 ? *space : *other).lock("counter");
      for (int round = 0; round < rounds; ++round) {
        Acquired lease = acquire_blocking(*lock, {.wait = 60s, .lease = 60s});
        if (!lease) {
          ++failed;
          continue;
        }
        if (inside.fetch_add(1) != 0) ++together;
        const int seen = counter;
        std::this_thread::yield();
        counter = seen + 1;
        --inside;
        if (release_blocking(std::move(*lease)) != ReleaseOutcome::released) ++failed;
      }
    });
  }
  crowd.clear();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(together, 0);
  EXPECT_EQ(counter, threads * rounds);
}

TEST_P(LockContract, ServesThoseWhoWaitInTheOrderOfTheirArrival) {
  ONLY_WHERE_PROMISED(space->traits().fifo);
  const int waiters = 40;
  Lease first = get(*space, "line");
  const auto lock = space->lock("line");
  std::mutex mutex;
  std::vector<int> order;
  std::vector<Box<bool>> done(waiters);
  for (int i = 0; i < waiters; ++i) {
    lock->acquire({.wait = patience, .lease = 10s}, [&, i, set = done[std::size_t(i)].setter()](Acquired got) mutable {
      {
        const std::lock_guard guard(mutex);
        if (got) order.push_back(i);
      }
      set(got.has_value());  // last: then the test may end, and the mutex with it
    });
  }
  first.release();
  for (auto& one : done) EXPECT_TRUE(one.take());
  ASSERT_EQ(order.size(), std::size_t(waiters));
  for (int i = 0; i < waiters; ++i) EXPECT_EQ(order[std::size_t(i)], i);
}

TEST_P(LockContract, TimesOutNotBeforeItsTimeAndNotMuchLater) {
  ONLY_WHERE_PROMISED(waits());
  const Lease lease = get(*space, "taken");
  const BootTime begin = BootClock::now();
  EXPECT_EQ(refused(*other, "taken", {.wait = 100ms}).why, Why::timed_out);
  const auto took = BootClock::now() - begin;
  EXPECT_GE(took, 100ms);
  EXPECT_LT(took, 5s);
  EXPECT_FALSE(lease.lost());
}

TEST_P(LockContract, LeavesTheQueueWhenTheWaitIsStopped) {
  ONLY_WHERE_PROMISED(waits());
  Lease lease = get(*space, "stopped");
  std::stop_source stop;
  Box<Acquired> waiting = ask(*other, "stopped", {.wait = wait_for_ever, .stop = stop.get_token()});
  Box<Acquired> behind = ask(*other, "stopped", {.wait = patience});
  EXPECT_FALSE(waiting.there_within(50ms));
  stop.request_stop();
  const Acquired none = waiting.take();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().why, Why::stopped);
  EXPECT_FALSE(behind.ready());
  lease.release();
  EXPECT_TRUE(behind.take());
}

TEST_P(LockContract, StopsBeforeItAsks) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(refused(*space, "never", {.wait = 1s, .stop = stop.get_token()}).why, Why::stopped);
  get(*other, "never");
}

TEST_P(LockContract, ForgetsTheStopOfTheWaitOnceThereIsALease) {
  std::stop_source stop;
  Acquired lease = ask(*space, "mine", {.wait = 1s, .stop = stop.get_token()}).take();
  ASSERT_TRUE(lease);
  stop.request_stop();
  EXPECT_FALSE(lease->lost());
  EXPECT_FALSE(lease->stop_token().stop_requested());
}

/// Waits that end just as the lock is handed to them: whatever wins, the lock is free soon afterwards.
TEST_P(LockContract, LeavesNoOrphanWhenTimeOutAndGrantCross) {
  const std::uint64_t seed = testing::seed();
  SCOPED_TRACE("FIRSTCOME_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto some = [&](int most) { return 1ms * std::uniform_int_distribution(0, most)(random); };
  for (int round = 0; round < testing::rounds(30); ++round) {
    const std::string name = "crossing-" + std::to_string(round);
    Lease lease = get(*space, name, 60s);
    std::stop_source stop;
    std::vector<Box<Acquired>> waiting;
    for (int i = 0; i < 4; ++i) {
      waiting.push_back(ask(*other, name, {.wait = 1ms + some(4), .lease = 60s}));
      waiting.push_back(ask(*other, name, {.wait = patience, .lease = 60s, .stop = stop.get_token()}));
    }
    waiting[0].there_within(some(4));
    lease.release();
    waiting[0].there_within(some(2));
    stop.request_stop();
    for (auto& one : waiting) {
      const Acquired got = one.take();  // given back at the end of this line
      if (!got) {
        EXPECT_TRUE(got.error().why == Why::timed_out || got.error().why == Why::stopped);
      }
    }
    get(*space, name);
  }
}

TEST_P(LockContract, ReleasesWhenTheObjectGoes) {
  {
    const Lease lease = get(*space, "scope");
  }
  get(*other, "scope");
}

TEST_P(LockContract, SaysThatItReleased) {
  EXPECT_EQ(release_blocking(get(*space, "given")), ReleaseOutcome::released);
  get(*other, "given");
  EXPECT_EQ(release_blocking(get(*space, "given", 10s)), ReleaseOutcome::released);
}

/// By the clock the holder knows it in every round. The stop_token needs a thread of this process to run within the
/// margin (12 ms here), which a busy machine may refuse: some of the rounds must show it.
TEST_P(LockContract, TellsTheHolderBeforeAnybodyElseHasALapsedLock) {
  ONLY_WHERE_PROMISED(space->traits().lapses && waits());
  struct Told {
    bool granted;
    bool lost;
    bool stopped;
  };
  int stopped = 0;
  for (int round = 0; round < 10 && stopped < 2; ++round) {
    const std::string name = "lapse-" + std::to_string(round);
    const BootTime begin = BootClock::now();
    const Lease lease = get(*space, name, 1s);
    EXPECT_GT(lease.deadline(), begin);
    EXPECT_LT(lease.deadline(), BootClock::now() + 1s);
    Box<Told> next;
    other->lock(name)->acquire({.wait = patience},
                               [holder = lease.again(), set = next.setter()](const Acquired& acquired) mutable {
                                 set(Told{acquired.has_value(), holder.lost(), holder.stop_token().stop_requested()});
                               });
    const Told told = next.take();
    EXPECT_TRUE(told.granted);
    EXPECT_TRUE(told.lost);
    if (told.stopped) ++stopped;
    EXPECT_TRUE(stops_within(lease.stop_token(), patience));
  }
  EXPECT_EQ(stopped, 2);
}

TEST_P(LockContract, EndsNobodyElsesLeaseByALateRelease) {
  ONLY_WHERE_PROMISED(space->traits().lapses);
  Lease late = get(*space, "late", 200ms);
  EXPECT_TRUE(stops_within(late.stop_token(), patience));
  EXPECT_TRUE(late.lost());
  const Lease next = get(*other, "late", 60s);
  Box<RenewOutcome> renewal;
  late.renew(1s, renewal.setter());
  EXPECT_EQ(renewal.take(), RenewOutcome::lost);
  EXPECT_TRUE(late.lost());
  EXPECT_EQ(release_blocking(std::move(late)), ReleaseOutcome::lost);
  EXPECT_EQ(refused(*space, "late", {}).why, Why::timed_out);
  EXPECT_FALSE(next.lost());
}

TEST_P(LockContract, KeepsALeaseWithoutATimeByRenewingIt) {
  const Lease lease = get(*space, "kept");
  const BootTime before = lease.deadline();
  ASSERT_TRUE(observer->becomes([](const auto& counts) { return counts.renewed >= 5; }));
  EXPECT_GT(lease.deadline(), before + settings().watchdog_lease);
  EXPECT_FALSE(lease.lost());
  EXPECT_EQ(refused(*other, "kept", {}).why, Why::timed_out);
}

TEST_P(LockContract, RenewsNothingAfterTheRelease) {
  Lease lease = get(*space, "over");
  ASSERT_TRUE(observer->becomes([](const auto& counts) { return counts.renewed >= 1; }));
  EXPECT_EQ(release_blocking(std::move(lease)), ReleaseOutcome::released);
  const int renewed = observer->counts().renewed;
  const Lease next = get(*other, "over", 60s);
  EXPECT_FALSE(
      observer->becomes([renewed](const auto& counts) { return counts.renewed > renewed; }, settings().watchdog_lease));
}

TEST_P(LockContract, TellsTheHolderWhenARenewalIsRefused) {
  Lease lease = get(*space, "taken-away");
  if (!harness->take_away("taken-away")) GTEST_SKIP() << "nobody can take it away";
  EXPECT_TRUE(stops_within(lease.stop_token(), patience));
  EXPECT_TRUE(lease.lost());
  EXPECT_TRUE(observer->becomes([](const auto& counts) { return counts.lost == 1; }));
  const Lease next = get(*other, "taken-away");
  EXPECT_EQ(release_blocking(std::move(lease)), ReleaseOutcome::lost);
  EXPECT_FALSE(next.lost());
}

TEST_P(LockContract, RenewsByHand) {
  Lease lease = get(*space, "by-hand", 600ms);
  const BootTime before = lease.deadline();
  Box<RenewOutcome> answer;
  lease.renew(60s, answer.setter());
  EXPECT_EQ(answer.take(), RenewOutcome::renewed);
  EXPECT_GT(lease.deadline(), before + 50s);
  EXPECT_FALSE(stops_within(lease.stop_token(), 700ms));
  EXPECT_EQ(refused(*other, "by-hand", {}).why, Why::timed_out);
}

TEST_P(LockContract, IsReenteredExplicitlyAndReleasedWithTheLastObject) {
  Lease outer = get(*space, "again");
  Lease inner = outer.again();
  EXPECT_EQ(inner.owner(), outer.owner());
  EXPECT_EQ(inner.token(), outer.token());
  EXPECT_EQ(release_blocking(std::move(outer)), ReleaseOutcome::released);
  EXPECT_FALSE(inner.lost());
  EXPECT_EQ(refused(*other, "again", {}).why, Why::timed_out);
  inner = Lease{};
  get(*other, "again");
}

TEST_P(LockContract, GivesRisingTokensOrNone) {
  std::optional<std::uint64_t> last;
  std::set<std::string> owners;
  for (int i = 0; i < 30; ++i) {
    const Lease lease = get(i % 3 == 0 ? *other : *space, "token", i % 2 == 0 ? std::optional(10s) : std::nullopt);
    EXPECT_TRUE(owners.insert(lease.owner()).second);
    EXPECT_EQ(lease.token().has_value(), space->traits().tokens);
    if (!lease.token()) continue;
    if (last) {
      EXPECT_GT(*lease.token(), *last);
    }
    last = lease.token();
    EXPECT_LT(*last, std::uint64_t{1} << 53U);
  }
}

TEST_P(LockContract, MovesLikeAUniquePointer) {
  Lease one = get(*space, "one");
  Lease moved = std::move(one);
  EXPECT_FALSE(one);  // NOLINT(bugprone-use-after-move): that is what is tested
  EXPECT_TRUE(moved);
  EXPECT_EQ(refused(*other, "one", {}).why, Why::timed_out);
  moved = get(*space, "two");
  get(*other, "one");  // what it had before was released
  Lease& self = moved;
  moved = std::move(self);
  EXPECT_EQ(refused(*other, "two", {}).why, Why::timed_out);
}

TEST_P(LockContract, EndsEverythingWhenTheSpaceEnds) {
  Lease held = get(*other, "held", 60s);
  auto mortal = harness->make_space(settings());
  Lease lease = get(*mortal, "orphaned", 2s);
  Box<Acquired> waiting = waits() ? ask(*mortal, "held", {.wait = wait_for_ever}) : Box<Acquired>{};
  Lease background = get(*mortal, "background", 60s);
  {
    const Lease gone = std::move(background);
  }  // is released before the space ends
  mortal.reset();
  EXPECT_TRUE(lease.lost());
  EXPECT_TRUE(lease.stop_token().stop_requested());
  if (waits()) {
    const Acquired none = waiting.take();
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().why, Why::closed);
  }
  const Lease again = lease.again();
  EXPECT_EQ(release_blocking(std::move(lease)), ReleaseOutcome::lost);
  get(*space, "background");
  held.release();
  get(*space, "held");  // nobody of the ended space waits any more
}

TEST_P(LockContract, IsSeenFromOutside) {
  const auto look = [this] {
    Box<std::expected<LockView, LockFailure>> box;
    other->inspect("seen", box.setter());
    const auto view = box.take();
    if (!view) throw std::runtime_error(view.error().detail);
    return *view;
  };
  EXPECT_FALSE(look().held);
  Lease lease = get(*space, "seen", 30s);
  const LockView view = look();
  EXPECT_TRUE(view.held);
  if (view.token) {
    EXPECT_EQ(view.token, lease.token());
  }
  if (view.expires_in) {
    EXPECT_LE(*view.expires_in, 30s);
  }
  if (!view.owner.empty()) {
    EXPECT_EQ(view.owner, lease.owner());
  }
  release_blocking(std::move(lease));
  EXPECT_FALSE(look().held);
}

TEST_P(LockContract, TellsItsObserver) {
  Lease lease = get(*space, "watched");
  EXPECT_EQ(observer->counts().acquired, 1);
  refused(*space, "watched", {});
  EXPECT_EQ(observer->counts().not_acquired, 1);
  if (waits()) {
    Box<Acquired> waiting = ask(*space, "watched", {.wait = patience});
    EXPECT_EQ(observer->counts().waiting, 1U);
    release_blocking(std::move(lease));
    EXPECT_TRUE(waiting.take());
    EXPECT_EQ(observer->counts().waiting, 0U);
    EXPECT_EQ(observer->counts().acquired, 2);
    EXPECT_GE(observer->counts().ended, 1);
  }
  EXPECT_EQ(observer->counts().lost, 0);
}

}  // namespace firstcome::lock::test
