// What a store keeps of its past: its incarnations, the eras of its sales, and what it knows to have lost.
//
// All of it is small, and read and written seldom: at a start, when a loss is found, when it is settled.
#pragma once

#include "engine/embedded/sqlite.hpp"
#include "engine/incarnations.hpp"
#include "engine/past.hpp"

#include <firstcome/past_command.hpp>

#include <vector>

namespace firstcome::engine {

struct Past {
  Incarnations incarnations;
  std::vector<Loss> losses;
  LossesBySale losses_by_sale;  ///< the same
};

/// A store of an earlier schema has none of the tables, and an empty past. SQLITE_CORRUPT where a row's sum is wrong.
sqlite::Result<Past> read_past(sqlite::Connection& connection);
/// The losses alone.
sqlite::Result<std::vector<Loss>> read_losses(sqlite::Connection& connection);

// Each is one statement, of a transaction of the caller's. What was written for the same place before is replaced.
sqlite::Result<void> write_incarnation(sqlite::Connection& connection, Incarnation incarnation, SaleHandle first_sale,
                                       Instant now);
sqlite::Result<void> write_era(sqlite::Connection& connection, const Era& era);
/// Removes the eras of deleted sales, at most some thousands a call. Those of a sale whose reservations or events are
/// still stored stay: its events are shown under the incarnations that they were told in. No id can be given again
/// without the eras, because no sale gets the handle of a deleted one.
sqlite::Result<void> remove_eras_of_deleted(sqlite::Connection& connection);
sqlite::Result<void> write_loss(sqlite::Connection& connection, std::size_t place, const Loss& loss);

}  // namespace firstcome::engine
