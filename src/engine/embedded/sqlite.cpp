#include "engine/embedded/sqlite.hpp"

namespace firstcome::engine::sqlite {
namespace {

Error error_of(sqlite3* connection) {
  if (connection == nullptr) return {SQLITE_NOMEM, "out of memory"};
  return {sqlite3_extended_errcode(connection), sqlite3_errmsg(connection)};
}

}  // namespace

Result<void> Statement::run() {
  const int code = step();
  if (code == SQLITE_DONE) {
    reset();
    return {};
  }
  Error failed = code == SQLITE_ROW ? Error{SQLITE_MISUSE, "a row where none was expected"} : error();
  reset();
  return std::unexpected(std::move(failed));
}

std::string_view Statement::text(int at) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(get(), at));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(get(), at))};
}

std::string_view Statement::blob(int at) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(get(), at));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(get(), at))};
}

Error Statement::error() const { return error_of(sqlite3_db_handle(get())); }

Result<Connection> Connection::open(const std::filesystem::path& path, Access access, const std::string& vfs) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (access == Access::read_only) flags |= SQLITE_OPEN_READONLY;
  if (access != Access::read_only) flags |= SQLITE_OPEN_READWRITE;
  if (access == Access::create) flags |= SQLITE_OPEN_CREATE;
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &opened, flags, vfs.empty() ? nullptr : vfs.c_str());
  Connection connection;
  connection.connection_.reset(opened);
  if (code != SQLITE_OK) {
    Error failed = error_of(opened);
    failed.code = code;
    return std::unexpected(std::move(failed));
  }
  if (access == Access::read_only) sqlite3_db_config(opened, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_busy_timeout(opened, 1000);
  return connection;
}

Result<void> Connection::execute(const char* sql) {
  if (sqlite3_exec(get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return std::unexpected(error());
}

Result<Statement> Connection::prepare(std::string_view sql) {
  sqlite3_stmt* prepared = nullptr;
  const int code = sqlite3_prepare_v3(get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                      &prepared, nullptr);
  if (code != SQLITE_OK) return std::unexpected(error());
  Statement statement;
  statement.statement_.reset(prepared);
  return statement;
}

Result<std::int64_t> Connection::integer(const char* sql) {
  auto statement = prepare(sql);
  if (!statement) return std::unexpected(std::move(statement.error()));
  if (statement->step() != SQLITE_ROW) return std::unexpected(statement->error());
  return statement->integer(0);
}

Result<std::string> Connection::text(const char* sql) {
  auto statement = prepare(sql);
  if (!statement) return std::unexpected(std::move(statement.error()));
  if (statement->step() != SQLITE_ROW) return std::unexpected(statement->error());
  return std::string(statement->text(0));
}

Error Connection::error() const { return error_of(get()); }

}  // namespace firstcome::engine::sqlite
