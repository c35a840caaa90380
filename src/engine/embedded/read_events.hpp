// Pages of the outbox, joined with what is fixed of the reservations they tell of.
#pragma once

#include "engine/embedded/sqlite.hpp"

#include <firstcome/command.hpp>

namespace firstcome::engine {

/// Events of a sale that is gone are still told, without the reservation's part.
sqlite::Result<EventsAnswer> read_events(sqlite::Connection& connection, const ReadEvents& command);

}  // namespace firstcome::engine
