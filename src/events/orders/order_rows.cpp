#include "events/orders/order_rows.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace firstcome::events {
namespace {

void apply_order(OrderUnit& unit, const Event& event, OrderState state) {
  OrderRow row = unit.order.value_or(OrderRow{});
  row.event = &event;
  row.state = state;
  if (state == OrderState::confirmed) row.confirmed_at = event.at;
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
  const auto same = [&](const Event* a, const Event* b) { return key(a) == key(b); };
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
