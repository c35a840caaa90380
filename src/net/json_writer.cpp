#include "net/json_writer.hpp"

#include "net/rfc3339.hpp"

#include <array>
#include <charconv>

namespace firstcome::net {

namespace {

/// What stands after the backslash: 0 nothing (no escape), 'u' a code point.
constexpr auto escapes = [] {
  std::array<char, 256> table{};
  for (std::size_t c = 0; c < 0x20; ++c) table[c] = 'u';
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  table['"'] = '"';
  table['\\'] = '\\';
  return table;
}();

char escape_of(char c) { return escapes[static_cast<unsigned char>(c)]; }

template <class Integer>
void append_integer(std::string& out, Integer value) {
  char digits[24];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end);
}

}  // namespace

void JsonWriter::separate() {
  if (comma_) out_.push_back(',');
  comma_ = true;
}

void JsonWriter::open(char bracket) {
  separate();
  out_.push_back(bracket);
  comma_ = false;
}

void JsonWriter::close(char bracket) {
  out_.push_back(bracket);
  comma_ = true;
}

void JsonWriter::key(std::string_view name) {
  separate();
  out_.push_back('"');
  out_.append(name);
  out_.append("\":", 2);
  comma_ = false;
}

void JsonWriter::string(std::string_view value) {
  separate();
  out_.push_back('"');
  std::size_t plain = 0;
  while (plain < value.size() && escape_of(value[plain]) == 0) ++plain;
  out_.append(value.substr(0, plain));
  if (plain < value.size()) escape(value.substr(plain));
  out_.push_back('"');
}

void JsonWriter::escape(std::string_view value) {
  static constexpr char hex[] = "0123456789abcdef";
  for (const char c : value) {
    const char escaped = escape_of(c);
    if (escaped == 0) {
      out_.push_back(c);
    } else if (escaped != 'u') {
      out_.push_back('\\');
      out_.push_back(escaped);
    } else {
      const auto code = static_cast<unsigned char>(c);
      out_.append({'\\', 'u', '0', '0', hex[code >> 4], hex[code & 15]});
    }
  }
}

void JsonWriter::integer(std::int64_t value) {
  separate();
  append_integer(out_, value);
}

void JsonWriter::unsigned_integer(std::uint64_t value) {
  separate();
  append_integer(out_, value);
}

void JsonWriter::boolean(bool value) {
  separate();
  out_.append(value ? std::string_view{"true"} : std::string_view{"false"});
}

void JsonWriter::null() {
  separate();
  out_.append("null", 4);
}

void JsonWriter::instant(Instant value) {
  separate();
  char text[rfc3339_length + 2];
  text[0] = '"';
  char* const end = format_rfc3339(value, text + 1);
  *end = '"';
  out_.append(text, sizeof text);
}

}  // namespace firstcome::net
