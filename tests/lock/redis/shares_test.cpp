// Read-write locks and semaphores on a real server: who gets them, in which order, and what is refused.
#include "lock/redis/setnx.hpp"
#include "lock/redis/shares_harness.hpp"

#include <firstcome/asio.hpp>
#include <firstcome/limits.hpp>
#include <firstcome/open_locks.hpp>

#include <boost/asio/use_future.hpp>

#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

namespace firstcome::lock::test {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::eventually;

static_assert(std::is_constructible_v<std::shared_lock<SharedLockMutex>, SharedLockMutex&, std::chrono::seconds>);

TEST_F(SharesTest, ReadersAreTogetherAndAWriterIsAlone) {
  const auto one = space();
  const auto two = space();
  Lease first = got(read(*one));
  Lease second = got(read(*two));
  EXPECT_EQ(readers(*one).used, 2U);
  const auto lock = one->read_write_lock("L");
  EXPECT_EQ(refused(*lock->writer(), {.lease = 60s}).why, Why::timed_out);
  first.release();
  second.release();
  Lease alone = got(write(*two));
  EXPECT_GT(*alone.token(), 0U);
  EXPECT_EQ(readers(*one).used, limits::lock_permits);
  EXPECT_EQ(refused(*lock->reader(), {.lease = 60s}).why, Why::timed_out);
  EXPECT_EQ(refused(*lock->writer(), {.lease = 60s}).why, Why::timed_out);
  EXPECT_EQ(release_blocking(std::move(alone)), ReleaseOutcome::released);
  EXPECT_EQ(readers(*one).holders, 0U);
}

TEST_F(SharesTest, AWriterIsNotPassedByReadersThatComeLater) {
  const auto one = space();
  const auto two = space();
  Lease before = got(read(*one));
  Box<Acquired> writer = write(*two);
  ASSERT_TRUE(queued(*one, 1));
  std::vector<Box<Acquired>> after;
  for (std::size_t i = 0; i < 3; ++i) {
    after.push_back(read(i % 2 == 0 ? *one : *two));
    ASSERT_TRUE(queued(*one, i + 2));
  }
  EXPECT_EQ(refused(*one->read_write_lock("L")->reader(), {.lease = 60s}).why, Why::timed_out);
  before.release();
  Lease writes = got(writer);
  for (const Box<Acquired>& box : after) EXPECT_FALSE(box.ready());
  writes.release();
  std::vector<Lease> together;
  for (const Box<Acquired>& box : after) together.push_back(got(box));
  EXPECT_EQ(readers(*one).used, 3U);
  for (const Lease& lease : together) EXPECT_FALSE(lease.lost());
}

TEST_F(SharesTest, AWriterBecomesAReaderWithoutLettingGo) {
  const auto one = space({}, {.watchdog_lease = 3s});
  const auto two = space();
  Lease writer = got(ask(*one->read_write_lock("L")->writer(), {.wait = patience}));
  Box<Acquired> reader = read(*two);
  ASSERT_TRUE(queued(*one, 1));
  Box<Acquired> next = write(*two);
  ASSERT_TRUE(queued(*one, 2));
  const std::uint64_t token = *writer.token();
  EXPECT_EQ(shrink_blocking(writer, 1), ShrinkOutcome::shrunk);
  Lease reads = got(reader);
  EXPECT_EQ(readers(*one).used, 2U);
  EXPECT_EQ(shrink_blocking(writer, 1), ShrinkOutcome::shrunk);  // once more is no harm
  EXPECT_EQ(readers(*one).used, 2U);
  EXPECT_EQ(writer.token(), token);
  reads.release();
  EXPECT_FALSE(stops_within(writer.stop_token(), 4s));  // the watchdog keeps it
  EXPECT_FALSE(next.ready());
  EXPECT_EQ(release_blocking(std::move(writer)), ReleaseOutcome::released);
  EXPECT_GT(*got(next).token(), token);
}

TEST_F(SharesTest, ALeaseThatIsLostCannotShrink) {
  const auto one = space();
  Lease writer = got(ask(*one->read_write_lock("L")->writer(), {.wait = patience, .lease = 300ms}));
  ASSERT_TRUE(stops_within(writer.stop_token(), 10s));
  EXPECT_EQ(shrink_blocking(writer, 1), ShrinkOutcome::lost);
}

TEST_F(SharesTest, BigRequestsAreServedInTurn) {
  const auto one = space();
  const auto two = space();
  Lease some = got(want(*one, 3));
  Box<Acquired> big = want(*two, 5);
  ASSERT_TRUE(waiting(*one, 1));
  std::vector<Box<Acquired>> small;
  for (std::size_t i = 0; i < 3; ++i) {
    small.push_back(want(*one, 1));  // 2 are free
    ASSERT_TRUE(waiting(*one, i + 2));
  }
  EXPECT_FALSE(big.ready());
  some.release();
  Lease all = got(big);
  for (const Box<Acquired>& box : small) EXPECT_FALSE(box.ready());
  EXPECT_EQ(shrink_blocking(all, 2), ShrinkOutcome::shrunk);  // a part is enough for those
  for (const Box<Acquired>& box : small) EXPECT_FALSE(got(box).lost());
  EXPECT_TRUE(used(*one, 2));
}

TEST_F(SharesTest, AWaitThatEndsLeavesTheQueueAndLetsThoseBehind) {
  const auto one = space();
  const auto two = space();
  Lease some = got(want(*one, 3));
  std::stop_source stop;
  Box<Acquired> stopped =
      ask(*two->semaphore("L", 5)->permits(5), {.wait = patience, .lease = 60s, .stop = stop.get_token()});
  ASSERT_TRUE(waiting(*one, 1));
  Box<Acquired> behind = want(*one, 2);
  ASSERT_TRUE(waiting(*one, 2));
  stop.request_stop();
  EXPECT_EQ(stopped.take().error().why, Why::stopped);
  Lease now = got(behind);
  EXPECT_EQ(refused(*two->semaphore("L", 5)->permits(1), {.wait = 100ms, .lease = 60s}).why, Why::timed_out);
  EXPECT_TRUE(waiting(*one, 0));
  now.release();
  some.release();
  EXPECT_TRUE(used(*one, 0));  // no orphans
}

TEST_F(SharesTest, TheFirstCallerFixesTheCapacityAndACallOfItsOwnChangesIt) {
  const auto one = space();
  const auto two = space();
  const Lease all = got(want(*one, 5));
  const auto wrong = two->semaphore("L", 7);
  const NotAcquired reason = refused(*wrong->permits(1), {.wait = patience, .lease = 60s});
  EXPECT_EQ(reason.why, Why::other_capacity);
  EXPECT_EQ(reason.detail, "the semaphore L has 5 permits, not 7");
  EXPECT_EQ(text_of(reason.why), "other-capacity");
  Box<Acquired> next = want(*two, 2);
  ASSERT_TRUE(waiting(*one, 1));
  Box<std::expected<void, LockFailure>> changed;
  wrong->set_capacity(7, changed.setter());
  ASSERT_TRUE(changed.take());
  const Lease more = got(next);  // and that granted it
  EXPECT_EQ(permits(*one).used, 7U);
  EXPECT_EQ(permits(*one).capacity, 7U);
  EXPECT_EQ(refused(*wrong->permits(1), {.lease = 60s}).why, Why::timed_out);
  EXPECT_EQ(refused(*one->semaphore("L", 5)->permits(1), {.lease = 60s}).why, Why::timed_out);
  EXPECT_EQ(refused(*one->semaphore("L", 6)->permits(1), {.lease = 60s}).why, Why::other_capacity);
}

TEST_F(SharesTest, WhoWaitsForMoreThanThereAreLeftIsRefused) {
  const auto one = space();
  const auto two = space();
  Lease some = got(want(*one, 3));
  Box<Acquired> big = want(*two, 5);
  ASSERT_TRUE(waiting(*one, 1));
  Box<Acquired> own = want(*one, 4);
  ASSERT_TRUE(waiting(*one, 2));
  Box<std::expected<void, LockFailure>> changed;
  one->semaphore("L", 5)->set_capacity(3, changed.setter());
  ASSERT_TRUE(changed.take());
  for (const Box<Acquired>& box : {big, own}) {
    const Acquired none = Box<Acquired>(box).take();
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().why, Why::bad_weight);
  }
  EXPECT_FALSE(some.lost());
  EXPECT_EQ(permits(*one).waiting, 0U);
}

TEST_F(SharesTest, SaysWhatIsWrongWithARequest) {
  const auto at = space();
  const auto why = [&](const char* name, std::uint32_t capacity, std::uint32_t count, Milliseconds lease = 60s) {
    return refused(*at->semaphore(name, capacity)->permits(count), {.wait = patience, .lease = lease}).why;
  };
  EXPECT_EQ(why("L", 5, 0), Why::bad_weight);
  EXPECT_EQ(why("L", 5, 6), Why::bad_weight);
  EXPECT_EQ(refused(*at->semaphore("L", 5)->permits(6), {.lease = 60s}).detail,
            "the semaphore L has 5 permits, 6 are never there at once");
  EXPECT_EQ(why("L", 0, 1), Why::bad_capacity);
  EXPECT_EQ(why("L", limits::lock_permits + 1, 1), Why::bad_capacity);
  EXPECT_EQ(why("", 5, 1), Why::bad_name);
  EXPECT_EQ(why("a{b", 5, 1), Why::bad_name);
  EXPECT_EQ(why("L", 5, 1, 0ms), Why::bad_lease);
  EXPECT_EQ(refused(*at->read_write_lock("")->reader(), {.lease = 60s}).why, Why::bad_name);
  EXPECT_EQ(refused(*at->read_write_lock(std::string(513, 'x'))->writer(), {.lease = 60s}).why, Why::bad_name);
  EXPECT_EQ(server->text({"DBSIZE"}), "0");
}

TEST_F(SharesTest, AreNotOfferedByOtherKinds) {
  const auto in_process = make_in_process_locks();
  const auto setnx = open_locks("redis://" + server->address(), LockKind::setnx).value();
  for (LockSpace* each : {in_process.get(), setnx.get()}) {
    EXPECT_FALSE(each->traits().shares);
    const NotAcquired reason = refused(*each->read_write_lock("L")->reader(), {.wait = patience});
    EXPECT_EQ(reason.why, Why::not_offered);
    EXPECT_NE(reason.detail.find(each->traits().kind), std::string::npos);
    EXPECT_EQ(refused(*each->semaphore("L", 5)->permits(1), {}).why, Why::not_offered);
    EXPECT_EQ(permits(*each).capacity, 0U);
  }
  EXPECT_TRUE(open_locks("redis://" + server->address()).value()->traits().shares);
}

TEST_F(SharesTest, ALockAReadWriteLockAndASemaphoreOfOneNameAreThree) {
  const auto at = space();
  const Lease lock = got(ask(*at->lock("L")));
  const Lease writer = got(write(*at));
  const Lease permits_of_all = got(want(*at, 5));
  EXPECT_EQ(
      list_fifo_locks(net::parse_redis_url("redis://" + server->address()).value()).value(),
      (std::vector<ShareName>{{Share::Of::lock, "L"}, {Share::Of::read_write, "L"}, {Share::Of::semaphore, "L"}}));
}

TEST_F(SharesTest, AStandardSharedLockTakesThem) {
  const auto at = space();
  SharedLockMutex mutex(*at, "L", 60s);
  {
    const std::shared_lock reads(mutex);
    EXPECT_GT(*mutex.shared_lease().token(), 0U);
    std::jthread([&] {
      const std::shared_lock also(mutex, 10s);
      EXPECT_TRUE(also.owns_lock());
      EXPECT_FALSE(mutex.try_lock());
      EXPECT_FALSE(mutex.try_lock_for(50ms));
    });
  }
  const std::unique_lock writes(mutex);
  EXPECT_EQ(shrink_blocking(mutex.lease(), 1), ShrinkOutcome::shrunk);
  std::jthread([&] { EXPECT_TRUE(std::shared_lock(mutex, 10s).owns_lock()); });
}

TEST_F(SharesTest, PermitsAreLocksToAllThatTakesLocks) {
  const auto at = space();
  const auto semaphore = at->semaphore("L", 5);
  LockMutex mutex(semaphore->permits(3), 60s);
  const std::unique_lock held(mutex);
  const auto two = semaphore->permits(2);
  EXPECT_EQ(with_lock(*two, {.wait = patience, .lease = 60s}, [&] { return permits(*at).used; }), 5U);
  ASSERT_TRUE(used(*at, 3));
  boost::asio::io_context io;
  Acquired acquired = async_acquire(*two, {.wait = patience, .lease = 60s}, boost::asio::use_future).get();
  ASSERT_TRUE(acquired);
  EXPECT_EQ(permits(*at).used, 5U);
}

}  // namespace
}  // namespace firstcome::lock::test
