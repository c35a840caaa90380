// Containers that grow without ever moving what they hold: growing a large std::vector would stop the sale for as long
// as it takes to copy it.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace firstcome::sale {

/// The number of a reservation inside its sale, as kept in memory. 0 names none.
using ShortNumber = std::uint32_t;

/// A vector in chunks, indexed by number - 1. T is trivially copyable. Elements stay where they are, but for the first
/// chunk, which begins small and is moved as it grows: most sales are small.
template <class T>
class ChunkedVector {
 public:
  static constexpr std::size_t chunk_size = 1024;

  std::size_t size() const { return size_; }
  T& operator[](std::size_t index) {
    assert(index < size_);
    return chunks_[index / chunk_size][index % chunk_size];
  }
  const T& operator[](std::size_t index) const {
    assert(index < size_);
    return chunks_[index / chunk_size][index % chunk_size];
  }
  /// The new element, which may be changed in place until the next one is added.
  T& emplace_back(const T& value) {
    if (size_ == capacity_) grow();
    T& place = chunks_[size_ / chunk_size][size_ % chunk_size];
    ++size_;
    return *new (&place) T(value);
  }
  std::size_t bytes() const { return capacity_ * sizeof(T); }

 private:
  static constexpr std::size_t smallest_chunk = 8;

  void grow() {
    if (capacity_ >= chunk_size || chunks_.empty()) {
      const std::size_t more = chunks_.empty() ? smallest_chunk : chunk_size;
      chunks_.push_back(std::make_unique_for_overwrite<T[]>(more));
      capacity_ += more;
      return;
    }
    auto larger = std::make_unique_for_overwrite<T[]>(2 * capacity_);
    std::copy_n(chunks_.front().get(), size_, larger.get());
    chunks_.front() = std::move(larger);
    capacity_ *= 2;
  }

  std::vector<std::unique_ptr<T[]>> chunks_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

/// A 32-bit value for some numbers, 0 for all others. Costs nothing where nobody has one.
class SparseColumn {
 public:
  std::uint32_t get(ShortNumber number) const {
    const std::size_t chunk = number / chunk_size;
    return chunk < chunks_.size() && chunks_[chunk] ? chunks_[chunk][number % chunk_size] : 0;
  }
  void set(ShortNumber number, std::uint32_t value) {
    const std::size_t chunk = number / chunk_size;
    if (chunk >= chunks_.size()) chunks_.resize(chunk + 1);
    if (!chunks_[chunk]) chunks_[chunk] = std::make_unique<std::uint32_t[]>(chunk_size);
    chunks_[chunk][number % chunk_size] = value;
  }

 private:
  static constexpr std::size_t chunk_size = 1024;
  std::vector<std::unique_ptr<std::uint32_t[]>> chunks_;
};

/// Memory that is only ever added to, named by 32-bit places. A place stands for eight bytes, so 32 GiB fit. 0: none.
class Arena {
 public:
  static constexpr std::size_t max_bytes = 32'768;

  /// REQUIRES: bytes <= max_bytes.
  std::uint32_t take(std::size_t bytes) {
    const std::size_t units = (bytes + unit - 1) / unit;
    assert(units <= max_bytes / unit);
    if (used_ + units > capacity_) {
      // The first chunks are small, as most sales are. Each has all the places of a large one.
      capacity_ =
          std::max(std::min(chunk_units, smallest_chunk << std::min<std::size_t>(chunks_.size(), 16)), units + 1);
      chunks_.push_back(std::make_unique_for_overwrite<std::uint64_t[]>(capacity_));
      bytes_ += capacity_ * unit;
      used_ = chunks_.size() == 1 ? 1 : 0;  // place 0 stands for none
    }
    const std::size_t place = (chunks_.size() - 1) * chunk_units + used_;
    assert(place <= UINT32_MAX);
    used_ += units;
    return static_cast<std::uint32_t>(place);
  }

  void* at(std::uint32_t place) { return &chunks_[place / chunk_units][place % chunk_units]; }
  const void* at(std::uint32_t place) const { return &chunks_[place / chunk_units][place % chunk_units]; }
  std::size_t bytes() const { return bytes_; }

 private:
  static constexpr std::size_t unit = sizeof(std::uint64_t);
  static constexpr std::size_t chunk_units = 8'192;
  static constexpr std::size_t smallest_chunk = 64;
  std::vector<std::unique_ptr<std::uint64_t[]>> chunks_;
  std::size_t capacity_ = 0;  // of the last chunk
  std::size_t used_ = 0;      // of it
  std::size_t bytes_ = 0;
};

}  // namespace firstcome::sale
