// What a guarded engine needs of an inventory: where the stock and the orders of sales are kept, and sold.
//
// Mechanism: each worker of the engine has an InventorySession of its own and blocks on it. How a sale is made depends
// on the guard. Guards that stand beside the inventory (none, mutex, locks) share one procedure, PlainSeller, over a
// Book; guards that are a feature of the inventory (row lock, conditional update, INCR ...) are written where it is.
#pragma once

#include "engine/guarded/microsecond.hpp"
#include "engine/reservation_id.hpp"

#include <firstcome/command.hpp>
#include <firstcome/outcome.hpp>
#include <firstcome/sale.hpp>
#include <firstcome/types.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace firstcome::engine {

/// Whether its units are held until the customer pays.
inline bool holds_for_customers(const SaleTerms& terms) {
  return terms.hold.count() > 0 && terms.payment == PaymentMode::client;
}

/// One request to buy.
struct Purchase {
  SaleHandle sale{};
  SaleTerms terms;
  std::string customer;
  Units quantity = 1;
  std::string reference;
  KeyHash key;  ///< all zero: none
};

/// What a buyer's transaction read.
struct Seen {
  struct Earlier {
    Number number{};
    Units quantity = 0;
    Instant at{};
    std::string reference = {};
    bool paid = true;  ///< false: its charge is under way
    std::optional<Payment> payment = {};
  };
  Units available = 0;
  Units of_customer = 0;               ///< that the customer has bought of this sale
  std::uint64_t open_of_customer = 0;  ///< orders of the customer that wait for payment, where the sale limits them
  std::optional<Earlier> same_key;     ///< the order that this key has made
  std::uint64_t version = 0;           ///< of the row, where it has one
  Microsecond at{};                    ///< when it was read
};

/// The one decision that all guards make: why nothing is sold; nothing: sell.
/// sold_out, not_enough, limit_exceeded, already_open; where the key has made an order unchanged,
/// idempotency_key_reused or request_in_progress (its charge is under way). The key comes first.
std::optional<Outcome> refusal(const Purchase& purchase, const Seen& seen);

/// What stays of an order that was not paid, when its units come back.
enum class After : std::uint8_t {
  forgotten,  ///< nothing: nobody was told of it
  expired,    ///< its customer did not pay in time
  declined,   ///< its customer's payment failed
};

/// An order, and how it came to be.
struct OrderRow {
  Number number{};
  std::string customer;
  Units quantity = 1;
  std::string reference;
  Instant at{};
  bool paid = true;            ///< false: its charge is under way (PayTime::after), or its customer has still to pay
  std::optional<After> ended;  ///< it was not paid, and its units have come back
  std::optional<Payment> payment;  ///< what it was paid with; nothing: it was not charged
  std::string node;                ///< who sold it
  Units seen_available = 0;        ///< what its seller read
  Microsecond read_at{};           ///< when that was; of guards that stand beside the inventory: when it asked
  Microsecond written_at{};        ///< when it wrote, before the commit
  std::optional<Microsecond> committed_at = {};  ///< when its seller heard that it was committed; nothing: not known
};

/// When a seller heard of its commit, which no order itself can say.
struct CommitTime {
  SaleHandle sale{};
  Number number{};
  Microsecond at{};
};

/// The answer to one purchase.
struct Sold {
  /// done, unchanged, a refusal, payment_failed, gateway_unavailable, busy
  Outcome outcome = Outcome::sold_out;
  Number number{};                      ///< of done and unchanged
  Instant at{};                         ///< of done and unchanged
  Units left = 0;                       ///< of not_enough: units available; of limit_exceeded: units left of the limit
  std::optional<Payment> payment = {};  ///< of done and unchanged, where the sale has charged
};

/// A refusal, with what `left` means for it.
Sold refused(Outcome outcome, const Purchase& purchase, const Seen& seen);

/// Thrown where an inventory or a guard cannot answer.
struct InventoryFailure {
  enum class Kind : std::uint8_t {
    unavailable,  ///< nothing was written
    unknown,      ///< it may have been written
    conflict,     ///< nothing was written, somebody else was quicker (serialization, deadlock, fence): try again
  };
  Kind kind = Kind::unavailable;
  std::string sentence;
};

/// One worker's session. All functions block and throw InventoryFailure. Not thread-safe.
class InventorySession {
 public:
  virtual ~InventorySession() = default;

  /// Connects, makes the tables where they are missing, and the store's secret once for all nodes. Called first, and
  /// again after an `unavailable` or `unknown` failure: then a connection that was lost is made anew.
  virtual StoreSecret open() = 0;

  /// done, unchanged or sale_exists.
  virtual SaleAnswer create(const SaleTerms& terms) = 0;
  /// Nothing: there is none. `sold` is what the orders say, `available` what the stock says, so that one sees where
  /// they disagree.
  virtual std::optional<SaleView> sale(const std::string& id) = 0;
  virtual std::vector<SaleView> sales(const std::string& after, std::uint32_t limit) = 0;
  /// By number. Orders that are not paid are among them.
  virtual std::vector<OrderRow> orders(SaleHandle sale, const std::optional<std::string>& customer, Number after,
                                       std::uint32_t limit) = 0;
  virtual std::optional<OrderRow> order(ReservationRef ref) = 0;

  virtual Sold sell(const Purchase& purchase) = 0;

  virtual void keep_commit_times(std::span<const CommitTime> times) = 0;

  // Of sales whose customers pay what is held for them. `held`: the sale, the customer and the quantity of the order.
  /// False: it does not wait for payment.
  virtual bool mark_paid(const Purchase& held, Number number, const Payment& payment) = 0;
  /// Its units come back, inside the guard. False: it does not wait for payment.
  virtual bool end_hold(const Purchase& held, Number number, After after) = 0;
  /// Orders that wait for payment and were written before this time: a few, by number.
  virtual std::vector<OrderRow> unpaid(SaleHandle sale, Instant before) = 0;
};

}  // namespace firstcome::engine
