// Where an HTTP server is.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace firstcome::net {

class RedisTlsContext;

struct HttpOrigin {
  std::string host;  ///< a name or an address, IPv6 without brackets
  std::uint16_t port = 80;
  std::string prefix = {};  ///< of every target: empty, or it begins with '/' and does not end with it
  std::shared_ptr<RedisTlsContext> tls = nullptr;  ///< null: http; else https, and whom it trusts

  bool operator==(const HttpOrigin&) const = default;
};

/// Reads `http[s]://host[:port][/prefix]`. https trusts the authorities of `ca_file`, a PEM file, or, where that is
/// empty, those of the system. The error says in one sentence what is wrong.
std::expected<HttpOrigin, std::string> parse_origin(std::string_view url, const std::string& ca_file = {});

/// `HOST:PORT` as URLs write it: an IPv6 address stands in brackets.
std::string authority(std::string_view host, std::uint16_t port);

/// The URL again.
std::string to_string(const HttpOrigin& origin);

}  // namespace firstcome::net
