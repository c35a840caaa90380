#include "engine/embedded/embedded_engine.hpp"

namespace firstcome::engine {

std::vector<EngineFigure> EmbeddedEngine::figures() const {
  using enum EngineFigure::Kind;
  using Counters = EmbeddedCounters;
  const auto read = [this](std::uint64_t Counters::* member) {
    return [this, member] { return static_cast<double>(counters().*member); };
  };
  return {
      {counter, "firstcome_engine_turns_total", "Turns of the engine", read(&Counters::turns)},
      {counter, "firstcome_engine_commits_total", "Transactions committed", read(&Counters::commits)},
      {counter, "firstcome_engine_operations_total", "Operations decided", read(&Counters::operations)},
      {counter, "firstcome_engine_overloaded_total", "Operations refused because the queue was full",
       read(&Counters::overloaded)},
      {counter, "firstcome_engine_failed_commits_total", "Transactions that failed", read(&Counters::failed_commits)},
      {gauge, "firstcome_engine_reservations", "Reservations stored", read(&Counters::reservations)},
      {gauge, "firstcome_engine_sales_in_memory", "Sales whose reservations are in memory",
       read(&Counters::sales_in_memory)},
      {gauge, "firstcome_engine_sales_at_rest", "Closed sales whose reservations are in the file only",
       read(&Counters::sales_at_rest)},
      {counter, "firstcome_engine_sales_brought_back_total", "Sales at rest whose reservations were read again",
       read(&Counters::sales_brought_back)},
      {counter, "firstcome_engine_unreadable_sales_total", "Times that a sale at rest could not be read",
       read(&Counters::failed_returns)},
      {counter, "firstcome_engine_reservations_read_total", "Reservations read from the file, at the start and since",
       read(&Counters::loaded)},
      {gauge, "firstcome_engine_waiting", "Operations not decided yet", read(&Counters::waiting)},
      {gauge, "firstcome_engine_log_bytes", "Size of the write-ahead log", read(&Counters::wal_bytes)},
      {counter, "firstcome_engine_clock_steps_total", "Steps of the wall clock, of a second or more",
       read(&Counters::clock_steps)},
      {gauge, "firstcome_engine_wall_ahead_seconds", "By how much the wall clock is ahead of the engine's time",
       [this] { return static_cast<double>(counters().wall_ahead_ms) / 1'000; }},
      {gauge, "firstcome_outbox_undelivered", "Events that were not delivered yet", read(&Counters::undelivered)},
      {gauge, "firstcome_store_losses", "Parts of its past that the store has lost and nobody has settled",
       read(&Counters::losses)},
  };
}

}  // namespace firstcome::engine
