// Counts a sale again from its stored reservations and compares with what its own row says.
//
// Independent of the ledger: it reads rows, it knows the rules, it shares none of the ledger's code.
#pragma once

#include "engine/embedded/sqlite.hpp"

#include <firstcome/command.hpp>

namespace firstcome::engine {

/// REQUIRES: a read transaction is open, so that all rows are of one state.
/// Cost: about a microsecond a reservation; memory per customer only where customers are counted.
sqlite::Result<AuditAnswer> audit(sqlite::Connection& connection, const AuditSale& command);

}  // namespace firstcome::engine
