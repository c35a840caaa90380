// openapi.yaml, and answers held against it.
#pragma once

#include "api/api_test.hpp"

#include <yaml-cpp/yaml.h>

#include <string>
#include <string_view>

namespace firstcome::api::testing {

/// All of openapi.yaml.
const YAML::Node& contract();

std::string lower(std::string_view text);

/// Follows `$ref: "#/a/b"`.
YAML::Node resolve(YAML::Node node);

/// What an answer says that the contract does not promise of this operation, in one sentence; empty: nothing. `pattern`
/// is the path as the contract has it.
std::string broken_promise(const std::string& method, const std::string& pattern, const Reply& reply);

}  // namespace firstcome::api::testing
