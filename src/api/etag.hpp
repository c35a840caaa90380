// ETags of sales: they name the terms, not the counters, which change with every reservation.
//
// Thread safety: all functions are pure.
#pragma once

#include <firstcome/sale.hpp>

#include <string>
#include <string_view>

namespace firstcome::api {

/// Returns a strong entity tag, quotes included. Two views of sales have the same one exactly where they are of the
/// same sale and no PATCH has changed it between them.
std::string etag_of(const SaleView& sale);

/// Whether a field `If-Match` allows a change of what has this tag: it is `*`, or a list that names the tag. Weak tags
/// (`W/"..."`) name none (RFC 9110, 13.1.1).
bool if_match_allows(std::string_view if_match, std::string_view etag);

}  // namespace firstcome::api
