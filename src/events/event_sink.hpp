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

  /// Blocks until all of them have surely arrived: acknowledged by all in-sync replicas, committed to disk. Events of
  /// one reservation arrive in the order given. After a failure (a sentence), or a stop, any of them may have arrived;
  /// the caller brings all of them again, later. REQUIRES: leaves_the_house of each (command.hpp).
  virtual std::expected<void, std::string> deliver(std::span<const Event> events, std::span<const StockLevel> levels,
                                                   const std::stop_token& stop) = 0;
};

}  // namespace firstcome::events
