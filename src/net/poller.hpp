// epoll, and an eventfd to be woken by.
//
// Sockets are watched edge-triggered: one system call when a connection comes, none per request. Whoever is told that
// a socket is readable must remember it until a read finds nothing more.
#pragma once

#include "net/deadline_list.hpp"
#include "net/file_descriptor.hpp"

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace firstcome::net {

/// Thread safety: `wake` from any thread and from signal handlers, all else from one thread.
class Poller {
 public:
  /// Reported for `wake`; for none of the sockets.
  static constexpr std::uint64_t wake_token = ~std::uint64_t{0};

  /// Throws std::system_error.
  Poller();

  /// `token` is reported with each event. False: the kernel refused (out of memory or watches).
  bool add(int fd, std::uint32_t events, std::uint64_t token);
  void change(int fd, std::uint32_t events, std::uint64_t token);

  /// Waits until something is ready, or until `until` (nothing: without end). At most `batch` events at a time.
  std::span<const epoll_event> wait(std::optional<TimePoint> until);

  void wake() noexcept;

 private:
  static constexpr std::size_t batch = 1024;
  FileDescriptor epoll_;
  FileDescriptor event_;
  std::array<epoll_event, batch> events_;
};

}  // namespace firstcome::net
