// CRC-32C (Castagnoli) of what a row says, kept in the row itself.
//
// A bit that flips on the disk inside a row is seen by no check of SQLite's own unless it breaks the row's shape.
// The sum is over the row's meaning, not its bytes: each number as 64 bits, each text preceded by its length, NULL as
// what it stands for.
#pragma once

#include <array>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace firstcome::engine {

/// By the CPU's own instruction where it has one, else by tables. Thread-safe.
std::uint32_t crc32c(std::span<const std::byte> bytes);

/// The two ways, so that a test can compare them. `hardware` REQUIRES has_crc_instruction().
std::uint32_t crc32c_tables(std::span<const std::byte> bytes);
std::uint32_t crc32c_hardware(std::span<const std::byte> bytes);
bool has_crc_instruction();

/// Gathers a row's content. `capacity` bounds it; every row of ours fits by the limits of what a request may carry, and
/// a longer text, which only a damaged file can hold, is cut (its length still counts).
class RowSum {
 public:
  RowSum& operator<<(std::uint64_t number) {
    if (room(sizeof number)) {
      std::memcpy(bytes_.data() + size_, &number, sizeof number);
      size_ += sizeof number;
    }
    return *this;
  }
  RowSum& operator<<(std::int64_t number) { return *this << static_cast<std::uint64_t>(number); }
  RowSum& operator<<(std::string_view text) {
    *this << static_cast<std::uint64_t>(text.size());
    if (text.size() > capacity - size_) text = text.substr(0, capacity - size_);
    std::memcpy(bytes_.data() + size_, text.data(), text.size());
    size_ += text.size();
    return *this;
  }
  /// As it is stored: a column of four bytes at most.
  std::int32_t stored() const {
    return static_cast<std::int32_t>(crc32c(std::as_bytes(std::span(bytes_.data(), size_))));
  }

 private:
  static constexpr std::size_t capacity = 2048;
  bool room(std::size_t bytes) const { return capacity - size_ >= bytes; }

  std::size_t size_ = 0;
  std::array<char, capacity> bytes_;  // not initialised: only the first size_ bytes are read
};

}  // namespace firstcome::engine
