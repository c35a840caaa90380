// Where Redis is, as people write it.
//
//     redis[s]://[user:password@]host[:6379][/database]
//     redis[s]+sentinel://[user:password@]host[:26379],host,.../master[/database]
//     redis[s]+cluster://[user:password@]host[:6379],host,...
//     redlock://[user:password@]host[:6379],host,...             (independent servers)
//
// User and password are percent-encoded; a password alone is written ":password@". IPv6 addresses stand in brackets.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::net {

struct RedisAddress {
  std::string host;  ///< a name or an address, IPv6 without brackets
  std::uint16_t port = 6379;

  auto operator<=>(const RedisAddress&) const = default;
};

/// host:port, with brackets where the host is an IPv6 address.
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

  RedisEndpoint endpoint(const RedisAddress& address) const { return {address, transport, user, password, database}; }
  std::vector<RedisEndpoint> endpoints() const;
};

/// The error says in one sentence which member is wrong and the rule for it. It never shows the password.
std::expected<RedisUrl, std::string> parse_redis_url(std::string_view text);

}  // namespace firstcome::net
