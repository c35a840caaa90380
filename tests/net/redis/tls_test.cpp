#include "net/redis/tls.hpp"

#include "net/redis/loop.hpp"
#include "support/certificates.hpp"
#include "support/redis_server.hpp"
#include "support/tcp_proxy.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace firstcome::net {
namespace {

using namespace testing;
using firstcome::testing::CertificateAuthority;
using firstcome::testing::free_port;
using firstcome::testing::RedisServer;
using firstcome::testing::RedisServerOptions;
using firstcome::testing::TcpProxy;
using firstcome::testing::TemporaryFolder;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// A server with a plain port for the test and one that speaks TLS.
struct TlsServer {
  explicit TlsServer(const CertificateAuthority::Certificate& own, const std::string& authority,
                     const std::string& clients = "no")
      : server(RedisServerOptions{.lines = {"tls-port " + std::to_string(port), "tls-cert-file " + own.file,
                                            "tls-key-file " + own.key_file, "tls-ca-cert-file " + authority,
                                            "tls-auth-clients " + clients}}) {}

  RedisEndpoint endpoint(std::string host = "127.0.0.1") const {
    return {.address = {.host = std::move(host), .port = port}, .transport = RedisTransport::tls};
  }

  std::uint16_t port = free_port();
  RedisServer server;
};

class RedisTls : public ::testing::Test {
 protected:
  void SetUp() override { FIRSTCOME_NEEDS_REDIS(); }

  std::string ping(const RedisEndpoint& endpoint, const RedisTlsOptions& tls) {
    RedisConnection connection(loop_.executor(), endpoint, {.tls = tls});
    return text_of(loop_.ask(connection, RedisCommand("PING")));
  }

  Loop loop_;
  TemporaryFolder folder_;
  CertificateAuthority authority_{folder_.path(), "authority"};
  CertificateAuthority stranger_{folder_.path(), "stranger"};
};

TEST_F(RedisTls, CarriesCommandsOfAllSizes) {
  const TlsServer server(authority_.sign("server", "DNS:localhost,IP:127.0.0.1"), authority_.file());
  RedisConnection connection(loop_.executor(), server.endpoint(), {.tls = {.ca_file = authority_.file()}});
  const std::string large(5'000'000, 'x');
  EXPECT_EQ(text_of(loop_.ask(connection, RedisCommand("SET", "k", large))), "OK");
  EXPECT_EQ(text_of(loop_.ask(connection, RedisCommand("GET", "k"))).size(), large.size());
  std::vector<std::string> replies;
  for (int i = 0; i < 1'000; ++i) {
    connection.execute(RedisCommand("ECHO", i), in(10s),
                       [&](RedisResult result) { replies.push_back(text_of(result)); });
  }
  ASSERT_TRUE(loop_.run_until([&] { return replies.size() == 1'000; }));
  for (std::size_t i = 0; i < 1'000; ++i) EXPECT_EQ(replies[i], std::to_string(i));
}

TEST_F(RedisTls, TakesACertificateForTheNameThatWasAskedFor) {
  const TlsServer server(authority_.sign("server", "DNS:localhost"), authority_.file());
  EXPECT_EQ(ping(server.endpoint("localhost"), {.ca_file = authority_.file()}), "PONG");
  EXPECT_THAT(ping(server.endpoint("127.0.0.1"), {.ca_file = authority_.file()}),
              HasSubstr("the server's certificate is not accepted: IP address mismatch"));
}

TEST_F(RedisTls, RefusesTheCertificateOfAStrangerAndOneThatHasEnded) {
  const TlsServer strange(stranger_.sign("strange", "IP:127.0.0.1"), stranger_.file());
  const std::string said = ping(strange.endpoint(), {.ca_file = authority_.file()});
  EXPECT_THAT(said, StartsWith("not_sent: cannot speak TLS with 127.0.0.1:"));
  EXPECT_THAT(said, HasSubstr("the server's certificate is not accepted: "));
  EXPECT_THAT(ping(strange.endpoint(), {}), HasSubstr("the server's certificate is not accepted: "));
  EXPECT_EQ(ping(strange.endpoint(), {.verify = RedisTlsOptions::Verify::nobody}), "PONG");
  const TlsServer old(authority_.sign("old", "IP:127.0.0.1", -1), authority_.file());
  EXPECT_THAT(ping(old.endpoint(), {.ca_file = authority_.file()}), HasSubstr("certificate has expired"));
}

TEST_F(RedisTls, ShowsItsOwnCertificateWhereTheServerAsksForOne) {
  const TlsServer server(authority_.sign("server", "IP:127.0.0.1"), authority_.file(), "yes");
  EXPECT_THAT(ping(server.endpoint(), {.ca_file = authority_.file()}), StartsWith("not_sent: "));
  const CertificateAuthority::Certificate own = authority_.sign("client", "DNS:client");
  const RedisTlsOptions tls{.ca_file = authority_.file(), .certificate_file = own.file, .key_file = own.key_file};
  EXPECT_EQ(ping(server.endpoint(), tls), "PONG");
}

TEST_F(RedisTls, SaysWhichFileItCannotRead) {
  const RedisEndpoint endpoint{.address = {.host = "127.0.0.1", .port = free_port()}, .transport = RedisTransport::tls};
  EXPECT_THAT(ping(endpoint, {.ca_file = "/no/such.pem"}), HasSubstr("authority's certificates in /no/such.pem"));
  EXPECT_THAT(ping(endpoint, {.certificate_file = "/no/own.pem"}), HasSubstr("certificate in /no/own.pem"));
  const auto url = parse_redis_url("rediss://127.0.0.1");
  const auto client = make_redis_client(loop_.executor(), *url, {}, {.tls = {.ca_file = "/no/such.pem"}});
  ASSERT_FALSE(client);
  EXPECT_THAT(client.error(), HasSubstr("/no/such.pem"));
}

TEST_F(RedisTls, FailsInTimeWhereOneSideDoesNotSpeakIt) {
  const TlsServer server(authority_.sign("server", "IP:127.0.0.1"), authority_.file());
  EXPECT_THAT(ping(at_port(server.port), {}), StartsWith("not_sent: "));  // plain, to the port for TLS
  RedisEndpoint plain = at_port(server.server.port());
  plain.transport = RedisTransport::tls;
  RedisConnection connection(loop_.executor(), plain, {.connect_timeout = 300ms});
  EXPECT_THAT(text_of(loop_.ask(connection, RedisCommand("PING"))), StartsWith("not_sent: "));
}

TEST_F(RedisTls, IsUnknownWhenItIsCut) {
  const TlsServer server(authority_.sign("server", "IP:127.0.0.1"), authority_.file());
  TcpProxy proxy(server.port);
  RedisEndpoint endpoint = server.endpoint();
  endpoint.address.port = proxy.port();
  RedisConnection connection(loop_.executor(), endpoint, {.tls = {.ca_file = authority_.file()}});
  ASSERT_TRUE(loop_.ask(connection, RedisCommand("PING")));
  proxy.drop(TcpProxy::Direction::to_client);
  std::string said;
  connection.execute(RedisCommand("INCR", "k"), in(10s), [&](RedisResult result) { said = text_of(result); });
  ASSERT_TRUE(loop_.run_until([&] { return server.server.text({"GET", "k"}) == "1"; }));
  proxy.cut();
  proxy.resume();
  ASSERT_TRUE(loop_.run_until([&] { return !said.empty(); }));
  EXPECT_THAT(said, StartsWith("unknown: lost the connection"));
  ASSERT_TRUE(loop_.run_until([&] { return connection.is_connected(); }));
  EXPECT_EQ(text_of(loop_.ask(connection, RedisCommand("GET", "k"))), "1");
}

}  // namespace
}  // namespace firstcome::net
