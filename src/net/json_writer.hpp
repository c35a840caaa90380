// Writes JSON text onto the end of a string, member by member, without building a document first.
//
// Nothing is allocated but by the string itself, which is meant to be used again: on the hot path it has grown once.
// Not checked: that objects and arrays are closed in order, and that a key comes before each value of an object.
#pragma once

#include <firstcome/types.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace firstcome::net {

/// Not thread-safe. `out` must outlive the writer; what it held before stays.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }

  /// REQUIRES: nothing in `name` needs escaping.
  void key(std::string_view name);

  /// Valid UTF-8 stays as it is; quotes, backslashes and control characters are escaped.
  void string(std::string_view value);
  void integer(std::int64_t value);
  void unsigned_integer(std::uint64_t value);
  void boolean(bool value);
  void null();
  void instant(Instant value);

 private:
  void open(char bracket);
  void close(char bracket);
  void separate();
  void escape(std::string_view value);

  std::string& out_;
  bool comma_ = false;  // a value stands before the next one
};

}  // namespace firstcome::net
