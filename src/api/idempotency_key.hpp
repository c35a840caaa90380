// Reads the Idempotency-Key field of a request.
#pragma once

#include "net/http_server.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace firstcome::api {

/// The key: a structured-field string in double quotes (where `\"` and `\\` stand for one character each) or a bare
/// token, of 1 to 255 visible ASCII characters; the same characters are the same key either way. Empty: the request has
/// none. Nothing: it is none of that, or came more than once.
///
/// `decoded` holds the key where it has escapes, and must outlive the view that is returned.
std::optional<std::string_view> read_idempotency_key(const net::HttpRequest& request, std::string& decoded);

}  // namespace firstcome::api
