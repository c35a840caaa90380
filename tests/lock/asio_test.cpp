#include <firstcome/asio.hpp>
#include <firstcome/lock_space.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <thread>
#include <vector>

namespace firstcome {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using IoExecutor = asio::io_context::executor_type;
template <class T>
using Task = asio::awaitable<T, IoExecutor>;
constexpr asio::use_awaitable_t<IoExecutor> use_task;
constexpr asio::as_tuple_t<asio::use_awaitable_t<IoExecutor>> use_tuple;

void rethrow(const std::exception_ptr& error) {
  if (error) std::rethrow_exception(error);
}

struct AsioFace : testing::Test {
  std::unique_ptr<LockSpace> space = make_in_process_locks();
  std::unique_ptr<Lock> lock = space->lock("a");
  asio::io_context io{1};

  Lease held() {
    Acquired lease = async_acquire(*lock, {}, asio::use_future).get();
    return std::move(lease.value());
  }
};

Task<void> count_under_lock(Lock& lock, int& counter, int& together, int& inside) {
  for (int round = 0; round < 20; ++round) {
    AcquireOptions options{.wait = 20s};
    auto waiting = async_acquire(lock, std::move(options), use_task);
    Acquired lease = co_await std::move(waiting);
    if (!lease) co_return;
    if (inside++ != 0) ++together;
    auto renewing = async_renew(*lease, 1min, use_task);
    if (co_await std::move(renewing) == RenewOutcome::renewed) ++counter;
    --inside;
    auto releasing = async_release(std::move(*lease), use_tuple);
    const auto [outcome] = co_await std::move(releasing);
    if (outcome != ReleaseOutcome::released) co_return;
  }
}

TEST_F(AsioFace, ServesCoroutines) {
  int counter = 0;
  int together = 0;
  int inside = 0;
  for (int i = 0; i < 10; ++i) {
    asio::co_spawn(io.get_executor(), count_under_lock(*lock, counter, together, inside), rethrow);
  }
  io.run();
  EXPECT_EQ(counter, 200);
  EXPECT_EQ(together, 0);
}

TEST_F(AsioFace, CompletesFutures) {
  Lease lease = held();
  EXPECT_EQ(async_acquire(*lock, {.wait = 5ms}, asio::use_future).get().error().why, NotAcquired::Why::timed_out);
  EXPECT_EQ(async_release(std::move(lease), asio::use_future).get(), ReleaseOutcome::released);
  EXPECT_TRUE(async_acquire(*lock, {}, asio::use_future).get());
}

TEST_F(AsioFace, CallsHandlersOnTheirExecutorAndNeverAtOnce) {
  bool called = false;
  const auto handler = [&called](const Acquired& acquired) { called = acquired.has_value(); };
  async_acquire(*lock, {}, asio::bind_executor(io.get_executor(), handler));
  EXPECT_FALSE(called);
  io.run();
  EXPECT_TRUE(called);
}

TEST_F(AsioFace, KeepsTheContextRunningWhileItWaits) {
  Lease lease = held();
  bool called = false;
  const auto handler = [&called](const Acquired& acquired) { called = acquired.has_value(); };
  async_acquire(*lock, {.wait = 20s}, asio::bind_executor(io.get_executor(), handler));
  std::jthread releaser([lease = std::move(lease)]() mutable { lease.release(); });
  io.run();
  EXPECT_TRUE(called);
}

TEST_F(AsioFace, StopsTheWaitWhenAsioCancelsIt) {
  const Lease lease = held();
  asio::cancellation_signal signal;
  NotAcquired::Why why{};
  const auto handler = [&why](const Acquired& acquired) { why = acquired.error().why; };
  async_acquire(*lock, {.wait = wait_for_ever},
                asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(io.get_executor(), handler)));
  asio::post(io, [&signal] { signal.emit(asio::cancellation_type::terminal); });
  io.run();
  EXPECT_EQ(why, NotAcquired::Why::stopped);
  signal.emit(asio::cancellation_type::terminal);  // long over
}

TEST_F(AsioFace, StopsACancellableWaitAlsoByItsStopToken) {
  const Lease lease = held();
  asio::cancellation_signal signal;
  std::stop_source stop;
  NotAcquired::Why why{};
  const auto handler = [&why](const Acquired& acquired) { why = acquired.error().why; };
  async_acquire(*lock, {.wait = wait_for_ever, .stop = stop.get_token()},
                asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(io.get_executor(), handler)));
  stop.request_stop();
  io.run();
  EXPECT_EQ(why, NotAcquired::Why::stopped);
}

Task<std::uint64_t> token_of(std::uint64_t token) { co_return token; }
Task<void> fail() {
  throw std::runtime_error("from inside");
  co_return;
}

Task<void> use_with_lock(Lock& lock, std::uint64_t& token, bool& threw) {
  const auto work = [&lock](Lease& lease) {
    EXPECT_FALSE(async_acquire(lock, {}, asio::use_future).get());
    return token_of(*lease.token());
  };
  auto running = async_with_lock(lock, AcquireOptions{.wait = 1s}, work);
  const std::expected<std::uint64_t, NotAcquired> result = co_await std::move(running);
  token = result.value();
  const auto failing = [](Lease&) { return fail(); };
  try {
    auto thrown = async_with_lock(lock, AcquireOptions{}, failing);
    co_await std::move(thrown);
  } catch (const std::runtime_error&) {
    threw = true;
  }
}

TEST_F(AsioFace, RunsACoroutineUnderTheLock) {
  std::uint64_t token = 0;
  bool threw = false;
  asio::co_spawn(io.get_executor(), use_with_lock(*lock, token, threw), rethrow);
  io.run();
  EXPECT_GT(token, 0U);
  EXPECT_TRUE(threw);
  held();  // was given back both times
}

}  // namespace
}  // namespace firstcome
