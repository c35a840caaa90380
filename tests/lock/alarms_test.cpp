#include "lock/alarms.hpp"

#include "lock/waiting.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <vector>

namespace firstcome::lock {
namespace {

using namespace std::chrono_literals;
using test::Box;

TEST(ThreadAlarms, CallInTheOrderOfTimeAndNotTooEarly) {
  const auto alarms = make_thread_alarms();
  const BootTime now = alarms->now();
  std::vector<int> order;
  std::vector<Box<BootTime>> rung(3);
  const auto call = [&](int which, BootTime at) {
    alarms->call_at(at, [&, which, set = rung[std::size_t(which)].setter()]() mutable {
      order.push_back(which);
      set(alarms->now());
    });
  };
  call(2, now + 60ms);
  call(0, now + 20ms);
  call(1, now + 40ms);
  EXPECT_GE(rung[0].take(), now + 20ms);
  EXPECT_GE(rung[1].take(), now + 40ms);
  EXPECT_GE(rung[2].take(), now + 60ms);
  EXPECT_EQ(order, (std::vector{0, 1, 2}));
}

TEST(ThreadAlarms, CallAtOnceWhatIsDueAlready) {
  const auto alarms = make_thread_alarms();
  Box<bool> rung;
  alarms->call_at(BootTime{}, [set = rung.setter()]() mutable { set(true); });
  EXPECT_TRUE(rung.take());
}

TEST(ThreadAlarms, DoNotCallWhatWasCancelled) {
  const auto alarms = make_thread_alarms();
  Box<bool> cancelled;
  Box<bool> later;
  const auto id = alarms->call_at(alarms->now() + 20ms, [set = cancelled.setter()]() mutable { set(true); });
  alarms->call_at(alarms->now() + 40ms, [set = later.setter()]() mutable { set(true); });
  alarms->cancel(id);
  alarms->cancel(id);
  alarms->cancel(Alarms::Id::none);
  EXPECT_TRUE(later.take());
  EXPECT_FALSE(cancelled.ready());
}

TEST(ThreadAlarms, MayEndWithCallsToCome) {
  Box<bool> rung;
  {
    const auto alarms = make_thread_alarms();
    alarms->call_at(alarms->now() + 1h, [set = rung.setter()]() mutable { set(true); });
  }
  EXPECT_FALSE(rung.ready());
}

TEST(ThreadAlarms, MayEndFromWithinACall) {
  Box<bool> ended;
  auto alarms = make_thread_alarms();
  Alarms& these = *alarms;
  these.call_at(BootTime{}, [last = std::move(alarms), set = ended.setter()]() mutable {
    last.reset();
    set(true);
  });
  EXPECT_TRUE(ended.take());
}

TEST(BootClocks, IsTheOneThatCountsSuspend) {
  // All that can be seen without suspending the machine: it is not behind the one that does not count it.
  const auto before = std::chrono::steady_clock::now().time_since_epoch();
  EXPECT_GE(BootClock::now().time_since_epoch(), before);
}

}  // namespace
}  // namespace firstcome::lock
