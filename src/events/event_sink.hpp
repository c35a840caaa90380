// Where the relay brings events: Kafka, or the order service in the same process.
#pragma once

#include "events/event.hpp"

#include <expected>
#include <span>
#include <stop_token>
#include <string>

namespace firstcome::events {

/// Used by one thread, the relay's.
class EventSink {
 public:
  virtual ~EventSink() = default;

  /// Blocks until all events have surely arrived: acknowledged by all in-sync replicas, committed to disk. Events of
  /// one reservation arrive in the order given. After a failure (a sentence), or a stop, any of them may have arrived;
  /// the caller brings all of them again, later. Returns within two seconds after `stop` was asked to stop.
  /// REQUIRES: leaves_the_house of each (command.hpp).
  virtual std::expected<void, std::string> deliver(std::span<const Event> events, std::span<const StockLevel> levels,
                                                   const std::stop_token& stop) = 0;

  /// Returns what could not be brought although `deliver` succeeded, because no event needs it: a sentence, empty where
  /// there is nothing. The next `deliver`, be it of nothing, tries it again.
  virtual std::string left_behind() const { return {}; }
};

}  // namespace firstcome::events
