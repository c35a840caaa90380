#include "engine/sql/sql_dialect.hpp"

#include <fmt/format.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace firstcome::engine {
namespace {

using Trouble = SqlTrouble;

/// What one connection's busy handler needs.
struct Patience {
  std::chrono::microseconds pause;
  int looks_most;
};

/// For as long as the lock's time-out; then SQLite says that it is busy.
void look_often(soci::session& session, const SqlSessionOptions& options) {
  // They are a few sorts for a whole process, and connections keep pointers to them.
  static std::mutex mutex;
  static std::map<std::pair<std::int64_t, int>, Patience> all;
  const auto looks = static_cast<int>(options.lock_timeout / options.sqlite_pause);
  const std::lock_guard lock(mutex);
  Patience& patience =
      all.try_emplace({options.sqlite_pause.count(), looks}, Patience{options.sqlite_pause, looks}).first->second;
  const auto look_again = [](void* given, int looks_so_far) {
    const auto& given_patience = *static_cast<const Patience*>(given);
    if (looks_so_far >= given_patience.looks_most) return 0;
    std::this_thread::sleep_for(given_patience.pause);  // allowed: SQLite tells nobody when it lets go
    return 1;
  };
  sqlite_api::sqlite3_busy_handler(static_cast<soci::sqlite3_session_backend*>(session.get_backend())->conn_,
                                   look_again, &patience);
}

class Sqlite final : public SqlDialect {
 public:
  Kind kind() const override { return Kind::sqlite; }

  std::unique_ptr<soci::session> connect(const SqlSessionOptions& options) const override {
    const std::string& path = options.database.path;
    if (options.file == SqlSessionOptions::File::expect && !std::filesystem::exists(path)) {
      throw SqlFailure::database(Trouble::schema, "there is no such file");
    }
    auto session = std::make_unique<soci::session>(soci::sqlite3, "dbname=\"" + path + "\"");
    const auto set = [&](const std::string& pragma) { session->once << "PRAGMA " + pragma; };
    set(fmt::format("busy_timeout = {}", options.lock_timeout.count()));
    set("journal_mode = WAL");
    set("synchronous = FULL");
    if (options.sqlite_pause.count() > 0) look_often(*session, options);
    return session;
  }

  SqlFailure failure_of(const std::exception& error, soci::session*) const override {
    const auto* const known = dynamic_cast<const soci::sqlite3_soci_error*>(&error);
    const auto* const any = dynamic_cast<const soci::soci_error*>(&error);
    std::string text = any == nullptr ? error.what() : any->get_error_message();
    for (const std::string_view prefix :
         {"sqlite3_statement_backend::loadOne: ", "sqlite3_statement_backend::prepare: "}) {
      if (text.starts_with(prefix)) text.erase(0, prefix.size());
    }
    if (known == nullptr) return SqlFailure::database(Trouble::other, text);
    const auto database = [&](Trouble kind) { return SqlFailure::database(kind, std::move(text)); };
    switch (known->result() & 0xff) {
      case SQLITE_CONSTRAINT:
        // The library tells no more than the words, which SQLite does not translate.
        if (text.find("UNIQUE constraint failed") != std::string::npos) return SqlFailure::duplicate(std::move(text));
        return SqlFailure::content(std::move(text));
      case SQLITE_MISMATCH:
      case SQLITE_TOOBIG:
        return SqlFailure::content(std::move(text));
      case SQLITE_BUSY:
      case SQLITE_LOCKED:
      case SQLITE_PROTOCOL:
        return database(Trouble::busy);
      case SQLITE_FULL:
        return database(Trouble::full);
      case SQLITE_READONLY:
        return database(Trouble::read_only);
      case SQLITE_NOMEM:
        return database(Trouble::overloaded);
      case SQLITE_CANTOPEN:
      case SQLITE_NOTADB:
      case SQLITE_IOERR:  // the handle is not to be trusted any more
      case SQLITE_CORRUPT:
        return database(Trouble::connection);
      case SQLITE_PERM:
      case SQLITE_AUTH:
        return database(Trouble::credentials);
      case SQLITE_ERROR:  // no such table, no such column
      case SQLITE_SCHEMA:
        return database(Trouble::schema);
      default:
        return SqlFailure::doubtful(std::move(text));
    }
  }

  // Two that begin by reading cannot both go on to write.
  std::string_view begin() const override { return "BEGIN IMMEDIATE"; }

  std::string_view count_tables() const override {
    return "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name IN ({})";
  }
};

}  // namespace

const SqlDialect& sqlite_dialect() {
  static const Sqlite dialect;
  return dialect;
}

}  // namespace firstcome::engine
