// A crowd of waiters for one lock, in one process, and what all processes of a run count together.
//
// The counts stand in a file that all map. They are changed by whoever holds the lock and need no more than atomics.
#pragma once

#include <firstcome/open_locks.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

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
  void clear();

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
  std::atomic<std::uint64_t> inside{0};           ///< holders at this moment
  std::atomic<std::uint64_t> overlaps{0};         ///< how often there was more than one
  std::atomic<std::uint64_t> lost{0};             ///< leases that ended while they were held: who lost one was told
  std::atomic<std::uint64_t> latch_deletions{0};  ///< of the published kinds: DELs that clients sent
  std::array<std::atomic<std::uint64_t>, most_waiters> of_waiter{};
  WaitTimes waits;  ///< also those that were not over at the end, with what they had lasted

  /// What was counted before a run's measured part. Those who count meanwhile may be counted in part.
  void clear_counts();
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
// LockCrowd.java knows these places.
static_assert(offsetof(Shared, go) == 8 && offsetof(Shared, stop) == 9 && offsetof(Shared, acquisitions) == 16);
static_assert(offsetof(Shared, latch_deletions) == 64 && offsetof(Shared, of_waiter) == 72);
static_assert(offsetof(Shared, waits) == 72 + 8 * most_waiters);

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
  std::string kind;
  std::size_t first_waiter = 0;  ///< of this process
  std::size_t waiters = 1;
  std::chrono::milliseconds hold{0};
};

/// Locks of a kind, for the benchmark: a word of `lock_kind_of`, or "rlock" or "rfairlock", which are Redisson's as
/// published and count in `deletions`. Throws std::runtime_error where there is none.
std::unique_ptr<LockSpace> open_space(const std::string& url, std::string_view kind,
                                      std::atomic<std::uint64_t>& deletions);

/// Each waiter takes the lock, holds it, gives it back and comes again, from `go` until `stop`.
void run_crowd(const CrowdOptions& options, Shared& shared);

}  // namespace firstcome::bench
