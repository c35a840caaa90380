// Guards that stand beside an inventory: nothing, a mutex of this process, a lock of our library.
#pragma once

#include "engine/guarded/commit_times.hpp"
#include "engine/guarded/guarded_options.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

namespace firstcome::engine {

/// Thread-safe.
class Guard {
 public:
  /// The guard, held; let go at the latest by the destructor.
  class Held {
   public:
    virtual ~Held() = default;
    virtual std::optional<std::uint64_t> token() const { return std::nullopt; }
    virtual void let_go() = 0;
  };
  virtual ~Guard() = default;

  /// Waits for the guard of one sale. Null: somebody else had it for too long, or it is tried once (`busy`).
  /// Throws InventoryFailure where it cannot be asked.
  virtual std::unique_ptr<Held> enter(const std::string& sale) = 0;
};

/// How long buyers have waited for guards. Thread-safe.
struct GuardWaits {
  std::atomic<std::uint64_t> waits = 0;
  std::atomic<std::int64_t> nanoseconds = 0;

  void add(std::chrono::nanoseconds waited) {
    waits.fetch_add(1, std::memory_order_relaxed);
    nanoseconds.fetch_add(waited.count(), std::memory_order_relaxed);
  }
};

/// What the sessions of one node share; must outlive them.
struct NodeParts {
  const GuardedOptions& options;
  Guard* guard = nullptr;  ///< null: the guard is the inventory's own
  GuardWaits& waits;       ///< `guard` counts by itself; guards of an inventory add here what they wait
  /// Of an inventory in SQLite, which has one writer: the node's sessions write one after the other. Null: they let
  /// SQLite see to that.
  std::timed_mutex* writer = nullptr;
  /// Of a session that only looks after what others have left: what it is at can be given up when the node stops.
  std::stop_token stop = {};
  CommitTimes* commits = nullptr;  ///< where sellers by a guard beside the inventory tell their commits; null: nowhere
};

/// REQUIRES: one of none, mutex, setnx_try, setnx_spin, redisson, fifo, redlock. The error says what is wrong with
/// `options.locks`. `waits` must outlive it. `stop` ends
/// the waits for locks.
std::expected<std::unique_ptr<Guard>, std::string> make_guard(const GuardedOptions& options, GuardWaits& waits,
                                                              std::stop_token stop = {});

}  // namespace firstcome::engine
