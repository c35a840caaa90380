#include "api/contract.hpp"

#include "api/openapi.hpp"

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

namespace firstcome::api::testing {

const YAML::Node& contract() {
  static const YAML::Node node = YAML::Load(std::string(openapi_yaml()));
  return node;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

/// Follows `$ref: "#/a/b"`.
YAML::Node resolve(YAML::Node node) {
  while (node.IsMap() && node["$ref"]) {
    const std::string reference = node["$ref"].as<std::string>();
    YAML::Node at;
    at.reset(contract());
    std::size_t begin = 2;
    while (begin < reference.size()) {
      const std::size_t end = std::min(reference.find('/', begin), reference.size());
      const YAML::Node next = std::as_const(at)[reference.substr(begin, end - begin)];
      EXPECT_TRUE(next.IsDefined()) << reference;
      at.reset(next);
      begin = end + 1;
    }
    node.reset(at);
  }
  return node;
}

namespace {

bool is_of_type(const json::value& value, const std::string& type) {
  if (type == "null") return value.is_null();
  if (type == "string") return value.is_string();
  if (type == "integer") return value.is_int64() || value.is_uint64();
  if (type == "boolean") return value.is_bool();
  if (type == "array") return value.is_array();
  return type == "object" && value.is_object();
}

/// What is wrong with a value, by the part of JSON Schema that the contract uses; empty: nothing.
std::string mismatch(const json::value& value, YAML::Node schema, const std::string& where);

std::string object_mismatch(const json::object& object, const YAML::Node& schema, const std::string& where) {
  for (const auto& member : schema["required"])
    if (!object.contains(member.as<std::string>())) return where + " has no " + member.as<std::string>();
  for (const auto& [name, value] : object) {
    const YAML::Node property = schema["properties"][std::string(name)];
    if (!property) {
      if (schema["additionalProperties"]) return where + " has an undocumented " + std::string(name);
      continue;
    }
    const std::string wrong = mismatch(value, property, where + "." + std::string(name));
    if (!wrong.empty()) return wrong;
  }
  return "";
}

std::string mismatch(const json::value& value, YAML::Node schema, const std::string& where) {
  schema.reset(resolve(schema));
  if (schema["oneOf"]) {
    for (const auto& one : schema["oneOf"])
      if (mismatch(value, one, where).empty()) return "";
    return where + " is none of oneOf";
  }
  std::vector<std::string> types;
  if (schema["type"].IsSequence()) {
    types = schema["type"].as<std::vector<std::string>>();
  } else {
    types = {schema["type"].as<std::string>()};
  }
  if (std::ranges::none_of(types, [&](const std::string& type) { return is_of_type(value, type); }))
    return where + " is not a " + types.front() + ": " + json::serialize(value);
  if (schema["enum"]) {
    const std::string text = value.is_null() ? "null" : std::string(value.as_string());
    const auto allowed = schema["enum"].as<std::vector<std::string>>();
    if (std::ranges::find(allowed, text) == allowed.end()) return where + " is not in the enum: " + text;
  }
  if (value.is_object()) return object_mismatch(value.as_object(), schema, where);
  if (!value.is_array()) return "";
  for (const auto& item : value.as_array())
    if (std::string wrong = mismatch(item, schema["items"], where + "[]"); !wrong.empty()) return wrong;
  return "";
}

/// The fields that only some answers may have.
std::string undocumented_field(const YAML::Node& response, const Reply& reply) {
  const YAML::Node headers = response["headers"];
  for (const char* name : {"Location", "Retry-After", "Idempotent-Replayed", "ETag"}) {
    if (!reply.field(lower(name)).empty() && !(headers && headers[name])) return std::string("an undocumented ") + name;
  }
  for (const char* name : {"Location", "ETag"}) {
    if (headers && headers[name] && reply.field(lower(name)).empty()) return std::string("no ") + name;
  }
  return "";
}

}  // namespace

std::string broken_promise(const std::string& method, const std::string& pattern, const Reply& reply) {
  const YAML::Node operation = contract()["paths"][pattern][lower(method)];
  if (!operation) return "the operation is not documented";
  YAML::Node response = operation["responses"][std::to_string(reply.status)];
  if (!response) return "status " + std::to_string(reply.status) + " is not documented";
  response.reset(resolve(response));
  if (std::string wrong = undocumented_field(response, reply); !wrong.empty()) return wrong;
  if (!response["content"]) return reply.text.empty() ? "" : "an undocumented body";
  const std::string type = reply.field("content-type").substr(0, reply.field("content-type").find(';'));
  const YAML::Node content = response["content"][type];
  if (!content) return "the type " + type + " is not documented";
  return type.find("json") == type.npos ? "" : mismatch(reply.body, content["schema"], "body");
}

}  // namespace firstcome::api::testing
