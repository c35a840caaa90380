// The thread on which the connections of one LockBackend live.
#pragma once

#include "lock/backend.hpp"
#include "net/http_client.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace firstcome::lock {

/// An io_context with a thread. Connections and timers may be made on `executor()` before `start`, and are used in
/// tasks afterwards.
///
/// Thread safety: `post` from any thread; `start` and `close` once each, from one thread.
class EventLoop {
 public:
  EventLoop() = default;
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  /// REQUIRES: closed, or never started.
  ~EventLoop();

  net::IoExecutor executor() { return io_.get_executor(); }
  void start();

  /// Runs it on the thread, in the order of the calls, never within the call. False: closed, and it never runs (it is
  /// still whole, for a caller who has to answer somebody).
  /// Cost: an append; the thread is woken once for all that gather until it comes.
  bool post(std::move_only_function<void()>&& task);

  /// Takes no more tasks, runs those that are there, then `last`, and waits until nothing is left to do. REQUIRES: not
  /// on the thread; `last` ends the connections and cancels the timers, without which this would not end.
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

/// Of requests after `close`.
LockFailure closed_failure();

/// A deadline for timers and clients, which use another clock.
std::chrono::steady_clock::time_point loop_deadline(BootTime at);

}  // namespace firstcome::lock
