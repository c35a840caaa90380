// A crowd of waiters for one lock, in one process, and what all processes of a run count together.
//
// The counts stand in a file that all map. They are changed by whoever holds the lock and need no more than atomics.
#pragma once

#include <firstcome/open_locks.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

namespace firstcome::bench {

/// Counts of microseconds, a sixteenth of a power of two to a bucket.
class WaitTimes {
 public:
  void add(std::chrono::nanoseconds wait) {
    const auto micros = static_cast<std::uint64_t>(wait.count() / 1'000);
    buckets_[bucket_of(micros)].fetch_add(1, std::memory_order_relaxed);
  }
  /// In milliseconds: no more than the share `share` of all waited longer.
  double percentile(double share) const;

 private:
  static std::size_t bucket_of(std::uint64_t micros) {
    if (micros < 16) return micros;
    const auto power = static_cast<std::size_t>(std::bit_width(micros)) - 5;
    return std::min<std::size_t>(16 * (power + 1) + ((micros >> power) & 15), buckets - 1);
  }
  static double top_of(std::size_t bucket);

  static constexpr std::size_t buckets = 640;
  std::array<std::atomic<std::uint64_t>, buckets> buckets_{};
};

constexpr std::size_t most_waiters = 256;

struct Shared {
  std::atomic<std::uint64_t> ready{0};  ///< processes
  std::atomic<bool> go{false};
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> acquisitions{0};
  std::atomic<std::uint64_t> hand_overs{0};  ///< the owner was another than the last
  std::atomic<std::uint64_t> last_owner{0};
  std::atomic<std::uint64_t> inside{0};    ///< holders at this moment
  std::atomic<std::uint64_t> overlaps{0};  ///< how often there was more than one
  std::atomic<std::uint64_t> lost{0};      ///< leases that ended while they were held: who lost one was told
  std::array<std::atomic<std::uint64_t>, most_waiters> of_waiter{};
  WaitTimes waits;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// A mapped file. Made by the one that starts the others, opened by those.
class SharedFile {
 public:
  enum class As : std::uint8_t { creator, user };
  SharedFile(const std::filesystem::path& path, As as);
  ~SharedFile();
  SharedFile(const SharedFile&) = delete;
  SharedFile& operator=(const SharedFile&) = delete;
  Shared& operator*() const { return *shared_; }
  Shared* operator->() const { return shared_; }

 private:
  Shared* shared_ = nullptr;
};

struct CrowdOptions {
  std::string url;
  LockKind kind = LockKind::fifo;
  std::size_t first_waiter = 0;  ///< of this process
  std::size_t waiters = 1;
  std::chrono::milliseconds hold{0};
};

/// Each waiter takes the lock, holds it, gives it back and comes again, from `go` until `stop`.
void run_crowd(const CrowdOptions& options, Shared& shared);

}  // namespace firstcome::bench
