// What a sale and a reservation are, as users see them. The words are those of the glossary (ARCHITECTURE.md).
//
// Plain values; safe to copy and to use from any thread.
#pragma once

#include <firstcome/types.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace firstcome {

/// Only sets defaults.
enum class SaleKind : std::uint8_t { product, ticket, coupon };

/// Who starts the charge of a hold. `automatic` is written "auto" at every border.
enum class PaymentMode : std::uint8_t { client, automatic };

/// The first that fits, in this order.
enum class SaleState : std::uint8_t { closed, scheduled, paused, sold_out, open };

/// The waiting queue: at most `admit_per_tick` reservations are granted at each tick.
struct QueueTerms {
  std::uint32_t admit_per_tick = 1;
  Milliseconds tick{1000};

  bool operator==(const QueueTerms&) const = default;
};

enum class Standby : std::uint8_t { no, yes };

/// What the shop fixed when it created the sale. Of these `stock` and `closes_at` may change later; `opens_at`,
/// `limit_per_customer` and `max_open` may change until the sale opens.
struct SaleTerms {
  std::string id;    ///< `^[a-z0-9][a-z0-9-]{0,63}$`
  std::string name;  ///< 1-200 characters
  SaleKind kind = SaleKind::product;
  Units stock = 0;
  Money unit_price = 0;
  std::string currency = "KRW";
  std::optional<Units> limit_per_customer;
  std::optional<std::uint32_t> max_open;  ///< a customer's queued + held reservations
  Milliseconds hold{60'000};              ///< 0: confirmed at once, no payment
  std::optional<Instant> opens_at;
  std::optional<Instant> closes_at;
  std::optional<QueueTerms> queue;
  Standby standby = Standby::no;  ///< always yes with `queue`
  PaymentMode payment = PaymentMode::client;
  Milliseconds extend{0};  ///< by how much a hold may be prolonged, once; 0: not at all

  bool operator==(const SaleTerms&) const = default;
};

/// A sale at one instant. `available + held + sold == terms.stock`, always.
struct SaleView {
  SaleHandle handle{};
  SaleTerms terms;
  SaleState state = SaleState::open;
  Units available = 0;
  Units held = 0;
  Units sold = 0;
  std::uint64_t queued = 0;    ///< reservations that wait
  Number serving{};            ///< the last number granted or passed over
  std::uint64_t revision = 0;  ///< rises with every PatchSale that changes something
};

enum class ReservationState : std::uint8_t {
  queued = 1,
  held = 2,
  confirmed = 3,
  cancelled = 4,
  expired = 5,
  refused = 6,           ///< of one that was queued
  paid_unfulfilled = 7,  ///< paid after the hold had gone, and no unit left to give
  returned = 8,          ///< a confirmed one that was given back, all of it
};

/// Why a reservation ended as it did; `none` is shown as null.
enum class Reason : std::uint8_t {
  none = 0,
  payment_failed = 1,  ///< declined while it was charged
  by_customer = 2,
  sold_out = 3,
  sale_closed = 4,
  payment_refused = 5,  ///< declined before a charge was tried
};

/// What a reservation was paid with.
struct Payment {
  std::string id;
  std::string account_number;  ///< empty where the shop charged elsewhere

  bool operator==(const Payment&) const = default;
};

/// A reservation at one instant.
struct ReservationView {
  ReservationRef ref;
  std::string sale_id;
  std::string customer;
  Units quantity = 1;
  std::string reference;  ///< empty: none was given
  ReservationState state = ReservationState::queued;
  Reason reason = Reason::none;
  Money amount = 0;   ///< of `quantity`
  Money charged = 0;  ///< of all units that were reserved: what `payment` paid, whatever was given back since
  std::string currency;
  Instant created_at;
  std::optional<Instant> expires_at;       ///< of one that was ever granted a hold
  std::optional<Milliseconds> expires_in;  ///< while held; 0 where its end has come while it is being charged
  std::optional<Payment> payment;
  std::optional<std::uint64_t> position;  ///< while queued; 1 is next
  std::optional<Milliseconds> eta;        ///< while queued and the rate is known
};

}  // namespace firstcome
