// The payment worker: does by itself what nobody waits for.
//
// Charges the holds of `payment: auto` sales, settles claims that a crash left behind, and pays back what was charged
// too late. The engine rings when there is such work, and the worker also looks from time to time. It takes tasks in
// numbers that it can start soon, so the rest stays in the engine.
//
// Charges, settlements and refunds have places of their own, so none of them keeps another from starting. A task gives
// its place back after the first failed attempt: what cannot be charged never stands in the way of what can
// (`charge_lines.hpp` has the order of the charges).
#pragma once

#include "payment/cashier.hpp"
#include "payment/charge_lines.hpp"

#include <firstcome/engine.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

namespace firstcome::payment {

struct WorkerOptions {
  std::size_t concurrency = 256;           ///< first attempts of charges under way at once
  std::size_t others = 64;                 ///< the same of settlements, and of refunds
  ChargeLinesOptions charges;              ///< when a charge that failed is tried again
  Backoff engine;                          ///< while the engine gives no tasks out
  std::chrono::milliseconds poll{10'000};  ///< the worker looks for tasks this often even if nobody rings
};

/// Thread safety: what `doorbell` returns may be called from any thread and at any time, after the worker's end too;
/// `running` and `waiting` from any thread; everything else on the executor's thread.
class PaymentWorker {
 public:
  /// `engine` and `cashier` must outlive what runs.
  PaymentWorker(Engine& engine, Cashier& cashier, IoExecutor executor, WorkerOptions options = {});
  ~PaymentWorker();

  /// For Engine::on_payment_work. Cheap: rings that come while one waits are one.
  std::function<void()> doorbell();

  /// Looks for work now, and from now on whenever it rings.
  void start();
  /// Takes no more work and tries no failed charge again; what is under way goes on.
  void stop();

  /// Tasks under way.
  std::size_t running() const;
  /// Holds whose charge failed and that are to be tried again.
  std::size_t waiting() const;
  /// Operations that the engine has not completed.
  std::size_t engine_calls() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace firstcome::payment
