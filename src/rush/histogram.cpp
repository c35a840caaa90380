#include "rush/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>

namespace firstcome::rush {
namespace {

constexpr unsigned sub_bits = 7;  // 128 buckets in each power of two
constexpr unsigned value_bits = 42;
constexpr std::size_t bucket_count = (value_bits - sub_bits + 1) << sub_bits;
constexpr std::uint64_t value_most = (std::uint64_t{1} << value_bits) - 1;

std::size_t bucket_of(std::uint64_t value) {
  unsigned width = static_cast<unsigned>(std::bit_width(value));
  if (width <= sub_bits) return static_cast<std::size_t>(value);
  unsigned shift = width - sub_bits - 1;
  // value >> shift lies in [128, 256), so the octaves follow each other without a gap.
  return (static_cast<std::size_t>(shift) << sub_bits) + static_cast<std::size_t>(value >> shift);
}

std::uint64_t middle_of(std::size_t bucket) {
  if (bucket < (std::size_t{1} << sub_bits)) return bucket;
  std::size_t shift = (bucket >> sub_bits) - 1;
  std::uint64_t lowest = static_cast<std::uint64_t>(bucket - (shift << sub_bits)) << shift;
  return lowest + ((std::uint64_t{1} << shift) >> 1);
}

std::uint64_t clamped(std::chrono::nanoseconds duration) {
  if (duration.count() <= 0) return 0;
  return std::min(static_cast<std::uint64_t>(duration.count()), value_most);
}

}  // namespace

void Histogram::record(std::chrono::nanoseconds duration) {
  if (buckets_.empty()) buckets_.resize(bucket_count);
  ++buckets_[bucket_of(clamped(duration))];
  ++count_;
  largest_ = std::max(largest_, duration);
}

void Histogram::merge(const Histogram& other) {
  if (other.count_ == 0) return;
  if (buckets_.empty()) buckets_.resize(bucket_count);
  for (std::size_t i = 0; i < bucket_count; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  largest_ = std::max(largest_, other.largest_);
}

std::chrono::nanoseconds Histogram::quantile(double share) const {
  assert(share >= 0 && share <= 1);
  if (count_ == 0) return std::chrono::nanoseconds{0};
  auto rank = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  rank = std::clamp<std::uint64_t>(rank, 1, count_);
  if (rank == count_) return largest_;
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < bucket_count; ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::min(std::chrono::nanoseconds{middle_of(i)}, largest_);
  }
  return largest_;
}

std::uint64_t Histogram::count_above(std::chrono::nanoseconds bound) const {
  if (buckets_.empty()) return 0;
  std::uint64_t above = 0;
  for (std::size_t i = bucket_of(clamped(bound)) + 1; i < bucket_count; ++i) above += buckets_[i];
  return above;
}

}  // namespace firstcome::rush
