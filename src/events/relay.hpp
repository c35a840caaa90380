// The relay: brings the events of the outbox to a sink, each stream in its order, at least once.
//
// Mechanism. A thread goes in rounds. It reads what comes behind the watermarks of some streams, brings all of that to
// the sink together, and moves each watermark only when the sink says that everything has arrived. So a relay that dies
// anywhere has done nothing, or brings some events a second time, which changes nothing for who knows their ids. Where
// several processes have one outbox, a stream is delivered under a lock (stream_leases.hpp), whose token the watermark
// remembers: a relay that was paused past its lease moves it no more.
//
// The engine rings when it has written events; what was missed (another process's, a ring that was lost with it) is
// found by looking through all streams from time to time. When the sink fails, the relay waits and brings the same
// again: it holds itself back, not the sale.
#pragma once

#include "engine/reservation_id.hpp"
#include "events/event_sink.hpp"

#include <firstcome/engine.hpp>
#include <firstcome/lock_space.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace firstcome::events {

struct RelayOptions {
  /// `background`: its thread runs when nobody else wants the processor, or nearly so. For a sink that works on that
  /// thread, beside a sale that must not wait for it; in a rush it falls behind, and catches up later.
  enum class Priority : std::uint8_t { usual, background } priority = Priority::usual;
  std::uint32_t page = 10'000;                    ///< events in a round, in equal parts for its streams
  std::uint32_t page_of_sale = 2'000;             ///< of one sale's stream: others wait while Redis reads it
  std::size_t streams = 64;                       ///< in a round
  std::size_t standing_by = 1'024;                ///< streams whose locks are held or waited for
  std::chrono::milliseconds look_through{1'000};  ///< how often all streams are looked through
  std::chrono::milliseconds first_pause{50};      ///< after a failure; doubled with each that follows
  std::chrono::milliseconds longest_pause{1'000};
};

struct RelayCounters {
  std::uint64_t events = 0;    ///< that have arrived
  std::uint64_t rounds = 0;    ///< that brought something
  std::uint64_t failures = 0;  ///< rounds that were given up
  std::uint64_t streams = 0;   ///< whose locks are held or waited for
};

/// Thread safety: `doorbell`'s function and `counters` from any thread, the others from one.
class Relay {
 public:
  /// `engine` must outlive it. `locks` may be null, where nobody else has this outbox.
  Relay(Engine& engine, engine::ReservationIds ids, std::unique_ptr<EventSink> sink, std::unique_ptr<LockSpace> locks,
        RelayOptions options = {});
  /// REQUIRES: stopped, or somebody else drives the engine meanwhile.
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  /// For DrivenEngine::on_events. Cheap. Valid as long as the relay.
  std::function<void(SaleHandle)> doorbell();

  void start();

  /// Gives up what is under way, without waiting for its end.
  void request_stop();
  /// Gives up what is under way, and ends the thread. `meanwhile` is called again and again on this thread: a caller
  /// that drives the engine drives it there.
  void stop(const std::function<void()>& meanwhile);

  RelayCounters counters() const;
  /// What holds it back, a sentence; empty: nothing.
  std::string trouble() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firstcome::events
