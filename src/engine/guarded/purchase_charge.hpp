// The charge of one purchase: made at most once, however often its transaction is tried, and paid back where no order
// came of it.
#pragma once

#include "engine/guarded/guarded_options.hpp"
#include "engine/guarded/inventory.hpp"

#include <functional>
#include <optional>
#include <string>

namespace firstcome::engine {

/// Not thread-safe.
class PurchaseCharge {
 public:
  /// Charges nothing yet. Both must outlive it.
  PurchaseCharge(const GuardedOptions& options, const Purchase& purchase);
  /// Blocks where it pays back.
  ~PurchaseCharge();
  PurchaseCharge(const PurchaseCharge&) = delete;
  PurchaseCharge& operator=(const PurchaseCharge&) = delete;

  const Purchase& purchase() const { return purchase_; }
  /// Whether the sale charges at all.
  bool due() const { return purchase_.terms.hold.count() > 0 && !is_customers(); }
  /// Whether the customer pays afterwards, by a request of their own.
  bool is_customers() const { return holds_for_customers(purchase_.terms); }
  /// Whether an order is written paid: nothing is due, or the charge comes first.
  bool is_paid_when_written() const { return !is_customers() && (!due() || pay_time_of(options_) == PayTime::inside); }
  /// Whether it is made when the order is written.
  bool comes_after() const { return due() && !is_paid_when_written(); }

  /// Charges, the first time, and blocks. Nothing: it is paid, or nothing is due. Else payment_failed or
  /// gateway_unavailable.
  std::optional<Outcome> charge();
  /// The same with PayTime::inside; nothing with PayTime::after.
  std::optional<Outcome> charge_inside();
  /// Returns the payment; nothing where nothing was charged.
  std::optional<Payment> payment() const;
  /// There is an order that this pays for, or may be (a commit whose outcome is unknown).
  void keep() { kept_ = true; }

 private:
  const GuardedOptions& options_;
  const Purchase& purchase_;
  std::string key_;
  std::optional<ChargeOutcome> outcome_;
  Payment payment_;  ///< where it was charged
  bool kept_ = false;
};

/// Calls `attempt` again, after a random pause of some milliseconds, as long as it throws InventoryFailure `conflict`;
/// `busy` when `wait` is over. Other failures pass. Calls `charge.keep()` where it answers `done`, or throws `unknown`.
Sold sell_again(Milliseconds wait, PurchaseCharge& charge, const std::function<Sold()>& attempt);

/// Calls `between_read_and_write`, if the options have one.
inline void between_read_and_write(const GuardedOptions& options) {
  if (options.between_read_and_write) options.between_read_and_write();
}

}  // namespace firstcome::engine
