// One statement that commits by itself: one round trip, and nobody waits for anybody's client while the stock's row is
// locked. On PostgreSQL a WITH of an UPDATE and INSERTs; on MariaDB, which has none, a procedure.
//
// What the statement reads besides the stock's row it sees as it was when it began, also where it then waited for the
// row. So two requests of one customer may both find that the customer has bought nothing. Where a customer has a
// limit, each order takes the customer's next number too, under a unique key, as unique-key does (guarded_buyers): the
// second of two is refused by the database, and asks again. The procedure needs none of that: each statement of it sees
// what was committed before.
//
// Nothing can be charged before a commit that comes with the statement itself, so the charge always comes after.
#include "engine/guarded/sql/sql_seller.hpp"

#include <utility>

namespace firstcome::engine {

using Kind = InventoryFailure::Kind;
namespace {

/// Its answer: the columns of the book's query, then the order's number and time.
constexpr std::size_t number_column = SqlBook::read_columns;

class OneStatement : public SqlSeller {
 public:
  using SqlSeller::SqlSeller;

 protected:
  Sold attempt(const Purchase& purchase, PurchaseCharge& charge) override {
    const Microsecond asked_at = book_.now();
    std::vector<SqlCall> calls;
    calls.push_back(statement(purchase, asked_at, {.paid = charge.is_paid_when_written()}));
    const SqlAnswer answer = wait_in([&] { return link_.call(std::move(calls)); });
    if (answer.rows.empty()) throw InventoryFailure{Kind::unavailable, "the inventory has no stock of this sale"};
    const SqlLink::Row& row = answer.rows.front();
    if (row[number_column]) {
      return {.outcome = Outcome::done,
              .number = Number{static_cast<std::uint64_t>(number_in(row[number_column]))},
              .at = Instant{Milliseconds{number_in(row[number_column + 1])}}};
    }
    const Seen seen = book_.seen_in(answer.rows);
    if (const auto no = refusal(purchase, seen)) return refused(*no, purchase, seen);
    throw InventoryFailure{Kind::conflict, "somebody else was quicker"};
  }

 private:
  virtual SqlCall statement(const Purchase& purchase, Microsecond asked_at, const Stamp& stamp) const = 0;
};

class PostgresqlStatement final : public OneStatement {
 public:
  using OneStatement::OneStatement;

 private:
  SqlCall statement(const Purchase& purchase, Microsecond asked_at, const Stamp& stamp) const override {
    SqlCall sql = link_.new_call("WITH taken AS (UPDATE guarded_stock SET available = available - ");
    sql.number(purchase.quantity) << ", version = version + 1 WHERE sale = ";
    (sql.number(value(purchase.sale)) << " AND available >= ").number(purchase.quantity);
    if (const auto& limit = purchase.terms.limit_per_customer) {
      sql << " AND ";
      book_.add_units_of(sql, purchase);
      (sql << " <= ").number(*limit - purchase.quantity);
    }
    if (purchase.key) {
      sql << " AND NOT EXISTS (SELECT 1 FROM guarded_orders k WHERE k.sale = ";
      (sql.number(value(purchase.sale)) << " AND k.key_hash = ").text(SqlBook::text_of(purchase.key)) << ")";
    }
    (sql << " RETURNING available + ").number(purchase.quantity) << " AS seen)";
    if (purchase.terms.limit_per_customer) add_buyer(sql, purchase);
    add_order(sql, purchase, asked_at, stamp);
    sql << " SELECT q.*, made.number, made.sold_at_ms FROM (";
    book_.add_read(sql, purchase);
    sql << ") q LEFT JOIN made ON true";
    return sql;
  }

  static void add_buyer(SqlCall& sql, const Purchase& purchase) {
    sql << ", buyer AS (INSERT INTO guarded_buyers (sale, customer, nth) SELECT ";
    (sql.number(value(purchase.sale)) << ", ").text(purchase.customer);
    sql << ", 1 + (SELECT COUNT(*) FROM guarded_buyers b WHERE b.sale = ";
    (sql.number(value(purchase.sale)) << " AND b.customer = ").text(purchase.customer) << ") FROM taken)";
  }

  /// Its times are of the moment in which the row was had.
  void add_order(SqlCall& sql, const Purchase& purchase, Microsecond asked_at, const Stamp& stamp) const {
    constexpr std::string_view now = "extract(epoch FROM clock_timestamp())";
    sql << ", made AS (" << SqlBook::insert_order << "SELECT ";
    (sql.number(value(purchase.sale)) << ", ").text(purchase.customer) << ", ";
    (sql.number(purchase.quantity) << ", ").text(purchase.reference) << ", ";
    if (purchase.key) {
      sql.text(SqlBook::text_of(purchase.key)) << ", ";
    } else {
      sql << "NULL, ";
    }
    sql.number(std::int64_t{stamp.paid}) << ", floor(" << now << " * 1000)::bigint, ";
    sql.text(parts_.options.node) << ", taken.seen, ";
    sql.number(std::int64_t{asked_at.time_since_epoch().count()}) << ", floor(" << now << " * 1000000)::bigint";
    sql << " FROM taken RETURNING number, sold_at_ms)";
  }
};

class MariadbProcedure final : public OneStatement {
 public:
  using OneStatement::OneStatement;

 private:
  SqlCall statement(const Purchase& purchase, Microsecond asked_at, const Stamp& stamp) const override {
    SqlCall sql = link_.new_call("CALL guarded_buy_2(");
    (sql.number(value(purchase.sale)) << ", ").text(purchase.customer) << ", ";
    (sql.number(purchase.quantity) << ", ").text(purchase.reference) << ", ";
    if (purchase.key) {
      sql.text(SqlBook::text_of(purchase.key)) << ", ";
    } else {
      sql << "NULL, ";
    }
    (sql.number(std::int64_t{stamp.paid}) << ", ").text(parts_.options.node) << ", ";
    sql.number(std::int64_t{asked_at.time_since_epoch().count()}) << ", ";
    if (const auto& limit = purchase.terms.limit_per_customer) {
      sql.number(*limit);
    } else {
      sql << "NULL";
    }
    sql << ")";
    return sql;
  }
};

}  // namespace

std::unique_ptr<SqlSeller> make_one_statement_seller(const NodeParts& parts, SqlLink& link, SqlBook& book) {
  if (link.dialect().kind() == DatabaseUrl::Kind::postgresql) {
    return std::make_unique<PostgresqlStatement>(parts, link, book);
  }
  return std::make_unique<MariadbProcedure>(parts, link, book);
}

}  // namespace firstcome::engine
