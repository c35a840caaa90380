// What tests of locks wait with: a value from another thread, and what an observer was told.
#pragma once

#include <firstcome/lock_space.hpp>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>

namespace firstcome::lock::test {

/// Far more than anything here takes on a slow machine.
inline constexpr std::chrono::seconds patience{20};

/// A value that is set once, from any thread, also after the test has lost interest in it.
template <typename T>
class Box {
 public:
  std::move_only_function<void(T)> setter() {
    return [state = state_](T value) {
      const std::lock_guard guard(state->mutex);
      if (state->times++ == 0) state->value = std::move(value);
      state->there.notify_all();
    };
  }

  bool ready() const { return there_within(std::chrono::milliseconds(0)); }
  bool there_within(std::chrono::milliseconds limit) const {
    std::unique_lock guard(state_->mutex);
    return state_->there.wait_for(guard, limit, [this] { return state_->times > 0; });
  }
  /// Throws, which fails the test, where nothing comes.
  T take() {
    if (!there_within(patience)) throw std::runtime_error("no answer came");
    const std::lock_guard guard(state_->mutex);
    if (state_->times > 1) throw std::runtime_error("more than one answer came");
    return std::move(*state_->value);
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable there;
    int times = 0;
    std::optional<T> value;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// Counts, and lets a test wait for a count.
class CountingObserver final : public LockObserver {
 public:
  struct Counts {
    int acquired = 0;
    int not_acquired = 0;
    int ended = 0;
    int lost = 0;
    int renewed = 0;
    int refused = 0;     ///< renewals
    int unanswered = 0;  ///< renewals
    std::size_t held = 0;
    std::size_t waiting = 0;
  };

  void acquired(std::string_view /*name*/, std::chrono::nanoseconds /*waited*/) override { add(&Counts::acquired); }
  void not_acquired(std::string_view /*name*/, NotAcquired::Why /*why*/, std::chrono::nanoseconds /*waited*/) override {
    add(&Counts::not_acquired);
  }
  void ended(std::string_view /*name*/, std::chrono::nanoseconds /*held*/) override { add(&Counts::ended); }
  void lost(std::string_view /*name*/) override { add(&Counts::lost); }
  void renewed(std::string_view /*name*/, std::chrono::nanoseconds /*lag*/) override { add(&Counts::renewed); }
  void not_renewed(std::string_view /*name*/, RenewOutcome why) override {
    add(why == RenewOutcome::lost ? &Counts::refused : &Counts::unanswered);
  }
  void waiting(std::size_t acquisitions) override { set(&Counts::waiting, acquisitions); }
  void held(std::size_t leases) override { set(&Counts::held, leases); }

  Counts counts() const {
    const std::lock_guard guard(mutex_);
    return counts_;
  }
  /// Whether `holds(counts)` becomes true in time.
  bool becomes(const std::function<bool(const Counts&)>& holds, std::chrono::milliseconds limit = patience) const {
    std::unique_lock guard(mutex_);
    return changed_.wait_for(guard, limit, [&] { return holds(counts_); });
  }

 private:
  void add(int Counts::* count) {
    const std::lock_guard guard(mutex_);
    ++(counts_.*count);
    changed_.notify_all();
  }
  void set(std::size_t Counts::* number, std::size_t value) {
    const std::lock_guard guard(mutex_);
    counts_.*number = value;
    changed_.notify_all();
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  Counts counts_;
};

/// Whether a token is asked to stop in time.
inline bool stops_within(std::stop_token token, std::chrono::milliseconds limit) {
  Box<bool> stopped;
  auto set = stopped.setter();
  const auto tell = [&set] { set(true); };
  const std::stop_callback callback(std::move(token), tell);
  return stopped.there_within(limit);
}

}  // namespace firstcome::lock::test
