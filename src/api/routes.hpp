// The table of endpoints, and how a path finds its row.
#pragma once

#include "api/query.hpp"
#include "net/http_server.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace firstcome::api {

class Call;

/// One endpoint. `pattern` has at most one segment in braces, which stands for any text.
struct Route {
  net::Method method;
  std::string_view pattern;
  void (*handle)(Call&);
  unsigned query = no_parameters;  ///< QueryParameter bits
};

std::span<const Route> routes();

/// Where requests are counted that belong to no route, and those that the server refused unread.
inline std::size_t route_unmatched() { return routes().size(); }
inline std::size_t route_refused() { return routes().size() + 1; }

/// `GET`, `POST` ...
std::string_view name_of(net::Method method);

/// Where a path leads.
struct Destination {
  std::optional<std::size_t> route;  ///< index into `routes()`
  std::string_view parameter;        ///< what stands for the braces; a view of the path or of `decoded`
  bool path_known = false;           ///< some route has this path, perhaps with another method
};

/// Finds the route of a request; HEAD is answered by GET's. Segments are decoded one by one, so that %2F is no slash;
/// `decoded` holds them where there are escapes. Allocates only then.
Destination find_route(net::Method method, std::string_view path, std::string& decoded);

/// The methods that a path has, as Allow lists them. OPTIONS is always one of them.
std::string allowed_methods(std::string_view path);

}  // namespace firstcome::api
