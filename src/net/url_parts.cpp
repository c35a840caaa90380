#include "net/url_parts.hpp"

#include <boost/url/pct_string_view.hpp>

#include <algorithm>
#include <utility>

namespace firstcome::net {

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::optional<std::string> percent_decoded(std::string_view text) {
  const auto encoded = boost::urls::make_pct_string_view(text);
  if (!encoded) return std::nullopt;
  return encoded->decode();
}

bool is_host_name(std::string_view host) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  };
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, fits);
}

bool is_ipv6(std::string_view host) {
  return host.find(':') != std::string_view::npos &&
         host.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
}

std::expected<UrlCredentials, std::string> parse_credentials(std::string_view text, std::string_view as_in) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return std::unexpected("user must be followed by a colon and the password, as in " + std::string(as_in));
  }
  constexpr std::string_view rule = " must be percent-encoded: a % stands before two hexadecimal digits";
  std::optional<std::string> user = percent_decoded(text.substr(0, colon));
  if (!user) return std::unexpected("user" + std::string(rule));
  std::optional<std::string> password = percent_decoded(text.substr(colon + 1));
  if (!password) return std::unexpected("password" + std::string(rule));
  if (password->empty()) return std::unexpected("password must not be empty where the URL has an @");
  return UrlCredentials{std::move(*user), std::move(*password)};
}

}  // namespace firstcome::net
