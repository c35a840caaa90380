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
      {"redis://u:@h", "password must not be empty"},
      {"redis://u:%zz@h", "password must be percent-encoded"},
      {"redis://%2:p@h", "user must be percent-encoded"},
      {"redis+sentinel://h1,h2", "master must be named"},
      {"redis+sentinel://h1/", "master must be named"},
      {"redis+cluster://h1/2", "path must be empty"},
      {"redlock://h1,h2/2", "path must be empty"},
      {"redis://h?x=1", "end must not hold a ? or #"},
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
