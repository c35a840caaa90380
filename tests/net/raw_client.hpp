// A client that sends exactly the bytes it is told to, and reads whatever comes back.
#pragma once

#include "net/file_descriptor.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace firstcome::net::testing {

using namespace std::chrono_literals;

/// How long a test waits for what must come; far more than it takes.
inline constexpr std::chrono::milliseconds patience{10'000};

struct Reply {
  unsigned status = 0;  ///< 0: the connection ended before a whole reply came
  std::string head;
  std::string body;

  bool has(std::string_view text) const { return head.find(text) != std::string::npos; }
};

class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0) ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    const int on = 1;
    ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = fd_ && ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }

  bool connected() const { return connected_; }
  int fd() const { return fd_.get(); }

  /// False: the server no longer takes it.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  void send_no_more() { ::shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_.reset(); }
  /// Ends the connection with a reset.
  void abort() {
    const linger now{1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    fd_.reset();
  }

  /// Something, or the end, has come.
  bool readable_within(std::chrono::milliseconds time) const {
    pollfd waits{fd_.get(), POLLIN, 0};
    return ::poll(&waits, 1, static_cast<int>(time.count())) > 0;
  }

  /// The next reply. Interim (1xx) replies count. `expect_body`: of a reply to HEAD there is none.
  Reply reply(std::string_view method = "GET") {
    Reply reply;
    std::size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos)
      if (!receive()) return reply;
    end += 4;
    const std::string head = received_.substr(0, end);
    const std::size_t body = method == "HEAD" ? 0 : length_in(head);
    while (received_.size() < end + body)
      if (!receive()) return reply;
    reply.head = head;
    reply.body = received_.substr(end, body);
    reply.status = static_cast<unsigned>(std::stoul(head.substr(9, 3)));
    received_.erase(0, end + body);
    return reply;
  }

  /// Nothing more comes but the end (or a reset), within `patience`.
  bool ended() {
    if (!received_.empty()) return false;
    return !receive() && !timed_out_ && received_.empty();
  }

 private:
  static std::size_t length_in(const std::string& head) {
    static constexpr std::string_view name = "Content-Length: ";
    const std::size_t at = head.find(name);
    return at == std::string::npos ? 0 : std::stoul(head.substr(at + name.size()));
  }

  bool receive() {
    if (!readable_within(patience)) {
      timed_out_ = true;
      return false;
    }
    char bytes[65536];
    const ssize_t got = ::recv(fd_.get(), bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    received_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }

  FileDescriptor fd_;
  bool connected_ = false;
  bool timed_out_ = false;
  std::string received_;
};

}  // namespace firstcome::net::testing
