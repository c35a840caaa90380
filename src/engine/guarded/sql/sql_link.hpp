// The connection of one session: made anew where it was lost, and its failures told as an inventory tells them.
#pragma once

#include "engine/guarded/guarded_options.hpp"
#include "engine/guarded/inventory.hpp"
#include "engine/sql/sql_session.hpp"

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::engine {

/// All functions block and throw InventoryFailure, but for those that say otherwise. Not thread-safe.
class SqlLink {
 public:
  using Row = SqlSession::Row;

  /// Connects later. REQUIRES: the inventory is a DatabaseUrl. `options` must outlive it, and `writer`, which
  /// transactions on SQLite hold from their first statement to their end: who waits for a mutex is woken at once, who
  /// waits for SQLite looks now and then. Null: there is none.
  /// `stop`: as in SqlSessionOptions.
  explicit SqlLink(const GuardedOptions& options, std::timed_mutex* writer = nullptr, std::stop_token stop = {});

  const SqlDialect& dialect() const { return dialect_; }
  /// Connects where there is no connection. Throws SqlFailure.
  SqlSession& session();
  /// Forgets the connection.
  void drop();
  /// The failure of a statement that did not commit. A connection that it tells to be lost is forgotten.
  InventoryFailure told(const SqlFailure& failure);

  enum class Begin : std::uint8_t {
    deferred,   ///< SQLite: what is read is a snapshot, and whoever writes after others have is told to try again
    immediate,  ///< SQLite: nobody else writes until the end
  };
  /// Nothing is sent before the next statement.
  void begin(Begin how = Begin::immediate);
  /// `unknown` where the connection is lost on the way.
  void commit();
  /// Also where nothing has begun.
  void roll_back() noexcept;

  // A second row with a value that must be unique is a `conflict`. Outside of a transaction, a statement that failed
  // may have been done: ask only for what may be asked twice.

  /// One after the other; the rows are the last one's. On PostgreSQL all of them are one round trip.
  /// REQUIRES: the last one has so many columns.
  std::vector<Row> ask(std::initializer_list<std::string_view> statements, std::size_t columns);
  /// Likewise; how many rows the last one has changed.
  std::uint64_t execute(std::initializer_list<std::string_view> statements);
  /// The same with prepared statements.
  SqlAnswer call(std::vector<SqlCall> calls);
  SqlCall new_call(std::string_view text = {}) const { return SqlCall(dialect_, text); }

 private:
  enum class State : std::uint8_t { none, begun_later, begun };

  /// Before the first statement of a transaction.
  void become_writer();
  void end(State state);
  /// Sends all but what is to be sent with the last one, which it returns.
  std::string last_of(std::initializer_list<std::string_view> statements);
  bool takes_several() const { return dialect_.kind() == DatabaseUrl::Kind::postgresql; }

  const GuardedOptions& options_;
  const DatabaseUrl& url_;
  const SqlDialect& dialect_;
  std::unique_ptr<SqlSession> session_;  ///< nullptr: not connected
  State state_ = State::none;
  std::string_view begin_;  ///< the statement, of begun_later
  std::timed_mutex* const writer_;
  const std::stop_token stop_;
  std::unique_lock<std::timed_mutex> writing_;  ///< held while a transaction on SQLite is open
};

/// When its scope is left, whatever the way out, no transaction is open and the mutex of writers is free.
class NoTransactionAfter {
 public:
  /// `link` must outlive it.
  explicit NoTransactionAfter(SqlLink& link) : link_(link) {}
  ~NoTransactionAfter() { link_.roll_back(); }
  NoTransactionAfter(const NoTransactionAfter&) = delete;
  NoTransactionAfter& operator=(const NoTransactionAfter&) = delete;

 private:
  SqlLink& link_;
};

}  // namespace firstcome::engine
