// Stands in until sql_inventory.cpp is there; delete this file with it.
#include "engine/guarded/sql/sql_inventory.hpp"

namespace firstcome::engine {

std::unique_ptr<InventorySession> make_sql_inventory(const NodeParts& /*parts*/) {
  throw InventoryFailure{InventoryFailure::Kind::unavailable, "SQL inventories are not there yet"};
}

}  // namespace firstcome::engine
