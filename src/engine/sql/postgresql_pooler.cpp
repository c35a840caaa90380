#include "engine/sql/postgresql_pooler.hpp"

#include <poll.h>

#include <charconv>
#include <chrono>
#include <memory>
#include <string_view>

namespace firstcome::engine {
namespace {

using Clock = std::chrono::steady_clock;
using Connection = std::unique_ptr<PGconn, void (*)(PGconn*)>;
using Result = std::unique_ptr<PGresult, void (*)(PGresult*)>;

constexpr std::chrono::seconds patience{1};
constexpr int nobody = 0;

bool has_come(PGconn* connection) {
  const auto deadline = Clock::now() + patience;
  while (PQisBusy(connection) == 1) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd socket{.fd = PQsocket(connection), .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || ::poll(&socket, 1, static_cast<int>(left.count())) < 0) return false;
    if (PQconsumeInput(connection) != 1) return false;
  }
  return true;
}

/// The number of the server's process, as it says itself: a pooler tells its clients another one.
int process_of(PGconn* connection) {
  int process = nobody;
  if (PQsendQuery(connection, "SELECT pg_backend_pid()") != 1 || !has_come(connection)) return process;
  while (const Result result{PQgetResult(connection), &PQclear}) {
    if (PQntuples(result.get()) != 1) continue;
    const std::string_view text = PQgetvalue(result.get(), 0, 0);
    std::from_chars(text.data(), text.data() + text.size(), process);
  }
  return process;
}

}  // namespace

bool is_shared(PGconn* connection, const std::string& settings) {
  const int process = process_of(connection);
  if (process == nobody || process == PQbackendPID(connection)) return false;
  const Connection second(PQconnectdb(settings.c_str()), &PQfinish);
  return PQstatus(second.get()) == CONNECTION_OK && process_of(second.get()) == process;
}

}  // namespace firstcome::engine
