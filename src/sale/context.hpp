// What all sales of one ledger share: the changes of the batch, the memory of refusals, the payment work.
#pragma once

#include "sale/changes.hpp"
#include "sale/refusal_memory.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>

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
  /// Grants and refusals that the commands of this turn may still bring about; the rest of them is due at once.
  std::size_t steps = std::numeric_limits<std::size_t>::max();
  /// By how much the wall clock, which opening hours follow, is ahead of the instants that commands are given.
  Milliseconds wall_ahead{};
  Changes changes;
  PaymentWork work;
  RefusalMemory refusals;
};

}  // namespace firstcome::sale
