// Ways to sell that are features of an SQL database. sql_sellers.cpp has them, and what each of them does.
#pragma once

#include "engine/guarded/guard.hpp"
#include "engine/guarded/purchase_charge.hpp"
#include "engine/guarded/sql/sql_book.hpp"

#include <chrono>
#include <memory>

namespace firstcome::engine {

/// Blocks; throws InventoryFailure, `conflict` excepted. Not thread-safe: one for each session.
class SqlSeller {
 public:
  /// All must outlive it.
  SqlSeller(const NodeParts& parts, SqlLink& link, SqlBook& book) : parts_(parts), link_(link), book_(book) {}
  virtual ~SqlSeller() = default;
  SqlSeller(const SqlSeller&) = delete;
  SqlSeller& operator=(const SqlSeller&) = delete;

  Sold sell(const Purchase& purchase);
  /// Gives an order's units back. False: it does not wait for payment.
  bool end_hold(const Purchase& purchase, Number number, After after);

 protected:
  /// Sells and commits, with the charge before the commit where it is to be inside; throws `conflict` to be called
  /// again. It need not roll back what it leaves begun.
  virtual Sold attempt(const Purchase& purchase, PurchaseCharge& charge) = 0;
  /// Gives an order's units back; false: it does not wait for payment. It need not let go of what it takes hold of.
  virtual bool take_back(const Purchase& purchase, Number number, After after);
  /// Lets go of what outlives a transaction.
  virtual void let_go() noexcept {}

  /// The one statement in which a buyer waits for others.
  template <typename Ask>
  auto wait_in(Ask ask) {
    const Waiting waiting(parts_.waits);
    return ask();
  }
  /// Ends the transaction, and says why it sold nothing. Throws `conflict` where nothing stands against it any more.
  Sold why_not(const Purchase& purchase);
  /// Charges where that is to be inside, then commits.
  Sold commit(const WrittenOrder& written, PurchaseCharge& charge);

  const NodeParts parts_;
  SqlLink& link_;
  SqlBook& book_;

 private:
  class Waiting {
   public:
    explicit Waiting(GuardWaits& waits) : waits_(waits) {}
    ~Waiting() { waits_.add(std::chrono::steady_clock::now() - from_); }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    GuardWaits& waits_;
    const std::chrono::steady_clock::time_point from_ = std::chrono::steady_clock::now();
  };

  /// Leaves nothing begun and nothing held.
  struct End {
    SqlSeller& seller;
    ~End() {
      seller.link_.roll_back();
      seller.let_go();
    }
  };

  /// One attempt.
  Sold try_once(const Purchase& purchase, PurchaseCharge& charge);
  /// PayTime::after.
  Sold pay_after(const Purchase& purchase, const Sold& sold, PurchaseCharge& charge);
};

/// REQUIRES: the guard is row_lock, optimistic, conditional_update, one_statement, unique_key, named_lock or
/// advisory_lock, and fits the database.
std::unique_ptr<SqlSeller> make_sql_seller(const NodeParts& parts, SqlLink& link, SqlBook& book);

// Those of them that have a file of their own.
std::unique_ptr<SqlSeller> make_unique_key_seller(const NodeParts& parts, SqlLink& link, SqlBook& book);
std::unique_ptr<SqlSeller> make_one_statement_seller(const NodeParts& parts, SqlLink& link, SqlBook& book);

}  // namespace firstcome::engine
