// The contract, openapi.yaml, as the program carries it.
#pragma once

#include <string_view>

namespace firstcome::api {

/// The whole text. Generated from openapi.yaml when the program is built (cmake/Embed.cmake).
std::string_view openapi_yaml();

}  // namespace firstcome::api
