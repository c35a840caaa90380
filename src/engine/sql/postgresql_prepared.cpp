// Prepared statements by PostgreSQL's own client, several of them in one pipeline.
#include "engine/sql/sql_prepared.hpp"

#include <fmt/format.h>
#include <soci/postgresql/soci-postgresql.h>

#include <charconv>
#include <unordered_map>

namespace firstcome::engine {
namespace {

using Result = std::unique_ptr<PGresult, void (*)(PGresult*)>;

constexpr const char* no_state = "     ";

class PostgresqlPrepared final : public SqlPrepared {
 public:
  explicit PostgresqlPrepared(PGconn* connection) : connection_(connection) {}

  SqlAnswer call(std::span<const SqlCall> calls) override {
    if (names_.size() + calls.size() > kept_most) forget();
    for (const SqlCall& call : calls) prepare(call);
    if (calls.size() == 1) return answer_in(one(calls.front()));
    return together(calls);
  }

 private:
  /// The values of one statement as the client wants them.
  struct Parameters {
    explicit Parameters(const SqlCall& call) {
      texts.reserve(call.values().size());
      for (const SqlCall::Value& value : call.values()) {
        const auto* const text = std::get_if<std::string>(&value);
        texts.push_back(text != nullptr ? *text : std::to_string(std::get<std::int64_t>(value)));
        // It ends at the first zero byte; what comes behind would be lost silently.
        if (texts.back().find('\0') != std::string::npos) {
          throw SqlFailure::content("a text with a zero byte cannot be stored");
        }
      }
      for (const std::string& text : texts) pointers.push_back(text.c_str());
    }
    int count() const { return static_cast<int>(pointers.size()); }
    std::vector<std::string> texts;
    std::vector<const char*> pointers;
  };

  const std::string& name_of(const SqlCall& call) const { return names_.at(call.text()); }

  void prepare(const SqlCall& call) {
    if (names_.contains(call.text())) return;
    const std::string name = fmt::format("firstcome_{}", ++made_);
    const Result prepared = keep(PQprepare(connection_, name.c_str(), call.text().c_str(), 0, nullptr));
    expect(prepared.get());
    names_.emplace(call.text(), name);
  }

  Result one(const SqlCall& call) {
    const Parameters values(call);
    Result result = keep(PQexecPrepared(connection_, name_of(call).c_str(), values.count(), values.pointers.data(),
                                        nullptr, nullptr, 0));
    expect(result.get());
    return result;
  }

  /// In one pipeline. What follows one that failed is not done, and answers that it was not.
  SqlAnswer together(std::span<const SqlCall> calls) {
    std::vector<Parameters> values;
    for (const SqlCall& call : calls) values.emplace_back(call);
    bool sent = PQenterPipelineMode(connection_) == 1;
    for (std::size_t i = 0; sent && i < calls.size(); ++i) {
      sent = PQsendQueryPrepared(connection_, name_of(calls[i]).c_str(), values[i].count(), values[i].pointers.data(),
                                 nullptr, nullptr, 0) == 1;
    }
    sent = sent && PQpipelineSync(connection_) == 1;
    if (!sent) throw soci::postgresql_soci_error(PQerrorMessage(connection_), no_state);
    Result last = keep(nullptr);
    Result failed = keep(nullptr);
    for (std::size_t i = 0; i < calls.size(); ++i) {
      Result result = keep(PQgetResult(connection_));
      if (!failed && !is_good(result.get()))
        failed = std::move(result);
      else
        last = std::move(result);
      if (PQstatus(connection_) != CONNECTION_OK) break;
      keep(PQgetResult(connection_));  // the end of that one
    }
    if (PQstatus(connection_) == CONNECTION_OK) keep(PQgetResult(connection_));  // the end of all
    PQexitPipelineMode(connection_);
    if (failed || PQstatus(connection_) != CONNECTION_OK) expect(failed.get());
    return answer_in(std::move(last));
  }

  void forget() {
    keep(PQexec(connection_, "DEALLOCATE ALL"));
    names_.clear();
  }

  static Result keep(PGresult* result) { return {result, &PQclear}; }

  static bool is_good(const PGresult* result) {
    const ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
  }

  void expect(const PGresult* result) const {
    if (result == nullptr) throw soci::postgresql_soci_error(PQerrorMessage(connection_), no_state);
    if (is_good(result)) return;
    const char* const state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    throw soci::postgresql_soci_error(PQresultErrorMessage(result), state == nullptr ? no_state : state);
  }

  static SqlAnswer answer_in(const Result& result) {
    SqlAnswer answer;
    const int columns = PQnfields(result.get());
    for (int row = 0; row < PQntuples(result.get()); ++row) {
      auto& cells = answer.rows.emplace_back(static_cast<std::size_t>(columns));
      for (int column = 0; column < columns; ++column) {
        if (PQgetisnull(result.get(), row, column) == 0)
          cells[static_cast<std::size_t>(column)] = PQgetvalue(result.get(), row, column);
      }
    }
    const std::string_view changed = PQcmdTuples(result.get());
    std::from_chars(changed.data(), changed.data() + changed.size(), answer.changed);
    return answer;
  }

  PGconn* const connection_;
  std::unordered_map<std::string, std::string> names_;  ///< by the statement's text
  std::uint64_t made_ = 0;
};

}  // namespace

std::unique_ptr<SqlPrepared> postgresql_prepared(soci::session& session) {
  return std::make_unique<PostgresqlPrepared>(
      static_cast<soci::postgresql_session_backend*>(session.get_backend())->conn_);
}

}  // namespace firstcome::engine
