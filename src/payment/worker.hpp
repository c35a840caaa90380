// The payment worker: does by itself what nobody waits for.
//
// Charges the holds of `payment: auto` sales, settles claims that a crash left behind, pays back what was charged too
// late. The engine rings when there is such work; it is taken in numbers that fit, so what nobody has hands for stays
// in the engine. Where the gateway is unreachable, a hold is tried again, less and less often, while it lives.
#pragma once

#include "payment/cashier.hpp"

#include <firstcome/engine.hpp>

#include <cstddef>
#include <functional>
#include <memory>

namespace firstcome::payment {

struct WorkerOptions {
  std::size_t concurrency = 256;  ///< tasks under way at once
  Backoff retry;                  ///< while the gateway is unreachable or the store takes nothing
};

/// Thread safety: what `doorbell` returns may be called from any thread and at any time, after the worker's end too;
/// `running` from any thread; everything else on the executor's thread.
class PaymentWorker {
 public:
  /// `engine` and `cashier` must outlive what runs.
  PaymentWorker(Engine& engine, Cashier& cashier, IoExecutor executor, WorkerOptions options = {});
  ~PaymentWorker();

  /// For Engine::on_payment_work. Cheap: rings that come while one waits are one.
  std::function<void()> doorbell();

  /// Looks for work now, and from now on whenever it rings.
  void start();
  /// Takes no more work and gives up waiting for unreachable gateways; the rest goes on.
  void stop();

  /// Tasks under way.
  std::size_t running() const;
  /// Operations that the engine has not completed.
  std::size_t engine_calls() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace firstcome::payment
