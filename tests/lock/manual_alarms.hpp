// A clock that stands still until a test moves it.
#pragma once

#include "lock/alarms.hpp"

#include <map>
#include <mutex>
#include <utility>

namespace firstcome::lock::test {

class ManualAlarms final : public Alarms {
 public:
  BootTime now() const override {
    const std::lock_guard guard(mutex_);
    return now_;
  }
  Id call_at(BootTime at, std::move_only_function<void()> action) override {
    const std::lock_guard guard(mutex_);
    const Id id{++last_};
    calls_.emplace(std::pair(at, id), std::move(action));
    return id;
  }
  void cancel(Id id) override {
    std::move_only_function<void()> dropped;
    const std::lock_guard guard(mutex_);
    for (auto call = calls_.begin(); call != calls_.end(); ++call) {
      if (call->first.second != id) continue;
      dropped = std::move(call->second);
      calls_.erase(call);
      return;
    }
  }

  /// Lets time pass, and makes every call when its time has come, in order, at exactly that time.
  void advance(BootClock::duration by) {
    const BootTime until = now() + by;
    while (true) {
      std::move_only_function<void()> action;
      {
        const std::lock_guard guard(mutex_);
        if (calls_.empty() || calls_.begin()->first.first > until) {
          now_ = until;
          return;
        }
        now_ = std::max(now_, calls_.begin()->first.first);
        action = std::move(calls_.begin()->second);
        calls_.erase(calls_.begin());
      }
      action();
    }
  }

  /// As when the process was stopped: time passes and nothing is called.
  void freeze(BootClock::duration by) {
    const std::lock_guard guard(mutex_);
    now_ += by;
  }

  std::size_t pending() const {
    const std::lock_guard guard(mutex_);
    return calls_.size();
  }

 private:
  mutable std::mutex mutex_;
  BootTime now_{std::chrono::hours(1)};
  std::uint64_t last_ = 0;
  std::map<std::pair<BootTime, Id>, std::move_only_function<void()>> calls_;
};

}  // namespace firstcome::lock::test
