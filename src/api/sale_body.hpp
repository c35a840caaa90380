// Reads the terms of a sale and what is to be changed of one.
#pragma once

#include "api/json_members.hpp"

#include <firstcome/command.hpp>
#include <firstcome/sale.hpp>

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::api {

/// The members of a sale's body; see openapi.yaml.
std::span<const MemberRule> sale_rules();

/// The terms, with the defaults of their kind. `members` was read with `sale_rules()`.
std::expected<SaleTerms, BadInput> read_sale(const JsonMembers& members);

/// The members that a PATCH may change.
std::span<const MemberRule> patch_rules();

/// What is to be changed; `sale` is left empty. `members` was read with `patch_rules()`.
std::expected<PatchSale, BadInput> read_patch(const JsonMembers& members);

/// Reads a JSON array of sale bodies, as `firstcome serve --sales FILE` takes it. The error names what is wrong where,
/// in one line: "sale 2: stock must be ...".
std::expected<std::vector<SaleTerms>, std::string> sales_from_json(std::string_view text);

}  // namespace firstcome::api
