// A listening TCP socket.
#pragma once

#include "net/file_descriptor.hpp"

#include <cstdint>
#include <string>

namespace firstcome::net {

class Listener {
 public:
  enum class Accepted : std::uint8_t {
    connection,
    none,             ///< nobody waits
    failed,           ///< this one; the next may be accepted
    out_of_resources  ///< no file descriptor or no memory: try again later
  };
  struct Result {
    Accepted what = Accepted::none;
    FileDescriptor fd;  ///< of a connection: non-blocking, without delay of small segments
  };

  /// Binds and listens. Throws std::system_error if it cannot.
  Listener(const std::string& host, std::uint16_t port);

  int fd() const { return fd_.get(); }
  std::uint16_t port() const { return port_; }
  Result accept();
  void close() { fd_.reset(); }
  bool is_open() const { return static_cast<bool>(fd_); }

 private:
  FileDescriptor fd_;
  std::uint16_t port_ = 0;
};

}  // namespace firstcome::net
