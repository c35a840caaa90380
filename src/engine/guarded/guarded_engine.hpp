// The guarded engine: how everybody else does it. The stock stands in a database or in plain Redis keys; whoever sells
// reads it, checks, pays, writes it back, inside a guard that is meant to keep two sellers apart. Some guards do.
//
// Mechanism: a pool of workers, each a thread with a session of its own, on which it blocks. Operations are taken in
// the order of their arrival; what is done completes in the program's turn. Nothing is shared between sales but the
// workers, and nothing between nodes but the inventory (and the servers of a lock).
#pragma once

#include "engine/driven_engine.hpp"
#include "engine/guarded/guarded_options.hpp"

#include <chrono>
#include <expected>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace firstcome::engine {

/// Supports CreateSale, GetSale, ListSales, Reserve, GetReservation, ListReservations and AuditSale; there are never
/// payment tasks or undelivered events; all else is `not_supported`. Sales sell at once (hold 0), or after a charge
/// within the request (payment auto).
///
/// Thread safety: as Engine; `turn` and `stop` from one thread.
class GuardedEngine final : public DrivenEngine {
 public:
  /// Opens one session, so that what is wrong is told now. Blocks. Failures: not_supported (problem_of), and
  /// store_unavailable, with a sentence.
  static std::expected<std::unique_ptr<GuardedEngine>, Failure> open(GuardedOptions options);
  /// Stops. What was not completed is completed by nobody.
  ~GuardedEngine() override;

  void submit(Operation& operation) override;
  /// Not ready for a second after the inventory has failed.
  Readiness readiness() const override;
  std::string_view name() const override { return "guarded"; }
  void on_payment_work(std::function<void()> /*notify*/) override {}  // there is none

  void on_ready(std::function<void()> wake) override;
  std::optional<std::chrono::steady_clock::time_point> turn() noexcept override;
  /// Who waits for a lock is answered `busy`; what is inside a guard is done to its end.
  void stop() override;
  const StoreSecret& secret() const override;
  std::vector<EngineFigure> figures() const override;
  void on_events(std::function<void(SaleHandle)> /*notify*/) override {}  // there are none

 private:
  struct Impl;
  explicit GuardedEngine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace firstcome::engine
