// Pages of the outbox, joined with what the reservations say that they tell of.
#pragma once

#include "engine/embedded/sqlite.hpp"

#include <firstcome/command.hpp>

namespace firstcome::engine {

/// Events of a sale that is gone are still told, without the reservation's part.
sqlite::Result<EventsAnswer> read_events(sqlite::Connection& connection, const ReadEvents& command);

/// What comes behind the watermark. REQUIRES: a transaction, so that all is of one instant.
sqlite::Result<OutboxAnswer> read_outbox(sqlite::Connection& connection, const ReadOutbox& command);

}  // namespace firstcome::engine
