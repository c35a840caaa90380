#include "events/orders/order_dialect.hpp"

#include <utility>

namespace firstcome::events {

// `confirmed_at` is filled in by whichever event knows it, in whatever order they come; what may change is the last
// event's; all else is written once. But what was made from a reservation (Event::made_confirmation) gives way to what
// the event itself tells.
std::string_view OrderDialect::order_conflict() const {
  return " ON CONFLICT (reservation) DO UPDATE SET"
         " confirmed_at = CASE WHEN orders.sequence = 1 OR (orders.sequence = 2 AND orders.state = 'returned') THEN "
         "COALESCE(excluded.confirmed_at, orders.confirmed_at)"
         " ELSE COALESCE(orders.confirmed_at, excluded.confirmed_at) END,"
         " customer = CASE WHEN excluded.sequence > orders.sequence THEN excluded.customer ELSE orders.customer END,"
         " quantity = CASE WHEN excluded.sequence > orders.sequence THEN excluded.quantity ELSE orders.quantity END,"
         " amount = CASE WHEN excluded.sequence > orders.sequence THEN excluded.amount ELSE orders.amount END,"
         " state = CASE WHEN excluded.sequence > orders.sequence THEN excluded.state ELSE orders.state END,"
         " updated_at = CASE WHEN excluded.sequence > orders.sequence THEN excluded.updated_at"
         " ELSE orders.updated_at END,"
         " sequence = CASE WHEN excluded.sequence > orders.sequence THEN excluded.sequence ELSE orders.sequence END"
         " WHERE excluded.sequence > orders.sequence"
         " OR (orders.confirmed_at IS NULL AND excluded.confirmed_at IS NOT NULL)";
}

// The same: what names the payment is filled in by whichever event knows it.
std::string_view OrderDialect::payment_conflict() const {
  return " ON CONFLICT (reservation) DO UPDATE SET"
         " payment_id = CASE WHEN payments.payment_id = '' THEN excluded.payment_id ELSE payments.payment_id END,"
         " account_number = CASE WHEN payments.customer LIKE 'erased:%' THEN payments.account_number"
         " ELSE COALESCE(payments.account_number, excluded.account_number) END,"
         " amount = CASE WHEN payments.sequence = 1 THEN excluded.amount ELSE payments.amount END,"
         " state = CASE WHEN excluded.sequence > payments.sequence THEN excluded.state ELSE payments.state END,"
         " updated_at = CASE WHEN excluded.sequence > payments.sequence THEN excluded.updated_at"
         " ELSE payments.updated_at END,"
         " sequence = CASE WHEN excluded.sequence > payments.sequence THEN excluded.sequence ELSE payments.sequence END"
         " WHERE excluded.sequence > payments.sequence"
         " OR (payments.payment_id = '' AND excluded.payment_id <> '')";
}

std::string_view OrderDialect::told_conflict() const {
  return " ON CONFLICT (sale, handle, incarnation) DO UPDATE SET"
         " reservation = CASE WHEN excluded.number > firstcome_told.number THEN excluded.reservation"
         " ELSE firstcome_told.reservation END,"
         " number = CASE WHEN excluded.number > firstcome_told.number THEN excluded.number"
         " ELSE firstcome_told.number END,"
         " sequence = CASE WHEN excluded.sequence > firstcome_told.sequence THEN excluded.sequence"
         " ELSE firstcome_told.sequence END";
}

namespace {

class Postgresql final : public OrderDialect {
 public:
  std::string_view skip_locked() const override { return " FOR UPDATE SKIP LOCKED"; }
  std::string_view lock_rows() const override { return " FOR UPDATE"; }
  std::string_view say_at_once() const override { return "SET CONSTRAINTS ALL IMMEDIATE"; }

  Types types() const override {
    return {.id = "text COLLATE \"C\"",
            .text = "text COLLATE \"C\"",
            .event_id = "text COLLATE \"C\"",
            .long_text = "text",
            .table_end = "",
            .if_not_exists = ""};
  }
};

class Mariadb final : public OrderDialect {
 public:
  // Any unique key leads here, also one that the shop added: then the row is another reservation's, which must not be
  // changed. The NULL, which `sale` cannot be, makes that an error.
  std::string_view order_conflict() const override {
    return " ON DUPLICATE KEY UPDATE"
           " sale = IF(orders.reservation = VALUES(reservation), orders.sale, NULL),"
           " confirmed_at = IF(orders.sequence = 1 OR (orders.sequence = 2 AND orders.state = 'returned'), "
           "COALESCE(VALUES(confirmed_at), confirmed_at),"
           " COALESCE(confirmed_at, VALUES(confirmed_at))),"
           " customer = IF(VALUES(sequence) > orders.sequence, VALUES(customer), customer),"
           " quantity = IF(VALUES(sequence) > orders.sequence, VALUES(quantity), quantity),"
           " amount = IF(VALUES(sequence) > orders.sequence, VALUES(amount), amount),"
           " state = IF(VALUES(sequence) > orders.sequence, VALUES(state), state),"
           " updated_at = IF(VALUES(sequence) > orders.sequence, VALUES(updated_at), updated_at),"
           " sequence = GREATEST(orders.sequence, VALUES(sequence))";
  }
  std::string_view payment_conflict() const override {
    return " ON DUPLICATE KEY UPDATE"
           " sale = IF(payments.reservation = VALUES(reservation), payments.sale, NULL),"
           " amount = IF(payments.sequence = 1, VALUES(amount), amount),"
           " state = IF(VALUES(sequence) > payments.sequence, VALUES(state), state),"
           " updated_at = IF(VALUES(sequence) > payments.sequence, VALUES(updated_at), updated_at),"
           " payment_id = IF(payment_id = '', VALUES(payment_id), payment_id),"
           " account_number = IF(payments.customer LIKE 'erased:%', account_number,"
           " COALESCE(account_number, VALUES(account_number))),"
           " sequence = GREATEST(payments.sequence, VALUES(sequence))";
  }
  // The reservation first: an assignment sees those before it.
  std::string_view told_conflict() const override {
    return " ON DUPLICATE KEY UPDATE"
           " reservation = IF(VALUES(number) > number, VALUES(reservation), reservation),"
           " number = GREATEST(number, VALUES(number)), sequence = GREATEST(sequence, VALUES(sequence))";
  }
  std::string_view keep_existing() const override { return " ON DUPLICATE KEY UPDATE event_id = VALUES(event_id)"; }
  std::string_view keep_settled() const override { return " ON DUPLICATE KEY UPDATE reason = reason"; }
  std::string_view skip_locked() const override { return " FOR UPDATE SKIP LOCKED"; }
  std::string_view lock_rows() const override { return " FOR UPDATE"; }
  std::string words_of(std::string sentence) const override {
    if (sentence.find("'sale' cannot be null") == std::string::npos) return sentence;
    return "Duplicate entry: another row has a value of this one that must be unique";
  }

  Types types() const override {
    return {.id = "VARCHAR(64) CHARACTER SET ascii COLLATE ascii_nopad_bin",
            .text = "VARCHAR(128)",
            .event_id = "VARCHAR(320)",
            .long_text = "MEDIUMTEXT",
            .table_end = " ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
            .if_not_exists = " IF NOT EXISTS"};
  }
};

class Sqlite final : public OrderDialect {
 public:
  Types types() const override {
    return {.id = "TEXT",
            .text = "TEXT",
            .event_id = "TEXT",
            .long_text = "TEXT",
            .table_end = " WITHOUT ROWID",
            .if_not_exists = ""};
  }
};

}  // namespace

const OrderDialect& order_dialect_of(engine::DatabaseUrl::Kind kind) {
  static const Postgresql postgresql;
  static const Mariadb mariadb;
  static const Sqlite sqlite;
  switch (kind) {
    case engine::DatabaseUrl::Kind::postgresql:
      return postgresql;
    case engine::DatabaseUrl::Kind::mariadb:
      return mariadb;
    case engine::DatabaseUrl::Kind::sqlite:
      break;
  }
  return sqlite;
}

}  // namespace firstcome::events
