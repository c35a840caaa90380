#include "lock/sql/sql_url.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <optional>

namespace firstcome::lock {

namespace {

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

std::expected<void, std::string> read_authority(const boost::urls::url_view& view, SqlUrl& url) {
  url.user = view.user();
  url.password = view.password();
  if (url.user.empty()) return wrong("user", "must be given, as in user:password@host");
  url.host = view.host_address();
  url.port = usual_port(url.server);
  if (view.has_port()) {
    url.port = view.port_number();
    if (url.port == 0) return wrong("port", "must be 1 to 65535");
  }
  return {};
}

std::expected<void, std::string> read_rest(const boost::urls::url_view& view, SqlUrl& url) {
  const auto segments = view.segments();
  if (segments.size() != 1 || (*segments.begin()).empty()) {
    return wrong("database", "must be one name after the host, as in host/database");
  }
  url.database = *segments.begin();
  for (const auto& param : view.params()) {
    if (param.key != "socket") return wrong("parameter " + param.key, "is not known; there is only socket");
    if (!param.has_value || !param.value.starts_with('/')) return wrong("socket", "must be an absolute path");
    url.socket = param.value;
  }
  if (url.socket.empty() && url.host.empty()) return wrong("host", "must be given where there is no socket");
  if (view.has_fragment()) return wrong("fragment", "must not be there; a # is written %23");
  return {};
}

bool has_zero(const SqlUrl& url) {
  for (const std::string* text : {&url.host, &url.user, &url.password, &url.database, &url.socket}) {
    if (text->find('\0') != std::string::npos) return true;
  }
  return false;
}

}  // namespace

std::string SqlUrl::text() const {
  const std::string where = host.find(':') == std::string::npos ? host : "[" + host + "]";
  const std::string scheme = server == Server::postgresql ? "postgresql://" : "mysql://";
  return scheme + (socket.empty() ? where + ":" + std::to_string(port) : socket) + "/" + database;
}

std::expected<SqlUrl, std::string> parse_sql_url(std::string_view text) {
  const std::optional<Server> server = server_of(text.substr(0, text.find("://")));
  if (!server || text.find("://") == std::string_view::npos) {
    return wrong("scheme", "must be postgresql:// or mysql://");
  }
  const auto view = boost::urls::parse_uri(text);
  if (!view || !view->has_authority()) {
    return wrong("it", "must be like postgresql://user:password@host:5432/database, other characters percent-encoded");
  }
  SqlUrl url{.server = *server, .host = {}, .user = {}, .password = {}, .database = {}, .socket = {}};
  if (const auto read = read_authority(*view, url); !read) return Problem(read.error());
  if (const auto read = read_rest(*view, url); !read) return Problem(read.error());
  if (has_zero(url)) return wrong("it", "must not contain %00");
  return url;
}

}  // namespace firstcome::lock
