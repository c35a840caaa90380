#include "engine/sql/sql_dialect.hpp"

#include <fmt/format.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <filesystem>

namespace firstcome::engine {
namespace {

using Trouble = SqlTrouble;

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
