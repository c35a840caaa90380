#include "engine/sql/sql_connecting.hpp"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace firstcome::engine {
namespace {

std::atomic<std::size_t> given_up = 0;

/// One attempt, which its thread and whoever waits for it share.
struct Attempt {
  std::mutex mutex;  ///< protects what follows
  std::condition_variable_any changed;
  std::unique_ptr<soci::session> session;
  std::exception_ptr failure;
  bool is_over = false;
  bool is_given_up = false;
};

void connect(const std::shared_ptr<Attempt>& attempt, const SqlSessionOptions& options) {
  std::unique_ptr<soci::session> session;
  std::exception_ptr failure;
  try {
    session = dialect_of(options.database.kind).connect(options);
  } catch (...) {
    failure = std::current_exception();
  }
  std::unique_lock guard(attempt->mutex);
  if (attempt->is_given_up) {
    guard.unlock();
    session.reset();
    given_up.fetch_sub(1);
    return;
  }
  attempt->session = std::move(session);
  attempt->failure = std::move(failure);
  attempt->is_over = true;
  attempt->changed.notify_all();
}

}  // namespace

std::unique_ptr<soci::session> connect_unless_stopped(const SqlSessionOptions& options) {
  const bool may_hang = options.database.kind != DatabaseUrl::Kind::sqlite;
  if (!may_hang || !options.stop.stop_possible()) return dialect_of(options.database.kind).connect(options);
  const SqlFailure stopped = SqlFailure::database(SqlTrouble::connection, "stopped");
  if (options.stop.stop_requested()) throw stopped;
  const auto attempt = std::make_shared<Attempt>();
  std::unique_lock guard(attempt->mutex);
  std::thread(connect, attempt, options).detach();
  attempt->changed.wait(guard, options.stop, [&] { return attempt->is_over; });
  if (!attempt->is_over) {
    attempt->is_given_up = true;
    given_up.fetch_add(1);
    throw stopped;
  }
  if (attempt->failure) std::rethrow_exception(attempt->failure);
  return std::move(attempt->session);
}

std::size_t connections_given_up() { return given_up.load(); }

}  // namespace firstcome::engine
