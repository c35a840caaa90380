#include "events/orders/sql_dialect.hpp"

namespace firstcome::events {

// Facts of a reservation never change, so they are written once. `confirmed_at` is filled in by whichever event knows
// it, in whatever order they come; all else is the last event's.
std::string_view SqlDialect::order_conflict() const {
  return " ON CONFLICT (reservation) DO UPDATE SET"
         " confirmed_at = COALESCE(orders.confirmed_at, excluded.confirmed_at),"
         " state = CASE WHEN excluded.sequence > orders.sequence THEN excluded.state ELSE orders.state END,"
         " updated_at = CASE WHEN excluded.sequence > orders.sequence THEN excluded.updated_at"
         " ELSE orders.updated_at END,"
         " sequence = CASE WHEN excluded.sequence > orders.sequence THEN excluded.sequence ELSE orders.sequence END"
         " WHERE excluded.sequence > orders.sequence"
         " OR (orders.confirmed_at IS NULL AND excluded.confirmed_at IS NOT NULL)";
}

// The same: what names the payment is filled in by whichever event knows it.
std::string_view SqlDialect::payment_conflict() const {
  return " ON CONFLICT (reservation) DO UPDATE SET"
         " payment_id = CASE WHEN payments.payment_id = '' THEN excluded.payment_id ELSE payments.payment_id END,"
         " account_number = COALESCE(payments.account_number, excluded.account_number),"
         " state = CASE WHEN excluded.sequence > payments.sequence THEN excluded.state ELSE payments.state END,"
         " updated_at = CASE WHEN excluded.sequence > payments.sequence THEN excluded.updated_at"
         " ELSE payments.updated_at END,"
         " sequence = CASE WHEN excluded.sequence > payments.sequence THEN excluded.sequence ELSE payments.sequence END"
         " WHERE excluded.sequence > payments.sequence"
         " OR (payments.payment_id = '' AND excluded.payment_id <> '')";
}

const SqlDialect& dialect_of(OrderDatabaseUrl::Kind kind) {
  switch (kind) {
    case OrderDatabaseUrl::Kind::postgresql:
      return postgresql_dialect();
    case OrderDatabaseUrl::Kind::mariadb:
      return mariadb_dialect();
    case OrderDatabaseUrl::Kind::sqlite:
      break;
  }
  return sqlite_dialect();
}

void append_text(std::string& sql, std::string_view value, const SqlDialect& dialect) {
  sql += '\'';
  for (const char c : value) {
    if (c == '\0') throw SqlFailure::content("a text with a zero byte cannot be stored");
    if (c == '\'' || (c == '\\' && dialect.escapes_backslash())) sql += c;
    sql += c;
  }
  sql += '\'';
}

}  // namespace firstcome::events
