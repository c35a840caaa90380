// Where an SQL server is, as people write it.
//
//     postgresql://user[:password]@host[:5432]/database[?socket=FOLDER]      (postgres:// is the same)
//     mysql://user[:password]@host[:3306]/database[?socket=FILE]             (mariadb:// is the same)
//
// User, password, database and socket are percent-encoded; IPv6 addresses stand in brackets. Where `socket` is given,
// the host is not looked at.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace firstcome::lock {

struct SqlUrl {
  enum class Server : std::uint8_t { postgresql, mariadb };

  Server server = Server::postgresql;
  std::string host;  ///< a name or an address, IPv6 without brackets
  std::uint16_t port = 0;
  std::string user;
  std::string password;  ///< may be empty
  std::string database;
  std::string socket;  ///< PostgreSQL: the folder, MariaDB: the file; empty: TCP

  /// For messages: without the password.
  std::string text() const;
};

/// The error says in one sentence which member is wrong and the rule for it. It never shows the password.
std::expected<SqlUrl, std::string> parse_sql_url(std::string_view text);

}  // namespace firstcome::lock
