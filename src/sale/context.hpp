// What all sales of one ledger share: the changes of the batch, the memory of refusals, the payment work.
#pragma once

#include "sale/changes.hpp"
#include "sale/refusal_memory.hpp"

#include <cstdint>
#include <deque>

namespace firstcome::sale {

/// Payment work that was not handed out yet.
struct PaymentWork {
  std::deque<PaymentTask> tasks;     ///< found when building again, and refunds
  std::deque<SaleHandle> to_charge;  ///< sales with holds to charge; each stands in it once
};

/// Not thread-safe.
struct Context {
  explicit Context(std::uint64_t hash_seed) : seed(hash_seed) {}

  std::uint64_t seed;
  std::uint64_t batch = 1;  ///< rises with every `clear_changes`
  Changes changes;
  PaymentWork work;
  RefusalMemory refusals;
};

}  // namespace firstcome::sale
