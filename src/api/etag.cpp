#include "api/etag.hpp"

#include "api/views_json.hpp"
#include "engine/reservation_id.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace firstcome::api {

std::string etag_of(const SaleView& sale) {
  std::string terms;
  net::JsonWriter json(terms);
  json.begin_object();
  write_terms(json, sale.terms);
  json.end_object();
  const KeyHash hash = engine::hash_key(terms, std::to_string(value(sale.handle)), std::to_string(sale.revision));
  return fmt::format("\"{:016x}{:016x}\"", hash.high, hash.low);
}

bool if_match_allows(std::string_view if_match, std::string_view etag) {
  constexpr std::string_view between = " \t,";
  if (if_match == "*") return true;
  // A tag may hold commas, so each ends with its second quote.
  for (;;) {
    if_match.remove_prefix(std::min(if_match.find_first_not_of(between), if_match.size()));
    const std::size_t quote = std::min(if_match.find('"'), if_match.size());
    const std::size_t end = if_match.find('"', quote + 1);
    if (end == std::string_view::npos) return false;
    if (if_match.substr(0, end + 1) == etag) return true;
    if_match.remove_prefix(end + 1);
  }
}

}  // namespace firstcome::api
