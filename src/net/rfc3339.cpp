#include "net/rfc3339.hpp"

#include <algorithm>

namespace firstcome::net {

namespace {

constexpr std::size_t shortest = 20;  // 2026-01-02T03:04:05Z

char* put_digits(char* to, unsigned value, unsigned digits) {
  for (unsigned i = digits; i > 0; --i) {
    to[i - 1] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  return to + digits;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes characters from the front of a text; once something does not fit, `ok` stays false.
struct Reader {
  std::string_view rest;
  bool ok = true;

  void expect(char wanted) {
    ok = ok && !rest.empty() && rest.front() == wanted;
    if (ok) rest.remove_prefix(1);
  }

  unsigned number(std::size_t digits, unsigned max) {
    ok = ok && rest.size() >= digits && std::all_of(rest.begin(), rest.begin() + static_cast<long>(digits), is_digit);
    if (!ok) return 0;
    unsigned value = 0;
    for (const char c : rest.substr(0, digits)) value = value * 10 + static_cast<unsigned>(c - '0');
    rest.remove_prefix(digits);
    ok = value <= max;
    return value;
  }

  /// The fraction of a second, if there is one.
  Milliseconds fraction() {
    if (!ok || rest.empty() || rest.front() != '.') return {};
    rest.remove_prefix(1);
    unsigned value = 0;
    std::size_t digits = 0;
    for (; digits < rest.size() && is_digit(rest[digits]); ++digits)
      if (digits < 3) value = value * 10 + static_cast<unsigned>(rest[digits] - '0');
    ok = digits >= 1 && digits <= 9;
    for (std::size_t i = digits; i < 3; ++i) value *= 10;
    rest.remove_prefix(digits);
    return Milliseconds{value};
  }

  std::chrono::minutes offset() {
    if (ok && rest == "Z") return rest.remove_prefix(1), std::chrono::minutes{0};
    ok = ok && !rest.empty() && (rest.front() == '+' || rest.front() == '-');
    if (!ok) return {};
    const bool east = rest.front() == '+';
    rest.remove_prefix(1);
    const std::chrono::hours hours{number(2, 23)};
    expect(':');
    const std::chrono::minutes whole = hours + std::chrono::minutes{number(2, 59)};
    return east ? whole : -whole;
  }
};

}  // namespace

char* format_rfc3339(Instant instant, char* to) {
  instant = std::clamp(instant, rfc3339_min, rfc3339_max);
  const auto day = std::chrono::floor<std::chrono::days>(instant);
  const std::chrono::year_month_day date{day};
  const auto in_day = static_cast<unsigned>((instant - day).count());
  to = put_digits(to, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  *to++ = '-';
  to = put_digits(to, static_cast<unsigned>(date.month()), 2);
  *to++ = '-';
  to = put_digits(to, static_cast<unsigned>(date.day()), 2);
  *to++ = 'T';
  to = put_digits(to, in_day / 3'600'000, 2);
  *to++ = ':';
  to = put_digits(to, in_day / 60'000 % 60, 2);
  *to++ = ':';
  to = put_digits(to, in_day / 1'000 % 60, 2);
  *to++ = '.';
  to = put_digits(to, in_day % 1'000, 3);
  *to++ = 'Z';
  return to;
}

Rfc3339Text format_rfc3339(Instant instant) {
  Rfc3339Text text;
  format_rfc3339(instant, text.data());
  return text;
}

std::optional<Instant> parse_rfc3339(std::string_view text) {
  if (text.size() < shortest) return std::nullopt;
  Reader reader{text};
  const std::chrono::year year{static_cast<int>(reader.number(4, 9999))};
  reader.expect('-');
  const std::chrono::month month{reader.number(2, 12)};
  reader.expect('-');
  const std::chrono::day day{reader.number(2, 31)};
  reader.expect('T');
  const std::chrono::hours hours{reader.number(2, 23)};
  reader.expect(':');
  const std::chrono::minutes minutes{reader.number(2, 59)};
  reader.expect(':');
  const std::chrono::seconds seconds{reader.number(2, 59)};
  const Milliseconds fraction = reader.fraction();
  const std::chrono::minutes offset = reader.offset();
  const std::chrono::year_month_day date{year, month, day};
  if (!reader.ok || !reader.rest.empty() || !date.ok()) return std::nullopt;
  const Instant instant = std::chrono::sys_days{date} + hours + minutes + seconds + fraction - offset;
  if (instant < rfc3339_min || instant > rfc3339_max) return std::nullopt;
  return instant;
}

}  // namespace firstcome::net
