#include "net/http_origin.hpp"

#include "net/redis/tls.hpp"
#include "net/url_parts.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace firstcome::net {

std::expected<HttpOrigin, std::string> parse_origin(std::string_view text, const std::string& ca_file) {
  const std::string shown = quoted(text);
  const auto parsed = boost::urls::parse_uri(text);
  if (!parsed) return std::unexpected(shown + " is not a URL; give one like http://127.0.0.1:8080");
  const boost::urls::url_view url = *parsed;
  const bool encrypted = url.scheme_id() == boost::urls::scheme::https;
  if (!encrypted && url.scheme_id() != boost::urls::scheme::http)
    return std::unexpected(shown + " does not begin with http:// or https://");
  if (url.encoded_host().empty()) return std::unexpected(shown + " names no host");
  if (url.has_userinfo()) return std::unexpected(shown + " carries a user name, which is not supported");
  if (url.has_query() || url.has_fragment()) return std::unexpected(shown + " must end after the path");
  HttpOrigin origin;
  const auto host = url.host_address();
  origin.host.assign(host.data(), host.size());
  origin.port = encrypted ? 443 : 80;
  if (url.has_port()) {
    if (url.port_number() == 0) return std::unexpected(shown + " has a port that is not in 1-65535");
    origin.port = url.port_number();
  }
  const auto path = url.encoded_path();
  origin.prefix.assign(path.data(), path.size());
  while (origin.prefix.ends_with('/')) origin.prefix.pop_back();
  if (!encrypted) return origin;
  RedisTlsOptions trust;
  trust.ca_file = ca_file;
  auto tls = RedisTlsContext::make(trust);
  if (!tls) return std::unexpected(std::move(tls.error()));
  origin.tls = std::move(*tls);
  return origin;
}

std::string authority(std::string_view host, std::uint16_t port) {
  const bool in_brackets = host.find(':') != std::string_view::npos;
  return (in_brackets ? "[" + std::string(host) + "]" : std::string(host)) + ":" + std::to_string(port);
}

std::string to_string(const HttpOrigin& origin) {
  return (origin.tls ? "https://" : "http://") + authority(origin.host, origin.port) + origin.prefix;
}

}  // namespace firstcome::net
