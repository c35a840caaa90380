// The currencies of ISO 4217.
#pragma once

#include <string_view>

namespace firstcome::api {

/// Returns whether `code` is an alphabetic code that ISO 4217 lists as current. Pure; O(log n).
bool is_currency(std::string_view code);

}  // namespace firstcome::api
