// A log-linear histogram of durations.
//
// Mechanism: each power of two of nanoseconds is divided into 128 equal buckets, so a bucket is at most 1/128 of the
// durations in it wide, and the middle of a bucket is less than 0.4 % away from any of them. Durations below 128 ns
// are exact. The largest and the smallest are kept as they were.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace firstcome::rush {

/// Counts durations from 0 to about 73 minutes; longer ones are counted in the last bucket, shorter ones as 0.
/// Not thread-safe. Recording costs a few nanoseconds; an empty histogram takes no memory, others 37 KB.
class Histogram {
 public:
  void record(std::chrono::nanoseconds duration);
  void merge(const Histogram& other);

  std::uint64_t count() const { return count_; }

  /// The smallest duration that at least `share` (0 to 1) of all durations do not exceed, within 0.4 %; 0 where nothing
  /// was recorded. `quantile(1)` is the largest, exactly.
  std::chrono::nanoseconds quantile(double share) const;

  std::chrono::nanoseconds largest() const { return largest_; }

  /// How many durations are longer than `bound`, within the same error.
  std::uint64_t count_above(std::chrono::nanoseconds bound) const;

 private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  std::chrono::nanoseconds largest_{0};
};

}  // namespace firstcome::rush
