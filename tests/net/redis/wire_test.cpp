// What a connection keeps in memory while its server takes less than comes.
#include "net/redis/wire.hpp"

#include "net/redis/loop.hpp"
#include "support/certificates.hpp"
#include "support/temporary_folder.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>

namespace firstcome::net {
namespace {

using namespace testing;
using firstcome::testing::CertificateAuthority;
using firstcome::testing::TemporaryFolder;

/// Shakes hands, and takes then as many bytes as it is told to, whatever they say.
class GreedlessServer {
 public:
  explicit GreedlessServer(const CertificateAuthority::Certificate& own) {
    EXPECT_EQ(::SSL_CTX_use_certificate_chain_file(context_.get(), own.file.c_str()), 1);
    EXPECT_EQ(::SSL_CTX_use_PrivateKey_file(context_.get(), own.key_file.c_str(), SSL_FILETYPE_PEM), 1);
    const int small = 16'384;
    ::setsockopt(listener_, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    ::fcntl(listener_, F_SETFL, O_NONBLOCK);
  }
  ~GreedlessServer() {
    if (socket_ >= 0) ::close(socket_);
    ::close(listener_);
  }
  GreedlessServer(const GreedlessServer&) = delete;
  GreedlessServer& operator=(const GreedlessServer&) = delete;

  std::uint16_t port() const { return port_; }

  /// Goes on with the handshake.
  void greet() {
    if (socket_ < 0) {
      socket_ = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
      if (socket_ < 0) return;
      ssl_.reset(::SSL_new(context_.get()));
      ::SSL_set_fd(ssl_.get(), socket_);
    }
    ::SSL_accept(ssl_.get());
  }

  /// At most so many. How many there were.
  std::size_t take(std::size_t most) {
    std::string bytes(most, '\0');
    const ssize_t taken = ::recv(socket_, bytes.data(), bytes.size(), 0);
    return taken > 0 ? static_cast<std::size_t>(taken) : 0;
  }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { ::SSL_free(ssl); }
  };
  const std::unique_ptr<SSL_CTX, Free> context_{::SSL_CTX_new(::TLS_server_method())};
  std::unique_ptr<SSL, Free> ssl_;
  const int listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
  int socket_ = -1;
  std::uint16_t port_ = 0;
};

struct User final : RedisWireUser {
  void wire_connected() override { connected = true; }
  void wire_replied(RedisReply) override {}
  void wire_ended(const std::string& reason) override { ended = reason; }
  bool connected = false;
  std::string ended;
};

/// Else the kernel takes so much at once that nothing waits for a moment.
void take_little_at_a_time(std::uint16_t port) {
  int found = 0;
  for (int socket = 3; socket < 256; ++socket) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || ntohs(peer.sin_port) != port) continue;
    const int small = 4'096;
    ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    ++found;
  }
  ASSERT_EQ(found, 1);
}

TEST(RedisWire, KeepsNoMoreThanWhatWaitsHoweverLongTheServerTakesABitLessThanComes) {
  const TemporaryFolder folder;
  const CertificateAuthority authority{folder.path(), "authority"};
  GreedlessServer server(authority.sign("server", "IP:127.0.0.1"));
  Loop loop;
  User user;
  const RedisOptions options{.tls = {.ca_file = authority.file()}};
  const auto context = RedisTlsContext::make(options.tls);
  ASSERT_TRUE(context) << context.error();
  const auto wire = std::make_shared<RedisWire>(loop.executor(), user, at_port(server.port()).address, options);
  wire->start(std::make_unique<RedisTlsStream>(*context, "127.0.0.1"));
  ASSERT_TRUE(loop.run_until([&] {
    server.greet();
    return user.connected || !user.ended.empty();
  })) << user.ended;

  take_little_at_a_time(server.port());
  constexpr std::size_t piece = 16'384;
  constexpr std::size_t through = 16U << 20U;
  std::size_t taken = 0;
  std::size_t most_kept = 0;
  const auto until = in(60s);
  while (taken < through && user.ended.empty() && steady_clock::now() < until) {
    while (wire->unsent() < 4 * piece) wire->out().append(piece, 'x');
    wire->flush_soon();
    loop.io().restart();
    loop.io().poll();
    most_kept = std::max(most_kept, wire->kept());
    taken += server.take(piece);
  }
  EXPECT_GE(taken, through);
  EXPECT_EQ(user.ended, "");
  EXPECT_LT(most_kept, 1U << 20U);
  wire->abandon();
}

}  // namespace
}  // namespace firstcome::net
