#include "engine/sql/sql_session.hpp"

#include "engine/sql/sql_connecting.hpp"
#include "lock/sql/sql_count.hpp"

#include <algorithm>
#include <charconv>

namespace firstcome::engine {

namespace {

std::unique_ptr<SqlPrepared> prepared_of(DatabaseUrl::Kind kind, soci::session& session) {
  switch (kind) {
    case DatabaseUrl::Kind::postgresql:
      return postgresql_prepared(session);
    case DatabaseUrl::Kind::mariadb:
      return mariadb_prepared(session);
    case DatabaseUrl::Kind::sqlite:
      break;
  }
  return sqlite_prepared(session);
}

}  // namespace

SqlSession::SqlSession(const SqlSessionOptions& options) : dialect_(dialect_of(options.database.kind)) {
  try {
    session_ = connect_unless_stopped(options);
    prepared_ = prepared_of(dialect_.kind(), *session_);
    const int socket = dialect_.socket_of(*session_);
    // The server's own time-out, which says more, comes first.
    if (socket >= 0) {
      watchdog_ = std::make_unique<SqlWatchdog>(socket, options.statement_timeout + options.lock_timeout, options.stop);
    }
  } catch (const std::exception& error) {  // a SqlFailure is none
    throw dialect_.failure_of(error, nullptr);
  }
}

void SqlSession::run(std::string_view sql) {
  lock::count_sql_statements(1);
  const SqlWatchdog::Watch watch(watchdog_.get());
  try {
    session_->once << sql;
  } catch (const std::exception& error) {
    throw dialect_.failure_of(error, session_.get());
  }
}

void SqlSession::insert(const SqlRows& rows, std::string_view conflict) {
  lock::count_sql_statements(1);
  const SqlWatchdog::Watch watch(watchdog_.get());
  try {
    if (!prepared_->insert(rows, conflict)) dialect_.insert(*session_, rows, conflict);
  } catch (const std::exception& error) {
    throw dialect_.failure_of(error, session_.get());
  }
}

std::uint64_t SqlSession::execute(const std::string& sql) {
  lock::count_sql_statements(1);
  const SqlWatchdog::Watch watch(watchdog_.get());
  try {
    soci::statement statement(*session_);
    statement.alloc();
    // Asked once, so that the server need not keep it.
    statement.prepare(sql, soci::details::st_one_time_query);
    statement.define_and_bind();
    statement.execute(true);
    return static_cast<std::uint64_t>(std::max(0LL, statement.get_affected_rows()));
  } catch (const std::exception& error) {
    throw dialect_.failure_of(error, session_.get());
  }
}

std::vector<SqlSession::Row> SqlSession::ask(const std::string& sql, std::size_t columns) {
  std::vector<Row> rows;
  lock::count_sql_statements(1);
  const SqlWatchdog::Watch watch(watchdog_.get());
  try {
    std::vector<std::string> cells(columns);
    std::vector<soci::indicator> indicators(columns, soci::i_ok);
    soci::statement statement(*session_);
    for (std::size_t i = 0; i < columns; ++i) statement.exchange(soci::into(cells[i], indicators[i]));
    statement.alloc();
    // Asked once, so that the server need not keep it.
    statement.prepare(sql, soci::details::st_one_time_query);
    statement.define_and_bind();
    statement.execute();
    while (statement.fetch()) {
      Row& row = rows.emplace_back(columns);
      for (std::size_t i = 0; i < columns; ++i) {
        if (indicators[i] == soci::i_ok) row[i] = cells[i];
      }
    }
  } catch (const std::exception& error) {
    throw dialect_.failure_of(error, session_.get());
  }
  return rows;
}

std::uint64_t SqlSession::ask_number(const std::string& sql) {
  const auto rows = ask(sql, 1);
  return rows.empty() ? 0 : static_cast<std::uint64_t>(number_in(rows[0][0]));
}

SqlAnswer SqlSession::call(std::span<const SqlCall> calls) {
  lock::count_sql_statements(calls.size());
  const SqlWatchdog::Watch watch(watchdog_.get());
  try {
    return prepared_->call(calls);
  } catch (const std::exception& error) {
    throw dialect_.failure_of(error, session_.get());
  }
}

SqlTransaction::~SqlTransaction() {
  if (!open_) return;
  try {
    session_.run("ROLLBACK");
  } catch (const SqlFailure&) {
    // The connection is gone, and the transaction with it; or it was rolled back by what failed.
  }
}

void SqlTransaction::commit() {
  session_.run("COMMIT");
  open_ = false;
}

std::uint64_t sql_statements_sent() { return lock::SqlCount::sent.load(std::memory_order_relaxed); }

std::int64_t number_in(const std::optional<std::string>& cell) {
  std::int64_t number = 0;
  if (cell) std::from_chars(cell->data(), cell->data() + cell->size(), number);
  return number;
}

}  // namespace firstcome::engine
