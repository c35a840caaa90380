// An engine as a program drives it: one thread, the server's, gives it turns, and in these its operations complete.
#pragma once

#include "engine/reservation_id.hpp"

#include <firstcome/engine.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::engine {

/// One figure about an engine, for `/metrics`.
struct EngineFigure {
  enum class Kind : std::uint8_t { counter, gauge };
  Kind kind = Kind::counter;
  std::string name;
  std::string help;
  std::function<double()> read;  ///< from any thread, while the engine lives
};

/// Whether somebody brings the events of the outbox to where they belong. Then a sale is not deleted before.
enum class Deliveries : std::uint8_t {
  none,
  expected,
  in_background,  ///< expected, of a relay that takes what processor time is left; the reads for it do the same
};

class DrivenEngine : public Engine {
 public:
  /// Called, from any thread, when a turn has something to do. Set before use.
  virtual void on_ready(std::function<void()> wake) = 0;

  /// Does what is ready, and completes what is done. Returns when the next is due even if nothing happens. Always on
  /// one and the same thread.
  virtual std::optional<std::chrono::steady_clock::time_point> turn() noexcept = 0;

  /// Takes no more and waits for what is under way; the turns after it complete that, and refuse the rest (`stopping`).
  /// For engines with threads that use an operation until it is done: call it before those are gone that wait.
  virtual void stop() {}

  /// Of the store, for the ids of reservations.
  virtual const StoreSecret& secret() const = 0;
  /// The secret and the incarnations, which may change while the engine serves. By default there are none.
  virtual std::shared_ptr<const StoreIdentity> identity() const { return std::make_shared<StoreIdentity>(secret()); }

  virtual std::vector<EngineFigure> figures() const = 0;

  /// `notify` is called, from the engine's thread, after a commit that wrote events to a stream of the outbox, with
  /// that stream (see whole_store). It must return at once. Set it before the first submit.
  virtual void on_events(std::function<void(SaleHandle)> notify) = 0;
};

}  // namespace firstcome::engine
