#include "net/redis/url.hpp"

#include "net/url_parts.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace firstcome::net {

namespace {

using Problem = std::unexpected<std::string>;
using Topology = RedisUrl::Topology;

constexpr unsigned most_databases = 16'384;
constexpr std::uint16_t redis_port = 6379;
constexpr std::uint16_t sentinel_port = 26379;

struct Scheme {
  std::string_view name;
  Topology topology;
  RedisTransport transport;
};

constexpr std::array schemes{
    Scheme{"redis", Topology::single, RedisTransport::plain},
    Scheme{"rediss", Topology::single, RedisTransport::tls},
    Scheme{"redis+sentinel", Topology::sentinel, RedisTransport::plain},
    Scheme{"rediss+sentinel", Topology::sentinel, RedisTransport::tls},
    Scheme{"redis+cluster", Topology::cluster, RedisTransport::plain},
    Scheme{"rediss+cluster", Topology::cluster, RedisTransport::tls},
    Scheme{"redlock", Topology::redlock, RedisTransport::plain},
};

Problem wrong(std::string_view member, std::string_view rule) {
  return Problem("Redis URL: " + std::string(member) + " " + std::string(rule));
}

std::expected<void, std::string> read_credentials(std::string_view text, RedisUrl& url) {
  auto read = parse_credentials(text, "user:password@ or :password@");
  if (!read) return Problem("Redis URL: " + read.error());
  url.user = std::move(read->user);
  url.password = std::move(read->password);
  return {};
}

std::expected<void, std::string> read_hosts(std::string_view text, RedisUrl& url) {
  const std::uint16_t usual = url.topology == Topology::sentinel ? sentinel_port : redis_port;
  for (;;) {
    const std::size_t comma = text.find(',');
    std::expected<RedisAddress, std::string> address = parse_redis_address(text.substr(0, comma), usual);
    if (!address) return Problem("Redis URL: " + address.error());
    if (std::ranges::find(url.hosts, *address) != url.hosts.end()) {
      return wrong("host", "must not be named twice: " + to_string(*address));
    }
    url.hosts.push_back(std::move(*address));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  if (url.topology == Topology::single && url.hosts.size() > 1) {
    return wrong("host", "must be one; several are for redis+sentinel://, redis+cluster:// and redlock://");
  }
  return {};
}

std::expected<void, std::string> read_database(std::string_view text, RedisUrl& url) {
  if (text.empty()) return {};
  const std::optional<unsigned> database = number_of<unsigned>(text);
  if (!database || *database >= most_databases) {
    return wrong("database", "must be a number from 0 to 16383, not " + quoted(text));
  }
  url.database = *database;
  return {};
}

/// What follows the hosts, without its leading slash.
std::expected<void, std::string> read_path(std::string_view path, RedisUrl& url) {
  if (url.topology == Topology::single) return read_database(path, url);
  if (url.topology == Topology::sentinel) {
    const std::size_t slash = path.find('/');
    std::optional<std::string> master = percent_decoded(path.substr(0, slash));
    if (!master || master->empty()) {
      return wrong("master", "must be named after the sentinels, as in redis+sentinel://host1,host2/mymaster");
    }
    url.master = std::move(*master);
    return slash == std::string_view::npos ? std::expected<void, std::string>{}
                                           : read_database(path.substr(slash + 1), url);
  }
  if (!path.empty()) return wrong("path", "must be empty: a cluster and redlock use database 0 only");
  return {};
}

}  // namespace

std::string to_string(const RedisAddress& address) {
  const bool brackets = address.host.find(':') != std::string::npos;
  return (brackets ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

std::expected<RedisAddress, std::string> parse_redis_address(std::string_view text, std::uint16_t usual_port) {
  RedisAddress address{.host = {}, .port = usual_port};
  std::string_view rest;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return Problem("host must close its bracket: " + quoted(text));
    const std::string_view host = text.substr(1, end - 1);
    if (!is_ipv6(host)) return Problem("host in brackets must be an IPv6 address, not " + quoted(host));
    address.host = host;
    rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ':')
      return Problem("host must be followed by a colon and a port: " + quoted(text));
  } else {
    const std::size_t colon = text.find(':');
    const std::string_view host = text.substr(0, colon);
    if (!is_host_name(host)) return Problem("host must be a name or an address, not " + quoted(host));
    address.host = host;
    rest = colon == std::string_view::npos ? std::string_view{} : text.substr(colon);
  }
  if (rest.empty()) return address;
  const std::optional<std::uint16_t> port = number_of<std::uint16_t>(rest.substr(1));
  if (!port || *port == 0) return Problem("port must be a number from 1 to 65535, not " + quoted(rest.substr(1)));
  address.port = *port;
  return address;
}

std::vector<RedisEndpoint> RedisUrl::endpoints() const {
  std::vector<RedisEndpoint> all;
  for (const RedisAddress& address : hosts) all.push_back(endpoint(address));
  return all;
}

std::expected<RedisUrl, std::string> parse_redis_url(std::string_view text) {
  const std::size_t colon = text.find("://");
  const auto* scheme = std::ranges::find(schemes, text.substr(0, colon), &Scheme::name);
  if (colon == std::string_view::npos || scheme == schemes.end()) {
    return wrong("scheme",
                 "must be redis://, rediss://, redis+sentinel://, rediss+sentinel://, redis+cluster://, "
                 "rediss+cluster:// or redlock://");
  }
  RedisUrl url{.topology = scheme->topology, .transport = scheme->transport};
  text.remove_prefix(colon + 3);
  if (text.find_first_of("?#") != std::string_view::npos) {
    return wrong("end", "must not hold a ? or #; in a password they are written %3F and %23");
  }
  const std::size_t slash = text.find('/');
  std::string_view authority = text.substr(0, slash);
  const std::string_view path = slash == std::string_view::npos ? std::string_view{} : text.substr(slash + 1);
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    if (const auto read = read_credentials(authority.substr(0, at), url); !read) return Problem(read.error());
    authority.remove_prefix(at + 1);
  }
  if (const auto read = read_hosts(authority, url); !read) return Problem(read.error());
  if (const auto read = read_path(path, url); !read) return Problem(read.error());
  return url;
}

}  // namespace firstcome::net
