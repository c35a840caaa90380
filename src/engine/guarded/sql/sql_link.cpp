#include "engine/guarded/sql/sql_link.hpp"

#include "lock/sql/sql_count.hpp"

#include <fmt/format.h>

#include <utility>

namespace firstcome::engine {

using Kind = InventoryFailure::Kind;
using Fault = SqlFailure::Fault;
namespace {

/// Between two looks whether the other process has let go; a transaction takes longer.
constexpr std::chrono::microseconds pause_of_sqlite{100};

/// What is known of a connection after a failure of it.
bool is_lost(const SqlFailure& failure) {
  return failure.fault == Fault::database && failure.kind != SqlTrouble::busy && failure.kind != SqlTrouble::timeout;
}

Kind kind_of(const SqlFailure& failure) {
  const bool somebody_was_quicker =
      failure.fault == Fault::duplicate || (failure.fault == Fault::database && failure.kind == SqlTrouble::busy);
  return somebody_was_quicker ? Kind::conflict : Kind::unavailable;
}

}  // namespace

SqlLink::SqlLink(const GuardedOptions& options, std::timed_mutex* writer, std::stop_token stop)
    : options_(options),
      url_(std::get<DatabaseUrl>(options.inventory)),
      dialect_(dialect_of(url_.kind)),
      writer_(url_.kind == DatabaseUrl::Kind::sqlite ? writer : nullptr),
      stop_(std::move(stop)) {}

SqlSession& SqlLink::session() {
  if (session_) return *session_;
  SqlSessionOptions options{.database = url_};
  options.lock_timeout = options_.wait;
  options.stop = stop_;
  if (writer_ != nullptr) options.sqlite_pause = pause_of_sqlite;
  options.statement_timeout += options_.wait;  // a wait for a lock is part of a statement
  auto session = std::make_unique<SqlSession>(options);
  // Under a stricter one, whoever was slower has to try again where here it waits its turn.
  if (url_.kind == DatabaseUrl::Kind::postgresql) {
    session->run("SET SESSION default_transaction_isolation = 'read committed'");
  }
  session_ = std::move(session);
  return *session_;
}

void SqlLink::drop() {
  session_.reset();
  end(State::none);
}

void SqlLink::end(State state) {
  state_ = state;
  if (state == State::none && writing_) writing_.unlock();
}

void SqlLink::become_writer() {
  if (writer_ == nullptr || writing_) return;
  std::unique_lock writing(*writer_, std::defer_lock);
  if (!writing.try_lock_for(options_.wait)) {
    throw SqlFailure::database(SqlTrouble::busy, "the process's one writer was busy for too long");
  }
  writing_ = std::move(writing);
}

InventoryFailure SqlLink::told(const SqlFailure& failure) {
  if (is_lost(failure)) drop();
  return {kind_of(failure), fmt::format("inventory {}: {}", url_.text(), failure.sentence)};
}

void SqlLink::begin(Begin how) {
  const bool plain = how == Begin::deferred && url_.kind == DatabaseUrl::Kind::sqlite;
  begin_ = plain ? "BEGIN" : dialect_.begin();
  state_ = State::begun_later;
}

void SqlLink::commit() {
  if (state_ == State::begun_later) end(State::none);
  if (state_ == State::none) return;
  try {
    session().run("COMMIT");
    end(State::none);
  } catch (const SqlFailure& failure) {
    InventoryFailure what = told(failure);
    if (what.kind != Kind::conflict) {
      what.kind = Kind::unknown;
      drop();
    }
    throw what;
  }
}

void SqlLink::roll_back() noexcept {
  if (state_ == State::begun_later) end(State::none);
  if (state_ == State::none) return;
  try {
    if (session_) session_->run("ROLLBACK");
    end(State::none);
  } catch (...) {  // whatever it is, nothing may stay held
    drop();        // and the transaction with it
  }
}

std::string SqlLink::last_of(std::initializer_list<std::string_view> statements) {
  SqlSession& session = this->session();
  std::string together;
  std::size_t left = statements.size();
  if (state_ == State::begun_later) {
    become_writer();
    if (takes_several()) {
      together = begin_;
      lock::count_sql_statements(1);
    } else {
      session.run(begin_);
    }
    state_ = State::begun;  // even if the first of several fails
  }
  for (const std::string_view statement : statements) {
    if (!together.empty()) together += "; ";
    together += statement;
    if (--left == 0) break;
    if (takes_several()) {
      lock::count_sql_statements(1);
    } else {
      session.run(std::exchange(together, {}));
    }
  }
  return together;
}

std::vector<SqlLink::Row> SqlLink::ask(std::initializer_list<std::string_view> statements, std::size_t columns) {
  try {
    const std::string last = last_of(statements);
    return session_->ask(last, columns);
  } catch (const SqlFailure& failure) {
    throw told(failure);
  }
}

SqlAnswer SqlLink::call(std::vector<SqlCall> calls) {
  try {
    SqlSession& session = this->session();
    if (state_ == State::begun_later) {
      become_writer();
      if (takes_several()) {
        calls.insert(calls.begin(), new_call(begin_));
      } else {
        session.run(begin_);
      }
      state_ = State::begun;  // even if the first of several fails
    }
    return session.call(calls);
  } catch (const SqlFailure& failure) {
    throw told(failure);
  }
}

std::uint64_t SqlLink::execute(std::initializer_list<std::string_view> statements) {
  try {
    const std::string last = last_of(statements);
    return session_->execute(last);
  } catch (const SqlFailure& failure) {
    throw told(failure);
  }
}

}  // namespace firstcome::engine
