// Ways to sell that are features of Redis: INCR, SADD and then INCR, and the limiter. No lock, no transaction: each
// step is atomic by itself, and what is between two steps is what breaks.
//
// As their proponents write them, with their flaws (docs/guarded.md): who counts too much gives it back, and meanwhile
// others are told that it is sold out; who was marked as a customer stays marked when the next step fails; who was let
// in by the limiter has used up a place, whatever comes of it.
#pragma once

#include "engine/guarded/redis/redis_shelf.hpp"

namespace firstcome::engine {

class PurchaseCharge;

/// Not thread-safe: one for each session.
class RedisCounters {
 public:
  /// For as long the limiter's count lasts, from the first who is let in.
  static constexpr Milliseconds gate_window{60'000};

  /// `shelf` must outlive it.
  explicit RedisCounters(RedisShelf& shelf) : shelf_(shelf) {}

  /// Blocks; throws InventoryFailure. REQUIRES: the guard is incr, sadd_incr or limiter.
  Sold sell(const Purchase& purchase);

 private:
  Sold sell_by_incr(const Purchase& purchase, PurchaseCharge& charge);
  Sold sell_by_sadd_incr(const Purchase& purchase, PurchaseCharge& charge);
  Sold sell_by_limiter(const Purchase& purchase, PurchaseCharge& charge);

  /// Pays and writes the order of units that were taken.
  Sold finish(const Purchase& purchase, const Seen& seen, PurchaseCharge& charge, RedisShelf::Writing writing);

  RedisShelf& shelf_;
};

}  // namespace firstcome::engine
