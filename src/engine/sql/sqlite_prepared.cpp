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

  sqlite3_stmt* statement_of(const SqlCall& call) {
    if (const auto known = statements_.find(call.text()); known != statements_.end()) return known->second.get();
    if (statements_.size() >= kept_most) statements_.clear();
    sqlite3_stmt* made = nullptr;
    const int said = sqlite3_prepare_v3(connection_, call.text().data(), static_cast<int>(call.text().size()),
                                        SQLITE_PREPARE_PERSISTENT, &made, nullptr);
    if (said != SQLITE_OK) fail(said);
    return statements_.emplace(call.text(), Statement(made, &sqlite3_finalize)).first->second.get();
  }

  SqlAnswer one(const SqlCall& call) {
    sqlite3_stmt* const statement = statement_of(call);
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
