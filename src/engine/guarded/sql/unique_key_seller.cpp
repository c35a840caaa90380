// A row for each unit that is sold, under a unique key: whoever takes a unit that somebody else is taking waits for
// that one, and is told.
//
// Units are taken in order, so those who come at once want the same one, and one of them gets it. A unit that came back
// (a charge failed after the sale) keeps its row, or somebody who has read before would take it for one that was never
// sold; it gets another row, in a table of those that are free, and whoever deletes that has it. They are taken when no
// unit is left that was never sold.
//
// Two requests of one customer may want different units. Where a customer has a limit, each order takes the customer's
// next number too, under a unique key: so neither is decided without the other being seen. These rows stay for ever.
#include "engine/guarded/sql/sql_seller.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::engine {

using Kind = InventoryFailure::Kind;
namespace {

using Unit = std::int64_t;

class UniqueKey final : public SqlSeller {
 public:
  using SqlSeller::SqlSeller;

 protected:
  Sold attempt(const Purchase& purchase, PurchaseCharge& charge) override {
    const Found found = look(purchase);
    if (const auto no = refusal(purchase, found.seen)) return refused(*no, purchase, found.seen);
    choose(purchase, found);
    between_read_and_write(parts_.options);
    link_.begin();
    wait_in([&] { take(); });
    std::optional<SqlCall> first;
    if (purchase.terms.limit_per_customer) first = nth_of(purchase, found.nth);
    const WrittenOrder written =
        book_.insert(book_.draft(purchase, found.seen, {.paid = charge.is_paid_when_written()}), std::move(first));
    return commit(written, charge);
  }

  /// REQUIRES: it is what the last attempt has sold. Which units an order has is written nowhere.
  bool take_back(const Purchase& purchase, Number number, After after) override {
    const auto now = parts_.options.now().time_since_epoch().count();
    return book_.take_back(purchase, number, after, [&] {
      for (const std::vector<Unit>* const units : {&fresh_, &returned_}) {
        each_part(*units, [&](std::span<const Unit> part) {
          insert("guarded_free_units (sale, unit, freed_at_us)", part, now);
        });
      }
    });
  }

 private:
  struct Found {
    Seen seen;
    Unit last = 0;         ///< the last unit that was ever sold
    std::int64_t nth = 0;  ///< how many orders the customer has ever made
  };

  Found look(const Purchase& purchase) {
    // The same query as of all others, with three columns more.
    const Microsecond asked_at = book_.now();
    SqlCall sql = link_.new_call("SELECT q.*, (SELECT MAX(u.unit) FROM guarded_units u WHERE u.sale = ");
    sql.number(value(purchase.sale)) << "), (SELECT COUNT(*) FROM guarded_free_units f WHERE f.sale = ";
    sql.number(value(purchase.sale)) << "), ";
    if (purchase.terms.limit_per_customer) {
      sql << "(SELECT COUNT(*) FROM guarded_buyers b WHERE b.sale = ";
      (sql.number(value(purchase.sale)) << " AND b.customer = ").text(purchase.customer) << ")";
    } else {
      sql << "0";
    }
    sql << " FROM (";
    book_.add_read(sql, purchase);
    sql << ") q";
    const SqlAnswer answer = link_.call({std::move(sql)});
    Found found{.seen = book_.seen_in(answer.rows)};
    found.seen.at = asked_at;
    const SqlLink::Row& row = answer.rows[0];
    found.last = number_in(row[SqlBook::read_columns]);
    found.seen.available = purchase.terms.stock - found.last + number_in(row[SqlBook::read_columns + 1]);
    found.nth = number_in(row[SqlBook::read_columns + 2]);
    return found;
  }

  SqlCall nth_of(const Purchase& purchase, std::int64_t nth) const {
    SqlCall sql = link_.new_call("INSERT INTO guarded_buyers (sale, customer, nth) VALUES (");
    (sql.number(value(purchase.sale)) << ", ").text(purchase.customer) << ", ";
    sql.number(nth + 1) << ")";
    return sql;
  }

  void choose(const Purchase& purchase, const Found& found) {
    sale_ = purchase.sale;
    fresh_.clear();
    returned_.clear();
    const Unit until = std::min(purchase.terms.stock, found.last + purchase.quantity);
    for (Unit unit = found.last + 1; unit <= until; ++unit) fresh_.push_back(unit);
    const Units missing = purchase.quantity - static_cast<Units>(fresh_.size());
    if (missing == 0) return;
    SqlCall sql = link_.new_call("SELECT unit FROM guarded_free_units WHERE sale = ");
    (sql.number(value(sale_)) << " ORDER BY freed_at_us, unit LIMIT ").number(missing);
    for (const auto& row : link_.call({std::move(sql)}).rows) returned_.push_back(number_in(row[0]));
    if (static_cast<Units>(returned_.size()) < missing) throw quicker();
  }

  void take() {
    each_part(fresh_, [&](std::span<const Unit> part) { insert("guarded_units (sale, unit)", part, {}); });
    each_part(returned_, [&](std::span<const Unit> part) {
      SqlCall sql = link_.new_call("DELETE FROM guarded_free_units WHERE sale = ");
      sql.number(value(sale_)) << " AND unit IN (";
      for (std::size_t i = 0; i < part.size(); ++i) (sql << (i == 0 ? "" : ", ")).number(part[i]);
      sql << ")";
      if (link_.call({std::move(sql)}).changed != part.size()) throw quicker();
    });
  }

  void insert(std::string_view into, std::span<const Unit> units, std::optional<std::int64_t> more) {
    SqlCall sql = link_.new_call("INSERT INTO ");
    sql << into << " VALUES ";
    for (std::size_t i = 0; i < units.size(); ++i) {
      (sql << (i == 0 ? "(" : ", (")).number(value(sale_)) << ", ";
      sql.number(units[i]);
      if (more) (sql << ", ").number(*more);
      sql << ")";
    }
    link_.call({std::move(sql)});
  }

  template <typename Work>
  static void each_part(std::span<const Unit> units, Work work) {
    constexpr std::size_t rows = 1'000;
    while (!units.empty()) {
      const auto part = units.first(std::min(units.size(), rows));
      work(part);
      units = units.subspan(part.size());
    }
  }

  static InventoryFailure quicker() { return {Kind::conflict, "somebody else was quicker"}; }

  // What the last attempt has chosen.
  SaleHandle sale_{};
  std::vector<Unit> fresh_;
  std::vector<Unit> returned_;
};

}  // namespace

std::unique_ptr<SqlSeller> make_unique_key_seller(const NodeParts& parts, SqlLink& link, SqlBook& book) {
  return std::make_unique<UniqueKey>(parts, link, book);
}

}  // namespace firstcome::engine
