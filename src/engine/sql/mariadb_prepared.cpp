// Prepared statements by MariaDB's own client.
#include "engine/sql/sql_prepared.hpp"

#include <soci/mysql/soci-mysql.h>

#include <algorithm>
#include <unordered_map>

namespace firstcome::engine {
namespace {

class MariadbPrepared final : public SqlPrepared {
 public:
  explicit MariadbPrepared(MYSQL* connection) : connection_(connection) {}

  SqlAnswer call(std::span<const SqlCall> calls) override {
    SqlAnswer answer;
    for (const SqlCall& call : calls) answer = one(call);
    return answer;
  }

 private:
  using Statement = std::unique_ptr<MYSQL_STMT, my_bool (*)(MYSQL_STMT*)>;

  MYSQL_STMT* statement_of(const SqlCall& call) {
    if (const auto known = statements_.find(call.text()); known != statements_.end()) return known->second.get();
    if (statements_.size() >= kept_most) statements_.clear();
    Statement made(mysql_stmt_init(connection_), &mysql_stmt_close);
    if (!made) throw soci::mysql_soci_error("out of memory", CR_OUT_OF_MEMORY);
    const my_bool measure = 1;  // so that one knows how long the longest text of a column is
    mysql_stmt_attr_set(made.get(), STMT_ATTR_UPDATE_MAX_LENGTH, &measure);
    if (mysql_stmt_prepare(made.get(), call.text().data(), call.text().size()) != 0) fail(made.get());
    return statements_.emplace(call.text(), std::move(made)).first->second.get();
  }

  SqlAnswer one(const SqlCall& call) {
    MYSQL_STMT* const statement = statement_of(call);
    std::vector<MYSQL_BIND> binds(call.values().size());
    for (std::size_t i = 0; i < binds.size(); ++i) bind(call.values()[i], binds[i]);
    if (mysql_stmt_bind_param(statement, binds.data()) != 0) fail(statement);
    if (mysql_stmt_execute(statement) != 0) fail(statement);
    SqlAnswer answer;
    // A procedure answers with its rows, and then that it has ended.
    for (int more = 0; more == 0; more = mysql_stmt_next_result(statement)) {
      if (mysql_stmt_field_count(statement) > 0) {
        answer.rows = rows_of(statement);
      } else {
        answer.changed = std::max<std::uint64_t>(answer.changed, mysql_stmt_affected_rows(statement));
      }
    }
    if (mysql_stmt_errno(statement) != 0) fail(statement);
    return answer;
  }

  static void bind(const SqlCall::Value& value, MYSQL_BIND& bound) {
    if (const auto* const text = std::get_if<std::string>(&value)) {
      bound.buffer_type = MYSQL_TYPE_STRING;
      bound.buffer = const_cast<char*>(text->data());
      bound.buffer_length = text->size();
      return;
    }
    bound.buffer_type = MYSQL_TYPE_LONGLONG;
    bound.buffer = const_cast<std::int64_t*>(&std::get<std::int64_t>(value));
  }

  static std::vector<std::vector<std::optional<std::string>>> rows_of(MYSQL_STMT* statement) {
    if (mysql_stmt_store_result(statement) != 0) fail_among_rows(statement);
    const std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)> about(mysql_stmt_result_metadata(statement),
                                                                 &mysql_free_result);
    const std::size_t columns = mysql_stmt_field_count(statement);
    std::vector<MYSQL_BIND> binds(columns);
    std::vector<std::string> texts(columns);
    std::vector<unsigned long> lengths(columns);
    std::vector<my_bool> nulls(columns);
    for (std::size_t i = 0; i < columns; ++i) {
      constexpr std::size_t longest_number = 32;  // which no text of a number is longer than
      texts[i].resize(std::max<std::size_t>(about->fields[i].max_length, longest_number));
      binds[i].buffer_type = MYSQL_TYPE_STRING;
      binds[i].buffer = texts[i].data();
      binds[i].buffer_length = texts[i].size();
      binds[i].length = &lengths[i];
      binds[i].is_null = &nulls[i];
    }
    if (mysql_stmt_bind_result(statement, binds.data()) != 0) fail(statement);
    std::vector<std::vector<std::optional<std::string>>> rows;
    while (mysql_stmt_fetch(statement) == 0) {
      auto& cells = rows.emplace_back(columns);
      for (std::size_t i = 0; i < columns; ++i) {
        if (nulls[i] == 0) cells[i] = texts[i].substr(0, lengths[i]);
      }
    }
    mysql_stmt_free_result(statement);
    return rows;
  }

  static soci::mysql_soci_error error_of(MYSQL_STMT* statement) {
    return {mysql_stmt_error(statement), static_cast<int>(mysql_stmt_errno(statement))};
  }

  [[noreturn]] static void fail(MYSQL_STMT* statement) { throw error_of(statement); }

  /// Where an error comes in place of rows, version 3.4 of the client goes on waiting for them: every later statement
  /// is refused as out of sync, and none is freed. A reset ends that wait.
  [[noreturn]] static void fail_among_rows(MYSQL_STMT* statement) {
    const soci::mysql_soci_error error = error_of(statement);
    mysql_stmt_reset(statement);
    throw error;
  }

  MYSQL* const connection_;
  std::unordered_map<std::string, Statement> statements_;  ///< by their text
};

}  // namespace

std::unique_ptr<SqlPrepared> mariadb_prepared(soci::session& session) {
  return std::make_unique<MariadbPrepared>(static_cast<soci::mysql_session_backend*>(session.get_backend())->conn_);
}

}  // namespace firstcome::engine
