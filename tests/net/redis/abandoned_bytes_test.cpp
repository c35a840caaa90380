// What the kernel has not delivered when a connection is given up.
#include "net/redis/loop.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>

namespace firstcome::net {
namespace {

using namespace testing;

/// Answers the greeting, and reads nothing more until it is told to.
class SlowServer {
 public:
  SlowServer() {
    const int small = 4'096;
    ::setsockopt(listener_, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~SlowServer() {
    if (socket_ >= 0) ::close(socket_);
    ::close(listener_);
  }
  SlowServer(const SlowServer&) = delete;
  SlowServer& operator=(const SlowServer&) = delete;

  std::uint16_t port() const { return port_; }

  void greet() {
    socket_ = ::accept(listener_, nullptr, nullptr);
    std::array<char, 256> greeting{};
    EXPECT_GT(::recv(socket_, greeting.data(), greeting.size(), 0), 0);
    EXPECT_EQ(::send(socket_, "+PONG\r\n", 7, MSG_NOSIGNAL), 7);
  }

  /// Reads to the end, in peace or not. How many bytes came.
  std::size_t read_all() const {
    std::array<char, 65'536> piece{};
    std::size_t all = 0;
    for (;;) {
      const ssize_t size = ::recv(socket_, piece.data(), piece.size(), 0);
      if (size <= 0) return all;
      all += static_cast<std::size_t>(size);
    }
  }

 private:
  int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int socket_ = -1;
  std::uint16_t port_ = 0;
};

TEST(RedisConnection, TakesBackWhatTheServerHasNotAcknowledgedWhenItGivesUp) {
  SlowServer server;
  std::jthread greeter([&server] { server.greet(); });
  Loop loop;
  std::uint64_t given_to_kernel = 0;
  {
    RedisConnection connection(loop.executor(), at_port(server.port()), {.silence_limit = 200ms});
    ASSERT_TRUE(loop.run_until([&] { return connection.is_connected(); }));
    greeter.join();
    std::string late;
    connection.execute(RedisCommand("SET", "k", std::string(8U << 20U, 'x')), in(200ms),
                       [&](RedisResult result) { late = text_of(result); });
    ASSERT_TRUE(loop.run_until([&] { return !late.empty(); }));
    given_to_kernel = connection.counters().bytes_sent;
  }
  EXPECT_LT(server.read_all(), given_to_kernel);
}

}  // namespace
}  // namespace firstcome::net
