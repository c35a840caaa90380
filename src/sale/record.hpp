// What must be stored of a sale and of a reservation so that the ledger can be built again.
//
// Plain values between the ledger and whoever stores them (SQLite rows, the fields of a Redis hash).
#pragma once

#include <firstcome/command.hpp>
#include <firstcome/sale.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace firstcome::sale {

/// Money that we charged and owe back.
enum class Refund : std::uint8_t { none = 0, due = 1, done = 2 };

/// The terms that may change until the sale opens.
struct OpeningTerms {
  std::optional<Instant> opens_at;
  std::optional<Units> limit_per_customer;
  std::optional<std::uint32_t> max_open;

  bool operator==(const OpeningTerms&) const = default;
};

inline OpeningTerms opening_terms(const SaleTerms& terms) {
  return {.opens_at = terms.opens_at, .limit_per_customer = terms.limit_per_customer, .max_open = terms.max_open};
}

inline void set_opening_terms(SaleTerms& terms, const OpeningTerms& opening) {
  terms.opens_at = opening.opens_at;
  terms.limit_per_customer = opening.limit_per_customer;
  terms.max_open = opening.max_open;
}

/// The opening terms after a change.
inline OpeningTerms opening_terms(const SaleTerms& terms, const PatchSale& change) {
  return {.opens_at = change.opens_at.value_or(terms.opens_at),
          .limit_per_customer = change.limit_per_customer.value_or(terms.limit_per_customer),
          .max_open = change.max_open.value_or(terms.max_open)};
}

/// One row per sale.
struct SaleRecord {
  SaleHandle handle{};
  SaleTerms terms;
  Instant created_at;
  bool closed = false;   ///< said, or by time and noticed
  Instant closed_at{};   ///< where closed
  bool settled = false;  ///< closed, nothing is held, no charge runs, nothing is to be paid back; for good
  bool paused = false;
  Units available = 0;
  Units held = 0;
  Units sold = 0;
  std::uint64_t last_number = 0;    ///< the last that was given
  std::uint64_t serving = 0;        ///< the last granted or passed over
  std::uint64_t sold_out_upto = 0;  ///< queued reservations at or below it are refused: sold-out
  std::uint64_t closed_upto = 0;    ///< ... and above `sold_out_upto`, at or below this: sale-closed
  std::uint64_t last_tick = 0;      ///< k of the last tick made
  std::uint64_t events = 0;         ///< sale_sequence of the last event
  std::uint64_t revision = 0;       ///< changes by PatchSale so far
  // As created, where it was changed since: the same CreateSale again is recognised by them.
  std::optional<Units> stock_as_created;
  std::optional<std::optional<Instant>> closes_at_as_created;
  std::optional<OpeningTerms> opening_as_created;
};

/// One row per reservation.
struct ReservationRecord {
  ReservationRef ref;
  std::string customer;
  Units quantity = 1;  ///< that it has
  Units returned = 0;  ///< that were given back while it kept others
  bool extended = false;
  ReservationState state = ReservationState::queued;  ///< as stored; `refused_upto` may overrule `queued`
  Reason reason = Reason::none;
  Refund refund = Refund::none;
  Instant created_at;
  Instant expires_at{};        ///< epoch: never held
  Instant claimed_at{};        ///< epoch: no charge is running
  std::uint64_t position = 0;  ///< as at joining; 0: did not wait
  std::uint64_t previous = 0;  ///< the same customer's previous number in this sale; 0: none
  KeyHash key;
  std::string reference;
  std::string payment_id;
  std::string account_number;
};

/// One row of the outbox. What is fixed of a reservation stands in its own row and is joined when read.
struct EventRecord {
  SaleHandle sale{};
  std::uint64_t sale_sequence = 0;
  EventType type{};
  Number number{};
  Instant at;
  std::optional<Units> value;
};

}  // namespace firstcome::sale
