// What happened, as an engine tells it, and what the relay asks of an engine to deliver it.
#pragma once

#include <firstcome/outcome.hpp>
#include <firstcome/sale.hpp>
#include <firstcome/types.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace firstcome {

/// What happened, once per decision that changed something. Numbers are fixed for ever: they are stored.
enum class EventType : std::uint8_t {
  sale_created = 1,
  stock_changed = 2,    ///< value: the new stock
  sale_changed = 3,     ///< closes_at, opens_at, limit_per_customer or max_open
  sale_closed = 4,      ///< number: all who waited up to it are refused
  waiting_refused = 5,  ///< sold out for good; number: all who waited up to it are refused
  sale_paused = 6,
  sale_resumed = 7,
  reservation_queued = 16,
  reservation_held = 17,
  reservation_confirmed = 18,
  reservation_cancelled = 19,
  reservation_expired = 20,
  reservation_refused = 21,
  reservation_returned = 22,
  reservation_paid_unfulfilled = 23,
  reservation_amended = 24,      ///< some units of a confirmed one were given back; value: those that it has now
  reservation_transferred = 25,  ///< a confirmed one has another customer; value: its units
  reservation_extended = 26,     ///< a hold was prolonged
  hold_transferred = 27,         ///< a hold has another customer
  payment_begun = 32,
  payment_failed = 33,       ///< declined while it was charged; the units are back
  payment_unreachable = 34,  ///< the claim was given up
  refund_due = 35,
  refund_done = 36,
  payment_refused = 37,  ///< declined before a charge was tried; the units are back
};

/// Whether it is brought to those outside. What happens between being asked and being decided is for the feed only.
constexpr bool leaves_the_house(EventType type) {
  return type != EventType::reservation_queued && type != EventType::reservation_held &&
         type != EventType::reservation_extended && type != EventType::hold_transferred &&
         type != EventType::payment_begun && type != EventType::payment_unreachable;
}

constexpr bool has_value(EventType type) {
  return type == EventType::stock_changed || type == EventType::reservation_amended ||
         type == EventType::reservation_transferred;
}

/// Units of a reservation as they were when an event of it happened. `quantity` it has now, `returned` were given back
/// while it kept others. Until the first of those it had them all, and a returned one changes no more.
constexpr Units quantity_at(EventType type, std::optional<Units> value, Units quantity, Units returned) {
  if (value) return *value;
  return type == EventType::reservation_returned ? quantity : quantity + returned;
}

/// One row of the outbox, with what its reservation says. `quantity` and `amount` are as they were then; `customer` and
/// `payment` are what is stored when the event is read.
struct EventView {
  std::uint64_t sequence = 0;       ///< in the stream, from 1, rising
  std::uint64_t sale_sequence = 0;  ///< in the sale, from 1, no gaps
  EventType type{};
  std::string sale_id;
  ReservationRef ref;  ///< number 0 where the event is of the sale
  Instant at;
  std::optional<Units> value;
  std::string customer;
  std::string reference;
  Units quantity = 0;
  Money amount = 0;
  std::string currency;
  std::optional<Payment> payment;  ///< what the reservation was paid with
  Money charged = 0;               ///< what that paid: as ReservationView::charged
};

/// The outbox is kept as streams, each with a sequence of its own: the embedded engine has one, of the whole store; the
/// Redis engine has one for each sale, named by the sale's handle.
inline constexpr SaleHandle whole_store{0};

struct EventsAnswer {
  Outcome outcome = Outcome::done;  ///< done; sale_not_found
  std::vector<EventView> items;
  std::uint64_t next = 0;    ///< ask again after this sequence; 0: that was all there is now
  std::uint64_t oldest = 0;  ///< of those that are kept; 0: there has been none. Older ones were delivered and trimmed
};

/// A page of the feed.
struct ReadEvents {
  using Answer = EventsAnswer;
  std::string
      sale;  ///< only of this one; empty: of the whole store, where the engine has one stream (else not_supported)
  std::uint64_t after = 0;
  std::uint32_t limit = 100;
};

/// The units of one sale at one instant.
struct StockLevel {
  std::string sale_id;
  std::uint64_t version = 0;  ///< the sale's last event: of two levels of one sale, the higher is the later
  Units stock = 0, available = 0, held = 0, sold = 0;
};

struct UndeliveredAnswer {
  Outcome outcome = Outcome::done;
  std::vector<SaleHandle> streams;  ///< that have events behind their watermark, at most 1 000
  std::uint64_t events = 0;         ///< behind the watermarks, in all
};

/// Which streams the relay has work in.
struct FindUndelivered {
  using Answer = UndeliveredAnswer;
};

struct OutboxAnswer {
  Outcome outcome = Outcome::done;  ///< done; sale_not_found where the stream is not there (any more)
  std::vector<EventView> items;     ///< those that leave the house; an engine may bring others, which are passed over
  std::vector<StockLevel> levels;   ///< of the sales that these events are about, as at the time of reading
  std::uint64_t upto = 0;  ///< the watermark to set when all of this is delivered; 0: nothing is to be delivered
};

/// What comes behind a stream's watermark, in its order: of the next `limit` events at most.
struct ReadOutbox {
  using Answer = OutboxAnswer;
  SaleHandle stream = whole_store;
  std::uint32_t limit = 1'000;
};

struct DeliveredAnswer {
  /// done; unchanged (the watermark was there or further); lease_lost (a higher token was seen); sale_not_found.
  Outcome outcome = Outcome::done;
  std::uint64_t upto = 0;  ///< the watermark now
};

/// Everything in the stream up to `upto` has surely arrived: the watermark moves, and what is older than is to be kept
/// goes.
struct DeliverEvents {
  using Answer = DeliveredAnswer;
  SaleHandle stream = whole_store;
  std::uint64_t upto = 0;
  std::uint64_t token = 0;  ///< of the relay's lease; 0 where nobody else could be at it
};

}  // namespace firstcome
