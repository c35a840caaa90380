#include "lock/redis/redis_loop.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cassert>
#include <string_view>
#include <utility>

namespace firstcome::lock {

RedisLoop::~RedisLoop() { assert(!thread_.joinable()); }

void RedisLoop::start() {
  thread_ = std::thread([this] { io_.run(); });
}

bool RedisLoop::post(std::move_only_function<void()>&& task) {
  {
    const std::lock_guard guard(mutex_);
    if (closed_) return false;
    tasks_.push_back(std::move(task));
    if (std::exchange(woken_, true)) return true;
  }
  boost::asio::post(io_, [this] { run_tasks(); });
  return true;
}

/// What was there when it came. What comes meanwhile is for the next turn, so that replies are read in between.
void RedisLoop::run_tasks() {
  std::vector<std::move_only_function<void()>> tasks;
  {
    const std::lock_guard guard(mutex_);
    tasks.swap(tasks_);
    woken_ = false;
  }
  for (auto& task : tasks) std::exchange(task, nullptr)();
}

void RedisLoop::close(std::move_only_function<void()> last) {
  assert(!is_this_thread());
  {
    const std::lock_guard guard(mutex_);
    assert(!closed_);
    closed_ = true;
  }
  boost::asio::post(io_, [this, last = std::move(last)]() mutable {
    run_tasks();
    std::exchange(last, nullptr)();
    work_.reset();
  });
  if (thread_.joinable()) {
    thread_.join();
  } else {
    io_.run();
  }
}

namespace {

bool is_one_of(std::string_view code, auto... codes) { return ((code == codes) || ...); }

LockFailure::Kind kind_of_refusal(std::string_view code) {
  using enum LockFailure::Kind;
  if (code == "WRONGTYPE") return wrong_type;
  if (is_one_of(code, "READONLY", "NOREPLICAS", "MISCONF")) return read_only;
  if (is_one_of(code, "NOAUTH", "NOPERM", "WRONGPASS")) return denied;
  return unavailable;  // it answers, but serves nobody now: LOADING, OOM, CLUSTERDOWN, BUSY ...
}

}  // namespace

LockFailure lock_failure(const net::RedisFailure& failure) {
  using enum LockFailure::Kind;
  switch (failure.kind) {
    case net::RedisFailure::Kind::not_sent:
      if (failure.code == "closed") return closed_failure();
      return {failure.is_denied() ? denied : unavailable, failure.detail};
    case net::RedisFailure::Kind::unknown:
    case net::RedisFailure::Kind::timed_out:
      return {broken, failure.detail};
    case net::RedisFailure::Kind::refused:
      break;
  }
  return {kind_of_refusal(failure.code), failure.detail};
}

LockFailure closed_failure() { return {LockFailure::Kind::closed, "the LockSpace has ended"}; }

std::chrono::steady_clock::time_point redis_deadline(BootTime at) {
  using SteadyClock = std::chrono::steady_clock;
  const BootClock::duration left = std::min<BootClock::duration>(at - BootClock::now(), std::chrono::hours(1));
  return SteadyClock::now() + std::chrono::duration_cast<SteadyClock::duration>(left);
}

}  // namespace firstcome::lock
