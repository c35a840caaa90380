// Short ways to read JSON answers in tests. Throws where a member is missing or of another type: the test fails there.
#pragma once

#include <boost/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace firstcome::testing {

inline boost::json::value parse_json(std::string_view text) { return boost::json::parse({text.data(), text.size()}); }

inline std::string text_of(const boost::json::value& value, std::string_view member) {
  return std::string(value.at({member.data(), member.size()}).as_string());
}

inline std::int64_t integer_of(const boost::json::value& value, std::string_view member) {
  return value.at({member.data(), member.size()}).to_number<std::int64_t>();
}

}  // namespace firstcome::testing
