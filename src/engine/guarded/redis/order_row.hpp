// An order as it stands in a list of Redis. Pure: no I/O.
//
// A row never changes. Its number is its place in the list, and what became of it stands beside, under its number.
#pragma once

#include "engine/guarded/inventory.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace firstcome::engine {

/// All but the number and the time of the order, which the script puts before it (guarded_write.lua). The key only
/// makes rows of two purchases differ.
std::string pack_order(const OrderRow& order, KeyHash key);
/// Returns the state that is stored beside an order when it is paid later than it was written. `payment_in_state` reads
/// the payment from it, and returns nothing where the state is another one.
std::string paid_state(const Payment& payment);
bool is_paid_state(std::string_view state);
std::optional<Payment> payment_in_state(std::string_view state);
/// Of a whole row. Nothing: that is no order.
std::optional<OrderRow> read_order(std::string_view text, Number number);

}  // namespace firstcome::engine
