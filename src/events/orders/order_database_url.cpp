#include "events/orders/order_database_url.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <utility>

namespace firstcome::events {
namespace {

using Kind = OrderDatabaseUrl::Kind;

std::unexpected<std::string> wrong(std::string_view rule) {
  return std::unexpected("order database URL: " + std::string(rule));
}

std::expected<OrderDatabaseUrl, std::string> parse_sqlite(std::string_view text) {
  const auto view = boost::urls::parse_uri(text);
  if (!view || !view->has_authority()) return wrong("it must be like sqlite:///path/of/orders.db");
  if (!view->encoded_authority().empty()) return wrong("sqlite:// names no host; a path begins with a third slash");
  if (view->has_query() || view->has_fragment()) return wrong("a ? or # of a path is written %3F or %23");
  OrderDatabaseUrl url;
  url.path = view->path();
  if (url.path.size() < 2 || url.path.ends_with('/'))
    return wrong("it must name a file, as in sqlite:///path/of/orders.db");
  // The library that opens it takes the path in double quotes, and knows no way to write one.
  if (url.path.find_first_of(std::string_view("\"\0", 2)) != std::string::npos) {
    return wrong("the path must not contain a double quote or a zero byte");
  }
  return url;
}

}  // namespace

std::string OrderDatabaseUrl::text() const { return kind == Kind::sqlite ? "sqlite://" + path : server.text(); }

std::expected<OrderDatabaseUrl, std::string> parse_order_database_url(std::string_view text) {
  if (text.starts_with("sqlite:")) return parse_sqlite(text);
  const std::string_view scheme = text.substr(0, text.find("://"));
  if (scheme != "postgresql" && scheme != "postgres" && scheme != "mysql" && scheme != "mariadb") {
    return wrong("scheme must be sqlite://, postgresql:// or mysql://");
  }
  auto server = lock::parse_sql_url(text);
  if (!server) return std::unexpected(std::move(server.error()));
  OrderDatabaseUrl url;
  url.kind = server->server == lock::SqlUrl::Server::postgresql ? Kind::postgresql : Kind::mariadb;
  url.server = std::move(*server);
  return url;
}

}  // namespace firstcome::events
