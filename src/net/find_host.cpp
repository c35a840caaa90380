#include "net/find_host.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>
#include <optional>
#include <utility>

namespace firstcome::net {

namespace asio = boost::asio;

namespace {

/// Whoever waits in a coroutine. The callback may come later than its end.
struct Waiter {
  explicit Waiter(IoExecutor executor) : timer(executor) {}
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, IoExecutor> timer;
  std::optional<HostAddresses> found;
};

}  // namespace

Task<HostAddresses> find_host(std::string host, std::chrono::steady_clock::time_point deadline, LookUpHost look_up) {
  constexpr asio::as_tuple_t<asio::use_awaitable_t<IoExecutor>> use_task;
  const IoExecutor executor = co_await asio::this_coro::executor;
  const auto waiter = std::make_shared<Waiter>(executor);
  HostLookup::Found told = [waiter](HostAddresses found) {
    waiter->found = std::move(found);
    waiter->timer.cancel();
  };
  const HostLookup lookup(executor, host, std::move(told), std::move(look_up));
  waiter->timer.expires_at(deadline);
  while (!waiter->found && std::chrono::steady_clock::now() < deadline) co_await waiter->timer.async_wait(use_task);
  if (!waiter->found) co_return HostAddresses{.error = asio::error::timed_out};
  co_return std::move(*waiter->found);
}

}  // namespace firstcome::net
