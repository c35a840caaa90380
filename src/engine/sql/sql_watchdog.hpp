// Cuts a connection whose server does not answer at all, or for which nobody waits any longer because the process
// stops. PostgreSQL's client waits for ever for a server that is stopped, or cut off by something that still
// acknowledges its packets; the server's own time-outs do not run then.
#pragma once

#include <firstcome/types.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

namespace firstcome::engine {

/// Thread safety: `watch` from one thread.
class SqlWatchdog {
 public:
  /// It works on a copy of the socket's descriptor, so the owner may close its own at any time.
  /// A second after `process_stop` was asked to stop, it cuts the connection as soon as a statement runs.
  SqlWatchdog(int socket, Milliseconds patience, std::stop_token process_stop = {});
  ~SqlWatchdog();
  SqlWatchdog(const SqlWatchdog&) = delete;
  SqlWatchdog& operator=(const SqlWatchdog&) = delete;

  /// While it lives, and longer than the patience, the connection is cut. Cheap: the thread looks now and then.
  class Watch {
   public:
    explicit Watch(SqlWatchdog* dog);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    SqlWatchdog* const dog_;  ///< nullptr: nobody watches
  };

 private:
  using Clock = std::chrono::steady_clock;

  void work(const std::stop_token& stop);

  const int socket_;
  const Milliseconds patience_;
  const std::stop_token process_stop_;
  std::atomic<Clock::rep> limit_{0};  ///< 0: nothing runs
  std::mutex mutex_;                  ///< for the waiting only
  std::condition_variable_any wake_;
  std::jthread thread_;  ///< last: it uses the others
};

}  // namespace firstcome::engine
