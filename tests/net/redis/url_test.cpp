#include "net/redis/url.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace firstcome::net {
namespace {

using Topology = RedisUrl::Topology;

TEST(RedisUrl, OfOneServer) {
  const auto plain = parse_redis_url("redis://db.example.org");
  ASSERT_TRUE(plain) << plain.error();
  EXPECT_EQ(plain->topology, Topology::single);
  EXPECT_EQ(plain->hosts, (std::vector<RedisAddress>{{"db.example.org", 6379}}));
  EXPECT_EQ(plain->transport, RedisTransport::plain);

  const auto full = parse_redis_url("rediss://me:p%40ss%2Fw:rd@[::1]:7000/5");
  ASSERT_TRUE(full) << full.error();
  EXPECT_EQ(full->endpoint(full->hosts[0]), (RedisEndpoint{{"::1", 7000}, RedisTransport::tls, "me", "p@ss/w:rd", 5}));
  EXPECT_EQ(to_string(full->hosts[0]), "[::1]:7000");

  const auto password = parse_redis_url("redis://:secret@127.0.0.1:6380/");
  ASSERT_TRUE(password) << password.error();
  EXPECT_EQ(password->user, "");
  EXPECT_EQ(password->password, "secret");
  EXPECT_EQ(password->database, 0U);
}

TEST(RedisUrl, OfSeveralServers) {
  const auto sentinel = parse_redis_url("redis+sentinel://:s@h1,h2:1,[fe80::2]:2/my%20master/3");
  ASSERT_TRUE(sentinel) << sentinel.error();
  EXPECT_EQ(sentinel->topology, Topology::sentinel);
  EXPECT_EQ(sentinel->hosts, (std::vector<RedisAddress>{{"h1", 26379}, {"h2", 1}, {"fe80::2", 2}}));
  EXPECT_EQ(sentinel->master, "my master");
  EXPECT_EQ(sentinel->database, 3U);

  const auto cluster = parse_redis_url("rediss+cluster://h1:1,h2:2");
  ASSERT_TRUE(cluster) << cluster.error();
  EXPECT_EQ(cluster->topology, Topology::cluster);
  EXPECT_EQ(cluster->transport, RedisTransport::tls);

  const auto redlock = parse_redis_url("redlock://u:p@a,b,c");
  ASSERT_TRUE(redlock) << redlock.error();
  EXPECT_EQ(redlock->topology, Topology::redlock);
  ASSERT_EQ(redlock->endpoints().size(), 3U);
  EXPECT_EQ(redlock->endpoints()[2], (RedisEndpoint{{"c", 6379}, RedisTransport::plain, "u", "p", 0}));
}

TEST(RedisUrl, OfALocalSocket) {
  const auto local = parse_redis_url("redis+unix://u:p@/run/my%20redis/s.sock?database=3");
  ASSERT_TRUE(local) << local.error();
  EXPECT_EQ(local->endpoint(local->hosts.at(0)),
            (RedisEndpoint{{"/run/my redis/s.sock", 0}, RedisTransport::plain, "u", "p", 3}));
  EXPECT_TRUE(is_local(local->hosts[0]));
  EXPECT_EQ(to_string(local->hosts[0]), "/run/my redis/s.sock");
  EXPECT_FALSE(parse_redis_url("redis+unix:///" + std::string(107, 'x')));
}

TEST(RedisUrl, TakesAUserWithoutAPassword) {
  const auto url = parse_redis_url("redis://guest:@h");
  ASSERT_TRUE(url) << url.error();
  EXPECT_EQ(url->user, "guest");
  EXPECT_EQ(url->password, "");
}

TEST(RedisUrl, DescribesAConnectionWhole) {
  const auto url = parse_redis_url(
      "rediss+sentinel://me:pw@h1,h2/m/2?ca_file=%2Fetc%2Fca.pem&cert_file=/c&key_file=/k&sentinel_user=s&"
      "sentinel_password=%26%3D");
  ASSERT_TRUE(url) << url.error();
  const RedisTlsOptions files{.ca_file = "/etc/ca.pem", .certificate_file = "/c", .key_file = "/k"};
  EXPECT_EQ(url->endpoint({"master", 1}).tls, files);
  const RedisEndpoint sentinel = url->sentinel(url->hosts[0]);
  EXPECT_EQ(sentinel.tls, files);
  EXPECT_EQ(sentinel.user, "s");
  EXPECT_EQ(sentinel.password, "&=");
  EXPECT_EQ(sentinel.database, 0U);
  EXPECT_EQ(sentinel.login, RedisEndpoint::Login::always);
}

TEST(RedisUrl, OffersSentinelsTheCredentialsOfRedisWhereTheyHaveNoneOfTheirOwn) {
  const auto url = parse_redis_url("redis+sentinel://:pw@h1/m");
  ASSERT_TRUE(url) << url.error();
  EXPECT_EQ(url->sentinel(url->hosts[0]).password, "pw");
  EXPECT_EQ(url->sentinel(url->hosts[0]).login, RedisEndpoint::Login::when_asked);
}

TEST(RedisUrl, IsWrittenAsItIsRead) {
  for (const char* text :
       {"redis://h:1", "rediss://:p%40w@[::1]:7/5?ca_file=%2Fa%20b", "redis+unix:///run/a%20b?database=2",
        "redis+unix://u:p@/run/s", "redis+sentinel://u:@h1:1,h2:2/my%20master/3?sentinel_password=x%26y",
        "rediss+cluster://h1:1,h2:2?ca_file=a&cert_file=b&key_file=c", "redlock://a:1,b:2", "redlocks://a:1,b:2"}) {
    const auto url = parse_redis_url(text);
    ASSERT_TRUE(url) << text << ": " << url.error();
    EXPECT_EQ(write_redis_url(*url), text);
    EXPECT_TRUE(is_redis_url(text));
  }
  EXPECT_FALSE(is_redis_url("postgresql://h/d"));
  EXPECT_FALSE(is_redis_url("embedded"));
}

TEST(RedisUrl, SaysWhichMemberBreaksWhichRule) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "scheme must be"},
      {"http://h", "scheme must be"},
      {"redis:h", "scheme must be"},
      {"redis://", "host must be a name or an address, not \"\""},
      {"redis://a b", "host must be a name or an address"},
      {"redis://h1,h2", "host must be one"},
      {"redis+cluster://h1,,h2", "host must be a name or an address"},
      {"redis+cluster://h1,h1", "host must not be named twice: h1:6379"},
      {"redis://[::1", "host must close its bracket"},
      {"redis://[h]", "host in brackets must be an IPv6 address"},
      {"redis://h:0", "port must be a number from 1 to 65535, not \"0\""},
      {"redis://h:65536", "port must be a number from 1 to 65535"},
      {"redis://h:", "port must be a number from 1 to 65535"},
      {"redis://h:12x", "port must be a number from 1 to 65535"},
      {"redis://h/x", "database must be a number from 0 to 16383, not \"x\""},
      {"redis://h/16384", "database must be"},
      {"redis://h/1/2", "database must be"},
      {"redis://secret@h", "user must be followed by a colon"},
      {"redis://:@h", "password must not be empty"},
      {"redis://u:%zz@h", "password must be percent-encoded"},
      {"redis://%2:p@h", "user must be percent-encoded"},
      {"redis+sentinel://h1,h2", "master must be named"},
      {"redis+sentinel://h1/", "master must be named"},
      {"redis+cluster://h1/2", "path must be empty"},
      {"redlock://h1,h2/2", "path must be empty"},
      {"redis://h?x=1", "parameter \"x\" is not known here"},
      {"redis://h?ca_file=/a", "parameter \"ca_file\" is not known here"},
      {"redis://h?sentinel_password=secret", "parameter \"sentinel_password\" is not known here"},
      {"redis+sentinel://h/m?sentinel_password=%zzsecret", "parameter sentinel_password needs a percent-encoded value"},
      {"rediss://h?ca_file=", "parameter ca_file needs"},
      {"rediss://h?cert_file=/a", "parameter cert_file needs key_file"},
      {"redis://h?", "parameter \"\" is not known here"},
      {"redis://h#x", "end must not hold a #"},
      {"redis+unix://", "path must be that of a socket"},
      {"redis+unix:///", "path must be that of a socket"},
      {"redis+unix://h/run/s", "host must be left out"},
      {"redis+unix:///run/s?database=x", "database must be a number"},
      {"redis+unix:///run/s?ca_file=/a", "parameter \"ca_file\" is not known here"},
  };
  for (const auto& [text, rule] : cases) {
    const auto url = parse_redis_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_TRUE(url.error().starts_with("Redis URL: " + rule)) << text << " -> " << url.error();
    EXPECT_EQ(url.error().find("secret"), std::string::npos) << url.error();
  }
}

}  // namespace
}  // namespace firstcome::net
