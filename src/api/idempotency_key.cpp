#include "api/idempotency_key.hpp"

#include <firstcome/limits.hpp>

#include <algorithm>

namespace firstcome::api {

namespace {

bool visible(char c) { return c > 0x20 && c < 0x7F; }

/// What ends a bare item or begins another one in a structured field.
bool of_a_token(char c) { return visible(c) && c != '"' && c != ',' && c != ';' && c != '\\'; }

/// The text between the quotes. Nothing where a quote stands alone or something else than a quote is escaped.
std::optional<std::string_view> unescape(std::string_view inner, std::string& decoded) {
  if (inner.find_first_of("\"\\") == inner.npos) return inner;
  decoded.clear();
  for (std::size_t i = 0; i < inner.size(); ++i) {
    if (inner[i] == '"') return std::nullopt;
    if (inner[i] == '\\' && (++i == inner.size() || (inner[i] != '"' && inner[i] != '\\'))) return std::nullopt;
    decoded.push_back(inner[i]);
  }
  return decoded;
}

}  // namespace

std::optional<std::string_view> read_idempotency_key(const net::HttpRequest& request, std::string& decoded) {
  if (request.idempotency_keys == 0) return std::string_view{};
  if (request.idempotency_keys > 1) return std::nullopt;
  const std::string_view field = request.idempotency_key;
  std::optional<std::string_view> key;
  if (field.size() >= 2 && field.front() == '"' && field.back() == '"') {
    key = unescape(field.substr(1, field.size() - 2), decoded);
    if (!key || !std::ranges::all_of(*key, visible)) return std::nullopt;
  } else if (std::ranges::all_of(field, of_a_token)) {
    key = field;
  }
  if (!key || key->empty() || key->size() > limits::idempotency_key_bytes) return std::nullopt;
  return key;
}

}  // namespace firstcome::api
