// Where an SQL database is, as people write it.
//
//     sqlite:///absolute/path.db
//     postgresql://user[:password]@host[:5432]/database[?socket=FOLDER]
//     mysql://user[:password]@host[:3306]/database[?socket=FILE]            (mariadb:// is the same)
#pragma once

#include "lock/sql/sql_url.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace firstcome::engine {

struct DatabaseUrl {
  enum class Kind : std::uint8_t { sqlite, postgresql, mariadb };

  Kind kind = Kind::sqlite;
  std::string path;     ///< of sqlite: absolute
  lock::SqlUrl server;  ///< of the others

  /// For messages: without user and password.
  std::string text() const;
};

/// The error is one sentence that names `what` it is the URL of ("order database"), the member and the rule. It never
/// shows the password.
std::expected<DatabaseUrl, std::string> parse_database_url(std::string_view text, std::string_view what);

}  // namespace firstcome::engine
