// The locks for users of Asio: any completion token works, such as `use_awaitable`, `as_tuple(use_awaitable)` and
// `use_future`. The one public header that needs more than the standard library: Boost.Asio 1.81 or later.
//
// The handler is called on its associated executor, never within the call that starts the operation. That executor's
// context must outlive the operation, as with Asio's own.
#pragma once

#include <firstcome/lock.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace firstcome {

namespace detail {

/// Carries a result to the handler's executor.
template <class Result, class Handler>
class AsioCompletion {
 public:
  using Executor = boost::asio::associated_executor_t<Handler>;

  explicit AsioCompletion(Handler handler)
      : work_(boost::asio::get_associated_executor(handler)), handler_(std::move(handler)) {}

  void operator()(Result result) {
    const Executor executor = work_.get_executor();
    boost::asio::post(executor, Call{std::move(work_), std::move(handler_), std::move(result)});
  }

 private:
  using Work = boost::asio::executor_work_guard<Executor>;

  struct Call {
    Work work;
    Handler handler;
    Result result;

    void operator()() {
      auto slot = boost::asio::get_associated_cancellation_slot(handler);
      if (slot.is_connected()) slot.clear();
      work.reset();
      std::move(handler)(std::move(result));
    }
  };

  Work work_;
  Handler handler_;
};

/// Stops when either of two says so: the caller's stop_token, or Asio's cancellation.
class EitherStop {
 public:
  explicit EitherStop(std::stop_token callers) : forward_(std::move(callers), Forward{source_}) {}
  std::stop_token token() const { return source_.get_token(); }
  std::stop_source source() const { return source_; }

 private:
  struct Forward {
    std::stop_source source;
    void operator()() { source.request_stop(); }
  };
  std::stop_source source_;
  std::stop_callback<Forward> forward_;
};

struct CancelBy {
  std::stop_source source;
  void operator()(boost::asio::cancellation_type type) {
    if (type != boost::asio::cancellation_type::none) source.request_stop();
  }
};

}  // namespace detail

/// Turns `start`, which takes a std::move_only_function<void(Result)> and sees to it that it is called once, from
/// whatever thread, into an Asio operation with the signature void(Result).
template <class Result, class Start, class Token>
auto async_complete(Start start, Token&& token) {
  return boost::asio::async_initiate<Token, void(Result)>(
      [](auto handler, Start begin) {
        using Handler = std::decay_t<decltype(handler)>;
        begin(std::move_only_function<void(Result)>(detail::AsioCompletion<Result, Handler>(std::move(handler))));
      },
      token, std::move(start));
}

/// Lock::acquire as void(Acquired). Asio's cancellation (any type) ends the wait like `options.stop`: with `stopped`,
/// unless the lock was granted just before. REQUIRES: `lock` lives until then.
template <class Token>
auto async_acquire(Lock& lock, AcquireOptions options, Token&& token) {
  return boost::asio::async_initiate<Token, void(Acquired)>(
      [](auto handler, Lock* of, AcquireOptions how) {
        using Handler = std::decay_t<decltype(handler)>;
        auto slot = boost::asio::get_associated_cancellation_slot(handler);
        std::unique_ptr<detail::EitherStop> stop;
        if (slot.is_connected()) {
          stop = std::make_unique<detail::EitherStop>(std::exchange(how.stop, {}));
          how.stop = stop->token();
          slot.assign(detail::CancelBy{stop->source()});
        }
        of->acquire(std::move(how),
                    [stop = std::move(stop), complete = detail::AsioCompletion<Acquired, Handler>(std::move(handler))](
                        Acquired acquired) mutable { complete(std::move(acquired)); });
      },
      token, &lock, std::move(options));
}

/// Lease::release as void(ReleaseOutcome). REQUIRES: not empty.
template <class Token>
auto async_release(Lease lease, Token&& token) {
  auto start = [held = std::move(lease)](std::move_only_function<void(ReleaseOutcome)> done) mutable {
    held.release(std::move(done));
  };
  return async_complete<ReleaseOutcome>(std::move(start), std::forward<Token>(token));
}

/// Lease::renew as void(RenewOutcome). REQUIRES: `lease` is not empty; it may go before this completes.
template <class Token>
auto async_renew(const Lease& lease, Milliseconds length, Token&& token) {
  auto start = [shared = lease.again(), length](std::move_only_function<void(RenewOutcome)> done) mutable {
    shared.renew(length, std::move(done));
  };
  return async_complete<RenewOutcome>(std::move(start), std::forward<Token>(token));
}

namespace detail {

template <class Task>
struct TaskTraits;
template <class T, class E>
struct TaskTraits<boost::asio::awaitable<T, E>> {
  using Value = T;
  using Executor = E;
};

template <class T, class Executor, class F>
boost::asio::awaitable<std::expected<T, NotAcquired>, Executor> run_with_lock(Lock* lock, AcquireOptions options, F f) {
  constexpr boost::asio::use_awaitable_t<Executor> use_task;
  auto waiting = async_acquire(*lock, std::move(options), use_task);
  Acquired acquired = co_await std::move(waiting);
  if (!acquired) co_return std::unexpected(std::move(acquired.error()));
  Lease lease = std::move(*acquired);
  auto work = f(lease);
  if constexpr (std::is_void_v<T>) {
    co_await std::move(work);
    co_return std::expected<T, NotAcquired>();
  } else {
    co_return std::expected<T, NotAcquired>(co_await std::move(work));
  }
}

}  // namespace detail

/// Runs the coroutine `f(lease)` while holding the lock, then gives it back in the background, also when it throws.
/// Returns what `f` does, or why it was not run. REQUIRES: `lock` lives until then. `f` is kept until then too, so a
/// lambda with captures is safe here.
template <class F>
auto async_with_lock(Lock& lock, AcquireOptions options, F f) {
  using Traits = detail::TaskTraits<std::invoke_result_t<F&, Lease&>>;
  return detail::run_with_lock<typename Traits::Value, typename Traits::Executor>(&lock, std::move(options),
                                                                                  std::move(f));
}

}  // namespace firstcome
