// From events to the rows that they make. Pure.
#pragma once

#include "events/orders/order_store.hpp"

#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace firstcome::events {

/// The row of a reservation after some of its events. References point into the events.
struct OrderRow {
  const Event* event = nullptr;  ///< the last of those that change it
  OrderState state{};
  std::optional<Instant> confirmed_at;
};

struct PaymentRow {
  const Event* event = nullptr;    ///< the last of those that change it
  const Event* payment = nullptr;  ///< the last of those that name the payment; nullptr: none
  PaymentState state{};
};

/// The events of one reservation in one batch, by sequence, each once; and the rows that they make together. Two
/// different events of one sequence contradict each other, and both are there.
struct OrderUnit {
  std::string_view reservation;  ///< empty: of a sale
  std::vector<const Event*> events;
  std::optional<OrderRow> order;
  std::optional<PaymentRow> payment;
};

/// What is known of a reservation from elsewhere: its stored order, or another event.
struct KnownOrder {
  std::string_view sale;
  Number number{};
  std::string_view customer;
  Units quantity = 0;
  Money amount = 0;
  std::string_view currency;
  std::string_view reference;
  std::uint64_t sequence = 0;
  std::optional<Instant> confirmed_at;
  /// Whether it was made from the reservation as it stood when somebody asked (Event::made_confirmation). Units may
  /// have been given back by then, and the customer may have been another one, so other values contradict nothing.
  bool is_made = false;
};
KnownOrder known_from(const Event& event);
KnownOrder known_from(const Order& order);

/// Says how an event contradicts what is known: it has the id of that reservation, and is of another one. That happens
/// where a store lost a part of its past and gave an id again. Empty: it does not, a repetition least of all.
std::string contradiction(const Event& event, const KnownOrder& known);

/// One unit of some events of one reservation. REQUIRES: by sequence.
OrderUnit unit_of(std::vector<const Event*> events);

/// By reservation: all services write in the same order, so that they wait for each other instead of locking each other
/// out. Events of sales make no row and are left out.
std::vector<OrderUnit> units_of(std::span<const Event> events);

}  // namespace firstcome::events
