// What the three databases do differently.
#pragma once

#include "events/orders/sql_failure.hpp"

#include <soci/soci.h>

#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::events {

/// Values without state: one of each kind, for ever. Thread safety: all functions are pure but for `connect`.
class SqlDialect {
 public:
  virtual ~SqlDialect() = default;

  /// A session with its time-outs, its character set (UTF-8) and strict rules set. Throws what SOCI throws.
  virtual std::unique_ptr<soci::session> connect(const OrderStoreOptions& options) const = 0;
  /// Of an exception that SOCI threw; `session` is nullptr where it could not connect.
  virtual SqlFailure failure_of(const std::exception& error, soci::session* session) const = 0;

  /// Of a connection whose client knows no time-out for reading; else -1.
  virtual int socket_without_timeout(soci::session&) const { return -1; }

  /// Starts a transaction that may write.
  virtual std::string_view begin() const { return "BEGIN"; }
  /// Ended by `end_of_upsert`: `INSERT INTO orders (...) VALUES (...), (...)` + this.
  virtual std::string_view order_conflict() const;
  virtual std::string_view payment_conflict() const;
  /// What makes an INSERT pass over a row that is there.
  virtual std::string_view keep_existing() const { return " ON CONFLICT DO NOTHING"; }
  /// Behind a SELECT of rows that another service may be trying too.
  virtual std::string_view skip_locked() const { return ""; }
  /// In a transaction: what it breaks is to be said by the statement, not by the commit.
  virtual std::string_view say_at_once() const { return ""; }
  /// Whether a backslash in a literal must be doubled.
  virtual bool escapes_backslash() const { return false; }

  // --- the schema ---

  /// `{id}`, `{text}`, `{long_text}` and `{table_end}` of the schema's statements.
  struct Types {
    std::string_view id, text, event_id, long_text, table_end, if_not_exists;
  };
  virtual Types types() const = 0;
  /// A query for how many of our tables there are; `{}` is a list of literals.
  virtual std::string_view count_tables() const = 0;
  /// Keeps others who change the schema away until the transaction ends, or `unlock_schema`. Empty: `begin` does.
  virtual std::string_view lock_schema() const { return ""; }
  virtual std::string_view unlock_schema() const { return ""; }
};

const SqlDialect& postgresql_dialect();
const SqlDialect& mariadb_dialect();
const SqlDialect& sqlite_dialect();
const SqlDialect& dialect_of(OrderDatabaseUrl::Kind kind);

/// Appends a literal. Throws SqlFailure (content) where it contains a zero byte, which ends a statement's text.
void append_text(std::string& sql, std::string_view value, const SqlDialect& dialect);

}  // namespace firstcome::events
