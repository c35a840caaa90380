// PostgreSQL's advisory locks, over libpq.
#include "lock/identity.hpp"
#include "lock/sql/sql_locks.hpp"
#include "lock/sql/sql_session.hpp"
#include "lock/sql/sql_text.hpp"
#include "lock/sql/sql_url.hpp"

#include <postgresql/libpq-fe.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <limits>
#include <mutex>
#include <utility>
#include <vector>

namespace firstcome::lock {

namespace {

using Kind = LockFailure::Kind;
using What = SqlFailure::What;

/// A setting of the session's own, in which each of ours writes its name. Where it has another value, a pooler has
/// given this client another session than before, and locks, which belong to sessions, would exclude nobody.
constexpr std::string_view session_mark = "firstcome.session";
constexpr const char* shared_session =
    "a connection pooler shares sessions between clients: locks need a direct connection, or pool_mode = session";

constexpr std::uint32_t longest_connect_seconds = 3'600;  // that a URL can say
constexpr int oldest_version = 140'000;                   // idle_session_timeout
constexpr Milliseconds shortest_lease{100};
constexpr Milliseconds longest_lease{std::numeric_limits<int>::max()};

struct Finish {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, Finish>;
using Result = std::unique_ptr<PGresult, Clear>;

Kind kind_of(std::string_view state) {
  if (state.starts_with("28") || state == "42501" || state == "3D000") return Kind::denied;
  if (state == "25006") return Kind::read_only;
  if (state == "42809" || state == "42703") return Kind::wrong_type;  // the tokens are no sequence
  return Kind::unavailable;
}

/// "FATAL:  28P01: password ..." as PQERRORS_VERBOSE writes it; the first word is in the server's language.
std::string state_in(std::string_view message) {
  const auto is_state = [](std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); });
  };
  for (std::size_t at = message.find(":  "); at != std::string_view::npos; at = message.find(":  ", at + 1)) {
    const std::string_view rest = message.substr(at + 3);
    if (rest.size() > 6 && rest.substr(5, 2) == ": " && is_state(rest.substr(0, 5))) return std::string(rest, 0, 5);
  }
  return {};
}

class PostgresqlSession final : public SqlSession {
 public:
  explicit PostgresqlSession(Connection connection) : connection_(std::move(connection)) {
    // What the server says when it ends an idle session comes as a notice.
    PQsetNoticeReceiver(connection_.get(), &PostgresqlSession::noticed, this);
    PQsetErrorVerbosity(connection_.get(), PQERRORS_DEFAULT);
  }

  int socket() const override { return PQsocket(connection_.get()); }
  const std::string& id() const override { return id_; }

  void send(const std::string& statements) override {
    answer_ = SqlCell{};
    unsent_ = PQsendQuery(connection_.get(), (check_ + statements).c_str()) != 1;
    // What the other side closed is readable: whoever waits for the answer comes to `read`.
    if (unsent_) ::shutdown(socket(), SHUT_RDWR);
  }

  std::optional<SqlResult> read() override {
    if (unsent_ || PQconsumeInput(connection_.get()) != 1) return std::unexpected(over());
    while (PQisBusy(connection_.get()) == 0) {
      const Result result(PQgetResult(connection_.get()));
      if (!result) {
        if (PQstatus(connection_.get()) != CONNECTION_OK) return std::unexpected(over());
        return std::exchange(answer_, SqlCell{});
      }
      take(result.get());
    }
    return {};
  }

  std::optional<SqlFailure> look() override {
    const bool fed = PQconsumeInput(connection_.get()) == 1;
    PQisBusy(connection_.get());  // reads notices
    if (fed && PQstatus(connection_.get()) == CONNECTION_OK) return {};
    return over();
  }

  /// `send` and `read`, blocking.
  SqlResult execute(const std::string& statements, BootTime limit) {
    send(statements);
    while (wait_for_socket(socket(), Ready::to_read, limit)) {
      if (auto result = read()) return std::move(*result);
    }
    return std::unexpected(SqlFailure{What::ended, {Kind::unavailable, "the SQL server did not answer in time"}});
  }

  int version() const { return PQserverVersion(connection_.get()); }

  /// Makes sure that this session is this client's own, and stays it: from now on every statement first checks the
  /// mark, in the same transaction. A fresh session has none; one that a pooler has lent to others of us before has
  /// theirs.
  SqlResult claim(BootTime limit) {
    const std::string mark = "current_setting('" + std::string(session_mark) + "', true)";
    const SqlResult found = execute("SELECT pg_backend_pid() || ' ' || coalesce(" + mark + ", '')", limit);
    if (!found) return found;
    const std::size_t space = found->value_or("").find(' ');
    if (!*found || (*found)->size() != space + 1) return std::unexpected(lent());
    id_ = (*found)->substr(0, space);
    const std::string name = random_identity();
    const SqlResult marked =
        execute("SELECT set_config('" + std::string(session_mark) + "', '" + name + "', false)", limit);
    if (marked) check_ = "SELECT 1 / (" + mark + " IS NOT DISTINCT FROM '" + name + "')::int; ";
    return marked;
  }

 private:
  static void noticed(void* self, const PGresult* notice) {
    const char* const severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char* const text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    const std::string_view weight = severity == nullptr ? "" : severity;
    if (weight != "FATAL" && weight != "PANIC") return;
    static_cast<PostgresqlSession*>(self)->last_words_ = text == nullptr ? "" : text;
  }

  void take(const PGresult* result) {
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK) {
      if (!answer_) return;
      const bool some = PQntuples(result) > 0 && PQnfields(result) > 0 && PQgetisnull(result, 0, 0) == 0;
      *answer_ = some ? SqlCell(PQgetvalue(result, 0, 0)) : SqlCell{};
    } else if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
      const char* const code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
      const std::string_view state = code == nullptr ? "" : code;
      const char* const primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
      std::string text = first_line(primary != nullptr ? primary : PQresultErrorMessage(result));
      if (state == "55P03") {
        answer_ = std::unexpected(SqlFailure{What::taken, {Kind::unavailable, std::move(text)}});
      } else if (state == "57014") {
        answer_ = std::unexpected(SqlFailure{What::cancelled, {Kind::unavailable, std::move(text)}});
      } else if (state == "22012" && !check_.empty()) {  // a division by 0: only `check_` divides
        answer_ = std::unexpected(lent());
      } else {
        if (last_words_.empty()) last_words_ = text;
        answer_ = std::unexpected(SqlFailure{What::refused, {kind_of(state), std::move(text)}});
      }
    }
  }

  SqlFailure over() const {
    std::string why = last_words_.empty() ? first_line(PQerrorMessage(connection_.get())) : last_words_;
    return {What::ended, {Kind::unavailable, "the SQL session has ended: " + why}};
  }

  static SqlFailure lent() { return {What::ended, {Kind::unavailable, shared_session}}; }

  const Connection connection_;
  std::string id_;     ///< the server's own number: a pooler tells clients another one
  std::string check_;  ///< stands before each statement
  bool unsent_ = false;
  SqlResult answer_ = SqlCell{};  ///< of the statement under way, as far as it is here
  std::string last_words_;        ///< of the server about this session
};

class Postgresql final : public SqlServer {
 public:
  explicit Postgresql(SqlUrl url) : url_(std::move(url)) {}

  const LockTraits& traits() const override { return traits_; }

  std::expected<std::unique_ptr<SqlSession>, LockFailure> connect(BootTime limit) override {
    auto opened = open(limit);
    if (!opened) return std::unexpected(failed(std::move(opened.error())));
    auto session = std::make_unique<PostgresqlSession>(std::move(*opened));
    if (session->version() < oldest_version) {
      return std::unexpected(failed({Kind::unavailable, "locks need PostgreSQL 14 or newer"}));
    }
    if (auto ready = prepare(*session, limit); !ready) {
      return std::unexpected(failed(std::move(ready.error().failure)));
    }
    return session;
  }

  void forget_the_tokens() override {
    const std::lock_guard guard(mutex_);
    has_tokens_ = false;
  }

  /// The first 64 bits of the hash, as the signed number that PostgreSQL takes.
  std::string key_of(const std::string& name) const override {
    std::uint64_t key = 0;
    for (int i = 0; i < 8; ++i) key = key << 8U | sql_name_hash(name)[static_cast<std::size_t>(i)];
    return std::to_string(std::bit_cast<std::int64_t>(key));
  }
  std::string try_sql(const std::string& key) const override { return "SELECT pg_try_advisory_lock(" + key + ")::int"; }
  std::string wait_sql(const std::string& key, Milliseconds limit) const override {
    return "SET lock_timeout = " + std::to_string(std::max<Milliseconds::rep>(limit.count(), 1)) +
           "; SELECT 1 FROM pg_advisory_lock(" + key + ")";
  }
  std::string token_sql() const override { return "SELECT nextval('firstcome_lock_token')"; }
  std::string release_sql(const std::string& key) const override {
    return "SELECT pg_advisory_unlock(" + key + ")::int";
  }
  std::string reset_sql(const std::string& /*key*/) const override { return "SELECT pg_advisory_unlock_all()"; }
  std::string lease_sql(Milliseconds lease) const override {
    return "SET idle_session_timeout = " + std::to_string(std::max(lease, shortest_lease).count());
  }
  Milliseconds lease_kept(Milliseconds lease) const override { return std::min(lease, longest_lease); }
  std::string ping_sql() const override { return "SELECT 1"; }
  std::string cancel_sql(const std::string& id) const override { return "SELECT pg_cancel_backend(" + id + ")"; }
  std::string inspect_sql(const std::string& key) const override {
    return "SELECT CASE WHEN bool_or(granted) THEN count(*) FILTER (WHERE NOT granted) END FROM pg_locks"
           " WHERE locktype = 'advisory' AND objsubid = 1"
           " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
           " AND (classid::bigint << 32 | objid::bigint) = " +
           key;
  }

 private:
  /// As libpq takes them.
  struct Settings {
    Settings(const SqlUrl& url, BootTime limit) {
      const auto left = std::chrono::ceil<std::chrono::seconds>(limit - BootClock::now()).count();
      const auto hosts = static_cast<std::int64_t>(std::max<std::size_t>(url.hosts.size(), 1));
      const auto most = std::max<std::int64_t>(left / hosts, 2);
      const auto seconds = static_cast<std::int64_t>(url.connect_seconds().value_or(longest_connect_seconds));
      texts = postgresql_settings(url,
                                  {{"application_name", "firstcome locks"}, {"connect_timeout", std::to_string(most)}});
      for (auto& [name, value] : texts) {
        // The library waits by itself where there are several, and must not wait longer than the caller does.
        if (name == "connect_timeout" && hosts > 1) value = std::to_string(std::min(seconds, most));
        names.push_back(name.c_str());
        values.push_back(value.c_str());
      }
      names.push_back(nullptr);
      values.push_back(nullptr);
    }

    SqlSettings texts;
    std::vector<const char*> names;
    std::vector<const char*> values;
  };

  /// False: it took too long.
  static bool connect(PGconn& connection, BootTime limit) {
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (PQstatus(&connection) != CONNECTION_BAD && next != PGRES_POLLING_OK && next != PGRES_POLLING_FAILED) {
      const Ready what = next == PGRES_POLLING_READING ? Ready::to_read : Ready::to_write;
      if (!wait_for_socket(PQsocket(&connection), what, limit)) return false;
      next = PQconnectPoll(&connection);
    }
    return true;
  }

  std::expected<Connection, LockFailure> open(BootTime limit) const {
    const Settings settings(url_, limit);
    const bool several = url_.hosts.size() > 1;
    // From a host that does not answer at all, the library goes on to the next only where it waits by itself.
    Connection connection(several ? PQconnectdbParams(settings.names.data(), settings.values.data(), 0)
                                  : PQconnectStartParams(settings.names.data(), settings.values.data(), 0));
    if (!connection) throw std::bad_alloc();
    PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);
    PQsetNoticeProcessor(connection.get(), [](void*, const char*) {}, nullptr);
    if (const auto seconds = url_.connect_seconds())
      limit = std::min(limit, BootClock::now() + std::chrono::seconds{*seconds});
    if (!several && !connect(*connection, limit))
      return std::unexpected(LockFailure{Kind::unavailable, "no connection in time"});
    if (PQstatus(connection.get()) != CONNECTION_OK) {
      const std::string text = first_line(PQerrorMessage(connection.get()));
      return std::unexpected(LockFailure{kind_of(state_in(text)), text});
    }
    keep_alive(PQsocket(connection.get()));
    return connection;
  }

  SqlResult prepare(PostgresqlSession& session, BootTime limit) {
    // Not what a user's or a database's settings say. The server, too, notices soon that this peer has vanished.
    SqlResult done = session.execute(
        "SET statement_timeout = 0; SET default_transaction_isolation = 'read committed'; SET tcp_keepalives_idle = 10;"
        " SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; SET tcp_user_timeout = 25000",
        limit);
    if (!done) return done;
    // Also in the middle of a wait. Some systems cannot.
    done = session.execute("SET client_connection_check_interval = 1000", limit);
    if (!done && done.error().what == What::ended) return done;
    done = session.claim(limit);
    if (!done) return done;
    const std::lock_guard guard(mutex_);
    if (has_tokens_) return SqlCell{};
    done = session.execute("SELECT to_regclass('firstcome_lock_token')", limit);
    if (!done) return done;
    if (!*done) {
      const SqlResult made =
          session.execute("CREATE SEQUENCE IF NOT EXISTS firstcome_lock_token MAXVALUE 9007199254740991", limit);
      // Refused, because somebody else has just made it?
      done = session.execute("SELECT to_regclass('firstcome_lock_token')", limit);
      if (!done) return done;
      if (!made && !*done) return made;
    }
    has_tokens_ = true;
    return SqlCell{};
  }

  LockFailure failed(LockFailure failure) const {
    failure.detail = url_.text() + ": " + failure.detail;
    return failure;
  }

  const LockTraits traits_{.kind = "postgresql", .tokens = true};
  const SqlUrl url_;
  std::mutex mutex_;  ///< protects what follows
  bool has_tokens_ = false;
};

}  // namespace

std::expected<std::shared_ptr<LockBackend>, std::string> make_postgresql_locks(std::string_view url,
                                                                               const SqlLockOptions& options) {
  auto parsed = parse_sql_url(url);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  if (parsed->server != SqlUrl::Server::postgresql) return std::unexpected("SQL URL: scheme must be postgresql://");
  // Each server has locks of its own; only one of a cluster takes writes.
  const std::string target = parsed->setting("target_session_attrs").value_or("any");
  if (parsed->hosts.size() > 1 && target != "read-write" && target != "primary")
    return std::unexpected(
        "SQL URL: target_session_attrs must be read-write or primary where locks name several hosts");
  return make_sql_locks(std::make_shared<Postgresql>(std::move(*parsed)), options);
}

}  // namespace firstcome::lock
