#include "net/redis/url.hpp"

#include "net/url_parts.hpp"

#include <boost/url/encode.hpp>
#include <boost/url/grammar/lut_chars.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>

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
    Scheme{"redlocks", Topology::redlock, RedisTransport::tls},
};
constexpr std::string_view local_scheme = "redis+unix";
constexpr std::size_t longest_socket_path = 107;

Problem wrong(std::string_view member, std::string_view rule) {
  return Problem("Redis URL: " + std::string(member) + " " + std::string(rule));
}

std::expected<void, std::string> read_credentials(std::string_view text, RedisUrl& url) {
  // A user may have no password, where the server asks for none.
  const bool user_alone = text.size() > 1 && text.find(':') == text.size() - 1;
  auto read =
      parse_credentials(user_alone ? std::string(text) + "-" : std::string(text), "user:password@ or :password@");
  if (!read) return Problem("Redis URL: " + read.error());
  if (user_alone) read->password.clear();
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

/// What stands between the // and the ? of redis+unix.
std::expected<void, std::string> read_socket(std::string_view path, RedisUrl& url) {
  std::optional<std::string> decoded = percent_decoded(path);
  if (!decoded || decoded->size() < 2 || !decoded->starts_with('/')) {
    return wrong("path", "must be that of a socket, as in redis+unix:///run/redis/redis.sock");
  }
  if (decoded->size() > longest_socket_path) return wrong("path", "of a socket must have at most 107 bytes");
  url.hosts.push_back({.host = std::move(*decoded), .port = 0});
  return {};
}

/// Where the value of a parameter goes; nullptr: there is no such parameter for a URL of that kind.
std::string* parameter_of(std::string_view name, RedisUrl& url) {
  const bool tls = url.transport == RedisTransport::tls;
  if (tls && name == "ca_file") return &url.tls.ca_file;
  if (tls && name == "cert_file") return &url.tls.certificate_file;
  if (tls && name == "key_file") return &url.tls.key_file;
  const bool sentinel = url.topology == Topology::sentinel;
  if (sentinel && name == "sentinel_user") return &url.sentinel_user;
  if (sentinel && name == "sentinel_password") return &url.sentinel_password;
  return nullptr;
}

/// Messages name a parameter and never show its value, which may be a password.
std::expected<void, std::string> read_parameter(std::string_view text, RedisUrl& url) {
  const std::size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  const std::string_view raw = equals == std::string_view::npos ? std::string_view{} : text.substr(equals + 1);
  if (name == "database" && is_local(url.hosts.front())) return read_database(raw, url);
  std::string* const target = parameter_of(name, url);
  if (target == nullptr) {
    return wrong("parameter", quoted(name.substr(0, 40)) +
                                  " is not known here; there are ca_file, cert_file and key_file (with TLS), "
                                  "sentinel_user and sentinel_password (with sentinels), database (with a socket)");
  }
  std::optional<std::string> value = percent_decoded(raw);
  if (!value || value->empty()) return wrong("parameter", std::string(name) + " needs a percent-encoded value");
  *target = std::move(*value);
  return {};
}

std::expected<void, std::string> read_parameters(std::string_view query, RedisUrl& url) {
  for (;;) {
    const std::size_t end = query.find('&');
    if (const auto read = read_parameter(query.substr(0, end), url); !read) return read;
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
  }
  if (url.tls.certificate_file.empty() != url.tls.key_file.empty()) {
    return wrong("parameter", "cert_file needs key_file, and the other way round");
  }
  return {};
}

std::expected<void, std::string> read_place(std::string_view authority, std::string_view path, RedisUrl& url) {
  if (const auto read = read_hosts(authority, url); !read) return read;
  return read_path(path.empty() ? path : path.substr(1), url);
}

/// A URL of that scheme, still without a place. The error lists the schemes that there are.
std::expected<RedisUrl, std::string> read_scheme(std::string_view name) {
  if (name == local_scheme) return RedisUrl{};
  const auto* scheme = std::ranges::find(schemes, name, &Scheme::name);
  if (scheme == schemes.end()) {
    return wrong("scheme",
                 "must be redis://, rediss://, redis+sentinel://, rediss+sentinel://, redis+cluster://, "
                 "rediss+cluster://, redis+unix://, redlock:// or redlocks://");
  }
  return RedisUrl{.topology = scheme->topology, .transport = scheme->transport};
}

std::string encoded(std::string_view text) { return boost::urls::encode(text, boost::urls::unreserved_chars); }

}  // namespace

bool is_local(const RedisAddress& address) { return address.host.starts_with('/'); }

std::string to_string(const RedisAddress& address) {
  if (is_local(address)) return address.host;
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

RedisEndpoint RedisUrl::endpoint(const RedisAddress& address) const {
  return {
      .address = address, .transport = transport, .user = user, .password = password, .database = database, .tls = tls};
}

std::vector<RedisEndpoint> RedisUrl::endpoints() const {
  std::vector<RedisEndpoint> all;
  for (const RedisAddress& address : hosts) all.push_back(endpoint(address));
  return all;
}

RedisEndpoint RedisUrl::sentinel(const RedisAddress& address) const {
  RedisEndpoint one = endpoint(address);
  one.database = 0;
  one.login = RedisEndpoint::Login::when_asked;
  if (sentinel_user.empty() && sentinel_password.empty()) return one;
  one.user = sentinel_user;
  one.password = sentinel_password;
  one.login = RedisEndpoint::Login::always;
  return one;
}

std::expected<RedisUrl, std::string> parse_redis_url(std::string_view text) {
  const std::size_t colon = text.find("://");
  const std::string_view scheme = colon == std::string_view::npos ? std::string_view{} : text.substr(0, colon);
  auto url = read_scheme(scheme);
  if (!url) return url;
  text.remove_prefix(colon + 3);
  if (text.find('#') != std::string_view::npos)
    return wrong("end", "must not hold a #; in a password it is written %23");
  const std::size_t question = text.find('?');
  const std::string_view place = text.substr(0, question);
  const std::size_t slash = place.find('/');
  std::string_view authority = place.substr(0, slash);
  const std::string_view path = slash == std::string_view::npos ? std::string_view{} : place.substr(slash);
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    if (const auto read = read_credentials(authority.substr(0, at), *url); !read) return Problem(read.error());
    authority.remove_prefix(at + 1);
  }
  const bool local = scheme == local_scheme;
  if (local && !authority.empty())
    return wrong("host", "must be left out of redis+unix, as in redis+unix:///run/redis.sock");
  const auto read = local ? read_socket(path, *url) : read_place(authority, path, *url);
  if (!read) return Problem(read.error());
  if (question == std::string_view::npos) return url;
  if (const auto more = read_parameters(text.substr(question + 1), *url); !more) return Problem(more.error());
  return url;
}

bool is_redis_url(std::string_view text) {
  const std::size_t colon = text.find("://");
  return colon != std::string_view::npos && read_scheme(text.substr(0, colon)).has_value();
}

std::string write_redis_url(const RedisUrl& url) {
  const bool local = is_local(url.hosts.front());
  const auto* scheme = std::ranges::find_if(
      schemes, [&](const Scheme& one) { return one.topology == url.topology && one.transport == url.transport; });
  std::string text = std::string(local ? local_scheme : scheme->name) + "://";
  if (!url.user.empty() || !url.password.empty()) text += encoded(url.user) + ":" + encoded(url.password) + "@";
  for (const RedisAddress& host : url.hosts) {
    if (!local) text += (&host == &url.hosts.front() ? "" : ",") + to_string(host);
  }
  if (local) text += boost::urls::encode(url.hosts.front().host, boost::urls::unreserved_chars + '/');
  if (!url.master.empty()) text += "/" + encoded(url.master);
  char separator = '?';
  const auto add = [&](std::string_view name, const std::string& value) {
    if (value.empty()) return;
    text.append(1, std::exchange(separator, '&')).append(name).append(1, '=').append(encoded(value));
  };
  if (url.database != 0 && !local) text += "/" + std::to_string(url.database);
  if (url.database != 0 && local) add("database", std::to_string(url.database));
  add("ca_file", url.tls.ca_file);
  add("cert_file", url.tls.certificate_file);
  add("key_file", url.tls.key_file);
  add("sentinel_user", url.sentinel_user);
  add("sentinel_password", url.sentinel_password);
  return text;
}

}  // namespace firstcome::net
