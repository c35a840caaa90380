#include "engine/sql/database_url.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <utility>

namespace firstcome::engine {
namespace {

using Kind = DatabaseUrl::Kind;

using Problem = std::unexpected<std::string>;

Problem wrong(std::string_view rule) { return Problem(std::string(rule)); }

std::expected<DatabaseUrl, std::string> parse_sqlite(std::string_view text) {
  const auto view = boost::urls::parse_uri(text);
  if (!view || !view->has_authority()) return wrong("it must be like sqlite:///path/of/file.db");
  if (!view->encoded_authority().empty()) return wrong("sqlite:// names no host; a path begins with a third slash");
  if (view->has_query() || view->has_fragment()) return wrong("a ? or # of a path is written %3F or %23");
  DatabaseUrl url;
  url.path = view->path();
  if (url.path.size() < 2 || url.path.ends_with('/'))
    return wrong("it must name a file, as in sqlite:///path/of/file.db");
  // The library that opens it takes the path in double quotes, and knows no way to write one.
  if (url.path.find_first_of(std::string_view("\"\0", 2)) != std::string::npos) {
    return wrong("the path must not contain a double quote or a zero byte");
  }
  return url;
}

std::expected<DatabaseUrl, std::string> parse_server(std::string_view text) {
  const std::string_view scheme = text.substr(0, text.find("://"));
  if (scheme != "postgresql" && scheme != "postgres" && scheme != "mysql" && scheme != "mariadb") {
    return wrong("scheme must be sqlite://, postgresql:// or mysql://");
  }
  auto server = lock::parse_sql_url(text);
  if (!server) {
    constexpr std::string_view prefix = "SQL URL: ";
    std::string_view error = server.error();
    if (error.starts_with(prefix)) error.remove_prefix(prefix.size());
    return wrong(error);
  }
  DatabaseUrl url;
  url.kind = server->server == lock::SqlUrl::Server::postgresql ? Kind::postgresql : Kind::mariadb;
  url.server = std::move(*server);
  return url;
}

}  // namespace

std::string DatabaseUrl::text() const { return kind == Kind::sqlite ? "sqlite://" + path : server.text(); }

std::expected<DatabaseUrl, std::string> parse_database_url(std::string_view text, std::string_view what) {
  auto url = text.starts_with("sqlite:") ? parse_sqlite(text) : parse_server(text);
  if (!url) return Problem(std::string(what) + " URL: " + url.error());
  return url;
}

}  // namespace firstcome::engine
