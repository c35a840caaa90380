#include "events/order_facts.hpp"

#include <fmt/format.h>

#include <string_view>

namespace firstcome::events {

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

OrderFacts facts_of(const OrderSummary& order) {
  return {order.customer, order.quantity, order.amount, order.currency, order.reference, order.state};
}

std::vector<DifferentFact> different_facts(const OrderFacts& reservation, const OrderFacts& order) {
  std::vector<DifferentFact> found;
  const auto compare = [&](std::string_view member, const auto& there, const auto& here) {
    if (there != here) found.push_back({member, fmt::to_string(there), fmt::to_string(here)});
  };
  if (!order.customer.starts_with(erased_customer)) compare("customer", reservation.customer, order.customer);
  compare("quantity", reservation.quantity, order.quantity);
  compare("amount", reservation.amount, order.amount);
  compare("currency", reservation.currency, order.currency);
  compare("reference", reservation.reference, order.reference);
  compare("state", word(reservation.state), word(order.state));
  return found;
}

bool agree(const OrderFacts& reservation, const OrderFacts& order) {
  return different_facts(reservation, order).empty();
}

std::string differing_facts(const OrderFacts& reservation, const OrderFacts& order) {
  std::string said;
  for (const DifferentFact& one : different_facts(reservation, order)) {
    said += fmt::format("{}{} is {} in the reservation and {} in the order", said.empty() ? "" : ", ", one.member,
                        one.reservation, one.order);
  }
  return said;
}

}  // namespace firstcome::events
