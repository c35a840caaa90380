#include "engine/sql/sql_dialect.hpp"

#include <fmt/format.h>
#include <mariadb/errmsg.h>
#include <soci/mysql/soci-mysql.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <new>
#include <optional>
#include <vector>

namespace firstcome::engine {
namespace {

using Trouble = SqlTrouble;

std::optional<Trouble> trouble_of(unsigned error) {
  switch (error) {
    case 1205:  // lock wait
    case 1213:  // deadlock
    case 1020:  // changed since it was read
    case 1412:  // the table's definition has changed
    case 1615:  // likewise, since a statement was prepared
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

constexpr std::size_t fewest_bulk_rows = 50;  // below, preparing a statement costs more than it saves

/// Whether the server takes the parameters of many rows at once. MySQL's does not.
bool takes_bulk(MYSQL& connection) {
  return mariadb_connection(&connection) != 0 && mysql_get_server_version(&connection) >= 100'200;
}

/// The parameters of one column.
struct BulkColumn {
  std::vector<const char*> texts;
  std::vector<unsigned long> lengths;
  std::vector<std::int64_t> numbers;
  std::vector<char> indicators;

  BulkColumn(const SqlRows& rows, std::size_t column) {
    const bool is_text = rows.columns()[column].type == SqlColumn::Type::text;
    for (std::size_t row = 0; row < rows.rows(); ++row) {
      const SqlCell& cell = rows.at(row, column);
      indicators.push_back(cell.is_null ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE);
      if (!is_text) {
        numbers.push_back(cell.number);
        continue;
      }
      refuse_zero_byte(cell.text);
      texts.push_back(cell.text.data());
      lengths.push_back(cell.text.size());
    }
  }
  MYSQL_BIND binding() {
    MYSQL_BIND bind{};
    const bool is_text = !texts.empty();
    bind.buffer_type = is_text ? MYSQL_TYPE_STRING : MYSQL_TYPE_LONGLONG;
    bind.buffer = is_text ? static_cast<void*>(texts.data()) : numbers.data();
    bind.length = is_text ? lengths.data() : nullptr;
    bind.u.indicator = indicators.data();
    return bind;
  }
};

/// One statement with parameters, of all rows at once: the server need not read them as SQL.
void insert_bulk(MYSQL& connection, const SqlRows& rows) {
  std::string sql = rows.head() + "VALUES (?";
  for (std::size_t column = 1; column < rows.columns().size(); ++column) sql += ",?";
  sql += ')';
  std::vector<BulkColumn> columns;
  for (std::size_t column = 0; column < rows.columns().size(); ++column) columns.emplace_back(rows, column);
  std::vector<MYSQL_BIND> bindings;
  for (BulkColumn& column : columns) bindings.push_back(column.binding());
  const std::unique_ptr<MYSQL_STMT, my_bool (*)(MYSQL_STMT*)> statement(mysql_stmt_init(&connection), mysql_stmt_close);
  if (!statement) throw std::bad_alloc();
  auto count = static_cast<unsigned>(rows.rows());
  if (mysql_stmt_prepare(statement.get(), sql.data(), sql.size()) != 0 ||
      mysql_stmt_attr_set(statement.get(), STMT_ATTR_ARRAY_SIZE, &count) != 0 ||
      mysql_stmt_bind_param(statement.get(), bindings.data()) != 0 || mysql_stmt_execute(statement.get()) != 0) {
    throw soci::mysql_soci_error(mysql_stmt_error(statement.get()),
                                 static_cast<int>(mysql_stmt_errno(statement.get())));
  }
}

MYSQL* connection_of(soci::session& session) {
  return static_cast<soci::mysql_session_backend*>(session.get_backend())->conn_;
}

std::int64_t whole_seconds(Milliseconds time) {
  return std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(time).count());
}

/// REQUIRES: a URL of one host, or of a socket.
std::unique_ptr<soci::session> connect_to(const lock::SqlUrl& url, const SqlSessionOptions& options) {
  const std::string host = lock::mariadb_host(url);
  std::string where = host.empty() ? "" : "host=" + quoted_for_client(host);
  where += url.socket.empty() ? fmt::format(" port={}", url.hosts.front().port)
                              : " unix_socket=" + quoted_for_client(url.socket);
  // The server ends a statement that takes too long; where it does not even do that, the client goes.
  const auto patience = whole_seconds(options.statement_timeout) + whole_seconds(options.lock_timeout) + 1;
  auto session = std::make_unique<soci::session>(
      soci::mysql,
      fmt::format("{} user={} password={} dbname={} charset=utf8mb4 connect_timeout={} read_timeout={} "
                  "write_timeout={}",
                  where, quoted_for_client(url.user), quoted_for_client(url.password), quoted_for_client(url.database),
                  url.connect_seconds().value_or(whole_seconds(options.connect_timeout)), patience, patience));
  if (lock::wants_encryption(url) && mysql_get_ssl_cipher(connection_of(*session)) == nullptr)
    throw soci::mysql_soci_error(std::string(lock::not_encrypted), CR_SSL_CONNECTION_ERROR);
  return session;
}

/// Tries the hosts one after the other: the library would not go on from one that accepts and then says nothing.
std::unique_ptr<soci::session> connect_to_one(const SqlSessionOptions& options) {
  lock::SqlUrl url = options.database.server;
  const std::vector<lock::SqlUrl::Host> hosts = url.hosts;
  for (std::size_t i = 0; url.socket.empty() && i + 1 < hosts.size(); ++i) {
    url.hosts = {hosts[i]};
    try {
      return connect_to(url, options);
    } catch (const soci::mysql_soci_error& error) {
      // What a server itself says, such as that it refuses the password, is its answer.
      const bool no_connection = error.err_num_ >= CR_MIN_ERROR && error.err_num_ <= CR_MAX_ERROR;
      if (!no_connection) throw;
    }
  }
  if (!hosts.empty()) url.hosts = {hosts.back()};
  return connect_to(url, options);
}

class Mariadb final : public SqlDialect {
 public:
  Kind kind() const override { return Kind::mariadb; }

  std::unique_ptr<soci::session> connect(const SqlSessionOptions& options) const override {
    auto session = connect_to_one(options);
    session->once << fmt::format(
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO',"
        " max_statement_time = {}, innodb_lock_wait_timeout = {}, lock_wait_timeout = {}",
        static_cast<double>(options.statement_timeout.count()) / 1'000, whole_seconds(options.lock_timeout),
        whole_seconds(options.lock_timeout));
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
      state = mysql_sqlstate(connection_of(*session));
    }
    return is_content(code, state) ? SqlFailure::content(text) : SqlFailure::doubtful(text);
  }

  int socket_of(soci::session& session) const override {
    return static_cast<int>(mysql_get_socket(connection_of(session)));
  }

  void insert(soci::session& session, const SqlRows& rows, std::string_view conflict) const override {
    MYSQL& connection = *connection_of(session);
    if (!conflict.empty() || rows.rows() < fewest_bulk_rows || !takes_bulk(connection)) {
      return SqlDialect::insert(session, rows, conflict);
    }
    insert_bulk(connection, rows);
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
