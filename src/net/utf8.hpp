// Tells whether bytes are text.
#pragma once

#include <cstddef>
#include <string_view>

namespace firstcome::net {

/// Returns the number of bytes of the UTF-8 character (RFC 3629) at the front of `text`, or 0 where there is none.
/// REQUIRES: `text` is not empty.
std::size_t utf8_character(std::string_view text);

/// Returns whether all of `text` is UTF-8. Control characters and NUL are.
bool is_utf8(std::string_view text);

}  // namespace firstcome::net
