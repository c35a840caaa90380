// Little-endian bytes as Lua's `struct` packs them, written and read in bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace firstcome::engine {

/// Appends. A value that does not fit its bytes is cut: check before.
class BinaryWriter {
 public:
  BinaryWriter& number(std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) text_.push_back(static_cast<char>(value >> (8 * i) & 0xFFU));
    return *this;
  }
  BinaryWriter& signed_number(std::int64_t value) { return number(static_cast<std::uint64_t>(value), 8); }
  /// At most 65 535 bytes.
  BinaryWriter& text(std::string_view value) {
    number(value.size(), 2);
    text_ += value;
    return *this;
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

/// Reads. What is not there reads as zero or empty, and `ok` says so.
class BinaryReader {
 public:
  explicit BinaryReader(std::string_view text) : text_(text) {}

  std::uint64_t number(std::size_t bytes) {
    const std::string_view part = take(bytes);
    std::uint64_t value = 0;
    for (std::size_t i = part.size(); i-- > 0;) value = value << 8U | static_cast<unsigned char>(part[i]);
    return value;
  }
  std::int64_t signed_number() { return static_cast<std::int64_t>(number(8)); }
  /// A text behind its length, which has `length_bytes`.
  std::string_view text(std::size_t length_bytes) { return take(number(length_bytes)); }
  std::string_view take(std::uint64_t bytes) {
    if (bytes > text_.size()) {
      ok_ = false;
      text_ = {};
      return {};
    }
    const std::string_view part = text_.substr(0, bytes);
    text_.remove_prefix(bytes);
    return part;
  }

  bool ok() const { return ok_; }
  bool at_end() const { return text_.empty(); }

 private:
  std::string_view text_;
  bool ok_ = true;
};

/// A number of one byte that names one of an enum's, `last` the highest; `valid` turns false where it does not.
template <class Enum>
Enum read_enum(BinaryReader& reader, Enum last, bool& valid) {
  const std::uint64_t value = reader.number(1);
  if (value > static_cast<std::uint64_t>(last)) valid = false;
  return static_cast<Enum>(value);
}

}  // namespace firstcome::engine
