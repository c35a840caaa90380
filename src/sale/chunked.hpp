// Containers that grow without ever moving what they hold: growing a large std::vector would stop the sale for as long
// as it takes to copy it.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

namespace firstcome::sale {

/// The number of a reservation inside its sale, as kept in memory. 0 names none.
using ShortNumber = std::uint32_t;

/// A vector in chunks, indexed by number - 1. T is trivially copyable.
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
  /// The new element, which may be changed in place.
  T& emplace_back(const T& value) {
    if (size_ == chunks_.size() * chunk_size) chunks_.push_back(std::make_unique_for_overwrite<T[]>(chunk_size));
    T& place = chunks_[size_ / chunk_size][size_ % chunk_size];
    ++size_;
    return *new (&place) T(value);
  }
  std::size_t bytes() const { return chunks_.size() * chunk_size * sizeof(T); }

 private:
  std::vector<std::unique_ptr<T[]>> chunks_;
  std::size_t size_ = 0;
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
    if (chunks_.empty() || used_ + units > chunk_units) {
      chunks_.push_back(std::make_unique_for_overwrite<std::uint64_t[]>(chunk_units));
      used_ = chunks_.size() == 1 ? 1 : 0;  // place 0 stands for none
    }
    const std::size_t place = (chunks_.size() - 1) * chunk_units + used_;
    assert(place <= UINT32_MAX);
    used_ += units;
    return static_cast<std::uint32_t>(place);
  }

  void* at(std::uint32_t place) { return &chunks_[place / chunk_units][place % chunk_units]; }
  const void* at(std::uint32_t place) const { return &chunks_[place / chunk_units][place % chunk_units]; }
  std::size_t bytes() const { return chunks_.size() * chunk_units * unit; }

 private:
  static constexpr std::size_t unit = sizeof(std::uint64_t);
  static constexpr std::size_t chunk_units = 8'192;
  std::vector<std::unique_ptr<std::uint64_t[]>> chunks_;
  std::size_t used_ = 0;
};

}  // namespace firstcome::sale
