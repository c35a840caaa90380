// Prepared statements of one connection, kept by their text.
#pragma once

#include "engine/sql/sql_call.hpp"
#include "engine/sql/sql_rows.hpp"

#include <memory>
#include <span>
#include <string_view>

namespace firstcome::engine {

/// All functions block, and throw what SOCI throws. Not thread-safe. It must not outlive the connection.
class SqlPrepared {
 public:
  virtual ~SqlPrepared() = default;
  /// One after the other; the answer is the last one's. On PostgreSQL all of them are one round trip, and after one
  /// that failed none is done; elsewhere too.
  virtual SqlAnswer call(std::span<const SqlCall> calls) = 0;

  /// Inserts rows as SqlDialect::insert does, row by row, and returns true, where that costs least: where the database
  /// is in this process. Elsewhere does nothing. After a failure the rows before it are there, until the transaction is
  /// rolled back.
  virtual bool insert(const SqlRows&, std::string_view /*conflict*/) { return false; }

  /// So many statements of a connection are kept; then all are forgotten, and prepared again when they are needed.
  static constexpr std::size_t kept_most = 128;
};

std::unique_ptr<SqlPrepared> postgresql_prepared(soci::session& session);
std::unique_ptr<SqlPrepared> mariadb_prepared(soci::session& session);
std::unique_ptr<SqlPrepared> sqlite_prepared(soci::session& session);

}  // namespace firstcome::engine
