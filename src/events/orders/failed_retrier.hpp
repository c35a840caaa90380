// Tries failed events again, on a thread and a connection of its own, so that neither waits for the other.
#pragma once

#include "events/orders/order_store.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace firstcome::events {

struct FailedRetrierOptions {
  std::function<Instant()> now;  ///< REQUIRES: set
  std::chrono::milliseconds every{1'000};
  std::size_t rows = 500;  ///< at a time
};

/// Works from its construction to its destruction, which waits for the statement that runs.
/// Thread safety: `failed` from any thread.
class FailedRetrier {
 public:
  FailedRetrier(std::unique_ptr<OrderStore> store, FailedRetrierOptions options);
  ~FailedRetrier();
  FailedRetrier(const FailedRetrier&) = delete;
  FailedRetrier& operator=(const FailedRetrier&) = delete;

  /// How many events are in `failed_events`, as last counted.
  std::uint64_t failed() const { return failed_.load(std::memory_order_relaxed); }

 private:
  void work(const std::stop_token& stop);
  /// Returns whether more is due.
  bool round();
  void say(std::uint64_t failed);

  const std::unique_ptr<OrderStore> store_;
  const FailedRetrierOptions options_;
  std::atomic<std::uint64_t> failed_{0};
  std::mutex mutex_;  ///< for the waiting only
  std::condition_variable_any wake_;
  std::jthread thread_;  ///< last: it uses the others
};

}  // namespace firstcome::events
