#include "engine/sql/sql_dialect.hpp"

#include <fmt/format.h>
#include <soci/mysql/soci-mysql.h>

#include <algorithm>
#include <chrono>
#include <optional>

namespace firstcome::engine {
namespace {

using Trouble = SqlTrouble;

std::optional<Trouble> trouble_of(unsigned error) {
  switch (error) {
    case 1205:  // lock wait
    case 1213:  // deadlock
    case 1020:  // changed since it was read
    case 1412:  // the table's definition has changed
      return Trouble::busy;
    case 1969:  // max_statement_time
    case 3024:
      return Trouble::timeout;
    case 1021:
    case 1114:
    case 3:  // writing a file
      return Trouble::full;
    case 1036:
    case 1290:
    case 1792:
    case 1836:
      return Trouble::read_only;
    case 1037:
    case 1038:
    case 1040:
    case 1041:
    case 1135:
    case 1203:
    case 1226:
      return Trouble::overloaded;
    case 1044:
    case 1045:
    case 1049:
    case 1698:
      return Trouble::credentials;
    case 1054:  // unknown column
    case 1109:
    case 1142:  // not allowed on this table
    case 1143:
    case 1146:  // no such table
    case 1227:
      return Trouble::schema;
    case 1053:  // shutting down
    case 1152:
    case 1158:
    case 1159:
    case 1160:
    case 1161:
    case 1184:
    case 1317:  // interrupted
    case 1927:  // killed
      return Trouble::connection;
    case 1030:  // of the storage engine, with a number of the system's
    case 1034:
    case 1105:
      return Trouble::other;
    default:
      return error >= 2'000 && error < 3'000 ? std::optional(Trouble::connection) : std::nullopt;  // the client's own
  }
}

bool is_content(unsigned error, std::string_view state) {
  switch (error) {
    case 1264:  // out of range
    case 1265:  // truncated
    case 1292:
    case 1300:  // not of the character set
    case 1364:  // no default
    case 1366:
    case 1406:  // too long
    case 1411:
    case 1526:  // no partition
    case 1690:
    case 3819:  // CHECK, as MySQL says it
    case 4025:  // CHECK
    case 4078:
      return true;
    default:
      return state.starts_with("22") || state.starts_with("23") || state.starts_with("45");
  }
}

class Mariadb final : public SqlDialect {
 public:
  Kind kind() const override { return Kind::mariadb; }

  std::unique_ptr<soci::session> connect(const SqlSessionOptions& options) const override {
    const lock::SqlUrl& url = options.database.server;
    const auto seconds = [](Milliseconds time) {
      return std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(time).count());
    };
    // The library takes the name localhost for a socket of its own choice; here it is what it says.
    const std::string where = url.socket.empty()
                                  ? "host=" + quoted_for_client(url.host == "localhost" ? "127.0.0.1" : url.host) +
                                        " port=" + std::to_string(url.port)
                                  : "unix_socket=" + quoted_for_client(url.socket);
    // The server ends a statement that takes too long; where it does not even do that, the client goes.
    const auto patience = seconds(options.statement_timeout) + seconds(options.lock_timeout) + 1;
    auto session = std::make_unique<soci::session>(
        soci::mysql,
        fmt::format("{} user={} password={} dbname={} charset=utf8mb4 connect_timeout={} read_timeout={} "
                    "write_timeout={}",
                    where, quoted_for_client(url.user), quoted_for_client(url.password),
                    quoted_for_client(url.database), seconds(options.connect_timeout), patience, patience));
    session->once << fmt::format(
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO',"
        " max_statement_time = {}, innodb_lock_wait_timeout = {}, lock_wait_timeout = {}",
        static_cast<double>(options.statement_timeout.count()) / 1'000, seconds(options.lock_timeout),
        seconds(options.lock_timeout));
    // Under the usual REPEATABLE READ, writers of rows that are not there yet lock the gaps between others, and each
    // other.
    session->once << "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
    return session;
  }

  SqlFailure failure_of(const std::exception& error, soci::session* session) const override {
    const auto* const known = dynamic_cast<const soci::mysql_soci_error*>(&error);
    const auto* const any = dynamic_cast<const soci::soci_error*>(&error);
    const std::string text = any == nullptr ? error.what() : any->get_error_message();
    if (known == nullptr) return SqlFailure::database(Trouble::other, text);
    const unsigned code = known->err_num_;
    // "Got error 28" is the system's ENOSPC.
    if (code == 1030 && text.find("error 28 ") != std::string::npos) return SqlFailure::database(Trouble::full, text);
    if (const auto kind = trouble_of(code)) return SqlFailure::database(*kind, text);
    if (code == 1062 || code == 1586) return SqlFailure::duplicate(text);
    std::string state;
    if (session != nullptr) {
      const auto* const backend = static_cast<soci::mysql_session_backend*>(session->get_backend());
      state = mysql_sqlstate(backend->conn_);
    }
    return is_content(code, state) ? SqlFailure::content(text) : SqlFailure::doubtful(text);
  }

  int socket_of(soci::session& session) const override {
    return static_cast<int>(mysql_get_socket(static_cast<soci::mysql_session_backend*>(session.get_backend())->conn_));
  }

  std::string_view begin() const override { return "START TRANSACTION"; }

  bool escapes_backslash() const override { return true; }

  std::string_view count_tables() const override {
    return "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name IN ({})";
  }
  // Its DDL commits by itself, so a transaction does not do.
  std::string_view lock_schema() const override {
    return "SELECT GET_LOCK(LEFT(CONCAT('firstcome-', MD5(DATABASE())), 64), 10)";
  }
  std::string_view unlock_schema() const override {
    return "SELECT RELEASE_LOCK(LEFT(CONCAT('firstcome-', MD5(DATABASE())), 64))";
  }
};

}  // namespace

const SqlDialect& mariadb_dialect() {
  static const Mariadb dialect;
  return dialect;
}

}  // namespace firstcome::engine
