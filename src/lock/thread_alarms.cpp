// Alarms by one thread that sleeps in a timer of the kernel's which counts suspend (timerfd, CLOCK_BOOTTIME).
//
// Mechanism: the calls wait in a map by time. The timer is set to the earliest by whoever adds it, so that the thread
// need not wake for that; taking one away leaves the timer as it is, and it then rings once for nothing.
#include "lock/alarms.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <atomic>
#include <cassert>
#include <cerrno>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <unordered_map>
#include <utility>

namespace firstcome::lock {

namespace {

using Action = std::move_only_function<void()>;

/// Shared with the thread, which may be the last to use it.
class Clockwork {
 public:
  Clockwork() : timer_(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC)) {
    if (timer_ < 0) throw std::runtime_error("no timer: the system has no file descriptor left");
  }
  Clockwork(const Clockwork&) = delete;
  Clockwork& operator=(const Clockwork&) = delete;
  ~Clockwork() { close(timer_); }

  Alarms::Id add(BootTime at, Action action) {
    const std::lock_guard guard(mutex_);
    const auto id = static_cast<Alarms::Id>(++last_);
    const auto place = calls_.emplace(at, std::pair(id, std::move(action)));
    places_.emplace(id, place);
    if (at < set_to_) set(at);
    return id;
  }

  void cancel(Alarms::Id id) {
    Action dropped;  // destroyed without the mutex: it may own what calls back
    const std::lock_guard guard(mutex_);
    const auto found = places_.find(id);
    if (found == places_.end()) return;
    dropped = std::move(found->second->second.second);
    calls_.erase(found->second);
    places_.erase(found);
  }

  void run() {
    while (!ended_) {
      std::uint64_t expirations = 0;
      if (read(timer_, &expirations, sizeof expirations) < 0) assert(errno == EINTR);
      while (Action action = next_due()) action();
    }
  }

  void end() {
    const std::lock_guard guard(mutex_);
    ended_ = true;
    set(BootTime{});
  }

 private:
  using Calls = std::multimap<BootTime, std::pair<Alarms::Id, Action>>;

  /// The next call that is due; when there is none, the timer is set to the one after.
  Action next_due() {
    const std::lock_guard guard(mutex_);
    if (ended_) return {};
    const auto first = calls_.begin();
    if (first == calls_.end()) {
      set_to_ = BootTime::max();
      return {};
    }
    if (first->first > BootClock::now()) {
      set(first->first);
      return {};
    }
    Action action = std::move(first->second.second);
    places_.erase(first->second.first);
    calls_.erase(first);
    return action;
  }

  void set(BootTime at) {
    using std::chrono::nanoseconds;
    using std::chrono::seconds;
    set_to_ = at;
    const nanoseconds since_boot = std::max(at.time_since_epoch(), nanoseconds{1});  // 0 would mean never
    itimerspec when{};
    when.it_value.tv_sec = std::chrono::floor<seconds>(since_boot).count();
    when.it_value.tv_nsec = (since_boot % seconds{1}).count();
    [[maybe_unused]] const int result = timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
    assert(result == 0);
  }

  const int timer_;
  std::atomic<bool> ended_ = false;
  std::mutex mutex_;  ///< protects what follows
  std::uint64_t last_ = 0;
  BootTime set_to_ = BootTime::max();
  Calls calls_;
  std::unordered_map<Alarms::Id, Calls::iterator> places_;
};

class ThreadAlarms final : public Alarms {
 public:
  ThreadAlarms() : clockwork_(std::make_shared<Clockwork>()), thread_([clockwork = clockwork_] { clockwork->run(); }) {}
  ThreadAlarms(const ThreadAlarms&) = delete;
  ThreadAlarms& operator=(const ThreadAlarms&) = delete;
  ~ThreadAlarms() override {
    clockwork_->end();
    if (std::this_thread::get_id() == thread_.get_id()) {
      thread_.detach();  // ends as soon as this call returns; keeps its clockwork
    } else {
      thread_.join();
    }
  }

  BootTime now() const override { return BootClock::now(); }
  Id call_at(BootTime at, Action action) override { return clockwork_->add(at, std::move(action)); }
  void cancel(Id id) override { clockwork_->cancel(id); }

 private:
  const std::shared_ptr<Clockwork> clockwork_;
  std::thread thread_;
};

}  // namespace

std::shared_ptr<Alarms> make_thread_alarms() { return std::make_shared<ThreadAlarms>(); }

}  // namespace firstcome::lock
