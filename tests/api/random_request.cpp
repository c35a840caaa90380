#include "api/random_request.hpp"

#include "api/contract.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

namespace firstcome::api::testing {

namespace {

constexpr std::size_t reservations_kept = 300;

constexpr auto sales = std::to_array<std::string_view>({"s0", "s1", "s2", "s3", "s4", "s5"});
constexpr auto locks = std::to_array<std::string_view>({"l0", "l1", "%EC%9D%B4", "a%20b"});

// What stands in a path where an id or a name is wanted.
constexpr auto odd_parts = std::to_array<std::string_view>(
    {"S0", "-", "s%2F0", "%ff", "%00", "%0a", "%7f", "%ED%A0%80", "a%7Bb%7D", "0", "..", "~",
     "AAAAAAAAAAEAAAAAAAAAAe0tB8x8yCnv7XbqVw", "________________________________________"});

constexpr auto numbers_at_the_edges = std::to_array<std::string_view>(
    {"0", "1", "2", "-1", "1000", "1001", "4294967295", "4294967296", "9223372036854775807", "9223372036854775808",
     "18446744073709551615", "18446744073709551616", "99999999999999999999999", "", "x", "1.0", "1e3", "+1", "0x1"});

constexpr auto other_values = std::to_array<std::string_view>(
    {"null", "true", "false", "0", "-1", "1.5", "1e400", "-0", "9223372036854775807", "9223372036854775808",
     "-9223372036854775808", "18446744073709551615", "123456789012345678901234567890", "\"\"", "\"x\"", "[]", "{}",
     "[[[]]]", R"({"a":{"b":[1]}})"});

constexpr auto instants = std::to_array<std::string_view>(
    {"0000-01-01T00:00:00.000Z", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2026-11-26T00:00:00Z",
     "2026-11-27T00:00:01Z", "2026-11-27T00:10:00Z", "2026-11-28T00:00:00.5Z", "2026-12-05T00:00:00+09:00",
     "2262-04-11T23:47:16.854Z", "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999-00:01", "2026-02-30T00:00:00Z",
     "2026-11-27T24:00:00Z", "2026-11-27", "10000-01-01T00:00:00Z"});

constexpr auto leases = std::to_array<std::string_view>(
    {"lease-0123456789", "lease-abcdefghij", "a234567890123456789012345678901234567890123456789012345678901234",
     "a2345678901234567890123456789012345678901234567890123456789012345", "too-short", "with a blank in it"});

constexpr auto customers = std::to_array<std::string_view>({"ann", "bob", "cyd", "이순신", "a b", "\\u0061nn"});
constexpr auto pieces = std::to_array<std::string_view>(
    {"a", "이", "\\u00e9", "\\ud83d\\ude00", "\\\"", "\\\\", "\\u0000", "\\n", "\\ud800", "'", "%", "\\u007f"});

constexpr auto keys = std::to_array<std::string_view>({"k0", "k1", "\"k0\"", "\"k 1\"", "k,1", "\"", "", "\"\\\"\""});

std::string repeated(std::string_view piece, std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += piece;
  return all;
}

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    result += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return result;
}

}  // namespace

std::span<const std::string_view> random_sales() { return sales; }
std::span<const std::string_view> random_locks() { return locks; }

RequestMaker::RequestMaker(std::uint64_t seed) : random_(seed) {
  for (const auto& path : contract()["paths"]) {
    for (const auto& operation : path.second) {
      const auto method = operation.first.as<std::string>();
      if (method == "parameters") continue;
      // What makes something happen is asked for more often.
      const bool reserves = operation.second["operationId"].as<std::string>() == "reserve";
      const int weight = reserves ? 12 : method == "get" ? 1 : method == "delete" ? 1 : 3;
      for (int i = 0; i < weight; ++i) operations_.push_back({method, path.first.as<std::string>(), operation.second});
    }
  }
}

void RequestMaker::learn(const std::string& reservation) {
  reservations_.push_back(reservation);
  if (reservations_.size() > reservations_kept) reservations_.pop_front();
}

RandomRequest RequestMaker::next() {
  const Operation& operation = operations_[below(operations_.size())];
  RandomRequest request;
  request.pattern = request.target = operation.pattern;
  for (const char c : operation.method) request.method += static_cast<char>(c - 'a' + 'A');
  if (const std::size_t brace = request.target.find('{'); brace != std::string::npos)
    request.target.replace(brace, request.target.find('}') - brace + 1, path_part(operation));
  request.target += query(operation);
  if (operation.node["requestBody"]) {
    const YAML::Node body = resolve(operation.node["requestBody"]);
    const YAML::Node schema = resolve(body["content"]["application/json"]["schema"]);
    const bool needed = body["required"] && body["required"].as<bool>();
    if (needed ? !chance(0.01) : chance(0.7)) request.body = chance(0.98) ? object(schema) : value(schema, "");
  }
  if (operation.node["operationId"].as<std::string>() == "reserve" && chance(0.4)) {
    std::string key = one_of(keys);
    if (chance(0.1)) key = repeated("k", 255 + below(2));
    request.fields.push_back("Idempotency-Key: " + key);
  }
  if (operation.method == "patch" && chance(0.3)) {
    const std::array<std::string, 5> tags{tag_, tag_, "*", "W/" + tag_, "x, \"y\" ,"};
    request.fields.push_back("If-Match: " + one_of(tags));
  }
  return request;
}

std::string RequestMaker::path_part(const Operation& operation) {
  if (chance(0.04)) return one_of(odd_parts);
  if (operation.pattern.starts_with("/v1/locks/")) {
    if (chance(0.1)) return repeated("n", 511 + below(3));
    return one_of(locks);
  }
  if (operation.pattern.starts_with("/v1/sales/")) {
    if (chance(0.02)) return repeated("s", 63 + below(3));
    return one_of(sales);
  }
  if (reservations_.empty()) return one_of(odd_parts);
  std::string id = reservations_[below(reservations_.size())];
  if (chance(0.03)) id[below(id.size())] = 'A';
  return id;
}

std::string RequestMaker::query(const Operation& operation) {
  std::string query;
  const auto add = [&](const std::string& name, const std::string& value) {
    query += (query.empty() ? "?" : "&") + name + "=" + value;
  };
  for (const auto& given : operation.node["parameters"]) {
    const YAML::Node parameter = resolve(given);
    if (parameter["in"].as<std::string>() != "query" || chance(0.5)) continue;
    const auto name = parameter["name"].as<std::string>();
    std::string value = one_of(numbers_at_the_edges);
    if (name == "customer") value = chance(0.8) ? escaped(one_of(customers)) : repeated("%EC%9D%B4", 42 + below(2));
    if (name == "sale") value = one_of(sales);
    if (name == "deep") value = chance(0.9) ? (chance(0.5) ? "true" : "false") : "1";
    if (name == "limit" && chance(0.6)) value = "3";
    if (chance(0.05)) value = one_of(odd_parts);
    add(name, value);
    if (chance(0.02)) add(name, value);
  }
  if (chance(0.02)) add(chance(0.5) ? "unknown" : "%ff", "1");
  return query;
}

std::string RequestMaker::object(const YAML::Node& schema) {
  std::string text = "{";
  const auto add = [&](const std::string& name, const std::string& value) {
    text += (text.size() > 1 ? ",\"" : "\"") + name + "\":" + value;
  };
  std::vector<std::string> required;
  if (schema["required"]) required = schema["required"].as<std::vector<std::string>>();
  for (const auto& property : schema["properties"]) {
    const auto name = property.first.as<std::string>();
    const bool needed = std::ranges::find(required, name) != required.end();
    if (!chance(needed ? 0.98 : 0.25)) continue;
    add(name, value(property.second, name));
    if (chance(0.003)) add(name, value(property.second, name));
  }
  if (chance(0.01)) add("unknown", value(schema, ""));
  return text + "}";
}

std::string RequestMaker::value(YAML::Node schema, const std::string& name) {
  if (chance(0.02)) return one_of(other_values);
  schema.reset(resolve(schema));
  while (schema["oneOf"]) schema.reset(resolve(schema["oneOf"][below(schema["oneOf"].size())]));
  std::string type = "object";
  if (schema["type"]) {
    type = schema["type"].IsSequence() ? schema["type"][below(schema["type"].size())].as<std::string>()
                                       : schema["type"].as<std::string>();
  }
  if (type == "integer") return integer(schema, name);
  if (type == "string") return "\"" + text(schema, name) + "\"";
  if (type == "boolean") return chance(0.5) ? "true" : "false";
  if (type == "object") return object(schema);
  return "null";
}

std::string RequestMaker::integer(const YAML::Node& schema, const std::string& name) {
  const auto bound = [&](const char* which, std::int64_t otherwise) {
    return schema[which] ? schema[which].as<std::int64_t>() : otherwise;
  };
  const std::int64_t least = bound("minimum", 0);
  const std::int64_t most = bound("maximum", std::numeric_limits<std::int64_t>::max());
  // A request that waits would wait for ever: the clock stands still.
  if (name == "wait_ms") return chance(0.9) ? "0" : chance(0.5) ? "-1" : std::to_string(most + 1);
  if (chance(0.8)) {
    constexpr std::array<std::int64_t, 6> usual{0, 1, 2, 5, 20, 1'000};
    return std::to_string(std::clamp(usual[below(usual.size())], least, most));
  }
  switch (below(4)) {
    case 0:
      return std::to_string(least);
    case 1:
      return std::to_string(most);
    case 2:
      return std::to_string(least - 1);
    default:
      return most == std::numeric_limits<std::int64_t>::max() ? "9223372036854775808" : std::to_string(most + 1);
  }
}

std::string RequestMaker::text(const YAML::Node& schema, const std::string& name) {
  if (schema["const"] && chance(0.9)) return schema["const"].as<std::string>();
  if (schema["enum"] && chance(0.95)) return schema["enum"][below(schema["enum"].size())].as<std::string>();
  if (schema["format"]) return one_of(instants);
  if (name == "id") return chance(0.95) ? one_of(sales) : repeated("s", 63 + below(3));
  if (name == "lease") return one_of(leases);
  if (name == "currency") return chance(0.9) ? "EUR" : "ZZZ";
  if (name == "customer" && chance(0.9)) return one_of(customers);
  if (chance(0.7)) return "x";
  const std::size_t most = schema["maxLength"] ? schema["maxLength"].as<std::size_t>() : 64;
  const std::array<std::size_t, 5> lengths{0, 1, most - 1, most, most + 1};
  return repeated(one_of(pieces), lengths[below(lengths.size())]);
}

}  // namespace firstcome::api::testing
