// Where an SQL server is, as people write it.
//
//     postgresql://user[:password]@host[:5432][,host[:port]...]/database[?parameter=value&...]   (also postgres://)
//     mysql://user[:password]@host[:3306][,host[:port]...]/database[?parameter=value&...]        (also mariadb://)
//
// User, password, database and values are percent-encoded; IPv6 addresses stand in brackets. Of both servers:
//
//     socket         instead of hosts: PostgreSQL's folder, MariaDB's file; libpq's `host=/FOLDER` is the same
//     password_file  a file whose first line is the password; then only the user stands before the @
//
// All other parameters are those of the server's own client library, libpq or MariaDB Connector/C, with its names and
// meanings. The known ones are in the error that an unknown one gets.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::lock {

/// Names and values of a client library.
using SqlSettings = std::vector<std::pair<std::string, std::string>>;

struct SqlUrl {
  enum class Server : std::uint8_t { postgresql, mariadb };
  struct Host {
    std::string name;  ///< a name or an address, IPv6 without brackets
    std::uint16_t port = 0;

    bool operator==(const Host&) const = default;
  };

  Server server = Server::postgresql;
  std::vector<Host> hosts = {};  ///< in the order in which they are tried; one at least where there is no socket
  std::string user = {};
  std::string password = {};  ///< may be empty
  std::string database = {};
  std::string socket = {};    ///< PostgreSQL: the folder, MariaDB: the file; empty: TCP
  SqlSettings settings = {};  ///< the other parameters, each once

  /// The value of one of `settings`; nothing where the URL does not say it.
  std::optional<std::string> setting(std::string_view name) const;
  /// Its connect_timeout or connect-timeout; nothing where the URL does not say it.
  std::optional<std::uint32_t> connect_seconds() const;

  /// For messages: without the password.
  std::string text() const;
};

/// Reads the file of a `password_file`. The error says in one sentence which member is wrong and the rule for it. It
/// never shows the password.
std::expected<SqlUrl, std::string> parse_sql_url(std::string_view text);

/// All that libpq has to know to connect. `usual` are settings of the caller's, which those of the URL take precedence
/// over. REQUIRES: a URL of PostgreSQL.
SqlSettings postgresql_settings(const SqlUrl& url, SqlSettings usual);

/// What MariaDB Connector/C takes for the name of a host: the first one and the settings, as its connection strings
/// have them. A server whose authority the URL names must prove who it is, unless the URL says
/// ssl-verify-server-cert=0. REQUIRES: a URL of MariaDB.
std::string mariadb_host(const SqlUrl& url);
/// Whether a connection that is not encrypted is to be given up: the library itself only prefers one that is.
bool wants_encryption(const SqlUrl& url);
/// What is said then.
inline constexpr std::string_view not_encrypted = "the server does not encrypt, which the URL asks for";

}  // namespace firstcome::lock
