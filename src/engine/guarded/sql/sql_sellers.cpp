// row-lock, advisory-lock, named-lock: lock, read, check, write, commit, in this order.
// optimistic, conditional-update: read without a lock, which is enough for most refusals; then write under a condition
// that says whether somebody else was quicker.
//
// What all of them rely on: under READ COMMITTED each statement sees what was committed before it began. So what is
// read after the lock was given, by a statement of its own, is what the last holder has left. (One statement that both
// waits for a row and reads others sees the others as they were before it waited.)
#include "engine/guarded/sql/sql_seller.hpp"

#include <fmt/format.h>

#include <cassert>

namespace firstcome::engine {

using Kind = InventoryFailure::Kind;
namespace {

/// What the three locks do once they have it: sets what is written to what was read, as a plain service would. So who
/// gives units back needs the lock too, or whoever has it would write over what came back.
class Locked : public SqlSeller {
 public:
  using SqlSeller::SqlSeller;

 protected:
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
    const std::string query = book_.read_query(purchase);
    const std::string lock = " FOR UPDATE";
    // Where nothing but the stock's row is read, the lock's own answer is new enough.
    const bool row_only = !purchase.terms.limit_per_customer && !purchase.key;
    const auto rows = wait_in([&] {
      if (row_only) return link_.ask({query + lock}, SqlBook::read_columns);
      return link_.ask(
          {fmt::format("SELECT 1 FROM guarded_stock WHERE sale = {}{}", value(purchase.sale), lock), query},
          SqlBook::read_columns);
    });
    return sell_as_seen(purchase, book_.seen_in(rows), charge);
  }
};

/// An advisory lock of PostgreSQL, held by the transaction, which ends it after the commit can be seen.
class AdvisoryLock final : public Locked {
 public:
  using Locked::Locked;

 protected:
  Sold attempt(const Purchase& purchase, PurchaseCharge& charge) override {
    link_.begin();
    const auto rows =
        wait_in([&] { return link_.ask({lock_of(purchase), book_.read_query(purchase)}, SqlBook::read_columns); });
    return sell_as_seen(purchase, book_.seen_in(rows), charge);
  }

  void take_back(const Purchase& purchase, Number number) override {
    book_.take_back(purchase.sale, number, [&] {
      link_.ask({lock_of(purchase)}, 1);
      book_.give_back(purchase.sale, purchase.quantity);
    });
  }

 private:
  static std::string lock_of(const Purchase& purchase) {
    return fmt::format("SELECT pg_advisory_xact_lock(1718186611, {})",
                       static_cast<std::int32_t>(value(purchase.sale) & 0x7fff'ffffU));
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

  void take_back(const Purchase& purchase, Number number) override {
    if (!lock(purchase)) throw InventoryFailure{Kind::unknown, "the lock for giving units back could not be had"};
    Locked::take_back(purchase, number);
  }

  void let_go() noexcept override {
    try {
      if (held_) link_.ask({fmt::format("SELECT RELEASE_LOCK({})", name_)}, 1);
    } catch (const InventoryFailure&) {
      link_.drop();  // which releases it
    }
    held_ = false;
  }

 private:
  bool lock(const Purchase& purchase) {
    // Names are the server's, not the database's.
    name_ = fmt::format("CONCAT('firstcome-', MD5(CONCAT(DATABASE(), '/', {})))", value(purchase.sale));
    const double seconds = static_cast<double>(parts_.options.wait.count()) / 1'000;
    const auto got =
        wait_in([&] { return link_.ask({fmt::format("SELECT GET_LOCK({}, {:.3f})", name_, seconds)}, 1); });
    held_ = !got.empty() && got[0][0] == "1";
    return held_;
  }

  std::string name_;
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
    const std::uint64_t changed = wait_in([&] {
      return link_.execute(
          {fmt::format("UPDATE guarded_stock SET available = {}, version = version + 1"
                       " WHERE sale = {} AND version = {}",
                       seen.available - purchase.quantity, value(purchase.sale), seen.version)});
    });
    if (changed == 0) throw InventoryFailure{Kind::conflict, "somebody else was quicker"};
    return commit(book_.insert(book_.draft(purchase, seen, {.paid = charge.is_paid_when_written()})), charge);
  }
};

/// One UPDATE checks and takes; its row lock, held until the commit, keeps the orders of a sale apart, so the
/// customer's limit is checked by the INSERT behind it. An order of the same key is kept out by a unique index.
class ConditionalUpdate final : public SqlSeller {
 public:
  using SqlSeller::SqlSeller;

 protected:
  Sold attempt(const Purchase& purchase, PurchaseCharge& charge) override {
    const Seen seen = book_.read(purchase);
    if (const auto no = refusal(purchase, seen)) return refused(*no, purchase, seen);
    between_read_and_write(parts_.options);
    link_.begin();
    const std::uint64_t changed = wait_in([&] {
      return link_.execute(
          {fmt::format("UPDATE guarded_stock SET available = available - {0}, version = version + 1"
                       " WHERE sale = {1} AND available >= {0}",
                       purchase.quantity, value(purchase.sale))});
    });
    if (changed == 0) return ask_why(purchase);
    const Stamp stamp{.paid = charge.is_paid_when_written()};
    const auto& limit = purchase.terms.limit_per_customer;
    const WrittenOrder written =
        book_.insert(limit ? book_.draft_within(purchase, seen, stamp, *limit - purchase.quantity)
                           : book_.draft(purchase, seen, stamp));
    if (written.number == Number{}) return ask_why(purchase);
    return commit(written, charge);
  }

 private:
  /// After what was read first had nothing against it.
  Sold ask_why(const Purchase& purchase) {
    link_.roll_back();
    const Seen seen = book_.read(purchase);
    if (const auto no = refusal(purchase, seen)) return refused(*no, purchase, seen);
    throw InventoryFailure{Kind::conflict, "units came back meanwhile"};
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
    default:
      assert(parts.options.guard == GuardKind::conditional_update && "a guard beside the inventory sells by a book");
      return std::make_unique<ConditionalUpdate>(parts, link, book);
  }
}

}  // namespace firstcome::engine
