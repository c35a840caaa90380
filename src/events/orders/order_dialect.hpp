// What the three databases do differently about orders.
#pragma once

#include "engine/sql/sql_session.hpp"

#include <string>
#include <string_view>

namespace firstcome::events {

using engine::SqlFailure;
using engine::SqlSession;
using engine::SqlTransaction;

/// Values without state: one of each kind, for ever. Thread safety: all functions are pure.
class OrderDialect {
 public:
  virtual ~OrderDialect() = default;

  /// Ended by these: `INSERT INTO orders (...) VALUES (...), (...)`, and the same of payments.
  virtual std::string_view order_conflict() const;
  virtual std::string_view payment_conflict() const;
  /// Ends `INSERT INTO firstcome_told (...) VALUES (...), (...)`: what is higher counts.
  virtual std::string_view told_conflict() const;
  /// What makes an INSERT pass over a row that is there.
  virtual std::string_view keep_existing() const { return " ON CONFLICT DO NOTHING"; }
  /// The same of `firstcome_settled`.
  virtual std::string_view keep_settled() const { return " ON CONFLICT DO NOTHING"; }
  /// Behind a SELECT of rows that another service may be trying too.
  virtual std::string_view skip_locked() const { return ""; }
  /// Behind a SELECT of rows that are going to be changed.
  virtual std::string_view lock_rows() const { return ""; }
  /// In a transaction: what it breaks is to be said by the statement, not by the commit.
  virtual std::string_view say_at_once() const { return ""; }
  /// What is said of an error of content where the database's own words are about how `order_conflict` is written.
  virtual std::string words_of(std::string sentence) const { return sentence; }

  /// `{id}`, `{text}`, `{long_text}` and `{table_end}` of the schema's statements.
  struct Types {
    std::string_view id, text, event_id, long_text, table_end, if_not_exists;
  };
  virtual Types types() const = 0;
};

const OrderDialect& order_dialect_of(engine::DatabaseUrl::Kind kind);
inline const OrderDialect& order_dialect_of(const SqlSession& session) {
  return order_dialect_of(session.dialect().kind());
}

}  // namespace firstcome::events
