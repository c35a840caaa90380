// Before anything is delivered, asks those who were told before whether the store still knows all of it.
//
// A store may have come back from a backup, or be a copy of another. Then the witness knows reservations and events
// that it does not, and the engine notes the loss and goes on above them (ComparePast). After a failed delivery it is
// asked again: a machine that was set back to a snapshot finds its connections broken.
#pragma once

#include "engine/reservation_id.hpp"
#include "events/blocking_caller.hpp"
#include "events/event_sink.hpp"
#include "events/orders/told.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace firstcome::events {

/// What somebody was told, as far as it is this store's own.
std::vector<Memory> memories_of(const std::vector<Told>& told, engine::ReservationIds& ids);

/// Who was told. What it says of itself stands in the log and in what operators are shown.
struct Witness {
  std::string name;  ///< as `the orders in sqlite:///orders.db`
  std::function<std::expected<std::vector<Told>, std::string>(const std::stop_token&)> ask;
  /// Whether nothing is delivered while it cannot be asked. Once it was asked, the store must answer in either case.
  enum class Need : std::uint8_t { needed, wanted } need = Need::needed;
};

/// Memories in one question to the store, which is answered in one turn of its owner.
inline constexpr std::size_t memories_at_once = 1'000;

/// Compares the store's past with what a witness was told. Thread safety: one thread at a time.
class PastCheck {
 public:
  /// REQUIRES: somebody else drives the engine meanwhile, which outlives this.
  PastCheck(Engine& engine, engine::ReservationIds ids, Witness witness);

  enum class Found : std::uint8_t { nothing, loss };
  /// Failures: a sentence; the store, or a witness that is needed, cannot be asked now.
  std::expected<Found, std::string> run(const std::stop_token& stop);
  const Witness& witness() const { return witness_; }

 private:
  BlockingCaller caller_;
  engine::ReservationIds ids_;
  const Witness witness_;
};

class CheckedSink final : public EventSink {
 public:
  CheckedSink(std::unique_ptr<EventSink> sink, std::unique_ptr<PastCheck> check);

  /// The check, for whoever wants it before the first delivery. REQUIRES: nothing is delivered meanwhile.
  std::expected<PastCheck::Found, std::string> check_now(const std::stop_token& stop);

  std::expected<void, std::string> deliver(std::span<const Event> events, std::span<const StockLevel> levels,
                                           const std::stop_token& stop) override;
  std::string left_behind() const override { return sink_->left_behind(); }

 private:
  const std::unique_ptr<EventSink> sink_;
  const std::unique_ptr<PastCheck> check_;
  bool checked_ = false;
};

}  // namespace firstcome::events
