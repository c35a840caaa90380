// row-lock, advisory-lock, named-lock: lock, read, check, write, commit, in this order.
// optimistic: read without a lock, which is enough for most refusals; then write under a condition that says whether
// somebody else was quicker.
// conditional-update: write under a condition, and read only where it was not met.
//
// What all of them rely on: under READ COMMITTED each statement sees what was committed before it began. So what is
// read after the lock was given, by a statement of its own, is what the last holder has left. (One statement that both
// waits for a row and reads others sees the others as they were before it waited.)
#include "engine/guarded/sql/sql_seller.hpp"

#include <fmt/format.h>

#include <cassert>
#include <utility>
#include <vector>

namespace firstcome::engine {

using Kind = InventoryFailure::Kind;
namespace {

/// What the three locks do once they have it: sets what is written to what was read, as a plain service would. So who
/// gives units back needs the lock too, or whoever has it would write over what came back.
class Locked : public SqlSeller {
 public:
  using SqlSeller::SqlSeller;

 protected:
  /// `rows`: the answer to the book's query, just come.
  Sold sell_as_seen(const Purchase& purchase, const std::vector<SqlLink::Row>& rows, PurchaseCharge& charge) {
    Seen seen = book_.seen_in(rows);
    seen.at = book_.now();
    return sell_as_seen(purchase, seen, charge);
  }
  Sold sell_as_seen(const Purchase& purchase, const Seen& seen, PurchaseCharge& charge) {
    if (const auto no = refusal(purchase, seen)) return refused(*no, purchase, seen);
    between_read_and_write(parts_.options);
    const WrittenOrder written = book_.write(purchase, seen, {.paid = charge.is_paid_when_written()});
    return commit(written, charge);
  }
};

/// SELECT ... FOR UPDATE of the stock's row, held by the transaction.
class RowLock final : public Locked {
 public:
  using Locked::Locked;

 protected:
  Sold attempt(const Purchase& purchase, PurchaseCharge& charge) override {
    link_.begin();
    // Where nothing but the stock's row is read, the lock's own answer is new enough.
    const bool row_only = !purchase.terms.limit_per_customer && !purchase.terms.max_open && !purchase.key;
    const SqlAnswer answer = wait_in([&] {
      if (row_only) return link_.call({book_.read_call(purchase, " FOR UPDATE")});
      SqlCall lock = link_.new_call("SELECT 1 FROM guarded_stock WHERE sale = ");
      lock.number(value(purchase.sale)) << " FOR UPDATE";
      return link_.call({std::move(lock), book_.read_call(purchase)});
    });
    return sell_as_seen(purchase, answer.rows, charge);
  }
};

/// An advisory lock of PostgreSQL, held by the transaction, which ends it after the commit can be seen.
class AdvisoryLock final : public Locked {
 public:
  using Locked::Locked;

 protected:
  Sold attempt(const Purchase& purchase, PurchaseCharge& charge) override {
    link_.begin();
    const SqlAnswer answer = wait_in([&] { return link_.call({lock_of(purchase), book_.read_call(purchase)}); });
    return sell_as_seen(purchase, answer.rows, charge);
  }

  bool take_back(const Purchase& purchase, Number number, After after) override {
    return book_.take_back(purchase, number, after, [&] {
      link_.call({lock_of(purchase)});
      book_.give_back(purchase.sale, purchase.quantity);
    });
  }

 private:
  SqlCall lock_of(const Purchase& purchase) const {
    SqlCall lock = link_.new_call("SELECT pg_advisory_xact_lock(1718186611, (");
    lock.number(value(purchase.sale) & 0x7fff'ffffU) << ")::int)";
    return lock;
  }
};

/// GET_LOCK of MariaDB, held by the session: so it outlives the transaction, and is released after it.
class NamedLock final : public Locked {
 public:
  using Locked::Locked;

 protected:
  Sold attempt(const Purchase& purchase, PurchaseCharge& charge) override {
    if (!lock(purchase)) return {.outcome = Outcome::busy};
    link_.begin();
    return sell_as_seen(purchase, book_.read(purchase), charge);
  }

  bool take_back(const Purchase& purchase, Number number, After after) override {
    if (!lock(purchase)) throw InventoryFailure{Kind::unknown, "the lock for giving units back could not be had"};
    return Locked::take_back(purchase, number, after);
  }

  void let_go() noexcept override {
    try {
      if (held_) link_.call({with_name("SELECT RELEASE_LOCK(", ")")});
    } catch (...) {  // whatever it is, the lock may not stay held
      link_.drop();  // which releases it
    }
    held_ = false;
  }

 private:
  bool lock(const Purchase& purchase) {
    sale_ = purchase.sale;
    const double seconds = static_cast<double>(parts_.options.wait.count()) / 1'000;
    const SqlAnswer got =
        wait_in([&] { return link_.call({with_name("SELECT GET_LOCK(", fmt::format(", {:.3f})", seconds))}); });
    held_ = !got.rows.empty() && got.rows[0][0] == "1";
    return held_;
  }

  SqlCall with_name(std::string_view before, std::string_view behind) const {
    // Names are the server's, not the database's.
    SqlCall call = link_.new_call(before);
    call << "CONCAT('firstcome-', MD5(CONCAT(DATABASE(), '/', ";
    call.number(value(sale_)) << ")))" << behind;
    return call;
  }

  SaleHandle sale_{};
  bool held_ = false;
};

/// The version is what is compared: any order of the sale between the reading and the writing is seen.
class Optimistic final : public SqlSeller {
 public:
  using SqlSeller::SqlSeller;

 protected:
  Sold attempt(const Purchase& purchase, PurchaseCharge& charge) override {
    const Seen seen = book_.read(purchase);
    if (const auto no = refusal(purchase, seen)) return refused(*no, purchase, seen);
    between_read_and_write(parts_.options);
    link_.begin();
    SqlCall set = link_.new_call("UPDATE guarded_stock SET available = ");
    set.number(seen.available - purchase.quantity) << ", version = version + 1 WHERE sale = ";
    (set.number(value(purchase.sale)) << " AND version = ").number(seen.version);
    const std::uint64_t changed = wait_in([&] { return link_.call({std::move(set)}).changed; });
    if (changed == 0) throw InventoryFailure{Kind::conflict, "somebody else was quicker"};
    return commit(book_.insert(book_.draft(purchase, seen, {.paid = charge.is_paid_when_written()})), charge);
  }
};

/// One UPDATE checks and takes, and nothing is read before it; its row lock, held until the commit, keeps the orders of
/// a sale apart, so the customer's limit is checked by the INSERT behind it. An order of the same key is kept out by a
/// unique index. Only who gets nothing asks why.
class ConditionalUpdate final : public SqlSeller {
 public:
  using SqlSeller::SqlSeller;

 protected:
  Sold attempt(const Purchase& purchase, PurchaseCharge& charge) override {
    const Microsecond asked_at = book_.now();
    link_.begin();
    SqlCall take = link_.new_call("UPDATE guarded_stock SET available = available - ");
    take.number(purchase.quantity) << ", version = version + 1 WHERE sale = ";
    (take.number(value(purchase.sale)) << " AND available >= ").number(purchase.quantity);
    const std::uint64_t changed = wait_in([&] { return link_.call({std::move(take)}).changed; });
    if (changed == 0) return why_not(purchase);
    between_read_and_write(parts_.options);
    const WrittenOrder written = insert(purchase, asked_at, charge);
    if (written.number == Number{}) return why_not(purchase);
    return commit(written, charge);
  }

 private:
  /// Without a number: the customer has too many, or the key has made an order.
  WrittenOrder insert(const Purchase& purchase, Microsecond asked_at, const PurchaseCharge& charge) {
    try {
      return book_.insert(book_.draft_unread(purchase, asked_at, {.paid = charge.is_paid_when_written()}));
    } catch (const InventoryFailure& failure) {
      if (failure.kind != Kind::conflict || !purchase.key) throw;
      return {};
    }
  }
};

}  // namespace

std::unique_ptr<SqlSeller> make_sql_seller(const NodeParts& parts, SqlLink& link, SqlBook& book) {
  switch (parts.options.guard) {
    case GuardKind::row_lock:
      return std::make_unique<RowLock>(parts, link, book);
    case GuardKind::advisory_lock:
      return std::make_unique<AdvisoryLock>(parts, link, book);
    case GuardKind::named_lock:
      return std::make_unique<NamedLock>(parts, link, book);
    case GuardKind::optimistic:
      return std::make_unique<Optimistic>(parts, link, book);
    case GuardKind::unique_key:
      return make_unique_key_seller(parts, link, book);
    case GuardKind::one_statement:
      return make_one_statement_seller(parts, link, book);
    default:
      assert(parts.options.guard == GuardKind::conditional_update && "a guard beside the inventory sells by a book");
      return std::make_unique<ConditionalUpdate>(parts, link, book);
  }
}

}  // namespace firstcome::engine
