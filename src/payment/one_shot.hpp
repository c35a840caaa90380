// A value that somebody gives once, from any thread, and that one coroutine waits for.
//
// The bridge from callbacks (an engine's completion, a gateway's answer) into coroutines: `set` hops onto the
// io_context's thread and wakes whoever waits there. The wait is an Asio timer that the value cancels, so every wait
// has a deadline.
#pragma once

#include "net/http_client.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

namespace firstcome::payment {

using net::IoExecutor;
using net::Task;
using std::chrono::steady_clock;
using Timer = boost::asio::basic_waitable_timer<steady_clock, boost::asio::wait_traits<steady_clock>, IoExecutor>;

inline constexpr boost::asio::as_tuple_t<boost::asio::use_awaitable_t<IoExecutor>> use_task;

template <typename T>
class OneShot : public std::enable_shared_from_this<OneShot<T>> {
 public:
  explicit OneShot(IoExecutor executor) : timer_(executor) {}

  /// From any thread, once. REQUIRES: the io_context still exists.
  void set(T value) {
    boost::asio::post(timer_.get_executor(), [self = this->shared_from_this(), value = std::move(value)]() mutable {
      self->value_ = std::move(value);
      self->timer_.cancel();
    });
  }

  /// The value; nothing where it has not come by `deadline`: it may be waited for again. On the executor's thread, by
  /// one coroutine, which keeps this alive; the value is given out once.
  Task<std::optional<T>> wait(steady_clock::time_point deadline) {
    while (!value_ && steady_clock::now() < deadline) {
      timer_.expires_at(deadline);
      co_await timer_.async_wait(use_task);
    }
    co_return std::exchange(value_, std::nullopt);
  }

 private:
  Timer timer_;
  std::optional<T> value_;
};

/// What runs in the background while somebody else waits for it.
inline constexpr steady_clock::time_point no_deadline = steady_clock::time_point::max();

}  // namespace firstcome::payment
