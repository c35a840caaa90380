// SQLite's connections and statements as owned objects, and its errors as values.
//
// Nothing here knows of sales. Each object is for one thread at a time.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace firstcome::engine::sqlite {

struct Error {
  int code = SQLITE_ERROR;  ///< SQLite's extended result code
  std::string text;

  /// The code without its extension.
  int primary() const { return code & 0xff; }
};

template <class T>
using Result = std::expected<T, Error>;

/// A prepared statement. After `step` has returned a row, columns may be read until the next call.
class Statement {
 public:
  Statement() = default;

  /// SQLITE_ROW, SQLITE_DONE or an extended error code.
  int step() { return sqlite3_step(get()); }
  /// Steps a statement that returns no rows, and makes it ready for its next use.
  Result<void> run();
  void reset() { sqlite3_reset(get()); }

  void bind(int at, std::int64_t number) { sqlite3_bind_int64(get(), at, number); }
  void bind(int at, std::uint64_t number) { bind(at, static_cast<std::int64_t>(number)); }
  /// The text must stay valid until the statement was stepped.
  void bind(int at, std::string_view text) {
    sqlite3_bind_text(get(), at, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  }
  void bind_blob(int at, const void* bytes, std::size_t size) {
    sqlite3_bind_blob(get(), at, bytes, static_cast<int>(size), SQLITE_STATIC);
  }
  void bind_null(int at) { sqlite3_bind_null(get(), at); }

  int columns() const { return sqlite3_column_count(get()); }
  bool is_null(int at) const { return sqlite3_column_type(get(), at) == SQLITE_NULL; }
  std::int64_t integer(int at) const { return sqlite3_column_int64(get(), at); }
  std::uint64_t natural(int at) const { return static_cast<std::uint64_t>(integer(at)); }
  /// Valid until the next step or reset; empty where NULL.
  std::string_view text(int at) const;
  std::string_view blob(int at) const;

  Error error() const;
  sqlite3_stmt* get() const { return statement_.get(); }

 private:
  friend class Connection;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

enum class Access {
  read_only,  ///< changes nothing, not even by checkpointing when it is closed
  read_write,
  create,
};

class Connection {
 public:
  Connection() = default;

  /// `vfs` empty: the default one.
  static Result<Connection> open(const std::filesystem::path& path, Access access, const std::string& vfs);

  /// Runs statements that return nothing of interest.
  Result<void> execute(const char* sql);
  Result<Statement> prepare(std::string_view sql);
  /// The first column of the first row.
  Result<std::int64_t> integer(const char* sql);
  Result<std::string> text(const char* sql);

  Error error() const;
  /// Whether a transaction is open.
  bool in_transaction() const { return sqlite3_get_autocommit(get()) == 0; }
  sqlite3* get() const { return connection_.get(); }
  explicit operator bool() const { return connection_ != nullptr; }

 private:
  struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
  };
  std::unique_ptr<sqlite3, Close> connection_;
};

}  // namespace firstcome::engine::sqlite
