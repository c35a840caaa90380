#include "lock/sql/sql_url.hpp"

#include "lock/sql/sql_parameters.hpp"
#include "net/url_parts.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <algorithm>
#include <fstream>

namespace firstcome::lock {

namespace {

constexpr std::size_t longest_password = 1'024;

using Problem = std::unexpected<std::string>;
using Server = SqlUrl::Server;

Problem wrong(std::string_view member, std::string_view rule) {
  return Problem("SQL URL: " + std::string(member) + " " + std::string(rule));
}

std::optional<Server> server_of(std::string_view scheme) {
  if (scheme == "postgresql" || scheme == "postgres") return Server::postgresql;
  if (scheme == "mysql" || scheme == "mariadb") return Server::mariadb;
  return {};
}

constexpr std::uint16_t usual_port(Server server) { return server == Server::postgresql ? 5'432 : 3'306; }

/// A URL as libraries know it, and the hosts behind the first, which they do not.
struct Split {
  std::string url;
  std::vector<std::string> more;
};

Split split(std::string_view text) {
  const std::size_t authority = text.find("://") + 3;
  const std::size_t end = std::min(text.find_first_of("/?#", authority), text.size());
  const std::size_t at = text.substr(0, end).rfind('@');
  const std::size_t hosts = at == std::string_view::npos || at < authority ? authority : at + 1;
  const std::size_t first = std::min(text.find(',', hosts), end);
  Split parts{.url = std::string(text.substr(0, first)) + std::string(text.substr(end)), .more = {}};
  for (std::size_t from = first; from < end;) {
    const std::size_t next = std::min(text.find(',', from + 1), end);
    parts.more.emplace_back(text.substr(from + 1, next - from - 1));
    from = next;
  }
  return parts;
}

std::expected<void, std::string> read_host(const boost::urls::url_view& view, SqlUrl& url) {
  SqlUrl::Host host{view.host_address(), usual_port(url.server)};
  if (view.has_port()) {
    host.port = view.port_number();
    if (host.port == 0) return wrong("port", "must be 1 to 65535");
  }
  if (!net::is_host_name(host.name) && !net::is_ipv6(host.name))
    return wrong("host", "must be a name, an address, or an IPv6 address in brackets");
  url.hosts.push_back(std::move(host));
  return {};
}

std::expected<void, std::string> read_more_hosts(const std::vector<std::string>& hosts, SqlUrl& url) {
  for (const std::string& host : hosts) {
    const std::string text = "sql://" + host + "/";
    const auto view = boost::urls::parse_uri(text);
    if (!view || view->has_userinfo() || view->host_address().empty())
      return wrong("host", "must be like host or host:port, with commas between several");
    if (const auto read = read_host(*view, url); !read) return read;
  }
  return {};
}

std::expected<void, std::string> read_password(const std::string& path, SqlUrl& url) {
  if (!url.password.empty()) return wrong("password", "must not be given beside a password_file");
  std::ifstream file(path, std::ios::binary);
  std::string line(longest_password + 1, '\0');  // of a device there may be no end
  file.read(line.data(), static_cast<std::streamsize>(line.size()));
  line.resize(static_cast<std::size_t>(file.gcount()));
  line.resize(std::min(line.find('\n'), line.size()));
  if (line.ends_with('\r')) line.pop_back();
  if (line.empty() || line.size() > longest_password)
    return wrong("password_file", "must be a file whose first line is the password, not " + net::quoted(path));
  url.password = std::move(line);
  return {};
}

std::expected<void, std::string> take_parameter(const std::string& given, const std::string& value, SqlUrl& url) {
  const std::string name = sql_parameter_name(url.server, given);
  if (name == "socket") {
    if (!value.starts_with('/')) return wrong(given, "must be an absolute path");
    if (!url.socket.empty()) return wrong("parameter " + given, "must come once");
    url.socket = value;
    return {};
  }
  if (name == "password_file") return read_password(value, url);
  const SqlParameter* const known = find_sql_parameter(url.server, name);
  if (known == nullptr)
    return wrong("parameter " + given, "is not known; there are " + sql_parameter_names(url.server));
  if (url.setting(name)) return wrong("parameter " + given, "must come once");
  if (!fits(*known, value)) return wrong(given, "must be " + rule_of(*known));
  url.settings.emplace_back(name, value);
  return {};
}

std::expected<void, std::string> read_rest(const boost::urls::url_view& view, SqlUrl& url) {
  const auto segments = view.segments();
  if (segments.size() != 1 || (*segments.begin()).empty()) {
    return wrong("database", "must be one name after the host, as in host/database");
  }
  url.database = *segments.begin();
  for (const auto& param : view.params()) {
    if (const auto taken = take_parameter(param.key, param.has_value ? param.value : "", url); !taken) return taken;
  }
  if (view.has_fragment()) return wrong("fragment", "must not be there; a # is written %23");
  return {};
}

bool has_zero(const SqlUrl& url) {
  const auto holds = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  return std::ranges::any_of(url.settings, holds, &SqlSettings::value_type::second) || holds(url.user) ||
         holds(url.password) || holds(url.database) || holds(url.socket);
}

/// "name:port", as both libraries have it; of IPv6 with brackets.
std::string text_of(const SqlUrl::Host& host) {
  const bool plain = host.name.find(':') == std::string::npos;
  return (plain ? host.name : "[" + host.name + "]") + ":" + std::to_string(host.port);
}

std::string joined(const std::vector<SqlUrl::Host>& hosts) {
  std::string all;
  for (const SqlUrl::Host& host : hosts) all += (all.empty() ? "" : ",") + text_of(host);
  return all;
}

}  // namespace

std::optional<std::string> SqlUrl::setting(std::string_view name) const {
  const auto found = std::ranges::find(settings, name, &SqlSettings::value_type::first);
  return found == settings.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::uint32_t> SqlUrl::connect_seconds() const {
  const auto said = setting(server == Server::postgresql ? "connect_timeout" : "connect-timeout");
  return said ? net::number_of<std::uint32_t>(*said) : std::nullopt;
}

std::string SqlUrl::text() const {
  const std::string scheme = server == Server::postgresql ? "postgresql://" : "mysql://";
  return scheme + (socket.empty() ? joined(hosts) : socket) + "/" + database;
}

std::expected<SqlUrl, std::string> parse_sql_url(std::string_view text) {
  const std::optional<Server> server = server_of(text.substr(0, text.find("://")));
  if (!server || text.find("://") == std::string_view::npos) {
    return wrong("scheme", "must be postgresql:// or mysql://");
  }
  const Split parts = split(text);
  const auto view = boost::urls::parse_uri(parts.url);
  if (!view || !view->has_authority()) {
    return wrong("it", "must be like postgresql://user:password@host:5432/database, other characters percent-encoded");
  }
  SqlUrl url{.server = *server, .user = view->user(), .password = view->password()};
  if (url.user.empty()) return wrong("user", "must be given, as in user:password@host");
  const bool is_named = !view->host_address().empty();
  if (is_named || view->has_port()) {
    if (const auto read = read_host(*view, url); !read) return Problem(read.error());
  }
  if (const auto read = read_more_hosts(parts.more, url); !read) return Problem(read.error());
  if (const auto read = read_rest(*view, url); !read) return Problem(read.error());
  if (url.socket.empty() && (!is_named || url.hosts.empty()))
    return wrong("host", "must be given where there is no socket");
  if (has_zero(url)) return wrong("it", "must not contain %00");
  return url;
}

SqlSettings postgresql_settings(const SqlUrl& url, SqlSettings usual) {
  std::string hosts = url.socket;
  std::string ports;
  for (const SqlUrl::Host& host : url.hosts) {
    if (url.socket.empty()) hosts += (hosts.empty() ? "" : ",") + host.name;
    if (url.socket.empty() || ports.empty()) ports += (ports.empty() ? "" : ",") + std::to_string(host.port);
  }
  if (ports.empty()) ports = std::to_string(usual_port(url.server));
  SqlSettings all{{"host", hosts},          {"port", ports},
                  {"user", url.user},       {"password", url.password},
                  {"dbname", url.database}, {"client_encoding", "UTF8"}};
  all.insert(all.end(), url.settings.begin(), url.settings.end());
  for (auto& [name, value] : usual) {
    if (!url.setting(name)) all.emplace_back(std::move(name), std::move(value));
  }
  return all;
}

std::string mariadb_host(const SqlUrl& url) {
  std::string all;
  for (const auto& [name, value] : url.settings) {
    if (name != "connect-timeout") all += name + "={" + value + "};";
  }
  const bool knows_authority = url.setting("ssl-ca") || url.setting("ssl-capath");
  if (knows_authority && !url.setting("ssl-verify-server-cert")) all += "ssl-verify-server-cert=1;";
  if (!url.socket.empty()) return all;
  // The library takes the name localhost for a socket of its own choice; here it is what it says.
  const std::string& name = url.hosts.front().name;
  const std::string where = name == "localhost" ? "127.0.0.1" : name;
  return all.empty() ? where : "host={" + where + "};" + all;
}

bool wants_encryption(const SqlUrl& url) {
  return std::ranges::any_of(url.settings, [](const auto& setting) {
    const auto& [name, value] = setting;
    return (name.starts_with("ssl-") || name.starts_with("tls-")) && value != "0";
  });
}

}  // namespace firstcome::lock
