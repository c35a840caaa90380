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
/// What stands beside a row that was written unpaid, once it is paid; and what it was paid with. Nothing: it is another
/// state.
std::string paid_state(const Payment& payment);
bool is_paid_state(std::string_view state);
std::optional<Payment> payment_in_state(std::string_view state);
/// Of a whole row. Nothing: that is no order.
std::optional<OrderRow> read_order(std::string_view text, Number number);

}  // namespace firstcome::engine
