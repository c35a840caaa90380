// What an order repeats of its reservation, and in what the two differ. Pure.
#pragma once

#include "events/orders/order_store.hpp"

#include <firstcome/sale.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::events {

/// The members that a reservation and its order must agree on.
struct OrderFacts {
  std::string customer;
  Units quantity = 0;
  Money amount = 0;
  std::string currency;
  std::string reference;  ///< empty: none
  OrderState state{};

  bool operator==(const OrderFacts&) const = default;
};

OrderFacts facts_of(const Order& order);
/// Returns nothing where the reservation was never confirmed: then there must be no order.
std::optional<OrderFacts> facts_of(const ReservationView& reservation);

OrderFacts facts_of(const OrderSummary& order);

/// A member that differs, and its two values.
struct DifferentFact {
  std::string_view member;
  std::string reservation;
  std::string order;
};
/// The customer of an order that was erased is not compared.
std::vector<DifferentFact> different_facts(const OrderFacts& reservation, const OrderFacts& order);

/// Returns whether the order is what its reservation says.
bool agree(const OrderFacts& reservation, const OrderFacts& order);

/// Names the members that differ, with both values, as in `quantity is 2 in the reservation and 1 in the order`. Empty:
/// none differs.
std::string differing_facts(const OrderFacts& reservation, const OrderFacts& order);

}  // namespace firstcome::events
