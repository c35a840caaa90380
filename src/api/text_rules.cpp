#include "api/text_rules.hpp"

#include "api/currencies.hpp"
#include "net/rfc3339.hpp"
#include "net/utf8.hpp"

#include <firstcome/limits.hpp>

#include <algorithm>

namespace firstcome::api {

namespace {

bool is_control(char c) {
  const auto code = static_cast<unsigned char>(c);
  return code < 0x20 || code == 0x7F;
}

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_letter_or_digit(char c) { return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z'); }

bool starts_a_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

bool plain(std::string_view text, std::size_t bytes) {
  return text.size() <= bytes && std::ranges::none_of(text, is_control);
}

}  // namespace

bool fits_sale_id(std::string_view text) {
  return !text.empty() && text.size() <= limits::sale_id_bytes && is_lower_or_digit(text.front()) &&
         std::ranges::all_of(text, [](char c) { return c == '-' || is_lower_or_digit(c); });
}

bool fits_sale_name(std::string_view text) {
  return !text.empty() &&
         std::ranges::count_if(text, starts_a_character) <= std::ptrdiff_t{limits::sale_name_characters} &&
         std::ranges::none_of(text, is_control);
}

bool fits_customer(std::string_view text) { return !text.empty() && plain(text, limits::customer_bytes); }

bool fits_reference(std::string_view text) { return plain(text, limits::reference_bytes); }

bool fits_payment_id(std::string_view text) { return !text.empty() && plain(text, limits::payment_id_bytes); }

bool fits_currency(std::string_view text) { return is_currency(text); }

bool fits_lock_name(std::string_view text) {
  return !text.empty() && plain(text, limits::lock_name_bytes) && text.find_first_of("{}") == text.npos &&
         net::is_utf8(text);
}

bool fits_lease(std::string_view text) {
  return text.size() >= limits::lock_lease_id_least && text.size() <= limits::lock_lease_id_most &&
         std::ranges::all_of(text, [](char c) { return is_letter_or_digit(c) || c == '-' || c == '_' || c == '.'; });
}

bool fits_reservation_id(std::string_view text) {
  return text.size() >= 16 && text.size() <= 64 &&
         std::ranges::all_of(text, [](char c) { return is_letter_or_digit(c) || c == '-' || c == '_'; });
}

bool fits_instant(std::string_view text) { return net::parse_rfc3339(text).has_value(); }

}  // namespace firstcome::api
