#include "engine/guarded/purchase_charge.hpp"

#include "engine/guarded/pauses.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>

namespace firstcome::engine {

PurchaseCharge::PurchaseCharge(const GuardedOptions& options, const Purchase& purchase)
    : options_(options), purchase_(purchase) {}

PurchaseCharge::~PurchaseCharge() {
  const bool may_be_charged = outcome_ == ChargeOutcome::charged || outcome_ == ChargeOutcome::unknown;
  if (may_be_charged && !kept_ && options_.refund) options_.refund(key_);
}

std::optional<Outcome> PurchaseCharge::charge() {
  if (!due()) return std::nullopt;
  if (!outcome_) {
    // The order has no number yet, so its payment has a name of its own.
    static std::atomic<std::uint64_t> charges = 0;
    key_ = fmt::format("{}-{}-{}-{}", purchase_.terms.id, options_.node, options_.now().time_since_epoch().count(),
                       ++charges);
    const Money amount = purchase_.quantity * purchase_.terms.unit_price;
    ChargeResult result;
    result.outcome = ChargeOutcome::charged;
    if (options_.charge) result = options_.charge({key_, amount, purchase_.terms.currency});
    outcome_ = result.outcome;
    // A provider that names no payment knows it by our key.
    payment_ = {result.payment_id.empty() ? key_ : std::move(result.payment_id), std::move(result.account_number)};
  }
  switch (*outcome_) {
    case ChargeOutcome::charged:
      return std::nullopt;
    case ChargeOutcome::declined:
    case ChargeOutcome::refused:
      return Outcome::payment_failed;
    case ChargeOutcome::unreachable:
    case ChargeOutcome::unknown:
      break;
  }
  return Outcome::gateway_unavailable;
}

std::optional<Payment> PurchaseCharge::payment() const {
  if (outcome_ != ChargeOutcome::charged) return std::nullopt;
  return payment_;
}

std::optional<Outcome> PurchaseCharge::charge_inside() {
  if (pay_time_of(options_) == PayTime::after) return std::nullopt;
  return charge();
}

Sold sell_again(Milliseconds wait, PurchaseCharge& charge, const std::function<Sold()>& attempt) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  RandomPauses pauses;
  for (;;) {
    try {
      Sold sold = attempt();
      if (sold.outcome == Outcome::done) {
        charge.keep();
        sold.payment = charge.payment();
      }
      return sold;
    } catch (const InventoryFailure& failure) {
      if (failure.kind == InventoryFailure::Kind::unknown) charge.keep();
      if (failure.kind != InventoryFailure::Kind::conflict) throw;
    }
    if (std::chrono::steady_clock::now() >= deadline) return {.outcome = Outcome::busy};
    pauses.rest();
  }
}

}  // namespace firstcome::engine
