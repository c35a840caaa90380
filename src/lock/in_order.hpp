// Doing what was decided under a mutex, in the order in which it was decided, without the mutex.
#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace firstcome::lock {

/// Calls `completion` now; where this thread is already within such a call, after that one. So completions never nest,
/// however long the chain of releases and grants that they make.
void complete(std::move_only_function<void()> completion);

/// Whether this thread is within such a call, so that waiting here for another one would never end.
bool completing();

/// Belongs to an object with a mutex, which protects this too. Whoever comes while another thread (or a caller further
/// up on this one) is at it leaves its actions to that one.
class InOrder {
 public:
  using Action = std::move_only_function<void()>;

  void add(Action action) { actions_.push_back(std::move(action)); }

  /// Does what was added. `mutex` is held, and is released meanwhile. REQUIRES: the owner is kept alive by the caller.
  void run(std::unique_lock<std::mutex>& mutex) {
    if (running_) return;
    running_ = true;
    std::vector<Action> batch;
    while (!actions_.empty()) {
      batch.swap(actions_);
      mutex.unlock();
      for (Action& action : batch) action();
      batch.clear();
      mutex.lock();
    }
    running_ = false;
  }

 private:
  std::vector<Action> actions_;
  bool running_ = false;
};

}  // namespace firstcome::lock
