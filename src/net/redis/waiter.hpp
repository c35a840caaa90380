// A coroutine that waits for a callback. Internal.
#pragma once

#include "net/redis/wire.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>
#include <optional>
#include <utility>

namespace firstcome::net {

/// The callback comes once, on the executor's thread, maybe never if the io_context stops.
template <typename T>
struct RedisWaiter {
  explicit RedisWaiter(IoExecutor executor) : timer(executor, std::chrono::steady_clock::time_point::max()) {}

  void set(T given) {
    value = std::move(given);
    timer.cancel();
  }

  RedisTimer timer;
  std::optional<T> value = std::nullopt;
};

template <typename T>
Task<T> wait_for(std::shared_ptr<RedisWaiter<T>> waiter) {
  constexpr boost::asio::as_tuple_t<boost::asio::use_awaitable_t<IoExecutor>> use_task;
  while (!waiter->value) co_await waiter->timer.async_wait(use_task);
  co_return std::move(*waiter->value);
}

}  // namespace firstcome::net
