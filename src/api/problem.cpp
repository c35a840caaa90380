#include "api/problem.hpp"

#include "net/json_writer.hpp"

#include <algorithm>
#include <array>
#include <cassert>

namespace firstcome::api {

namespace {

using enum Code;

constexpr auto rows = std::to_array<ProblemRow>({
    {malformed_request, "malformed-request", 400, "Malformed request", "This is not a valid HTTP request.", 0},
    {malformed_json, "malformed-json", 400, "Malformed JSON", "The body is not the JSON that this resource takes.", 0},
    {invalid_idempotency_key, "invalid-idempotency-key", 400, "Invalid idempotency key",
     "Idempotency-Key must come once, as a quoted string or a bare token of 1 to 255 visible characters.", 0},
    {request_timeout, "request-timeout", 408, "Request timeout",
     "The rest of the request did not arrive in time. The server has stopped waiting for it.", 0},
    {body_too_large, "body-too-large", 413, "Body too large", "The body is larger than this server accepts.", 0},
    {uri_too_long, "uri-too-long", 414, "URI too long", "The request target is longer than this server accepts.", 0},
    {header_too_large, "header-too-large", 431, "Header too large", "The header is larger than this server accepts.",
     0},
    {unsupported_media_type, "unsupported-media-type", 415, "Unsupported media type",
     "A body must be sent with Content-Type: application/json, in UTF-8.", 0},
    {not_found, "not-found", 404, "Not found", "No resource has this path.", 0},
    {method_not_allowed, "method-not-allowed", 405, "Method not allowed",
     "This resource does not have this method. The header Allow lists those that it has.", 0},
    {unknown_field, "unknown-field", 422, "Unknown member", "The body has a member that this resource does not know.",
     0},
    {invalid_field, "invalid-field", 422, "Invalid value", "A value breaks a rule.", 0},

    {sale_not_found, "sale-not-found", 404, "Sale not found", "No sale has this id.", 0},
    {reservation_not_found, "reservation-not-found", 404, "Reservation not found", "No reservation has this id.", 0},
    {order_not_found, "order-not-found", 404, "Order not found", "This reservation has no order.", 0},
    {sale_exists, "sale-exists", 409, "The sale exists with other terms",
     "A sale with this id was created before, with other terms. GET shows them.", 0},
    {idempotency_key_reused, "idempotency-key-reused", 422, "The key was used for another request",
     "This customer used the key in this sale with another quantity or reference.", 0},

    {sale_not_open, "sale-not-open", 409, "The sale is not open yet", "Ask again when it opens.", 1},
    {sale_closed, "sale-closed", 410, "The sale is closed", "It takes no more reservations.", 0},
    {sale_paused, "sale-paused", 409, "The sale is paused", "It takes no reservations at the moment. Ask again.", 5},
    {limit_exceeded, "limit-exceeded", 409, "Limit per customer exceeded",
     "With this reservation the customer would have more units than the sale allows one customer.", 0},
    {already_open, "already-open", 409, "The customer has open reservations already",
     "This customer has as many reservations that wait or are held as the sale allows.", 0},
    {sold_out_holds_pending, "sold-out-holds-pending", 409, "Sold out, but a hold may end",
     "All units are sold or held. A unit that is held comes back if it is not paid. Ask again.", 1},
    {not_enough, "not-enough", 409, "Not enough units", "Fewer units are left than were asked for.", 0},
    {sold_out, "sold-out", 410, "Sold out", "All units are sold.", 0},

    {not_held, "not-held", 409, "The reservation is not held",
     "Only a reservation that is held can be paid, confirmed or cancelled.", 0},
    {hold_expired, "hold-expired", 410, "The hold has expired", "The units are for sale again.", 0},
    {payment_failed, "payment-failed", 402, "The payment failed",
     "The charge was declined. The units are for sale again.", 0},
    {gateway_unavailable, "gateway-unavailable", 503, "The payment gateway is unavailable",
     "Nothing was charged, and the hold stays.", 1},
    {request_in_progress, "request-in-progress", 409, "A payment of this reservation is in progress",
     "Ask again for its outcome.", 1},
    {payment_in_progress, "payment-in-progress", 409, "A payment of this reservation is in progress",
     "The reservation cannot be cancelled, transferred or fulfilled while it is charged or refunded.", 1},
    {already_confirmed, "already-confirmed", 409, "The reservation is confirmed",
     "It was confirmed before. It can only be returned.", 0},
    {paid_unfulfilled, "paid-unfulfilled", 409, "Paid too late",
     "The reservation was paid after its hold had ended, and no unit was left for it.", 0},
    {not_client_payment, "not-client-payment", 409, "This sale charges by itself",
     "In a sale with payment 'auto' the server charges every hold.", 0},
    {not_confirmed, "not-confirmed", 409, "The reservation is not confirmed",
     "Only a confirmed reservation can be returned.", 0},
    {not_extendable, "not-extendable", 409, "The hold cannot be extended",
     "A hold can be extended once, before it has ended, by at most the sale's extend_ms.", 0},
    {not_transferable, "not-transferable", 409, "The reservation cannot be transferred",
     "Only a held or confirmed reservation can be given to another customer, and it must be among the latest 1000 of "
     "both.",
     0},
    {not_fulfillable, "not-fulfillable", 409, "The reservation cannot be fulfilled",
     "Only a reservation that was paid too late, and was not refunded, can get its units afterwards.", 0},
    {reservation_changed, "reservation-changed", 412, "The reservation has changed",
     "Its quantity is not the one that if_quantity names. This request returned nothing.", 0},

    {stock_in_use, "stock-in-use", 409, "The stock is in use",
     "The stock cannot be less than the units that are held and sold.", 0},
    {sale_changed, "sale-changed", 412, "The sale has changed", "If-Match does not name the present terms of the sale.",
     0},
    {sale_active, "sale-active", 409, "The sale is still active",
     "Before it can be deleted, it must be closed, with nothing held, no payment in progress and all its events "
     "delivered.",
     0},
    {audit_running, "audit-running", 429, "An audit is running", "Only one audit runs at a time.", 1},

    {locked, "locked", 409, "The lock is held", "Somebody else holds the lock, or waits for it and came before.", 1},
    {lease_lost, "lease-lost", 409, "The lease does not hold the lock",
     "The lease has ended, was released, or never held this lock.", 0},

    {overloaded, "overloaded", 503, "The server is overloaded",
     "Too many requests wait. Nothing was decided; ask again.", 1},
    {store_unavailable, "store-unavailable", 503, "The store is unavailable",
     "The store takes no writes. Nothing was decided; ask again.", 5},
    {store_lost, "store-lost", 503, "The store is another one",
     "The store is not the one that was served before. "
     "Nothing was decided.",
     5},
    {outbox_full, "outbox-full", 503, "The outbox is full",
     "Events are not delivered, and there is no room for more. Nothing was decided; ask again.", 5},
    {outcome_unknown, "outcome-unknown", 503, "The outcome is unknown",
     "The request may have been carried out. Ask again with the same Idempotency-Key.", 1},
    {busy, "busy", 409, "Busy", "The sale's lock was not free in time. Nothing was decided; ask again.", 1},
    {not_supported, "not-supported", 501, "Not supported", "This server does not support that.", 0},
    {internal, "internal", 500, "Internal error", "", 0},
});

static_assert(rows.size() == static_cast<std::size_t>(internal) + 1);
static_assert(std::ranges::is_sorted(rows, {}, &ProblemRow::code));

}  // namespace

std::span<const ProblemRow> problem_table() { return rows; }

const ProblemRow& row_of(Code code) { return rows[static_cast<std::size_t>(code)]; }

namespace {

struct Refusal {
  Outcome outcome;
  Code code;
};

constexpr auto refusals = std::to_array<Refusal>({
    {Outcome::sale_not_found, Code::sale_not_found},
    {Outcome::sale_exists, Code::sale_exists},
    {Outcome::reservation_not_found, Code::reservation_not_found},
    {Outcome::idempotency_key_reused, Code::idempotency_key_reused},
    {Outcome::sale_not_open, Code::sale_not_open},
    {Outcome::sale_closed, Code::sale_closed},
    {Outcome::sale_paused, Code::sale_paused},
    {Outcome::limit_exceeded, Code::limit_exceeded},
    {Outcome::already_open, Code::already_open},
    {Outcome::sold_out_holds_pending, Code::sold_out_holds_pending},
    {Outcome::not_enough, Code::not_enough},
    {Outcome::sold_out, Code::sold_out},
    {Outcome::busy, Code::busy},
    {Outcome::not_held, Code::not_held},
    {Outcome::hold_expired, Code::hold_expired},
    {Outcome::payment_failed, Code::payment_failed},
    {Outcome::gateway_unavailable, Code::gateway_unavailable},
    {Outcome::request_in_progress, Code::request_in_progress},
    {Outcome::payment_in_progress, Code::payment_in_progress},
    {Outcome::already_confirmed, Code::already_confirmed},
    {Outcome::paid_unfulfilled, Code::paid_unfulfilled},
    {Outcome::not_client_payment, Code::not_client_payment},
    {Outcome::not_confirmed, Code::not_confirmed},
    {Outcome::not_extendable, Code::not_extendable},
    {Outcome::not_transferable, Code::not_transferable},
    {Outcome::not_fulfillable, Code::not_fulfillable},
    {Outcome::reservation_changed, Code::reservation_changed},
    {Outcome::stock_in_use, Code::stock_in_use},
    {Outcome::sale_changed, Code::sale_changed},
    {Outcome::not_scheduled, Code::invalid_field},
    {Outcome::contradicting_terms, Code::invalid_field},
    {Outcome::stock_too_large, Code::invalid_field},
    {Outcome::sale_active, Code::sale_active},
    {Outcome::audit_running, Code::audit_running},
    {Outcome::locked, Code::locked},
    {Outcome::lease_lost, Code::lease_lost},
});

}  // namespace

Code code_of(Outcome outcome) {
  const auto found = std::ranges::find(refusals, outcome, &Refusal::outcome);
  assert(found != refusals.end() && "a yes has no problem code");
  return found == refusals.end() ? Code::internal : found->code;
}

Code code_of(FailureCode failure) {
  switch (failure) {
    case FailureCode::overloaded:
    case FailureCode::stopping:
      return Code::overloaded;
    case FailureCode::store_unavailable:
      return Code::store_unavailable;
    case FailureCode::store_lost:
      return Code::store_lost;
    case FailureCode::outbox_full:
      return Code::outbox_full;
    case FailureCode::outcome_unknown:
      return Code::outcome_unknown;
    case FailureCode::not_supported:
      return Code::not_supported;
  }
  return Code::internal;
}

Code code_of(net::BadRequest why) {
  switch (why) {
    case net::BadRequest::malformed:
      return Code::malformed_request;
    case net::BadRequest::timed_out:
      return Code::request_timeout;
    case net::BadRequest::body_too_large:
      return Code::body_too_large;
    case net::BadRequest::uri_too_long:
      return Code::uri_too_long;
    case net::BadRequest::header_too_large:
      return Code::header_too_large;
    case net::BadRequest::not_implemented:
      return Code::not_supported;
    case net::BadRequest::too_many_connections:
      return Code::overloaded;
  }
  return Code::malformed_request;
}

void write_problem(std::string& out, Code code, std::string_view detail, std::span<const ProblemMember> members) {
  const ProblemRow& row = row_of(code);
  net::JsonWriter json(out);
  json.begin_object();
  out.append("\"type\":\"/problems/").append(row.name).append("\",");
  json.key("title");
  json.string(row.title);
  json.key("status");
  json.unsigned_integer(row.status);
  if (detail.empty()) detail = row.detail;
  if (!detail.empty()) {
    json.key("detail");
    json.string(detail);
  }
  json.key("code");
  json.string(row.name);
  for (const ProblemMember& member : members) {
    json.key(member.name);
    if (const auto* integer = std::get_if<std::int64_t>(&member.value)) {
      json.integer(*integer);
    } else if (const auto* text = std::get_if<std::string_view>(&member.value)) {
      json.string(*text);
    } else {
      json.null();
    }
  }
  json.end_object();
}

std::int64_t retry_after_seconds(std::chrono::milliseconds wait) {
  return std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(wait).count());
}

}  // namespace firstcome::api
