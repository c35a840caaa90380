// The thread on which the Redis clients of one LockBackend live, and what their failures mean for a lock.
#pragma once

#include "lock/backend.hpp"
#include "net/redis/client.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace firstcome::lock {

/// An io_context with a thread. Clients and timers may be made on `executor()` before `start`, and are used in tasks
/// afterwards.
///
/// Thread safety: `post` from any thread; `start` and `close` once each, from one thread.
class RedisLoop {
 public:
  RedisLoop() = default;
  RedisLoop(const RedisLoop&) = delete;
  RedisLoop& operator=(const RedisLoop&) = delete;
  /// REQUIRES: closed, or never started.
  ~RedisLoop();

  net::IoExecutor executor() { return io_.get_executor(); }
  void start();

  /// Runs it on the thread, in the order of the calls, never within the call. False: closed, and it never runs (it is
  /// still whole, for a caller who has to answer somebody).
  /// Cost: an append; the thread is woken once for all that gather until it comes.
  bool post(std::move_only_function<void()>&& task);

  /// Takes no more tasks, runs those that are there, then `last`, and waits until nothing is left to do. REQUIRES: not
  /// on the thread; `last` destroys the clients and cancels the timers, without which this would not end.
  void close(std::move_only_function<void()> last);

  bool is_this_thread() const { return thread_.get_id() == std::this_thread::get_id(); }

 private:
  void run_tasks();

  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  std::thread thread_;

  std::mutex mutex_;  ///< protects what follows
  bool closed_ = false;
  bool woken_ = false;  ///< run_tasks is on its way
  std::vector<std::move_only_function<void()>> tasks_;
};

/// What a failed command means: `broken` only where it may have been carried out.
LockFailure lock_failure(const net::RedisFailure& failure);

/// Of requests after `close`.
LockFailure closed_failure();

/// A deadline for the Redis client, which uses another clock.
std::chrono::steady_clock::time_point redis_deadline(BootTime at);

}  // namespace firstcome::lock
