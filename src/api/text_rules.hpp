// The rules that texts in requests keep, wherever they come from.
//
// Thread safety: all functions are pure. None allocates.
#pragma once

#include <string_view>

namespace firstcome::api {

/// `^[a-z0-9][a-z0-9-]{0,63}$`
bool fits_sale_id(std::string_view text);
/// 1 to 200 characters, none a control character. REQUIRES: valid UTF-8.
bool fits_sale_name(std::string_view text);
/// 1 to 128 bytes, no control characters.
bool fits_customer(std::string_view text);
/// At most 128 bytes, no control characters.
bool fits_reference(std::string_view text);
/// 1 to 128 bytes, no control characters.
bool fits_payment_id(std::string_view text);
/// A current code of ISO 4217, in capital letters.
bool fits_currency(std::string_view text);
/// 1 to 512 bytes of UTF-8 without braces and control characters.
bool fits_lock_name(std::string_view text);
/// 16 to 64 letters, digits, `-`, `_` and `.`.
bool fits_lease(std::string_view text);
/// Has the form of a reservation's id, of whatever store and release: 16 to 64 letters, digits, `-` and `_`.
bool fits_reservation_id(std::string_view text);
/// RFC 3339.
bool fits_instant(std::string_view text);

}  // namespace firstcome::api
