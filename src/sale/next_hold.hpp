// The hold of a sale that ends next.
#pragma once

#include "sale/sale_ledger.hpp"

namespace firstcome::sale {

/// `at` is when the hold ends, or, of one that is being charged, when its grace begins.
struct SaleLedger::NextHold {
  Instant at = never;
  ShortNumber number = 0;  ///< 0: nothing is held

  /// Keeps the earlier one; of one instant, the lower number.
  void offer(Instant when, ShortNumber other) {
    if (when < at || (when == at && other < number)) *this = {.at = when, .number = other};
  }
};

}  // namespace firstcome::sale
