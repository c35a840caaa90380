#include "api/routes.hpp"

#include "api/handlers.hpp"

#include <algorithm>

namespace firstcome::api {

namespace {

using enum net::Method;

// The hot one first.
constexpr auto table = std::to_array<Route>({
    {post, "/v1/sales/{id}/reservations", reserve},
    {get, "/v1/reservations/{id}", get_reservation},
    {post, "/v1/reservations/{id}/payment", pay_reservation},
    {post, "/v1/reservations/{id}/confirm", confirm_reservation},
    {post, "/v1/reservations/{id}/cancel", cancel_reservation},
    {post, "/v1/reservations/{id}/return", return_reservation},
    {post, "/v1/reservations/{id}/extend", extend_reservation},
    {post, "/v1/reservations/{id}/transfer", transfer_reservation},
    {post, "/v1/reservations/{id}/fulfil", fulfil_reservation},
    {get, "/v1/sales/{id}/reservations", list_reservations, after_number | page_limit | customer_filter},
    {get, "/v1/sales/{id}", get_sale},
    {patch, "/v1/sales/{id}", patch_sale},
    {del, "/v1/sales/{id}", delete_sale},
    {get, "/v1/sales/{id}/audit", audit_sale, deep_audit},
    {get, "/v1/sales", list_sales, after_text | page_limit},
    {post, "/v1/sales", create_sale},
    {get, "/v1/events", list_events, after_number | page_limit | sale_filter},
    {get, "/v1/orders", list_orders, customer_filter | after_text | page_limit},
    {get, "/v1/orders/{reservation}", get_order},
    {post, "/v1/locks/{name}/acquire", acquire_lock},
    {post, "/v1/locks/{name}/renew", renew_lock},
    {post, "/v1/locks/{name}/release", release_lock},
    {post, "/v1/locks/{name}/free", free_lock},
    {get, "/v1/locks/{name}", inspect_lock},
    {get, "/v1/losses", list_losses},
    {post, "/v1/losses/settle", settle_losses},
    {get, "/healthz", healthz},
    {get, "/readyz", readyz},
    {get, "/metrics", metrics},
    {get, "/openapi.yaml", openapi},
});

constexpr std::size_t segments_max = 4;

/// A path cut at its slashes. More segments than any pattern has are no path of ours.
struct Segments {
  std::array<std::string_view, segments_max> text;
  std::size_t count = 0;
  bool too_many = false;

  static constexpr Segments of(std::string_view path) {
    Segments segments;
    if (path.empty() || path.front() != '/') segments.too_many = true;
    while (!path.empty() && !segments.too_many) {
      path.remove_prefix(1);
      const std::string_view segment = path.substr(0, path.find('/'));
      if (segments.count == segments_max) {
        segments.too_many = true;
      } else {
        segments.text[segments.count++] = segment;
      }
      path.remove_prefix(segment.size());
    }
    return segments;
  }
};

constexpr auto patterns = [] {
  std::array<Segments, table.size()> result;
  std::transform(table.begin(), table.end(), result.begin(),
                 [](const Route& route) { return Segments::of(route.pattern); });
  return result;
}();
static_assert(std::none_of(patterns.begin(), patterns.end(), [](const Segments& s) { return s.too_many; }));

constexpr bool is_parameter(std::string_view segment) { return segment.starts_with('{'); }

bool matches(const Segments& pattern, const Segments& path) {
  if (pattern.count != path.count) return false;
  for (std::size_t i = 0; i < path.count; ++i)
    if (is_parameter(pattern.text[i]) ? path.text[i].empty() : pattern.text[i] != path.text[i]) return false;
  return true;
}

std::string_view parameter_of(const Segments& pattern, const Segments& path) {
  for (std::size_t i = 0; i < path.count; ++i)
    if (is_parameter(pattern.text[i])) return path.text[i];
  return {};
}

/// False: an escape that is none.
bool decode(Segments& segments, std::size_t path_size, std::string& decoded) {
  decoded.clear();
  decoded.reserve(path_size);  // so that views into it stay valid
  for (std::size_t i = 0; i < segments.count; ++i) {
    const std::size_t begin = decoded.size();
    if (!percent_decode(segments.text[i], Plus::is_plus, decoded)) return false;
    segments.text[i] = std::string_view(decoded).substr(begin);
  }
  return true;
}

}  // namespace

std::span<const Route> routes() { return table; }

std::string_view name_of(net::Method method) {
  switch (method) {
    case get:
      return "GET";
    case head:
      return "HEAD";
    case post:
      return "POST";
    case put:
      return "PUT";
    case patch:
      return "PATCH";
    case del:
      return "DELETE";
    case options:
      return "OPTIONS";
    case other:
      break;
  }
  return "other";
}

Destination find_route(net::Method method, std::string_view path, std::string& decoded) {
  Destination destination;
  Segments segments = Segments::of(path);
  if (segments.too_many) return destination;
  if (path.find('%') != path.npos && !decode(segments, path.size(), decoded)) return destination;
  if (method == head) method = get;
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (!matches(patterns[i], segments)) continue;
    destination.path_known = true;
    if (table[i].method != method) continue;
    destination.route = i;
    destination.parameter = parameter_of(patterns[i], segments);
    break;
  }
  return destination;
}

std::string allowed_methods(std::string_view path) {
  std::string allowed;
  std::string decoded;
  for (const net::Method method : {get, head, post, put, patch, del}) {
    if (!find_route(method, path, decoded).route) continue;
    if (!allowed.empty()) allowed.append(", ");
    allowed.append(name_of(method));
  }
  allowed.append(allowed.empty() ? "OPTIONS" : ", OPTIONS");
  return allowed;
}

}  // namespace firstcome::api
