// Members of a JSON object with their values, one line each.
#pragma once

#include "net/json_writer.hpp"

#include <firstcome/types.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace firstcome::net {

inline void text(JsonWriter& json, std::string_view name, std::string_view value) {
  json.key(name);
  json.string(value);
}

/// Null where it is empty.
inline void text_or_null(JsonWriter& json, std::string_view name, std::string_view value) {
  json.key(name);
  value.empty() ? json.null() : json.string(value);
}

inline void integer(JsonWriter& json, std::string_view name, std::int64_t value) {
  json.key(name);
  json.integer(value);
}

inline void count(JsonWriter& json, std::string_view name, std::uint64_t value) {
  json.key(name);
  json.unsigned_integer(value);
}

template <class Integer>
void integer_or_null(JsonWriter& json, std::string_view name, const std::optional<Integer>& value) {
  json.key(name);
  value ? json.integer(static_cast<std::int64_t>(*value)) : json.null();
}

inline void duration_or_null(JsonWriter& json, std::string_view name, const std::optional<Milliseconds>& value) {
  json.key(name);
  value ? json.integer(value->count()) : json.null();
}

inline void instant_or_null(JsonWriter& json, std::string_view name, const std::optional<Instant>& value) {
  json.key(name);
  value ? json.instant(*value) : json.null();
}

}  // namespace firstcome::net
