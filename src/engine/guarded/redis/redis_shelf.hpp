// What all ways to sell over plain Redis keys do alike: one sale's keys, what a buyer reads of them, an order written.
#pragma once

#include "engine/guarded/book.hpp"
#include "engine/guarded/guarded_options.hpp"
#include "engine/guarded/redis/redis_caller.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::engine {

/// Of one sale, in one slot.
struct ShelfKeys {
  explicit ShelfKeys(std::string_view sale);
  std::string terms;      ///< handle and terms
  std::string stock;      ///< units that are left; of incr and sadd_incr: units at the beginning
  std::string sold;       ///< units taken, of incr and sadd_incr
  std::string gate;       ///< units let in, of limiter
  std::string fence;      ///< the highest token that has written
  std::string orders;     ///< list of rows; a row's number is its place
  std::string ordered;    ///< units of all orders
  std::string unpaid;     ///< units of those whose charge is under way
  std::string states;     ///< number -> `paid`, `gone`, `expired` or `declined`, of orders that were written unpaid
  std::string commits;    ///< number -> when its seller heard of the commit, in microseconds
  std::string open;       ///< customer -> orders that wait for payment, where the sale limits them
  std::string customers;  ///< customer -> units, where the sale limits them
  std::string keys;       ///< idempotency key -> row; an empty row: somebody is at it
  std::string members;    ///< set of customers, of sadd_incr
};

/// What counts the units of a sale.
enum class StockCount : std::uint8_t {
  left,  ///< `stock`, downwards
  sold,  ///< `sold`, upwards
};
StockCount stock_count_of(GuardKind guard);

/// The key as a field of a hash; empty: none.
std::string field_of(KeyHash key);

/// One buyer's reads and writes. All functions block and throw InventoryFailure. Not thread-safe: one for each session.
class RedisShelf {
 public:
  using Effect = RedisCaller::Effect;

  /// Both must outlive it.
  RedisShelf(const GuardedOptions& options, RedisCaller& redis) : options_(options), redis_(redis) {}

  const GuardedOptions& options() const { return options_; }
  RedisCaller& redis() { return redis_; }

  /// One round trip; a second where the key has made an order.
  Seen look(const Purchase& purchase);

  enum class StockChange : std::uint8_t { set, by, leave };
  struct Writing {
    Stamp stamp = {};
    StockChange change = StockChange::leave;
    Units units = 0;              ///< the stock's new value, or its change
    bool counts_customer = true;  ///< false: the customer's units were counted before
  };
  /// An order as it would be written now; Redis itself says when it was.
  OrderRow row_of(const Purchase& purchase, const Seen& seen, const Stamp& stamp) const;
  /// Throws `conflict` where the fence refuses it.
  WrittenOrder write(const Purchase& purchase, const OrderRow& row, const Writing& writing);

  /// The charge of an order has succeeded. False: it does not wait for payment.
  bool mark_paid(const Purchase& purchase, Number number, const Payment& payment);
  /// An order's units come back, or only what was counted for it (number 0). False: it does not wait for payment.
  bool take_back(const Purchase& purchase, Number number, After after = After::forgotten);

 private:
  std::optional<Seen::Earlier> earlier_of(const Purchase& purchase, const ShelfKeys& keys, const std::string& row);

  const GuardedOptions& options_;
  RedisCaller& redis_;
};

}  // namespace firstcome::engine
