// The HTTP client over TLS, and URLs with a path.
#include "net/http_client.hpp"
#include "support/certificates.hpp"
#include "support/temporary_folder.hpp"

#include <arpa/inet.h>
#include <boost/asio/co_spawn.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace firstcome::net {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

/// Answers every request with its first line; a target `/close` is answered and the connection closed, `/cut` is cut
/// off in the middle of the answer. One connection at a time.
class TlsServer {
 public:
  TlsServer(const std::string& certificate, const std::string& key) : context_(SSL_CTX_new(TLS_server_method())) {
    ::signal(SIGPIPE, SIG_IGN);  // a client that goes early is no reason to die
    EXPECT_EQ(SSL_CTX_use_certificate_chain_file(context_, certificate.c_str()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey_file(context_, key.c_str(), SSL_FILETYPE_PEM), 1);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~TlsServer() {
    ::shutdown(listener_, SHUT_RDWR);
    if (const int open = connection_.load(); open >= 0) ::shutdown(open, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
    SSL_CTX_free(context_);
  }

  std::string url(const std::string& host = "127.0.0.1") const {
    return "https://" + host + ":" + std::to_string(port_);
  }
  int accepted() const { return accepted_; }

 private:
  void serve() {
    for (int fd = 0; (fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      connection_ = fd;
      SSL* const ssl = SSL_new(context_);
      SSL_set_fd(ssl, fd);
      if (SSL_accept(ssl) == 1) {
        ++accepted_;
        while (answer_one(ssl)) {
        }
      }
      SSL_free(ssl);
      connection_ = -1;
      ::close(fd);
    }
  }

  /// False: the connection ends.
  static bool answer_one(SSL* ssl) {
    std::string request;
    while (request.find("\r\n\r\n") == std::string::npos) {
      char bytes[4'096];
      const int got = SSL_read(ssl, bytes, sizeof bytes);
      if (got <= 0) return false;
      request.append(bytes, static_cast<std::size_t>(got));
    }
    std::string line = request.substr(0, request.find('\r'));
    if (line.find("/large") != std::string::npos) line.append(300'000, 'x');
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(line.size()) + "\r\n\r\n";
    const bool cut = line.find("/cut") != std::string::npos;
    const std::string answer = head + (cut ? line.substr(0, 3) : line);
    SSL_write(ssl, answer.data(), static_cast<int>(answer.size()));
    if (line.find("/close") != std::string::npos) SSL_shutdown(ssl);
    return !cut && line.find("/close") == std::string::npos;
  }

  SSL_CTX* const context_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connection_ = -1;
  std::atomic<int> accepted_ = 0;
  std::thread thread_;
};

class Https : public ::testing::Test {
 protected:
  explicit Https(const std::string& names = "DNS:localhost,IP:127.0.0.1")
      : certificate(authority.sign("server", names)), server(certificate.file, certificate.key_file) {}

  HttpOrigin origin(const std::string& url) const { return parse_origin(url, authority.file()).value(); }
  ClientResult ask(const HttpOrigin& where, const std::string& target) const {
    ClientRequest request;
    request.target = target;
    return fetch(where, request, 10s);
  }

  firstcome::testing::TemporaryFolder folder;
  firstcome::testing::CertificateAuthority authority{folder.path(), "authority"};
  firstcome::testing::CertificateAuthority::Certificate certificate;
  TlsServer server;
};

TEST_F(Https, AsksAServerWhoseCertificateIsTrusted) {
  for (const char* host : {"127.0.0.1", "localhost"}) {
    const ClientResult result = ask(origin(server.url(host)), "/x");
    ASSERT_TRUE(result) << result.error().detail;
    EXPECT_EQ(result->body, "GET /x HTTP/1.1");
  }
}

TEST_F(Https, PutsThePathOfTheUrlBeforeEveryTarget) {
  for (const char* path : {"/shop/api", "/shop/api/"}) {
    const ClientResult result = ask(origin(server.url() + path), "/v1/sales?limit=1");
    ASSERT_TRUE(result) << result.error().detail;
    EXPECT_EQ(result->body, "GET /shop/api/v1/sales?limit=1 HTTP/1.1");
  }
}

TEST_F(Https, ReadsAnswersThatComeInManyPieces) {
  const ClientResult result = ask(origin(server.url()), "/large");
  ASSERT_TRUE(result) << result.error().detail;
  EXPECT_GT(result->body.size(), 300'000U);
}

TEST_F(Https, RefusesACertificateThatNobodyTrusted) {
  const ClientResult result = ask(parse_origin(server.url()).value(), "/x");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ClientFailure::Kind::connect);
  EXPECT_THAT(result.error().detail, HasSubstr("certificate"));
}

TEST_F(Https, AnAnswerThatIsCutOffIsBroken) {
  const ClientResult result = ask(origin(server.url()), "/cut");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ClientFailure::Kind::broken);
}

boost::asio::awaitable<void, IoExecutor> ask_all(HttpClient& client, std::vector<std::string> targets,
                                                 std::vector<std::string>& bodies) {
  for (const std::string& target : targets) {
    ClientRequest request;
    request.target = target;
    const ClientResult result = co_await client.request(request, std::chrono::steady_clock::now() + 10s);
    bodies.push_back(result ? result->body : result.error().detail);
  }
}

TEST_F(Https, KeepsItsConnectionUntilTheServerClosesIt) {
  boost::asio::io_context io(1);
  HttpClient client(io.get_executor(), origin(server.url()));
  std::vector<std::string> bodies;
  boost::asio::co_spawn(io.get_executor(), ask_all(client, {"/1", "/2", "/3"}, bodies),
                        [&io](std::exception_ptr) { io.stop(); });
  io.run();
  EXPECT_EQ(bodies, (std::vector<std::string>{"GET /1 HTTP/1.1", "GET /2 HTTP/1.1", "GET /3 HTTP/1.1"}));
  EXPECT_EQ(server.accepted(), 1);
}

class HttpsOfAnother : public Https {
 protected:
  HttpsOfAnother() : Https("DNS:shop.example") {}
};

TEST_F(HttpsOfAnother, RefusesACertificateOfAnotherHost) {
  const ClientResult result = ask(origin(server.url()), "/x");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ClientFailure::Kind::connect);
}

TEST(HttpOrigins, OfHttpsHaveAPortOfTheirOwnAndNameTheirTrust) {
  const auto origin = parse_origin("https://shop.example/a/b/");
  ASSERT_TRUE(origin) << origin.error();
  EXPECT_EQ(origin->port, 443);
  EXPECT_EQ(origin->prefix, "/a/b");
  EXPECT_EQ(to_string(*origin), "https://shop.example:443/a/b");
  EXPECT_EQ(to_string(*parse_origin("http://[::1]:9")), "http://[::1]:9");
  const auto no_file = parse_origin("https://shop.example", "/nowhere/ca.pem");
  ASSERT_FALSE(no_file);
  EXPECT_THAT(no_file.error(), HasSubstr("/nowhere/ca.pem"));
}

}  // namespace
}  // namespace firstcome::net
