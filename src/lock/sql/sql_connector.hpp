// Threads that connect, because looking up a host's name blocks, and so does one of the client libraries.
#pragma once

#include "lock/sql/sql_session.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace firstcome::lock {

/// Thread safety: `connect` from any thread; `close` once.
class SqlConnector {
 public:
  using Connected = std::expected<std::unique_ptr<SqlSession>, LockFailure>;
  using Done = std::move_only_function<void(Connected)>;

  SqlConnector(std::shared_ptr<SqlServer> server, std::size_t most_threads);
  /// REQUIRES: closed.
  ~SqlConnector();

  /// `done` is called on one of the threads, with a failure soon after `limit`; never after `close`.
  void connect(BootTime limit, Done done);
  /// Waits for the attempts that are under way; the others are forgotten.
  void close();

 private:
  struct Job {
    BootTime limit;
    Done done;
  };

  void work();

  const std::shared_ptr<SqlServer> server_;
  const std::size_t most_threads_;

  std::mutex mutex_;  ///< protects what follows
  std::condition_variable more_;
  bool closed_ = false;
  std::size_t idle_ = 0;
  std::deque<Job> jobs_;
  std::vector<std::thread> threads_;
};

}  // namespace firstcome::lock
