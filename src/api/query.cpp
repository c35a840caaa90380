#include "api/query.hpp"

#include "api/text_rules.hpp"
#include "net/utf8.hpp"

#include <algorithm>
#include <charconv>

namespace firstcome::api {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

template <class Integer>
bool read_integer(std::string_view text, Integer& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

BadInput bad(const Query& query, std::string_view detail) { return {Code::invalid_field, query.name, detail}; }

std::optional<BadInput> take_after(std::string_view value, unsigned allowed, Query& query) {
  query.after = value;
  if ((allowed & after_number) != 0 && !read_integer(value, query.after_as_number))
    return bad(query, "after must be a cursor that a list gave as its 'next'.");
  return std::nullopt;
}

std::optional<BadInput> take(std::string_view value, unsigned allowed, unsigned& seen, Query& query) {
  const std::string_view name = query.name;
  const auto is = [&](std::string_view wanted, unsigned bits) { return name == wanted && (allowed & bits) != 0; };
  const auto again = [&](unsigned bits) {
    const bool before = (seen & bits) != 0;
    seen |= bits;
    return before;
  };
  if (is("after", after_text | after_number)) {
    if (again(after_text)) return bad(query, "after must come once.");
    return take_after(value, allowed, query);
  }
  if (is("limit", page_limit)) {
    if (again(page_limit)) return bad(query, "limit must come once.");
    if (read_integer(value, query.limit) && query.limit >= 1 && query.limit <= limits::page_max) return std::nullopt;
    return bad(query, "limit must be an integer from 1 to 1000.");
  }
  if (is("customer", customer_filter)) {
    if (again(customer_filter)) return bad(query, "customer must come once.");
    query.customer = value;
    if (fits_customer(value)) return std::nullopt;
    return bad(query, "customer must be 1 to 128 bytes without control characters.");
  }
  if (is("sale", sale_filter)) {
    if (again(sale_filter)) return bad(query, "sale must come once.");
    query.sale = value;
    if (fits_sale_id(value)) return std::nullopt;
    return bad(query, "sale must be a sale's id.");
  }
  if (is("deep", deep_audit)) {
    if (again(deep_audit)) return bad(query, "deep must come once.");
    query.deep = value == "true";
    if (query.deep || value == "false") return std::nullopt;
    return bad(query, "deep must be true or false.");
  }
  return bad(query, "There is no such parameter here; is it a typing mistake?");
}

}  // namespace

bool percent_decode(std::string_view text, Plus plus, std::string& out) {
  const std::size_t before = out.size();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus == Plus::is_space) {
      out.push_back(' ');
    } else if (text[i] != '%') {
      out.push_back(text[i]);
    } else {
      const int high = text.size() - i > 2 ? hex_digit(text[i + 1]) : -1;
      const int low = text.size() - i > 2 ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        out.resize(before);
        return false;
      }
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  return true;
}

std::optional<BadInput> read_query(std::string_view text, unsigned allowed, Query& query) {
  query = Query{};
  unsigned seen = 0;
  std::string value;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    query.name.clear();
    value.clear();
    if (!percent_decode(pair.substr(0, equals), Plus::is_space, query.name) ||
        !percent_decode(pair.substr(std::min(pair.size(), equals + 1)), Plus::is_space, value)) {
      query.name = pair.substr(0, equals);
      return bad(query, "The query has a percent sign that is not followed by two hexadecimal digits.");
    }
    if (!net::is_utf8(query.name)) {
      query.name = "?";
      return bad(query, "The query has a name that is not UTF-8.");
    }
    if (!net::is_utf8(value)) return bad(query, "The value is not UTF-8.");
    if (auto wrong = take(value, allowed, seen, query)) return wrong;
  }
  return std::nullopt;
}

}  // namespace firstcome::api
