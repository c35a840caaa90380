// MariaDB's GET_LOCK, over MariaDB Connector/C.
#include "lock/sql/sql_locks.hpp"
#include "lock/sql/sql_session.hpp"
#include "lock/sql/sql_text.hpp"
#include "lock/sql/sql_url.hpp"

#include <fcntl.h>
#include <mariadb/errmsg.h>
#include <mariadb/mysql.h>
#include <mariadb/mysqld_error.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <utility>

namespace firstcome::lock {

namespace {

using Kind = LockFailure::Kind;
using What = SqlFailure::What;
using std::chrono::seconds;

constexpr unsigned long oldest_version = 100'300;
constexpr unsigned first_client_error = 2'000;
constexpr unsigned last_client_error = 2'999;
constexpr unsigned client_timeout = 4'031;  // wait_timeout, as newer servers say it

struct Close {
  void operator()(MYSQL* connection) const { mysql_close(connection); }
};
using Connection = std::unique_ptr<MYSQL, Close>;

Kind kind_of(unsigned number) {
  switch (number) {
    case ER_ACCESS_DENIED_ERROR:
    case ER_DBACCESS_DENIED_ERROR:
    case ER_BAD_DB_ERROR:
    case ER_HOST_NOT_PRIVILEGED:
    case ER_TABLEACCESS_DENIED_ERROR:
    case ER_SPECIFIC_ACCESS_DENIED_ERROR:
      return Kind::denied;
    case ER_OPTION_PREVENTS_STATEMENT:
    case ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION:
      return Kind::read_only;
    case ER_BAD_FIELD_ERROR:  // the tokens are in no table of ours
    case ER_WRONG_VALUE_COUNT_ON_ROW:
    case ER_WRONG_OBJECT:
    case ER_NON_INSERTABLE_TABLE:
      return Kind::wrong_type;
    default:
      return Kind::unavailable;
  }
}

What what_of(unsigned number) {
  const bool lost = number >= first_client_error && number <= last_client_error;
  if (lost || number == ER_CONNECTION_KILLED || number == ER_SERVER_SHUTDOWN || number == client_timeout) {
    return What::ended;
  }
  return number == ER_QUERY_INTERRUPTED ? What::cancelled : What::refused;
}

class MariadbSession final : public SqlSession {
 public:
  explicit MariadbSession(Connection connection)
      : connection_(std::move(connection)), id_(std::to_string(mysql_thread_id(connection_.get()))) {}

  int socket() const override { return mysql_get_socket(connection_.get()); }
  const std::string& id() const override { return id_; }

  void send(const std::string& statements) override {
    unsent_ = mysql_send_query(connection_.get(), statements.data(), statements.size()) != 0;
    // What the other side closed is readable: whoever waits for the answer comes to `read`.
    if (unsent_ && socket() >= 0) ::shutdown(socket(), SHUT_RDWR);
  }

  /// Where the rest of an answer is not here yet, the library stops in the middle, on a stack of its own, and goes on
  /// there the next time. How long that may take is limited by who waits for the answer.
  std::optional<SqlResult> read() override {
    if (unsent_) return std::unexpected(failure());
    MYSQL* const connection = connection_.get();
    if (stage_ == Stage::head) {
      my_bool failed = 0;
      waits_for_ = waits_for_ == 0 ? mysql_read_query_result_start(&failed, connection)
                                   : mysql_read_query_result_cont(&failed, connection, MYSQL_WAIT_READ);
      if (waits_for_ != 0) return {};
      if (failed != 0) return std::unexpected(failure());
      if (mysql_field_count(connection) == 0) return inserted();
      stage_ = Stage::rows;
    }
    MYSQL_RES* rows = nullptr;
    waits_for_ = waits_for_ == 0 ? mysql_store_result_start(&rows, connection)
                                 : mysql_store_result_cont(&rows, connection, MYSQL_WAIT_READ);
    if (waits_for_ != 0) return {};
    stage_ = Stage::head;
    return first_of(rows);
  }

  std::optional<SqlFailure> look() override {
    char byte = 0;
    const ssize_t got = ::recv(socket(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    return SqlFailure{What::ended, {Kind::unavailable, "the SQL server has ended the session"}};
  }

  /// Blocks, as long as the library's own time-outs let it.
  SqlResult execute(const std::string& statement) {
    if (mysql_real_query(connection_.get(), statement.data(), statement.size()) != 0) {
      return std::unexpected(failure());
    }
    return mysql_field_count(connection_.get()) == 0 ? inserted() : first_of(mysql_store_result(connection_.get()));
  }

  bool is_mariadb() const { return mariadb_connection(connection_.get()) != 0; }
  unsigned long version() const { return mysql_get_server_version(connection_.get()); }

 private:
  /// What LAST_INSERT_ID(...) was given.
  SqlResult inserted() const {
    const auto number = mysql_insert_id(connection_.get());
    return number == 0 ? SqlCell{} : SqlCell(std::to_string(number));
  }

  SqlResult first_of(MYSQL_RES* stored) const {
    const std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)> rows(stored, &mysql_free_result);
    if (!rows) return std::unexpected(failure());
    const MYSQL_ROW row = mysql_fetch_row(rows.get());
    const unsigned long* const sizes = row == nullptr ? nullptr : mysql_fetch_lengths(rows.get());
    if (sizes == nullptr || row[0] == nullptr) return SqlCell{};
    return SqlCell(std::string(row[0], sizes[0]));
  }

  SqlFailure failure() const {
    const unsigned number = mysql_errno(connection_.get());
    return {what_of(number), {kind_of(number), first_line(mysql_error(connection_.get()))}};
  }

  const Connection connection_;
  const std::string id_;
  bool unsent_ = false;
  enum class Stage : std::uint8_t { head, rows } stage_ = Stage::head;  ///< of the answer that is read
  int waits_for_ = 0;                                                   ///< of the library, in the middle of it
};

class Mariadb final : public SqlServer {
 public:
  explicit Mariadb(SqlUrl url) : url_(std::move(url)) {
    static const int once = mysql_library_init(0, nullptr, nullptr);
    if (once != 0) throw std::bad_alloc();
  }

  const LockTraits& traits() const override { return traits_; }

  std::expected<std::unique_ptr<SqlSession>, LockFailure> connect(BootTime limit) override {
    auto opened = open(limit);
    if (!opened) return std::unexpected(failed(std::move(opened.error())));
    auto session = std::make_unique<MariadbSession>(std::move(*opened));
    if (!session->is_mariadb() || session->version() < oldest_version) {
      return std::unexpected(failed({Kind::unavailable, "locks need MariaDB 10.3 or newer"}));
    }
    if (auto ready = prepare(*session); !ready) return std::unexpected(failed(std::move(ready.error().failure)));
    // Over TLS the library reads from the socket itself, and must not wait there.
    ::fcntl(session->socket(), F_SETFL, ::fcntl(session->socket(), F_GETFL) | O_NONBLOCK);
    return session;
  }

  void forget_the_tokens() override {
    const std::lock_guard guard(mutex_);
    has_tokens_ = false;
  }

  /// Names have 64 characters at most, and the server does not tell capitals apart: 192 bits of the hash.
  std::string key_of(const std::string& name) const override {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto hash = sql_name_hash(name);
    std::string key = "'firstcome:";
    for (std::size_t i = 0; i < 24; ++i) {
      key += digits[hash[i] >> 4U];
      key += digits[hash[i] & 0xFU];
    }
    return key + "'";
  }
  std::string try_sql(const std::string& key) const override { return "SELECT GET_LOCK(" + key + ", 0)"; }
  std::string wait_sql(const std::string& key, Milliseconds limit) const override {
    const auto ms = std::max<Milliseconds::rep>(limit.count(), 1);
    const std::string fraction = std::to_string(1'000 + ms % 1'000).substr(1);
    return "SELECT GET_LOCK(" + key + ", " + std::to_string(ms / 1'000) + "." + fraction + ")";
  }
  /// A row, not a SEQUENCE: of those, MariaDB 10.11 loses the last values when it is killed, and the first row as well.
  std::string token_sql() const override {
    return "UPDATE firstcome_lock_token SET token = LAST_INSERT_ID(token + 1) WHERE id = 1";
  }
  std::string release_sql(const std::string& key) const override { return "SELECT RELEASE_LOCK(" + key + ")"; }
  std::string reset_sql(const std::string& key) const override { return release_sql(key); }
  std::string lease_sql(Milliseconds lease) const override {
    return "SET SESSION wait_timeout = " + std::to_string(std::chrono::ceil<seconds>(lease).count());
  }
  Milliseconds lease_kept(Milliseconds lease) const override { return lease; }
  std::string ping_sql() const override { return "SELECT 1"; }
  std::string cancel_sql(const std::string& id) const override { return "KILL QUERY " + id; }
  std::string inspect_sql(const std::string& key) const override {
    return "SELECT IF(IS_USED_LOCK(" + key + ") IS NULL, NULL, '')";
  }

 private:
  std::expected<Connection, LockFailure> open(BootTime limit) const {
    Connection connection(mysql_init(nullptr));
    if (!connection) throw std::bad_alloc();
    const auto left = std::chrono::ceil<seconds>(limit - BootClock::now()).count();
    const auto patience = static_cast<unsigned>(std::max<std::int64_t>(left, 1));
    const unsigned to_connect = std::min(patience, url_.connect_seconds().value_or(patience));
    mysql_options(connection.get(), MYSQL_OPT_CONNECT_TIMEOUT, &to_connect);
    mysql_options(connection.get(), MYSQL_OPT_READ_TIMEOUT, &patience);
    mysql_options(connection.get(), MYSQL_OPT_WRITE_TIMEOUT, &patience);
    mysql_options(connection.get(), MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options(connection.get(), MYSQL_OPT_NONBLOCK, nullptr);  // a stack of the usual size
    const bool local = !url_.socket.empty();
    const std::string host = mariadb_host(url_);
    const MYSQL* const connected =
        mysql_real_connect(connection.get(), host.empty() ? nullptr : host.c_str(), url_.user.c_str(),
                           url_.password.c_str(), url_.database.c_str(), local ? 0 : url_.hosts.front().port,
                           local ? url_.socket.c_str() : nullptr, CLIENT_REMEMBER_OPTIONS);
    if (connected == nullptr) {
      return std::unexpected(
          LockFailure{kind_of(mysql_errno(connection.get())), first_line(mysql_error(connection.get()))});
    }
    if (wants_encryption(url_) && mysql_get_ssl_cipher(connection.get()) == nullptr)
      return std::unexpected(LockFailure{Kind::denied, std::string(not_encrypted)});
    keep_alive(mysql_get_socket(connection.get()));
    // Not for the programs that this process starts: the server must see that it has ended.
    ::fcntl(mysql_get_socket(connection.get()), F_SETFD, FD_CLOEXEC);
    return connection;
  }

  SqlResult prepare(MariadbSession& session) {
    // Not what the server's settings say.
    SqlResult done = session.execute("SET SESSION max_statement_time = 0, autocommit = 1, completion_type = 0");
    if (!done) return done;
    const std::lock_guard guard(mutex_);
    if (has_tokens_) return SqlCell{};
    constexpr const char* look = "SELECT 1 FROM firstcome_lock_token WHERE id = 1";
    const SqlResult there = session.execute(look);
    if (!there || !*there) {
      done = session.execute(
          "CREATE TABLE IF NOT EXISTS firstcome_lock_token"
          " (id TINYINT PRIMARY KEY, token BIGINT UNSIGNED NOT NULL) ENGINE = InnoDB");
      if (done) done = session.execute("INSERT IGNORE INTO firstcome_lock_token VALUES (1, 0)");
      if (!done) return done;
    }
    has_tokens_ = true;
    return SqlCell{};
  }

  LockFailure failed(LockFailure failure) const {
    failure.detail = url_.text() + ": " + failure.detail;
    return failure;
  }

  // `lapses`: only to the second, where the holder's process does not end its lease itself.
  const LockTraits traits_{.kind = "mariadb", .tokens = true, .lapses = false};
  const SqlUrl url_;
  std::mutex mutex_;  ///< protects what follows
  bool has_tokens_ = false;
};

}  // namespace

std::expected<std::shared_ptr<LockBackend>, std::string> make_mariadb_locks(std::string_view url,
                                                                            const SqlLockOptions& options) {
  auto parsed = parse_sql_url(url);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  if (parsed->server != SqlUrl::Server::mariadb) return std::unexpected("SQL URL: scheme must be mysql://");
  // Each server has locks of its own.
  if (parsed->hosts.size() > 1) return std::unexpected("SQL URL: host must be one for locks");
  return make_sql_locks(std::make_shared<Mariadb>(std::move(*parsed)), options);
}

}  // namespace firstcome::lock
