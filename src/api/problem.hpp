// Every "no" that a client can read: one row per code, and the one function that writes them (RFC 9457).
#pragma once

#include "net/http_server.hpp"

#include <firstcome/outcome.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace firstcome::api {

inline constexpr std::string_view problem_type = "application/problem+json";

/// A problem's code; its string is its name with `-` for `_`.
enum class Code : std::uint8_t {
  malformed_request,
  malformed_json,
  invalid_idempotency_key,
  request_timeout,
  body_too_large,
  uri_too_long,
  header_too_large,
  unsupported_media_type,
  not_found,
  method_not_allowed,
  unknown_field,
  invalid_field,

  sale_not_found,
  reservation_not_found,
  order_not_found,
  sale_exists,
  idempotency_key_reused,

  sale_not_open,
  sale_closed,
  sale_paused,
  limit_exceeded,
  already_open,
  sold_out_holds_pending,
  not_enough,
  sold_out,

  not_held,
  hold_expired,
  payment_failed,
  gateway_unavailable,
  request_in_progress,
  payment_in_progress,
  already_confirmed,
  paid_unfulfilled,
  not_client_payment,
  not_confirmed,
  not_extendable,
  not_transferable,
  not_fulfillable,
  reservation_changed,

  stock_in_use,
  sale_changed,
  sale_active,
  audit_running,

  locked,
  lease_lost,

  overloaded,
  store_unavailable,
  store_lost,
  outbox_full,
  outcome_unknown,
  busy,
  not_supported,
  internal,
};

/// What is the same in every answer with a code.
struct ProblemRow {
  Code code;
  std::string_view name;
  unsigned status;
  std::string_view title;
  std::string_view detail;       ///< where the place that refuses has nothing better to say
  unsigned retry_after_seconds;  ///< 0: none, unless the place that refuses gives one
};

/// All rows, in the order of `Code`.
std::span<const ProblemRow> problem_table();
const ProblemRow& row_of(Code code);

/// REQUIRES: the outcome is a refusal.
Code code_of(Outcome outcome);
Code code_of(FailureCode failure);
Code code_of(net::BadRequest why);

/// A member beyond those of RFC 9457.
struct ProblemMember {
  std::string_view name;
  std::variant<std::nullptr_t, std::int64_t, std::string_view> value;
};

/// Appends the body of a problem. An empty `detail` means that of the code's row.
void write_problem(std::string& out, Code code, std::string_view detail, std::span<const ProblemMember> members = {});

/// Whole seconds, rounded up, at least 1: what `Retry-After` says.
std::int64_t retry_after_seconds(std::chrono::milliseconds wait);

}  // namespace firstcome::api
