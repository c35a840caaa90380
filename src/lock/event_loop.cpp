#include "lock/event_loop.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace firstcome::lock {

EventLoop::~EventLoop() { assert(!thread_.joinable()); }

void EventLoop::start() {
  thread_ = std::thread([this] { io_.run(); });
}

bool EventLoop::post(std::move_only_function<void()>&& task) {
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
void EventLoop::run_tasks() {
  std::vector<std::move_only_function<void()>> tasks;
  {
    const std::lock_guard guard(mutex_);
    tasks.swap(tasks_);
    woken_ = false;
  }
  for (auto& task : tasks) std::exchange(task, nullptr)();
}

void EventLoop::close(std::move_only_function<void()> last) {
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

LockFailure closed_failure() { return {LockFailure::Kind::closed, "the LockSpace has ended"}; }

std::chrono::steady_clock::time_point loop_deadline(BootTime at) {
  using SteadyClock = std::chrono::steady_clock;
  const BootClock::duration left = std::min<BootClock::duration>(at - BootClock::now(), std::chrono::hours(1));
  return SteadyClock::now() + std::chrono::duration_cast<SteadyClock::duration>(left);
}

}  // namespace firstcome::lock
