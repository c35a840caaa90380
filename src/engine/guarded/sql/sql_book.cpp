#include "engine/guarded/sql/sql_book.hpp"

#include "engine/guarded/pauses.hpp"

#include <fmt/format.h>

#include <chrono>
#include <utility>
#include <vector>

namespace firstcome::engine {

using Kind = InventoryFailure::Kind;
namespace {

std::int64_t count_of(Microsecond at) { return at.time_since_epoch().count(); }

}  // namespace

std::string SqlBook::text_of(const KeyHash& key) { return fmt::format("{:016x}{:016x}", key.high, key.low); }

void SqlBook::add_units_of(SqlCall& sql, const Purchase& purchase) const {
  sql << "(SELECT COALESCE(SUM(o.quantity), 0) FROM guarded_orders o WHERE o.sale = ";
  sql.number(value(purchase.sale)) << " AND o.customer = ";
  sql.text(purchase.customer) << " AND o.paid < 2)";
}

void SqlBook::add_open_of(SqlCall& sql, const Purchase& purchase) const {
  sql << "(SELECT COUNT(*) FROM guarded_orders o WHERE o.sale = ";
  sql.number(value(purchase.sale)) << " AND o.customer = ";
  sql.text(purchase.customer) << " AND o.paid = 0)";
}

SqlCall SqlBook::read_call(const Purchase& purchase, std::string_view behind) const {
  SqlCall sql = link_.new_call();
  add_read(sql, purchase);
  sql << behind;
  return sql;
}

void SqlBook::add_read(SqlCall& sql, const Purchase& purchase) const {
  sql << "SELECT s.available, s.version, ";
  if (purchase.terms.limit_per_customer) {
    add_units_of(sql, purchase);
  } else {
    sql << "0";
  }
  if (!purchase.key) {
    sql << " AS of_customer, NULL AS number, NULL AS quantity, NULL AS sold_at_ms, NULL AS reference, NULL AS paid, ";
  } else {
    sql << " AS of_customer, k.number, k.quantity, k.sold_at_ms, k.reference, k.paid, ";
  }
  if (purchase.terms.max_open) {
    add_open_of(sql, purchase);
  } else {
    sql << "0";
  }
  sql << " AS open_of_customer, ";
  sql << (purchase.key ? "k.payment_id, k.account_number" : "NULL AS payment_id, NULL AS account_number");
  sql << " FROM guarded_stock s";
  if (purchase.key) {
    sql << " LEFT JOIN guarded_orders k ON k.sale = s.sale AND k.key_hash = ";
    sql.text(text_of(purchase.key));
  }
  sql << " WHERE s.sale = ";
  sql.number(value(purchase.sale));
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
    if (!row[9].value_or("").empty()) seen.same_key->payment = Payment{*row[9], row[10].value_or("")};
  }
  seen.open_of_customer = static_cast<std::uint64_t>(number_in(row[8]));
  return seen;
}

// Its time is that of the asking: so whoever did not see a commit is told to have read before it.
Seen SqlBook::read(const Purchase& purchase) {
  const Microsecond asked_at = options_.now();
  Seen seen = seen_in(link_.call({read_call(purchase)}).rows);
  seen.at = asked_at;
  return seen;
}

void SqlBook::add_values(SqlCall& sql, const Purchase& purchase, const SeenStock& seen, const Stamp& stamp) const {
  sql.number(value(purchase.sale)) << ", ";
  sql.text(purchase.customer) << ", ";
  sql.number(purchase.quantity) << ", ";
  sql.text(purchase.reference) << ", ";
  if (purchase.key) {
    sql.text(text_of(purchase.key)) << ", ";
  } else {
    sql << "NULL, ";
  }
  sql.number(std::int64_t{stamp.paid}) << ", ";
  sql.number(std::int64_t{instant_of(seen.now).time_since_epoch().count()}) << ", ";
  sql.text(options_.node) << ", ";
  if (seen.available) {
    sql.number(*seen.available);
  } else {
    sql << "(SELECT t.available FROM guarded_stock t WHERE t.sale = ";
    sql.number(value(purchase.sale)) << ") + ";
    sql.number(purchase.quantity);
  }
  sql << ", ";
  sql.number(count_of(seen.at)) << ", ";
  sql.number(count_of(seen.now));
}

SqlBook::Draft SqlBook::draft(const Purchase& purchase, const Seen& seen, const Stamp& stamp) const {
  const Microsecond now = options_.now();
  SqlCall sql = link_.new_call(insert_order);
  sql << "VALUES (";
  add_values(sql, purchase, {.available = seen.available, .at = seen.at, .now = now}, stamp);
  sql << ") RETURNING number";
  return {std::move(sql), instant_of(now)};
}

SqlBook::Draft SqlBook::draft_unread(const Purchase& purchase, Microsecond asked_at, const Stamp& stamp) const {
  const Microsecond now = options_.now();
  SqlCall sql = link_.new_call(insert_order);
  sql << "SELECT ";
  add_values(sql, purchase, {.available = std::nullopt, .at = asked_at, .now = now}, stamp);
  const auto& limit = purchase.terms.limit_per_customer;
  const auto& most_open = purchase.terms.max_open;
  // MariaDB wants a table where there is a WHERE.
  if (limit || most_open)
    sql << (link_.dialect().kind() == DatabaseUrl::Kind::mariadb ? " FROM DUAL WHERE " : " WHERE ");
  if (limit) {
    add_units_of(sql, purchase);
    (sql << " <= ").number(*limit - purchase.quantity);
  }
  if (most_open) {
    if (limit) sql << " AND ";
    add_open_of(sql, purchase);
    (sql << " < ").number(std::int64_t{*most_open});
  }
  sql << " RETURNING number";
  return {std::move(sql), instant_of(now)};
}

WrittenOrder SqlBook::insert(Draft draft, std::optional<SqlCall> first) {
  std::vector<SqlCall> calls;
  if (first) calls.push_back(std::move(*first));
  calls.push_back(std::move(draft.call));
  const SqlAnswer answer = link_.call(std::move(calls));
  if (answer.rows.empty()) return {};
  return {Number{static_cast<std::uint64_t>(number_in(answer.rows[0][0]))}, draft.at};
}

WrittenOrder SqlBook::write(const Purchase& purchase, const Seen& seen, const Stamp& stamp) {
  const bool fenced = options_.fencing == Fencing::on && stamp.token;
  SqlCall set = link_.new_call("UPDATE guarded_stock SET available = ");
  set.number(seen.available - purchase.quantity) << ", version = version + 1";
  if (fenced) (set << ", fence = ").number(*stamp.token);
  (set << " WHERE sale = ").number(value(purchase.sale));
  Draft order = draft(purchase, seen, stamp);
  const auto written_with_payment = [&](const WrittenOrder& written) {
    if (stamp.payment) note_payment(purchase, written.number, *stamp.payment);
    return written;
  };
  if (!fenced) return written_with_payment(insert(std::move(order), std::move(set)));
  // The token alone is not enough: a late holder may still write after the next one has read, and before that one has
  // written, which then would write over it. So what was read must be what is written over, too.
  (set << " AND fence <= ").number(*stamp.token);
  (set << " AND version = ").number(seen.version);
  if (link_.call({std::move(set)}).changed == 0) {
    throw InventoryFailure{Kind::conflict, fmt::format("another holder than that of {} has written", *stamp.token)};
  }
  return written_with_payment(insert(std::move(order)));
}

void SqlBook::add_payment(SqlCall& sql, const Payment& payment) {
  (sql << "payment_id = ").text(payment.id) << ", account_number = ";
  if (payment.account_number.empty()) {
    sql << "NULL";
  } else {
    sql.text(payment.account_number);
  }
}

void SqlBook::note_payment(const Purchase& purchase, Number number, const Payment& payment) {
  SqlCall note = link_.new_call("UPDATE guarded_orders SET ");
  add_payment(note, payment);
  (note << " WHERE sale = ").number(value(purchase.sale));
  (note << " AND number = ").number(value(number));
  link_.call({std::move(note)});
}

bool SqlBook::insist(const std::function<bool()>& work) {
  const auto deadline = std::chrono::steady_clock::now() + options_.wait;
  RandomPauses pauses;
  for (;;) {
    try {
      const NoTransactionAfter rolled_back(link_);
      return work();
    } catch (const InventoryFailure& failure) {
      if (failure.kind != Kind::conflict) throw;
      if (std::chrono::steady_clock::now() >= deadline) throw InventoryFailure{Kind::unknown, failure.sentence};
    }
    pauses.rest();
  }
}

bool SqlBook::mark_paid(const Purchase& purchase, Number number, const Payment& payment) {
  return insist([&] {
    SqlCall mark = link_.new_call("UPDATE guarded_orders SET paid = 1, ");
    add_payment(mark, payment);
    mark << " WHERE sale = ";
    (mark.number(value(purchase.sale)) << " AND number = ").number(value(number)) << " AND paid = 0";
    return link_.call({std::move(mark)}).changed == 1;
  });
}

bool SqlBook::take_back(const Purchase& purchase, Number number, After after) {
  return take_back(purchase, number, after, [&] { give_back(purchase.sale, purchase.quantity); });
}

void SqlBook::give_back(SaleHandle sale, Units quantity) {
  SqlCall give = link_.new_call("UPDATE guarded_stock SET available = available + ");
  (give.number(quantity) << ", version = version + 1 WHERE sale = ").number(value(sale));
  link_.call({std::move(give)});
}

// The stock first, as sellers do: so they wait for each other instead of locking each other out.
bool SqlBook::take_back(const Purchase& purchase, Number number, After after, const std::function<void()>& give_back) {
  return insist([&] {
    link_.begin();
    give_back();
    SqlCall end = link_.new_call(after == After::forgotten ? "DELETE FROM guarded_orders WHERE sale = "
                                 : after == After::expired ? "UPDATE guarded_orders SET paid = 2 WHERE sale = "
                                                           : "UPDATE guarded_orders SET paid = 3 WHERE sale = ");
    (end.number(value(purchase.sale)) << " AND number = ").number(value(number)) << " AND paid = 0";
    if (link_.call({std::move(end)}).changed == 0) {
      link_.roll_back();
      return false;
    }
    link_.commit();
    return true;
  });
}

}  // namespace firstcome::engine
