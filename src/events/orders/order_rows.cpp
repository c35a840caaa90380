#include "events/orders/order_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace firstcome::events {
namespace {

void apply_order(OrderUnit& unit, const Event& event, OrderState state) {
  OrderRow row = unit.order.value_or(OrderRow{});
  row.event = &event;
  row.state = state;
  if (event.type == EventType::reservation_confirmed) row.confirmed_at = event.at;
  unit.order = row;
}

void apply_payment(OrderUnit& unit, const Event& event, PaymentState state) {
  PaymentRow row = unit.payment.value_or(PaymentRow{});
  row.event = &event;
  if (event.payment) row.payment = &event;
  row.state = state;
  unit.payment = row;
}

void apply(OrderUnit& unit, const Event& event) {
  switch (event.type) {
    case EventType::reservation_confirmed:
      apply_order(unit, event, OrderState::confirmed);
      if (event.payment) apply_payment(unit, event, PaymentState::charged);
      break;
    case EventType::reservation_amended:
    case EventType::reservation_transferred:
      apply_order(unit, event, OrderState::confirmed);
      break;
    case EventType::reservation_returned:
      apply_order(unit, event, OrderState::returned);
      break;
    case EventType::reservation_paid_unfulfilled:
    case EventType::refund_due:
      apply_payment(unit, event, PaymentState::refund_due);
      break;
    case EventType::refund_done:
      apply_payment(unit, event, PaymentState::refunded);
      break;
    default:  // tells of nothing that is kept in SQL
      break;
  }
}

}  // namespace

std::string_view word(OrderState state) { return state == OrderState::confirmed ? "confirmed" : "returned"; }

std::string_view word(PaymentState state) {
  switch (state) {
    case PaymentState::charged:
      return "charged";
    case PaymentState::refund_due:
      return "refund_due";
    case PaymentState::refunded:
      break;
  }
  return "refunded";
}

namespace {

bool is_made(std::uint64_t sequence, OrderState state) {
  return sequence == Event::made_confirmation || (sequence == Event::made_return && state == OrderState::returned);
}

bool is_made(const Event& event) {
  const bool returned = event.type == EventType::reservation_returned;
  return is_made(event.sequence, returned ? OrderState::returned : OrderState::confirmed);
}

}  // namespace

KnownOrder known_from(const Event& event) {
  KnownOrder known{event.sale,     event.number,    event.customer, event.quantity, event.amount,
                   event.currency, event.reference, event.sequence, std::nullopt};
  known.is_made = is_made(event);
  if (event.type == EventType::reservation_confirmed) known.confirmed_at = event.at;
  return known;
}

KnownOrder known_from(const Order& order) {
  return {order.sale,     order.number,    order.customer, order.quantity,     order.amount,
          order.currency, order.reference, order.sequence, order.confirmed_at, is_made(order.sequence, order.state)};
}

namespace {

/// Whether the customer must be the one that is known. Of a reservation that changes no more, it must; else an event
/// that is read again tells the customer of that moment, who may have got the reservation from another.
bool must_be_the_same_customer(const Event& event, const KnownOrder& known) {
  if (known.customer.starts_with(erased_customer)) return false;
  const bool same_confirmation = event.sequence == known.sequence && event.at == known.confirmed_at;
  return event.type == EventType::reservation_returned ||
         (event.type == EventType::reservation_confirmed && !same_confirmation);
}

/// The first value that is different, in words; empty: none.
std::string difference(const Event& event, const KnownOrder& known) {
  const auto tell = [](std::string_view name, const auto& there, const auto& here) {
    return fmt::format("{} is \"{}\", not \"{}\"", name, there, here);
  };
  if (must_be_the_same_customer(event, known) && event.customer != known.customer)
    return tell("customer", known.customer, event.customer);
  if (event.quantity != known.quantity) return tell("quantity", known.quantity, event.quantity);
  if (event.amount != known.amount) return tell("amount", known.amount, event.amount);
  if (event.currency != known.currency) return tell("currency", known.currency, event.currency);
  if (event.reference != known.reference) return tell("reference", known.reference, event.reference);
  return {};
}

/// Whether all values must be those that are known. They may have changed between two events of one reservation, but
/// not within one event, and a reservation is confirmed only once: a confirmation of another instant, with other
/// values, is of another one.
bool must_be_the_same(const Event& event, const KnownOrder& known) {
  if (known.is_made || is_made(event)) return false;
  const bool both_confirm = event.type == EventType::reservation_confirmed && known.confirmed_at.has_value();
  return event.sequence == known.sequence || (both_confirm && event.at != *known.confirmed_at);
}

bool concerns_orders(const Event& event) {
  using enum EventType;
  return event.type == reservation_confirmed || event.type == reservation_amended ||
         event.type == reservation_transferred || event.type == reservation_returned;
}

}  // namespace

std::string contradiction(const Event& event, const KnownOrder& known) {
  if (!concerns_orders(event)) return {};
  std::string what;
  if (event.sale != known.sale || event.number != known.number) {
    what = fmt::format("it is number {} of sale {}", value(known.number), known.sale);
  } else if (must_be_the_same(event, known)) {
    what = difference(event, known);
  }
  if (what.empty()) return {};
  return fmt::format("another reservation with this id is known already: {}; the store may have gone back", what);
}

OrderUnit unit_of(std::vector<const Event*> events) {
  OrderUnit unit;
  if (!events.empty()) unit.reservation = events.front()->reservation;
  for (const Event* event : events) apply(unit, *event);
  unit.events = std::move(events);
  return unit;
}

std::vector<OrderUnit> units_of(std::span<const Event> events) {
  std::vector<const Event*> sorted;
  sorted.reserve(events.size());
  for (const Event& event : events) {
    if (!event.reservation.empty()) sorted.push_back(&event);
  }
  const auto key = [](const Event* event) { return std::tie(event->reservation, event->sequence); };
  std::ranges::stable_sort(sorted, {}, key);
  const auto same = [](const Event* a, const Event* b) { return *a == *b; };
  sorted.erase(std::unique(sorted.begin(), sorted.end(), same), sorted.end());
  std::vector<OrderUnit> units;
  for (auto first = sorted.begin(); first != sorted.end();) {
    const auto last = std::find_if(first, sorted.end(),
                                   [&](const Event* event) { return event->reservation != (*first)->reservation; });
    units.push_back(unit_of({first, last}));
    first = last;
  }
  return units;
}

}  // namespace firstcome::events
