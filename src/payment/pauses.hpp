// Waiting for a while, in many coroutines at once, all of which can be told to stop waiting.
#pragma once

#include "payment/one_shot.hpp"

#include <algorithm>
#include <chrono>
#include <set>

namespace firstcome::payment {

/// How often something is tried again: after `first`, then twice as long each time, at most `longest`.
struct Backoff {
  std::chrono::milliseconds first{100};
  std::chrono::milliseconds longest{5'000};
};

/// On the executor's thread only. Must outlive its waits.
class Pauses {
 public:
  explicit Pauses(IoExecutor executor) : executor_(executor) {}

  /// Returns whether the time has passed; false, at once, after `end`.
  Task<bool> wait(std::chrono::milliseconds duration) {
    if (ended_) co_return false;
    Timer timer(executor_, duration);
    const Entry entry{timers_, &timer};
    co_await timer.async_wait(use_task);
    co_return !ended_;
  }

  void end() {
    ended_ = true;
    for (Timer* timer : timers_) timer->cancel();
  }

 private:
  using Timers = std::set<Timer*>;

  struct Entry {
    Entry(Timers& all, Timer* one) : timers(all), timer(one) { timers.insert(timer); }
    ~Entry() { timers.erase(timer); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    Timers& timers;
    Timer* timer;
  };

  IoExecutor executor_;
  Timers timers_;
  bool ended_ = false;
};

/// The pauses of one thing that is tried again and again.
class Retry {
 public:
  Retry(Pauses& pauses, Backoff backoff) : pauses_(pauses), next_(backoff.first), longest_(backoff.longest) {}

  /// See Pauses::wait.
  Task<bool> wait() {
    const std::chrono::milliseconds now = next_;
    next_ = std::min(2 * next_, longest_);
    ++attempts_;
    return pauses_.wait(now);
  }

  /// Whether this is worth a line in the log: the first time, then less and less often.
  bool notable() const { return (attempts_ & (attempts_ + 1)) == 0; }

 private:
  Pauses& pauses_;
  std::chrono::milliseconds next_;
  std::chrono::milliseconds longest_;
  unsigned attempts_ = 0;
};

}  // namespace firstcome::payment
