// Commits that one node has heard of and not written down yet. An order cannot say when it was committed: its row is
// part of what is committed. So sellers note it here, and the node's caretaker writes it down now and then.
#pragma once

#include "engine/guarded/inventory.hpp"

#include <mutex>
#include <utility>
#include <vector>

namespace firstcome::engine {

/// Thread-safe.
class CommitTimes {
 public:
  /// Forgets it where too many are waiting: nobody writes them down.
  void add(const CommitTime& time) {
    const std::lock_guard lock(mutex_);
    if (times_.size() < most) times_.push_back(time);
  }
  std::vector<CommitTime> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(times_, {});
  }

 private:
  static constexpr std::size_t most = 100'000;
  std::mutex mutex_;  ///< protects what follows
  std::vector<CommitTime> times_;
};

}  // namespace firstcome::engine
