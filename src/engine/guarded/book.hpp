// A sale's record as one buyer's transaction sees it, for guards that stand beside the inventory.
#pragma once

#include "engine/guarded/inventory.hpp"

namespace firstcome::engine {

/// An order that was written.
struct WrittenOrder {
  Number number{};
  Instant at{};
};

/// What an order is written with.
struct Stamp {
  std::optional<std::uint64_t> token = {};  ///< the guard's
  bool paid = true;                         ///< false: its charge comes after (PayTime::after)
  std::optional<Payment> payment = {};      ///< what it was charged with already
};

/// All functions block and throw InventoryFailure, but for the last. Not thread-safe. Order: begin, read, write,
/// commit; or begin, read, commit, begin, write, commit (GuardKind::none).
class Book {
 public:
  virtual ~Book() = default;

  virtual void begin() = 0;
  virtual Seen read(const Purchase& purchase) = 0;
  /// Sets the stock to what was read less the quantity, as a plain service would, and adds the order. A fenced
  /// inventory that has seen a higher token throws `conflict`.
  virtual WrittenOrder write(const Purchase& purchase, const Seen& seen, const Stamp& stamp) = 0;
  virtual void commit() = 0;
  /// The same after the commit, for inventories that give number and time no sooner.
  virtual WrittenOrder after_commit(const WrittenOrder& written) const { return written; }
  /// Also where nothing has begun.
  virtual void roll_back() noexcept = 0;

  // PayTime::after: each a transaction of its own, in which the stock is changed by a relative amount.
  // False: the order does not wait for payment.
  /// The charge succeeded.
  virtual bool mark_paid(const Purchase& purchase, Number number, const Payment& payment) = 0;
  /// The charge failed, or never came: the units come back.
  virtual bool take_back(const Purchase& purchase, Number number, After after) = 0;
};

}  // namespace firstcome::engine
