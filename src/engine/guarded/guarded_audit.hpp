// A sale of a guarded engine counted again, from its orders. Pure: no I/O.
#pragma once

#include "engine/guarded/inventory.hpp"

#include <firstcome/command.hpp>

#include <span>

namespace firstcome::engine {

/// `orders`: all of the sale, by number. What the stock says and what the orders say are compared, and where more was
/// sold than there was, the two orders that did it are told.
AuditAnswer audit_of(const SaleView& sale, std::span<const OrderRow> orders);

}  // namespace firstcome::engine
