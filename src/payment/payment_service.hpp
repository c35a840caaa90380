// Payments, put together: their io_context and its thread, the gateway, the cashier, the worker.
//
//   PaymentService payments(engine, engine::ReservationIds(engine.identity()), simulated(options));
//   Api api(engine, ids, &payments.cashier(), hooks);
//   payments.start();
//   ... serve ...
//   payments.stop(deadline, [&] { engine.turn(); });
#pragma once

#include "payment/cashier.hpp"
#include "payment/http_gateway.hpp"
#include "payment/simulated_gateway.hpp"
#include "payment/worker.hpp"

#include <chrono>
#include <functional>
#include <memory>

namespace firstcome::payment {

/// Makes the gateway on the payments' io_context.
using MakeGateway = std::function<std::unique_ptr<Gateway>(IoExecutor)>;

MakeGateway simulated(SimulatedGatewayOptions options);
MakeGateway over_http(HttpGatewayOptions options);

struct PaymentOptions {
  CashierOptions cashier;
  WorkerOptions worker;
};

class PaymentService {
 public:
  /// Sets Engine::on_payment_work, so make it before the first submit. `engine` must outlive it.
  PaymentService(Engine& engine, engine::ReservationIds ids, const MakeGateway& make_gateway,
                 PaymentOptions options = {});
  /// Stops at once, if that was not done. REQUIRES then: somebody else drives the engine meanwhile.
  ~PaymentService();
  PaymentService(const PaymentService&) = delete;
  PaymentService& operator=(const PaymentService&) = delete;

  /// Valid as long as this. Refuses (`stopping`) after `stop`.
  Cashier& cashier();

  /// Starts the thread, and the worker.
  void start();

  /// Takes no more, finishes what runs until `deadline`, leaves the rest to the next start (its claims are stored), and
  /// ends the thread. Everybody who waits is answered before it returns. `meanwhile` is called again and again on this
  /// thread: a caller that drives the engine drives it there.
  void stop(std::chrono::steady_clock::time_point deadline, const std::function<void()>& meanwhile);

  /// Thread-safe.
  PaymentCounters counters() const;
  /// Returns the number of holds whose charge failed and that the worker tries again. Thread-safe.
  std::size_t charges_waiting() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firstcome::payment
