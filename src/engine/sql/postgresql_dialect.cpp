#include "engine/sql/postgresql_pooler.hpp"
#include "engine/sql/sql_dialect.hpp"

#include <fmt/format.h>
#include <soci/postgresql/soci-postgresql.h>

#include <chrono>
#include <iterator>
#include <memory>

namespace firstcome::engine {
namespace {

using Trouble = SqlTrouble;

constexpr std::string_view no_state = "     ";  // of an error that is the library's own

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// The library gives no code for what keeps it from connecting.
Trouble kind_of_refusal(std::string_view text) {
  if (contains(text, "authentication failed") || contains(text, "pg_hba") || contains(text, "does not exist") ||
      contains(text, "no password supplied") || contains(text, "is not permitted")) {
    return Trouble::credentials;
  }
  if (contains(text, "too many") || contains(text, "connection slots")) return Trouble::overloaded;
  return Trouble::connection;
}

SqlFailure failure_of_state(std::string_view state, std::string text) {
  const auto database = [&](Trouble kind) { return SqlFailure::database(kind, std::move(text)); };
  // Prepared statements of this session that are not there, or that are another client's.
  if (state == "26000" || state == "42P05") return SqlFailure::database(Trouble::other, shared_session + (": " + text));
  if (state == "57014") return database(Trouble::timeout);
  if (state == "25006") return database(Trouble::read_only);
  if (state == "53100" || state == "53400") return database(Trouble::full);
  if (state == "55P03" || state == "40001" || state == "40P01") return database(Trouble::busy);
  if (state == "23505") return SqlFailure::duplicate(std::move(text));
  const std::string_view kind = state.substr(0, 2);
  if (kind == "08" || kind == "57") return database(Trouble::connection);  // shutting down, starting, crashed
  if (kind == "53") return database(Trouble::overloaded);
  if (kind == "28" || kind == "3D") return database(Trouble::credentials);
  if (kind == "42" || kind == "3F") return database(Trouble::schema);
  if (kind == "25" || kind == "40" || kind == "58" || kind == "XX") return database(Trouble::other);
  // Data, integrity, a check of a view, what a trigger or a function says, a row that is too long for an index.
  for (const std::string_view content : {"21", "22", "23", "27", "38", "39", "44", "54", "P0"}) {
    if (kind == content) return SqlFailure::content(std::move(text));
  }
  return SqlFailure::doubtful(std::move(text));
}

/// As an element of an array, in a literal of SQL.
void append_element(std::string& sql, std::string_view value) {
  refuse_zero_byte(value);
  sql += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') sql += '\\';
    if (c == '\'') sql += c;
    sql += c;
  }
  sql += '"';
}

/// `'{"a","b"}'::text[]`
void append_array(std::string& sql, const SqlRows& rows, std::size_t column) {
  const bool is_text = rows.columns()[column].type == SqlColumn::Type::text;
  sql += "'{";
  for (std::size_t row = 0; row < rows.rows(); ++row) {
    const SqlCell& cell = rows.at(row, column);
    if (row > 0) sql += ',';
    if (cell.is_null) {
      sql += "NULL";
    } else if (is_text) {
      append_element(sql, cell.text);
    } else {
      fmt::format_to(std::back_inserter(sql), "{}", cell.number);
    }
  }
  sql += is_text ? "}'::text[]" : "}'::bigint[]";
}

class Postgresql final : public SqlDialect {
 public:
  Kind kind() const override { return Kind::postgresql; }

  std::unique_ptr<soci::session> connect(const SqlSessionOptions& options) const override {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(options.connect_timeout).count();
    std::string settings;
    for (const auto& [name, value] : lock::postgresql_settings(
             options.database.server, {{"connect_timeout", std::to_string(seconds)},
                                       {"tcp_user_timeout", std::to_string(options.statement_timeout.count())},
                                       {"application_name", "firstcome"}}))
      settings += name + "=" + quoted_for_client(value) + " ";
    auto session = std::make_unique<soci::session>(soci::postgresql, settings);
    if (is_shared(static_cast<soci::postgresql_session_backend*>(session->get_backend())->conn_, settings)) {
      throw SqlFailure::database(Trouble::other, shared_session);
    }
    session->once << fmt::format(
        "SET SESSION statement_timeout = {}; SET SESSION lock_timeout = {}; SET SESSION standard_conforming_strings = "
        "on;"
        " SET SESSION client_min_messages = error; SET SESSION synchronous_commit = on",
        options.statement_timeout.count(), options.lock_timeout.count());
    return session;
  }

  SqlFailure failure_of(const std::exception& error, soci::session* session) const override {
    const auto* const known = dynamic_cast<const soci::postgresql_soci_error*>(&error);
    const auto* const any = dynamic_cast<const soci::soci_error*>(&error);
    std::string text = any == nullptr ? error.what() : any->get_error_message();
    while (text.ends_with('\n')) text.pop_back();
    if (session == nullptr && (known == nullptr || known->sqlstate() == no_state)) {
      return SqlFailure::database(kind_of_refusal(text), text);
    }
    if (known == nullptr) return SqlFailure::database(Trouble::other, text);
    if (known->sqlstate() != no_state) return failure_of_state(known->sqlstate(), text);
    return SqlFailure::database(Trouble::connection, text);  // the library's own, which has no state
  }

  int socket_of(soci::session& session) const override {
    return PQsocket(static_cast<soci::postgresql_session_backend*>(session.get_backend())->conn_);
  }

  /// One array for each column: with VALUES, the server spends half of its time on reading the statement.
  void insert(soci::session& session, const SqlRows& rows, std::string_view conflict) const override {
    std::string sql = rows.head() + "SELECT * FROM unnest(";
    for (std::size_t column = 0; column < rows.columns().size(); ++column) {
      if (column > 0) sql += ',';
      append_array(sql, rows, column);
    }
    sql.append(")").append(conflict);
    // SOCI would look for parameters in it, letter by letter.
    auto& backend = *static_cast<soci::postgresql_session_backend*>(session.get_backend());
    const std::unique_ptr<PGresult, void (*)(PGresult*)> result(PQexec(backend.conn_, sql.c_str()), PQclear);
    if (PQresultStatus(result.get()) == PGRES_COMMAND_OK) return;
    const char* const state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    throw soci::postgresql_soci_error(std::string("Cannot execute query. ") + PQerrorMessage(backend.conn_),
                                      state == nullptr ? no_state.data() : state);
  }

  std::string_view count_tables() const override {
    return "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name IN "
           "({})";
  }
  std::string_view lock_schema() const override { return "SELECT 1 FROM pg_advisory_xact_lock(7455283019482231)"; }
};

}  // namespace

const SqlDialect& postgresql_dialect() {
  static const Postgresql dialect;
  return dialect;
}

}  // namespace firstcome::engine
