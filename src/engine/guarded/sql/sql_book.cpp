#include "engine/guarded/sql/sql_book.hpp"

#include "engine/guarded/pauses.hpp"
#include "engine/sql/sql_values.hpp"

#include <fmt/format.h>

#include <chrono>

namespace firstcome::engine {

using Kind = InventoryFailure::Kind;
namespace {

constexpr std::string_view insert_order =
    "INSERT INTO guarded_orders (sale, customer, quantity, reference, key_hash, paid, sold_at_ms, node, seen_available,"
    " read_at_us, written_at_us) ";

std::string text_of(const KeyHash& key) { return fmt::format("{:016x}{:016x}", key.high, key.low); }

std::string units_of(const Purchase& purchase, const SqlDialect& dialect) {
  return fmt::format(
      "(SELECT COALESCE(SUM(o.quantity), 0) FROM guarded_orders o WHERE o.sale = {} AND o.customer = {})",
      value(purchase.sale), sql_text(purchase.customer, dialect));
}

std::int64_t count_of(Microsecond at) { return at.time_since_epoch().count(); }

}  // namespace

std::string SqlBook::read_query(const Purchase& purchase) const {
  const bool limited = purchase.terms.limit_per_customer.has_value();
  const std::string units = limited ? units_of(purchase, link_.dialect()) : "0";
  if (!purchase.key) {
    return fmt::format(
        "SELECT s.available, s.version, {} AS of_customer, NULL AS number, NULL AS quantity, NULL AS sold_at_ms,"
        " NULL AS reference, NULL AS paid FROM guarded_stock s"
        " WHERE s.sale = {}",
        units, value(purchase.sale));
  }
  return fmt::format(
      "SELECT s.available, s.version, {} AS of_customer, k.number, k.quantity, k.sold_at_ms, k.reference, k.paid FROM "
      "guarded_stock s"
      " LEFT JOIN guarded_orders k ON k.sale = s.sale AND k.key_hash = '{}' WHERE s.sale = {}",
      units, text_of(purchase.key), value(purchase.sale));
}

Seen SqlBook::seen_in(const std::vector<SqlLink::Row>& rows) const {
  if (rows.empty()) throw InventoryFailure{Kind::unavailable, "the inventory has no stock of this sale"};
  const SqlLink::Row& row = rows.front();
  Seen seen;
  seen.available = number_in(row[0]);
  seen.version = static_cast<std::uint64_t>(number_in(row[1]));
  seen.of_customer = number_in(row[2]);
  if (row[3]) {
    seen.same_key = Seen::Earlier{.number = Number{static_cast<std::uint64_t>(number_in(row[3]))},
                                  .quantity = number_in(row[4]),
                                  .at = Instant{Milliseconds{number_in(row[5])}},
                                  .reference = row[6].value_or(""),
                                  .paid = number_in(row[7]) != 0};
  }
  seen.at = options_.now();
  return seen;
}

Seen SqlBook::read(const Purchase& purchase) { return seen_in(link_.ask({read_query(purchase)}, read_columns)); }

std::string SqlBook::values_of(const Purchase& purchase, const Seen& seen, const Stamp& stamp, Microsecond now) const {
  std::string sql;
  SqlValues values(sql, link_.dialect());
  values.number(value(purchase.sale)).text(purchase.customer).number(purchase.quantity).text(purchase.reference);
  purchase.key ? values.text(text_of(purchase.key)) : values.null();
  values.number(std::int64_t{stamp.paid}).instant(instant_of(now)).text(options_.node).number(seen.available);
  values.number(count_of(seen.at)).number(count_of(now));
  return sql;
}

SqlBook::Draft SqlBook::draft(const Purchase& purchase, const Seen& seen, const Stamp& stamp) const {
  const Microsecond now = options_.now();
  return {fmt::format("{} VALUES ({}) RETURNING number", insert_order, values_of(purchase, seen, stamp, now)),
          instant_of(now)};
}

SqlBook::Draft SqlBook::draft_within(const Purchase& purchase, const Seen& seen, const Stamp& stamp, Units most) const {
  const Microsecond now = options_.now();
  // MariaDB wants a table where there is a WHERE.
  const std::string_view from = link_.dialect().kind() == DatabaseUrl::Kind::mariadb ? " FROM DUAL" : "";
  return {fmt::format("{} SELECT {}{} WHERE {} <= {} RETURNING number", insert_order,
                      values_of(purchase, seen, stamp, now), from, units_of(purchase, link_.dialect()), most),
          instant_of(now)};
}

WrittenOrder SqlBook::insert(const Draft& draft, std::string_view first) {
  const auto rows = first.empty() ? link_.ask({draft.sql}, 1) : link_.ask({first, draft.sql}, 1);
  if (rows.empty()) return {};
  return {Number{static_cast<std::uint64_t>(number_in(rows[0][0]))}, draft.at};
}

WrittenOrder SqlBook::write(const Purchase& purchase, const Seen& seen, const Stamp& stamp) {
  const bool fenced = options_.fencing == Fencing::on && stamp.token;
  std::string set =
      fmt::format("UPDATE guarded_stock SET available = {}, version = version + 1", seen.available - purchase.quantity);
  if (fenced) set += fmt::format(", fence = {}", *stamp.token);
  set += fmt::format(" WHERE sale = {}", value(purchase.sale));
  const Draft order = draft(purchase, seen, stamp);
  if (!fenced) return insert(order, set);
  // The token alone is not enough: a late holder may still write after the next one has read, and before that one has
  // written, which then would write over it. So what was read must be what is written over, too.
  if (link_.execute({fmt::format("{} AND fence <= {} AND version = {}", set, *stamp.token, seen.version)}) == 0) {
    throw InventoryFailure{Kind::conflict, fmt::format("another holder than that of {} has written", *stamp.token)};
  }
  return insert(order);
}

void SqlBook::insist(const std::function<void()>& work) {
  const auto deadline = std::chrono::steady_clock::now() + options_.wait;
  RandomPauses pauses;
  for (;;) {
    try {
      return work();
    } catch (const InventoryFailure& failure) {
      link_.roll_back();
      if (failure.kind != Kind::conflict) throw;
      if (std::chrono::steady_clock::now() >= deadline) throw InventoryFailure{Kind::unknown, failure.sentence};
    }
    pauses.rest();
  }
}

void SqlBook::mark_paid(SaleHandle sale, Number number) {
  insist([&] {
    link_.execute({fmt::format("UPDATE guarded_orders SET paid = 1 WHERE sale = {} AND number = {}", value(sale),
                               value(number))});
  });
}

void SqlBook::take_back(SaleHandle sale, Number number, Units quantity) {
  take_back(sale, number, [&] { give_back(sale, quantity); });
}

void SqlBook::give_back(SaleHandle sale, Units quantity) {
  link_.execute(
      {fmt::format("UPDATE guarded_stock SET available = available + {}, version = version + 1"
                   " WHERE sale = {}",
                   quantity, value(sale))});
}

// The stock first, as sellers do: so they wait for each other instead of locking each other out.
void SqlBook::take_back(SaleHandle sale, Number number, const std::function<void()>& give_back) {
  insist([&] {
    link_.begin();
    give_back();
    const std::uint64_t gone = link_.execute({fmt::format(
        "DELETE FROM guarded_orders WHERE sale = {} AND number = {} AND paid = 0", value(sale), value(number))});
    if (gone == 0) return link_.roll_back();
    link_.commit();
  });
}

}  // namespace firstcome::engine
