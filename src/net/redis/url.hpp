// Where Redis is and how to get in, as people write it: one text describes a connection whole, whoever makes it.
//
//     redis[s]://[user:password@]host[:6379][/database]
//     redis[s]+sentinel://[user:password@]host[:26379],host,.../master[/database]
//     redis[s]+cluster://[user:password@]host[:6379],host,...
//     redlock[s]://[user:password@]host[:6379],host,...          (independent servers)
//     redis+unix://[user:password@]/path/of/socket
//
// User and password are percent-encoded; a password alone is written ":password@", a user without one "user:@". IPv6
// addresses stand in brackets. What follows a ? are parameters, name=value with & in between, percent-encoded:
//
//     ca_file, cert_file, key_file           PEM files, with TLS: who signs the server's certificate, and our own
//     sentinel_user, sentinel_password       who we are at the sentinels; else, where they ask, who we are at Redis
//     database                               of redis+unix
#pragma once

#include "net/redis/tls_options.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::net {

struct RedisAddress {
  std::string host;  ///< a name or an address, IPv6 without brackets; or the path of a local socket
  std::uint16_t port = 6379;

  auto operator<=>(const RedisAddress&) const = default;
};

/// Whether the host is the path of a local socket, which has no port.
bool is_local(const RedisAddress& address);

/// host:port, with brackets where the host is an IPv6 address; the path of a local socket.
std::string to_string(const RedisAddress& address);

/// Reads host[:port]. The error is the rule that it breaks, as in "the port must be 1 to 65535".
std::expected<RedisAddress, std::string> parse_redis_address(std::string_view text, std::uint16_t usual_port);

enum class RedisTransport : std::uint8_t { plain, tls };

/// One server and who we are there.
struct RedisEndpoint {
  RedisAddress address;
  RedisTransport transport = RedisTransport::plain;
  std::string user = {};  ///< empty: the default user
  std::string password = {};
  unsigned database = 0;
  RedisTlsOptions tls = {};  ///< files; those that are empty are as RedisOptions says
  enum class Login : std::uint8_t {
    always,      ///< where there is a user or a password
    when_asked,  ///< only where the server serves nobody without
  };
  Login login = Login::always;

  bool operator==(const RedisEndpoint&) const = default;
};

struct RedisUrl {
  enum class Topology : std::uint8_t {
    single,
    sentinel,
    cluster,
    redlock,  ///< several independent servers: not one client but one for each of `endpoints()`
  };

  Topology topology = Topology::single;
  RedisTransport transport = RedisTransport::plain;
  std::string user = {};
  std::string password = {};
  std::vector<RedisAddress> hosts = {};  ///< at least one; of `sentinel` the sentinels, of `cluster` where to begin
  std::string master = {};               ///< of `sentinel`: the name that the sentinels know it by
  unsigned database = 0;                 ///< 0 for `cluster` and `redlock`
  RedisTlsOptions tls = {};              ///< its files
  std::string sentinel_user = {};
  std::string sentinel_password = {};

  RedisEndpoint endpoint(const RedisAddress& address) const;
  std::vector<RedisEndpoint> endpoints() const;
  /// Of a sentinel, with its own user and password; without those, with Redis's, where it asks for one.
  RedisEndpoint sentinel(const RedisAddress& address) const;

  bool operator==(const RedisUrl&) const = default;
};

/// The error says in one sentence which member is wrong and the rule for it. It never shows the password.
std::expected<RedisUrl, std::string> parse_redis_url(std::string_view text);

/// Whether a text begins like a URL of Redis.
bool is_redis_url(std::string_view text);

/// The text of a URL, password and all. `parse_redis_url` of it is `url` again.
std::string write_redis_url(const RedisUrl& url);

}  // namespace firstcome::net
