// The cashier: charges a hold through the gateway, exactly once, whatever happens in between.
//
// Mechanism: BeginPayment (committed: the claim) -> gateway.charge, its key the reservation's id -> FinishPayment ->
// answer. Where the gateway's outcome is unknown, it is asked again with the same key, less and less often, until it is
// known; where the store does not take the outcome, it is offered again until it does. Neither is ever given up: what
// is still open when the process ends is found again by its claim (`settle`).
//
// Invariants
//   - `unreachable` gives a claim up only if no earlier request with this key may have reached the gateway
//   - the gateway is never called for a reservation without a committed claim of ours
//   - whoever waits is answered exactly once, at the latest when `answer_within` has passed
#pragma once

#include "engine/reservation_id.hpp"
#include "payment/one_shot.hpp"
#include "payment/pauses.hpp"

#include <firstcome/engine.hpp>
#include <firstcome/gateway.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>

namespace firstcome::payment {

struct CashierOptions {
  std::size_t payments = 10'000;                    ///< of customers, under way at once; one more is `overloaded`
  std::chrono::milliseconds answer_within{10'000};  ///< then the customer is told `outcome_unknown`
  Backoff gateway;                                  ///< while an outcome is unknown, or a refund fails
  Backoff store;                                    ///< while an outcome cannot be stored
  std::size_t asking_again = 16;  ///< charges, and as many refunds, that are tried another time at once
};

/// What has happened since the start.
struct PaymentCounters {
  std::uint64_t charged = 0;  ///< and stored, the refunded ones among them
  std::uint64_t declined = 0;
  std::uint64_t unreachable = 0;   ///< claims given up
  std::uint64_t asked_again = 0;   ///< outcome unknown, or a refund that failed
  std::uint64_t stored_again = 0;  ///< the store did not take an outcome
  std::uint64_t refunds = 0;
  std::uint64_t settled = 0;  ///< claims that a crash had left behind
  std::uint64_t overloaded = 0;
  std::uint64_t running = 0;  ///< now: payments, settlements and refunds
};

/// BeginPayment's outcomes but `done`, FinishPayment's outcomes, with the reservation; or
///   overloaded: too many payments are under way; nothing was begun
///   outcome_unknown: it goes on in the background; ask the reservation how it ended
///   any other failure of the engine before anything was begun; `stopping`
using PaymentResult = std::expected<ReservationAnswer, Failure>;

/// Thread safety: `pay` and `counters` from any thread; everything else on the executor's thread.
class Cashier {
 public:
  /// `engine`, `gateway` and the io_context must outlive what runs; see PaymentService, which sees to it.
  Cashier(Engine& engine, Gateway& gateway, engine::ReservationIds ids, IoExecutor executor,
          CashierOptions options = {});
  ~Cashier();

  /// Pays for a hold. `done` is called exactly once, on the executor's thread, never before this returns.
  void pay(ReservationRef ref, BeginPayment::By by, std::move_only_function<void(PaymentResult)> done);

  /// Called once, when a first attempt has failed and the rest goes on in the background, where few are tried at once.
  using OnTrouble = std::move_only_function<void()>;

  /// The same for the worker, without a bound or a time-out: ends when the outcome is known and stored.
  /// Outcome `gateway_unavailable` leaves the hold as it was. Failure: nothing was begun.
  Task<PaymentResult> charge(ReservationRef ref, BeginPayment::By by, OnTrouble trouble);

  /// Asks the gateway how a charge ended that a crash left behind, and stores it.
  Task<void> settle(ReservationRef ref, OnTrouble trouble);

  /// Pays back what we charged, and stores that.
  Task<void> refund(ReservationRef ref, OnTrouble trouble);

  /// Takes no more customers' payments: `stopping`. What runs goes on.
  void stop();

  /// Ends all waiting now: callers are told `outcome_unknown`, the engine is asked no more. After `stop`.
  void abandon();

  PaymentCounters counters() const;
  /// Operations that the engine has not completed; after `abandon` they only become fewer.
  std::size_t engine_calls() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace firstcome::payment
