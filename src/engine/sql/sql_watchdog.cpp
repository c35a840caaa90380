#include "engine/sql/sql_watchdog.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace firstcome::engine {

SqlWatchdog::SqlWatchdog(int socket, Milliseconds patience)
    : socket_(::fcntl(socket, F_DUPFD_CLOEXEC, 0)), patience_(patience) {
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

SqlWatchdog::~SqlWatchdog() {
  thread_ = {};
  if (socket_ >= 0) ::close(socket_);
}

void SqlWatchdog::work(const std::stop_token& stop) {
  const Milliseconds tick = std::max(patience_ / 8, Milliseconds{10});
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    wake_.wait_for(lock, stop, tick, [] { return false; });
    const Clock::rep limit = limit_.load(std::memory_order_relaxed);
    if (limit != 0 && Clock::now().time_since_epoch().count() > limit) ::shutdown(socket_, SHUT_RDWR);
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
