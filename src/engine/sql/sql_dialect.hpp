// What the three databases do differently.
#pragma once

#include "engine/sql/database_url.hpp"
#include "engine/sql/sql_failure.hpp"
#include "engine/sql/sql_rows.hpp"

#include <firstcome/types.hpp>

#include <soci/soci.h>

#include <chrono>
#include <exception>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

namespace firstcome::engine {

struct SqlSessionOptions {
  enum class File : std::uint8_t {
    make,    ///< of SQLite, where it is not there
    expect,  ///< it must be there
  };
  DatabaseUrl database;
  File file = File::make;
  Milliseconds connect_timeout{5'000};
  Milliseconds statement_timeout{10'000};
  Milliseconds lock_timeout{2'000};  ///< for a lock of another session; whole seconds on MariaDB
  /// SQLite: the pause between two looks for a lock that another process has. 0: SQLite's own, up to 100 ms.
  std::chrono::microseconds sqlite_pause{0};
  /// When it is asked to stop, the session has one more second for the statement that runs, and then its connection is
  /// cut; a connection that is being made is given up at once. SQLite's statements end by themselves.
  std::stop_token stop = {};
};

/// Values without state: one of each kind, for ever. Thread safety: all functions are pure but for `connect`.
class SqlDialect {
 public:
  using Kind = DatabaseUrl::Kind;

  virtual ~SqlDialect() = default;
  virtual Kind kind() const = 0;

  /// A session with its time-outs, its character set (UTF-8) and strict rules set; its commits are durable, its
  /// transactions READ COMMITTED (PostgreSQL: as the server says, SQLite: serializable). Throws what SOCI throws.
  virtual std::unique_ptr<soci::session> connect(const SqlSessionOptions& options) const = 0;
  /// Of an exception that SOCI threw; `session` is nullptr where it could not connect.
  virtual SqlFailure failure_of(const std::exception& error, soci::session* session) const = 0;

  /// Returns the socket of the connection; -1: it has none.
  virtual int socket_of(soci::session&) const { return -1; }

  /// Inserts rows, in the form that costs this database least; `conflict` says, as SQL, what becomes of those that are
  /// there, nothing where that is a failure. REQUIRES: there are rows. Throws what SOCI throws, and SqlFailure
  /// (content) for a text that cannot be stored.
  virtual void insert(soci::session& session, const SqlRows& rows, std::string_view conflict) const {
    session.once << rows.statement(*this).append(conflict);
  }

  /// Starts a transaction that may write.
  virtual std::string_view begin() const { return "BEGIN"; }
  /// Whether a backslash in a literal must be doubled.
  virtual bool escapes_backslash() const { return false; }

  // --- for whoever makes tables ---

  /// A query for how many of some tables there are; `{}` is a list of literals.
  virtual std::string_view count_tables() const = 0;
  /// Keeps others who change the schema away until the transaction ends, or `unlock_schema`. Answers 1: it did. Empty:
  /// `begin` does.
  virtual std::string_view lock_schema() const { return ""; }
  virtual std::string_view unlock_schema() const { return ""; }
};

const SqlDialect& postgresql_dialect();
const SqlDialect& mariadb_dialect();
const SqlDialect& sqlite_dialect();
const SqlDialect& dialect_of(DatabaseUrl::Kind kind);

/// In single quotes, as the client libraries' connection strings have it.
std::string quoted_for_client(std::string_view value);

/// Throws SqlFailure (content) for a text with a zero byte, which ends a statement's text.
void refuse_zero_byte(std::string_view value);

/// Appends a literal. Throws SqlFailure (content) where it contains a zero byte.
void append_text(std::string& sql, std::string_view value, const SqlDialect& dialect);

}  // namespace firstcome::engine
