// What the URLs of several servers have in common. Pure; the errors are sentences that begin with the part's name.
#pragma once

#include <charconv>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::net {

/// In double quotes, for a message.
std::string quoted(std::string_view text);

/// All of the text, as a decimal number; nothing where it is none, or too large.
template <typename Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [stop, error] = std::from_chars(begin, end, number);
  if (text.empty() || error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

/// Nothing where a % does not stand before two hexadecimal digits.
std::optional<std::string> percent_decoded(std::string_view text);

/// A name or an IPv4 address, by its characters.
bool is_host_name(std::string_view host);
/// By its characters; without the brackets.
bool is_ipv6(std::string_view host);

struct UrlCredentials {
  std::string user;  ///< may be empty
  std::string password;
};
/// What stands before the @. `as_in` is an example for the message.
std::expected<UrlCredentials, std::string> parse_credentials(std::string_view text, std::string_view as_in);

}  // namespace firstcome::net
