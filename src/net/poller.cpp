#include "net/poller.hpp"

#include <sys/eventfd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <limits>
#include <system_error>

namespace firstcome::net {

namespace {

int milliseconds_until(std::optional<TimePoint> until) {
  if (!until) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max()));
}

}  // namespace

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!epoll_ || !event_) throw std::system_error(errno, std::generic_category(), "epoll");
  // Edge-triggered, each write is an event of its own: the counter need never be read.
  if (!add(event_.get(), EPOLLIN | EPOLLET, wake_token))
    throw std::system_error(errno, std::generic_category(), "epoll");
}

bool Poller::add(int fd, std::uint32_t events, std::uint64_t token) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Poller::change(int fd, std::uint32_t events, std::uint64_t token) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token;
  [[maybe_unused]] const int result = ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
  assert(result == 0);
}

std::span<const epoll_event> Poller::wait(std::optional<TimePoint> until) {
  const int count = ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(batch), milliseconds_until(until));
  assert(count >= 0 || errno == EINTR);
  return {events_.data(), static_cast<std::size_t>(std::max(count, 0))};
}

void Poller::wake() noexcept {
  const int error = errno;  // a signal handler must not change it
  ::eventfd_write(event_.get(), 1);
  errno = error;
}

}  // namespace firstcome::net
