#include "net/listener.hpp"

#include "net/http_origin.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <system_error>

namespace firstcome::net {

namespace {

constexpr int backlog = 4096;

struct FreeAddresses {
  void operator()(addrinfo* addresses) const { ::freeaddrinfo(addresses); }
};

std::unique_ptr<addrinfo, FreeAddresses> resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int result = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (result != 0)
    throw std::system_error(std::make_error_code(std::errc::address_not_available),
                            "cannot listen on " + host + ": " + ::gai_strerror(result));
  return std::unique_ptr<addrinfo, FreeAddresses>{found};
}

void set_option(int fd, int level, int option) {
  const int on = 1;
  ::setsockopt(fd, level, option, &on, sizeof on);
}

std::uint16_t port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::system_error(errno, std::generic_category(), "getsockname");
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

}  // namespace

Listener::Listener(const std::string& host, std::uint16_t port) {
  const auto address = resolve(host, port);
  fd_ = FileDescriptor{::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (fd_) {
    set_option(fd_.get(), SOL_SOCKET, SO_REUSEADDR);
    set_option(fd_.get(), IPPROTO_TCP, TCP_NODELAY);  // accepted sockets inherit it
  }
  if (!fd_ || ::bind(fd_.get(), address->ai_addr, address->ai_addrlen) != 0 || ::listen(fd_.get(), backlog) != 0)
    throw std::system_error(errno, std::generic_category(), "cannot listen on " + authority(host, port));
  port_ = port_of(fd_.get());
}

Listener::Result Listener::accept() {
  const int fd = ::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) return {Accepted::connection, FileDescriptor{fd}};
  switch (errno) {
    case EAGAIN:
      return {Accepted::none, {}};
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return {Accepted::out_of_resources, {}};
    default:  // the connection's own error, met before it was accepted
      return {Accepted::failed, {}};
  }
}

}  // namespace firstcome::net
