// Stock and orders in an SQL database: one connection for each session.
#pragma once

#include "engine/guarded/guard.hpp"
#include "engine/guarded/inventory.hpp"

#include <memory>

namespace firstcome::engine {

/// REQUIRES: the inventory is a DatabaseUrl that fits the guard (problem_of). Connects in `open`. Blocks.
std::unique_ptr<InventorySession> make_sql_inventory(const NodeParts& parts);

}  // namespace firstcome::engine
