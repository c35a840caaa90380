// Instants as text: "2026-01-02T03:04:05.678Z" (RFC 3339, UTC, milliseconds). No locale, no allocation.
//
// Thread safety: all functions are pure.
#pragma once

#include <firstcome/types.hpp>

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace firstcome::net {

inline constexpr std::size_t rfc3339_length = 24;
using Rfc3339Text = std::array<char, rfc3339_length>;

/// The years that the format can show, 0000 to 9999.
inline constexpr Instant rfc3339_min{std::chrono::sys_days{std::chrono::year{0} / 1 / 1}};
inline constexpr Instant rfc3339_max{std::chrono::sys_days{std::chrono::year{10'000} / 1 / 1} - Milliseconds{1}};

/// Always `rfc3339_length` characters. An instant outside the years is shown as the nearest inside. A few dozen ns.
Rfc3339Text format_rfc3339(Instant instant);

/// The same, into `to`, which has room for `rfc3339_length` characters. Returns the end of what was written.
char* format_rfc3339(Instant instant, char* to);

/// Reads one instant, and nothing around it. Accepts offsets ("+09:00", "-00:30", "Z") and 1 to 9 fractional digits,
/// cut off after the millisecond. Nothing where the text is anything else: lower-case letters, a date that does not
/// exist, hour 24, a leap second, an instant outside the years.
std::optional<Instant> parse_rfc3339(std::string_view text);

}  // namespace firstcome::net
