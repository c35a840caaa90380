// TLS where several servers stand behind the URL: to each of them, sentinels and nodes that were not named included.
#include "net/redis/loop.hpp"
#include "net/redis/tls.hpp"
#include "support/certificates.hpp"
#include "support/redis_server.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace firstcome::net {
namespace {

using namespace testing;
using firstcome::testing::CertificateAuthority;
using firstcome::testing::eventually;
using firstcome::testing::RedisCluster;
using firstcome::testing::RedisSentinels;
using firstcome::testing::RedisTlsFiles;
using firstcome::testing::TemporaryFolder;
using ::testing::HasSubstr;

class RedisTlsTopologies : public ::testing::Test {
 protected:
  void SetUp() override { FIRSTCOME_NEEDS_REDIS(); }

  RedisTlsFiles files() const {
    const CertificateAuthority::Certificate own = authority_.sign("server", "IP:127.0.0.1");
    return {own.file, own.key_file, authority_.file()};
  }
  std::unique_ptr<RedisClient> client_of(const std::string& url, const std::string& authority) {
    RedisClientEvents events;
    events.message = [this](std::string_view, std::string_view payload) { messages_.emplace_back(payload); };
    return make_redis_client(loop_.executor(), parse_redis_url(url).value(), std::move(events),
                             {.tls = {.ca_file = authority}})
        .value();
  }
  bool hears(RedisClient& client, const std::string& channel, const std::string& text) {
    if (loop_.subscribed([&](RedisSubscribed done) { client.subscribe(channel, in(10s), std::move(done)); }) != "") {
      return false;
    }
    const auto sent = loop_.ask(client, channel, RedisCommand(client.publish_command(), channel, text));
    return sent && loop_.run_until([&] { return !messages_.empty() && messages_.back() == text; });
  }

  Loop loop_;
  TemporaryFolder folder_;
  CertificateAuthority authority_{folder_.path(), "authority"};
  CertificateAuthority stranger_{folder_.path(), "stranger"};
  std::vector<std::string> messages_;
};

TEST_F(RedisTlsTopologies, SentinelsAndTheMastersThatTheyNameAreAskedByTls) {
  RedisSentinels servers("secret", files());
  const std::string url = "rediss+sentinel://:secret@" + servers.addresses() + "/mymaster";
  const auto client = client_of(url, authority_.file());
  EXPECT_EQ(text_of(loop_.ask(*client, "k", RedisCommand("SET", "k", "1"))), "OK");
  EXPECT_TRUE(hears(*client, "c", "a"));
  EXPECT_EQ(servers.first().text({"GET", "k"}), "1");
  servers.first().kill();
  EXPECT_TRUE(eventually([&] { return loop_.ask(*client, "k", RedisCommand("SET", "k", "2"), 1s).has_value(); }));
  EXPECT_EQ(servers.second().text({"GET", "k"}), "2");
  EXPECT_TRUE(eventually([&] { return hears(*client, "c", "b"); }));

  const auto deceived = client_of(url, stranger_.file());
  EXPECT_THAT(text_of(loop_.ask(*deceived, "k", RedisCommand("GET", "k"))),
              HasSubstr("the server's certificate is not accepted"));
}

TEST_F(RedisTlsTopologies, AllNodesOfAClusterAreAskedByTls) {
  RedisCluster cluster(files());
  const std::string one = "127.0.0.1:" + std::to_string(cluster.node(4).public_port());
  const auto client = client_of("rediss+cluster://" + one, authority_.file());
  for (int i = 0; i < 50; ++i) {
    const std::string key = "key" + std::to_string(i);
    EXPECT_EQ(text_of(loop_.ask(*client, key, RedisCommand("SET", key, i))), "OK");
  }
  for (const char* channel : {"a", "b", "c", "d"}) EXPECT_TRUE(hears(*client, channel, channel));  // in several slots
  const auto deceived = client_of("rediss+cluster://" + one, stranger_.file());
  EXPECT_THAT(text_of(loop_.ask(*deceived, "k", RedisCommand("GET", "k"))),
              HasSubstr("the server's certificate is not accepted"));
}

}  // namespace
}  // namespace firstcome::net
