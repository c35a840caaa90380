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
#include "engine/sql/sql_values.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <string>
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
    const auto order = book_.draft(purchase, found.seen, {.paid = charge.is_paid_when_written()});
    const WrittenOrder written =
        purchase.terms.limit_per_customer ? book_.insert(order, nth_of(purchase, found.nth)) : book_.insert(order);
    return commit(written, charge);
  }

  void take_back(const Purchase& purchase, Number number) override {
    const auto now = parts_.options.now().time_since_epoch().count();
    book_.take_back(purchase.sale, number, [&] {
      for (const std::vector<Unit>* const units : {&fresh_, &returned_}) {
        each_part(*units, [&](std::span<const Unit> part) {
          insert("guarded_free_units (sale, unit, freed_at_us)", part, fmt::format(",{}", now));
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
    const std::string nth =
        purchase.terms.limit_per_customer
            ? fmt::format("(SELECT COUNT(*) FROM guarded_buyers b WHERE b.sale = {} AND b.customer = {})",
                          value(purchase.sale), sql_text(purchase.customer, link_.dialect()))
            : "0";
    const std::string query = fmt::format(
        "SELECT q.*, (SELECT MAX(u.unit) FROM guarded_units u WHERE u.sale = {0}),"
        " (SELECT COUNT(*) FROM guarded_free_units f WHERE f.sale = {0}), {1} FROM ({2}) q",
        value(purchase.sale), nth, book_.read_query(purchase));
    const auto rows = link_.ask({query}, SqlBook::read_columns + 3);
    Found found{.seen = book_.seen_in(rows)};
    found.last = number_in(rows[0][SqlBook::read_columns]);
    found.seen.available = purchase.terms.stock - found.last + number_in(rows[0][SqlBook::read_columns + 1]);
    found.nth = number_in(rows[0][SqlBook::read_columns + 2]);
    return found;
  }

  std::string nth_of(const Purchase& purchase, std::int64_t nth) const {
    return fmt::format("INSERT INTO guarded_buyers (sale, customer, nth) VALUES ({}, {}, {})", value(purchase.sale),
                       sql_text(purchase.customer, link_.dialect()), nth + 1);
  }

  void choose(const Purchase& purchase, const Found& found) {
    sale_ = purchase.sale;
    fresh_.clear();
    returned_.clear();
    const Unit until = std::min(purchase.terms.stock, found.last + purchase.quantity);
    for (Unit unit = found.last + 1; unit <= until; ++unit) fresh_.push_back(unit);
    const Units missing = purchase.quantity - static_cast<Units>(fresh_.size());
    if (missing == 0) return;
    for (const auto& row : link_.ask({fmt::format("SELECT unit FROM guarded_free_units WHERE sale = {} ORDER BY"
                                                  " freed_at_us, unit LIMIT {}",
                                                  value(sale_), missing)},
                                     1)) {
      returned_.push_back(number_in(row[0]));
    }
    if (static_cast<Units>(returned_.size()) < missing) throw quicker();
  }

  void take() {
    each_part(fresh_, [&](std::span<const Unit> part) { insert("guarded_units (sale, unit)", part, ""); });
    each_part(returned_, [&](std::span<const Unit> part) {
      const std::uint64_t taken = link_.execute({fmt::format(
          "DELETE FROM guarded_free_units WHERE sale = {} AND unit IN ({})", value(sale_), fmt::join(part, ","))});
      if (taken != part.size()) throw quicker();
    });
  }

  void insert(std::string_view into, std::span<const Unit> units, const std::string& more) {
    std::string sql = fmt::format("INSERT INTO {} VALUES ", into);
    for (std::size_t i = 0; i < units.size(); ++i) {
      sql += fmt::format("{}({},{}{})", i == 0 ? "" : ",", value(sale_), units[i], more);
    }
    link_.execute({sql});
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
