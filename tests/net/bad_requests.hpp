// Requests that must be refused, and why. Many are known ways to make two readers of one stream disagree on where a
// request ends. None may reach a handler, whatever follows it on the connection.
#pragma once

#include "net/request_parser.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace firstcome::net::testing {

struct BadRequestCase {
  std::string bytes;
  BadRequest why = BadRequest::malformed;
};

/// The limits that the cases are made for.
inline constexpr RequestLimits bad_request_limits{.header_bytes = 1024, .target_bytes = 200, .body_bytes = 1000};

/// For messages: control characters as \xNN.
std::string shown(std::string_view bytes);

std::vector<BadRequestCase> bad_requests();

}  // namespace firstcome::net::testing
