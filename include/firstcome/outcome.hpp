// Every answer the business can give, with its fixed number and whether asking again can change it.
//
// An outcome is an answer, not an error: `sold_out` is what the shop wants to hear. What goes wrong below
// (a full disk, a lost connection) is a Failure and lives beside it.
#pragma once

#include <cstdint>
#include <string>

namespace firstcome {

/// Numbers are fixed for ever: they stand in logs and in stored answers. When several fit, the lower one is given,
/// except that `sale_paused` comes directly after `sale_closed`. The string of each at the HTTP border is its name with
/// `-` for `_`.
enum class Outcome : std::uint8_t {
  done = 0,       ///< the command had its effect (reserve: held or confirmed, 201)
  waiting = 1,    ///< reserve: queued, 202
  unchanged = 2,  ///< it had been done before; the same answer again

  sale_not_found = 10,
  sale_exists = 11,
  reservation_not_found = 12,
  idempotency_key_reused = 13,

  sale_not_open = 20,
  sale_closed = 21,
  limit_exceeded = 22,
  already_open = 23,
  sold_out_holds_pending = 24,
  not_enough = 25,
  sold_out = 26,
  busy = 27,  ///< guarded engines: others have the guard
  sale_paused = 28,

  not_held = 40,
  hold_expired = 41,
  payment_failed = 42,
  gateway_unavailable = 43,
  request_in_progress = 44,
  payment_in_progress = 45,
  already_confirmed = 46,
  paid_unfulfilled = 47,
  not_client_payment = 48,
  not_confirmed = 49,
  not_extendable = 50,
  not_transferable = 51,
  not_fulfillable = 52,
  reservation_changed = 53,  ///< it has not the quantity that the change was meant for

  stock_in_use = 60,
  sale_active = 61,
  audit_running = 62,
  sale_changed = 63,         ///< the terms are not those that the change was meant for
  not_scheduled = 64,        ///< a term that may change only until the sale opens
  contradicting_terms = 65,  ///< the sale would close before it opens
  stock_too_large = 66,      ///< above limits::stock

  locked = 80,      ///< somebody else holds the lock, or others wait before
  lease_lost = 81,  ///< that lease does not hold the lock, or no longer
};

/// Whether the same request, sent again later, may be answered otherwise.
enum class Retry : std::uint8_t { useless, may_help };

constexpr Retry retry_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::sale_not_open:
    case Outcome::already_open:
    case Outcome::sold_out_holds_pending:
    case Outcome::not_enough:
    case Outcome::busy:
    case Outcome::sale_paused:
    case Outcome::gateway_unavailable:
    case Outcome::request_in_progress:
    case Outcome::payment_in_progress:
    case Outcome::sale_active:
    case Outcome::audit_running:
    case Outcome::locked:
      return Retry::may_help;
    default:
      return Retry::useless;
  }
}

/// Refusals that answer the same key again with the same words, from a bounded memory.
constexpr bool is_final_refusal(Outcome outcome) {
  return outcome == Outcome::sold_out || outcome == Outcome::sale_closed || outcome == Outcome::limit_exceeded;
}

/// Why no outcome can be given. Nothing was decided, except with `outcome_unknown`, where nobody knows.
enum class FailureCode : std::uint8_t {
  overloaded,         ///< the bounded queue is full; nothing was decided
  store_unavailable,  ///< the store refuses writes; nothing was decided
  store_lost,         ///< the store is not the one that was served before
  outbox_full,        ///< nobody delivers the events; nothing was decided
  outcome_unknown,    ///< the commit may or may not have happened: ask again with the same key
  not_supported,      ///< this engine cannot do that
  stopping,           ///< the server drains; nothing was decided
};

struct Failure {
  FailureCode code = FailureCode::store_unavailable;
  std::string detail;  ///< for the log and the operator, of not_supported also for who asked; never needed to act
};

}  // namespace firstcome
