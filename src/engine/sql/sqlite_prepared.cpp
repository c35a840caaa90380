// Prepared statements of SQLite.
#include "engine/sql/sql_prepared.hpp"

#include <soci/sqlite3/soci-sqlite3.h>

#include <unordered_map>

namespace firstcome::engine {
namespace {

using namespace sqlite_api;

class SqlitePrepared final : public SqlPrepared {
 public:
  explicit SqlitePrepared(sqlite3* connection) : connection_(connection) {}

  SqlAnswer call(std::span<const SqlCall> calls) override {
    SqlAnswer answer;
    for (const SqlCall& call : calls) answer = one(call);
    return answer;
  }

  // Of an INSERT with the values in its text, reading that text is more work than storing the rows.
  bool insert(const SqlRows& rows, std::string_view conflict) override {
    std::string text = rows.head() + "VALUES (?";
    for (std::size_t column = 1; column < rows.columns().size(); ++column) text += ",?";
    text.append(") ").append(conflict);
    sqlite3_stmt* const statement = statement_of(text);
    for (std::size_t row = 0; row < rows.rows(); ++row) {
      const Reset reset{statement};
      for (std::size_t column = 0; column < rows.columns().size(); ++column) {
        bind(statement, static_cast<int>(column) + 1, rows.columns()[column], rows.at(row, column));
      }
      if (const int said = sqlite3_step(statement); said != SQLITE_DONE) fail(said);
    }
    return true;
  }

 private:
  using Statement = std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)>;

  /// Ends what one call has begun, so that it holds no lock until the next.
  struct Reset {
    sqlite3_stmt* statement;
    ~Reset() {
      sqlite3_reset(statement);
      sqlite3_clear_bindings(statement);
    }
  };

  sqlite3_stmt* statement_of(const std::string& text) {
    if (const auto known = statements_.find(text); known != statements_.end()) return known->second.get();
    if (statements_.size() >= kept_most) statements_.clear();
    sqlite3_stmt* made = nullptr;
    const int said = sqlite3_prepare_v3(connection_, text.data(), static_cast<int>(text.size()),
                                        SQLITE_PREPARE_PERSISTENT, &made, nullptr);
    if (said != SQLITE_OK) fail(said);
    return statements_.emplace(text, Statement(made, &sqlite3_finalize)).first->second.get();
  }

  /// The text of a cell lives until the row is stored.
  void bind(sqlite3_stmt* statement, int place, const SqlColumn& column, const SqlCell& cell) const {
    int said = SQLITE_OK;
    if (cell.is_null) {
      said = sqlite3_bind_null(statement, place);
    } else if (column.type == SqlColumn::Type::number) {
      said = sqlite3_bind_int64(statement, place, cell.number);
    } else {
      refuse_zero_byte(cell.text);
      const char* const text = cell.text.empty() ? "" : cell.text.data();  // a null pointer would be NULL
      said = sqlite3_bind_text(statement, place, text, static_cast<int>(cell.text.size()), SQLITE_STATIC);
    }
    if (said != SQLITE_OK) fail(said);
  }

  SqlAnswer one(const SqlCall& call) {
    sqlite3_stmt* const statement = statement_of(call.text());
    const Reset reset{statement};
    int place = 0;
    for (const SqlCall::Value& value : call.values()) {
      const auto* const text = std::get_if<std::string>(&value);
      const int said =
          text != nullptr ? sqlite3_bind_text(statement, ++place, text->data(), static_cast<int>(text->size()), nullptr)
                          : sqlite3_bind_int64(statement, ++place, std::get<std::int64_t>(value));
      if (said != SQLITE_OK) fail(said);
    }
    SqlAnswer answer;
    const int columns = sqlite3_column_count(statement);
    int said = sqlite3_step(statement);
    for (; said == SQLITE_ROW; said = sqlite3_step(statement)) {
      auto& cells = answer.rows.emplace_back(static_cast<std::size_t>(columns));
      for (int column = 0; column < columns; ++column) {
        const unsigned char* const cell = sqlite3_column_text(statement, column);
        if (cell == nullptr) continue;
        const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
        cells[static_cast<std::size_t>(column)] = std::string(reinterpret_cast<const char*>(cell), size);
      }
    }
    if (said != SQLITE_DONE) fail(said);
    answer.changed = static_cast<std::uint64_t>(sqlite3_changes(connection_));
    return answer;
  }

  [[noreturn]] void fail(int said) const { throw soci::sqlite3_soci_error(sqlite3_errmsg(connection_), said); }

  sqlite3* const connection_;
  std::unordered_map<std::string, Statement> statements_;  ///< by their text
};

}  // namespace

std::unique_ptr<SqlPrepared> sqlite_prepared(soci::session& session) {
  return std::make_unique<SqlitePrepared>(static_cast<soci::sqlite3_session_backend*>(session.get_backend())->conn_);
}

}  // namespace firstcome::engine
