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

/// The events of one reservation in one batch, by sequence, each once; and the rows that they make together.
struct OrderUnit {
  std::string_view reservation;  ///< empty: of a sale
  std::vector<const Event*> events;
  std::optional<OrderRow> order;
  std::optional<PaymentRow> payment;
};

/// One unit of some events of one reservation. REQUIRES: by sequence.
OrderUnit unit_of(std::vector<const Event*> events);

/// By reservation: all services write in the same order, so that they wait for each other instead of locking each other
/// out. Events of sales make no row and are left out.
std::vector<OrderUnit> units_of(std::span<const Event> events);

}  // namespace firstcome::events
