#include "events/order_facts.hpp"

#include <fmt/format.h>

#include <string_view>

namespace firstcome::events {

namespace {

void compare(std::string& found, const char* member, std::string_view reservation, std::string_view order) {
  if (reservation == order) return;
  if (!found.empty()) found += ", ";
  found += fmt::format("{} is {} in the reservation and {} in the order", member, reservation, order);
}

}  // namespace

OrderFacts facts_of(const Order& order) {
  return {order.customer, order.quantity, order.amount, order.currency, order.reference, order.state};
}

std::optional<OrderFacts> facts_of(const ReservationView& reservation) {
  const bool returned = reservation.state == ReservationState::returned;
  if (!returned && reservation.state != ReservationState::confirmed) return std::nullopt;
  return OrderFacts{reservation.customer,  reservation.quantity,
                    reservation.amount,    reservation.currency,
                    reservation.reference, returned ? OrderState::returned : OrderState::confirmed};
}

bool agree(const OrderFacts& reservation, const OrderFacts& order) {
  return differing_facts(reservation, order).empty();
}

std::string differing_facts(const OrderFacts& reservation, const OrderFacts& order) {
  std::string found;
  if (!order.customer.starts_with(erased_customer)) compare(found, "customer", reservation.customer, order.customer);
  compare(found, "quantity", std::to_string(reservation.quantity), std::to_string(order.quantity));
  compare(found, "amount", std::to_string(reservation.amount), std::to_string(order.amount));
  compare(found, "currency", reservation.currency, order.currency);
  compare(found, "reference", reservation.reference, order.reference);
  compare(found, "state", word(reservation.state), word(order.state));
  return found;
}

}  // namespace firstcome::events
