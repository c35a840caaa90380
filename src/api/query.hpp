// The part of a request's target that is percent-encoded: path segments, and the query's parameters.
#pragma once

#include "api/json_members.hpp"

#include <firstcome/limits.hpp>
#include <firstcome/types.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::api {

/// Appends `text` with its %XX decoded. Nothing is changed and false returned where an escape is not one.
enum class Plus : std::uint8_t { is_plus, is_space };
bool percent_decode(std::string_view text, Plus plus, std::string& out);

/// The parameters that some route understands, as bits.
enum QueryParameter : std::uint8_t {
  no_parameters = 0,
  after_text = 1,    ///< a cursor
  after_number = 2,  ///< a cursor that is a number
  page_limit = 4,
  customer_filter = 8,
  deep_audit = 16,
  sale_filter = 32,
};

struct Query {
  std::string after;
  std::uint64_t after_as_number = 0;
  std::uint32_t limit = limits::page_default;
  std::optional<std::string> customer;
  std::string sale;  ///< empty: any
  bool deep = false;

  std::string name;  ///< the parameter being read; a BadInput views it
};

/// Reads a query. `+` is a space, as forms and URLSearchParams write it. Parameters that are not `allowed` are refused,
/// and so are those that come twice. A BadInput's views are valid as long as `query`.
std::optional<BadInput> read_query(std::string_view text, unsigned allowed, Query& query);

}  // namespace firstcome::api
