// One connection to an SQL database: text in, rows of text out.
#pragma once

#include "engine/sql/sql_call.hpp"
#include "engine/sql/sql_dialect.hpp"
#include "engine/sql/sql_prepared.hpp"
#include "engine/sql/sql_watchdog.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace firstcome::engine {

/// All functions block, and throw SqlFailure. Not thread-safe.
class SqlSession {
 public:
  using Row = std::vector<std::optional<std::string>>;

  /// Connects. A session that was told to stop (SqlSessionOptions) throws soon, as one that lost its connection.
  explicit SqlSession(const SqlSessionOptions& options);

  void run(std::string_view sql);
  /// SqlDialect::insert. REQUIRES: in a transaction, which does not go on after a failure, or goes back to a savepoint.
  void insert(const SqlRows& rows, std::string_view conflict = {});
  /// Returns how many rows it has changed: on PostgreSQL and SQLite those it found, on MariaDB those that are different
  /// now.
  std::uint64_t execute(const std::string& sql);
  /// REQUIRES: the query has so many columns.
  std::vector<Row> ask(const std::string& sql, std::size_t columns);
  std::uint64_t ask_number(const std::string& sql);
  /// Prepared statements, one after the other; on PostgreSQL all are one round trip. The answer is the last one's.
  SqlAnswer call(std::span<const SqlCall> calls);

  const SqlDialect& dialect() const { return dialect_; }

 private:
  const SqlDialect& dialect_;
  std::unique_ptr<soci::session> session_;
  std::unique_ptr<SqlPrepared> prepared_;
  std::unique_ptr<SqlWatchdog> watchdog_;  ///< nullptr: there is no connection to be cut
};

/// A transaction that is rolled back unless it was committed.
class SqlTransaction {
 public:
  explicit SqlTransaction(SqlSession& session) : session_(session) { session.run(session.dialect().begin()); }
  ~SqlTransaction();
  SqlTransaction(const SqlTransaction&) = delete;
  SqlTransaction& operator=(const SqlTransaction&) = delete;

  void commit();

 private:
  SqlSession& session_;
  bool open_ = true;
};

/// Statements that this process has sent over any SqlSession, and over the sessions of SQL locks; transactions' begins
/// and ends are among them. Any thread.
std::uint64_t sql_statements_sent();

/// Reads one column; REQUIRES: it is a number.
std::int64_t number_in(const std::optional<std::string>& cell);

}  // namespace firstcome::engine
