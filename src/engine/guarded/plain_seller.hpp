// What a plain service does inside a guard: read, check, pay, write, commit. The one procedure of all guards that stand
// beside their inventory.
#pragma once

#include "engine/guarded/book.hpp"
#include "engine/guarded/guard.hpp"

namespace firstcome::engine {

class PurchaseCharge;

/// Not thread-safe: one for each session.
class PlainSeller {
 public:
  /// REQUIRES: parts.guard is not null; all outlive this.
  PlainSeller(const NodeParts& parts, Book& book) : parts_(parts), book_(book) {}

  /// Blocks. Throws InventoryFailure, `conflict` excepted: then it is tried again, and `busy` in the end. Nothing is
  /// left begun, whatever happens.
  Sold sell(const Purchase& purchase);
  /// Gives an order's units back. False: it does not wait for payment. Throws InventoryFailure.
  bool take_back(const Purchase& purchase, Number number, After after);

 private:
  Sold attempt(const Purchase& purchase, PurchaseCharge& charge);

  const NodeParts parts_;
  Book& book_;
};

}  // namespace firstcome::engine
