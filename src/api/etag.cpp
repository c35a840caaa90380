#include "api/etag.hpp"

#include "api/views_json.hpp"
#include "engine/reservation_id.hpp"

#include <fmt/format.h>

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
  constexpr std::string_view space = " \t";
  while (!if_match.empty()) {
    std::string_view one = if_match.substr(0, if_match.find(','));
    if_match.remove_prefix(std::min(one.size() + 1, if_match.size()));
    one.remove_prefix(std::min(one.find_first_not_of(space), one.size()));
    one = one.substr(0, one.find_last_not_of(space) + 1);
    if (one == "*" || one == etag) return true;
  }
  return false;
}

}  // namespace firstcome::api
