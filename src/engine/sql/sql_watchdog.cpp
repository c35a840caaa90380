#include "engine/sql/sql_watchdog.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace firstcome::engine {

namespace {

constexpr Milliseconds last_grace{1'000};
constexpr Milliseconds shortest_tick{10};

}  // namespace

SqlWatchdog::SqlWatchdog(int socket, Milliseconds patience, std::stop_token process_stop)
    : socket_(::fcntl(socket, F_DUPFD_CLOEXEC, 0)), patience_(patience), process_stop_(std::move(process_stop)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

SqlWatchdog::~SqlWatchdog() {
  thread_ = {};
  if (socket_ >= 0) ::close(socket_);
}

void SqlWatchdog::work(const std::stop_token& stop) {
  const std::stop_callback wake_at_the_end(process_stop_, [this] {
    const std::lock_guard guard(mutex_);
    wake_.notify_all();
  });
  Clock::time_point cut_all_from = Clock::time_point::max();
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const bool ending = cut_all_from != Clock::time_point::max();
    const Milliseconds tick = ending ? shortest_tick : std::max(patience_ / 8, shortest_tick);
    wake_.wait_for(lock, stop, tick, [&] { return !ending && process_stop_.stop_requested(); });
    if (!ending && process_stop_.stop_requested()) cut_all_from = Clock::now() + last_grace;
    const Clock::rep limit = limit_.load(std::memory_order_relaxed);
    const Clock::time_point now = Clock::now();
    if (limit != 0 && (now.time_since_epoch().count() > limit || now > cut_all_from)) ::shutdown(socket_, SHUT_RDWR);
  }
}

SqlWatchdog::Watch::Watch(SqlWatchdog* dog) : dog_(dog) {
  if (dog_ == nullptr) return;
  dog_->limit_.store((Clock::now() + dog_->patience_).time_since_epoch().count(), std::memory_order_relaxed);
}

SqlWatchdog::Watch::~Watch() {
  if (dog_ != nullptr) dog_->limit_.store(0, std::memory_order_relaxed);
}

}  // namespace firstcome::engine
