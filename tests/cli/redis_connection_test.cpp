// One description of how Redis is reached, from a URL, options and the environment.
#include "cli/redis_connection.hpp"

#include "support/free_port.hpp"
#include "support/redis_server.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <string>

namespace firstcome::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Optional;
using testing::RedisServer;
using testing::TemporaryFolder;

std::string file_with(const TemporaryFolder& folder, const std::string& name, const std::string& text) {
  const std::string path = folder.path() / name;
  std::ofstream(path) << text;
  return path;
}

std::string complete(const std::string& url, const RedisConnectionOptions& options) {
  return complete_redis_url("--engine", url, options);
}

TEST(RedisConnectionOptions, LeaveOtherTextsAsTheyAre) {
  EXPECT_EQ(complete("embedded", {.ca = "/ca"}), "embedded");
  EXPECT_EQ(complete("", {.ca = "/ca"}), "");
  EXPECT_EQ(complete("postgresql://h/d", {.ca = "/ca"}), "postgresql://h/d");
}

TEST(RedisConnectionOptions, AddWhatTheUrlDoesNotSay) {
  const RedisConnectionOptions files{.ca = "/ca", .certificate = "/cert", .key = "/key"};
  EXPECT_EQ(complete("rediss://h:1", files), "rediss://h:1?ca_file=%2Fca&cert_file=%2Fcert&key_file=%2Fkey");
  EXPECT_EQ(complete("rediss://h:1?ca_file=own", files), "rediss://h:1?ca_file=own&cert_file=%2Fcert&key_file=%2Fkey");
  EXPECT_EQ(complete("redis://h:1", files), "redis://h:1") << "nothing is encrypted there";
}

TEST(RedisConnectionOptions, ReadPasswordsFromFiles) {
  const TemporaryFolder folder;
  RedisConnectionOptions options{.password_file = file_with(folder, "p", "s@cret\r\nmore\n")};
  EXPECT_EQ(complete("redis://h:1", options), "redis://:s%40cret@h:1");
  EXPECT_EQ(complete("redis://shop:@h:1", options), "redis://shop:s%40cret@h:1");
  EXPECT_EQ(complete("redis://shop:own@h:1", options), "redis://shop:own@h:1");
  options.sentinel_user = "watch";
  options.sentinel_password_file = file_with(folder, "s", "dog");
  EXPECT_EQ(complete("redis+sentinel://h:1/m", options),
            "redis+sentinel://:s%40cret@h:1/m?sentinel_user=watch&sentinel_password=dog");
  EXPECT_EQ(complete("redis+cluster://h:1", options), "redis+cluster://:s%40cret@h:1");
}

TEST(RedisConnectionOptions, ReadPasswordsFromTheEnvironment) {
  ::setenv("FIRSTCOME_REDIS_PASSWORD", "from-there", 1);
  ::setenv("FIRSTCOME_REDIS_SENTINEL_PASSWORD", "too", 1);
  const std::string plain = complete("redis://h:1", {});
  const std::string sentinel = complete("redis+sentinel://h:1/m", {});
  ::unsetenv("FIRSTCOME_REDIS_PASSWORD");
  ::unsetenv("FIRSTCOME_REDIS_SENTINEL_PASSWORD");
  EXPECT_EQ(plain, "redis://:from-there@h:1");
  EXPECT_EQ(sentinel, "redis+sentinel://:from-there@h:1/m?sentinel_password=too");
}

TEST(RedisConnectionOptions, SayWhatIsWrongAndNeverThePassword) {
  const TemporaryFolder folder;
  const auto problem = [](const std::string& url, const RedisConnectionOptions& options) -> std::string {
    try {
      complete(url, options);
    } catch (const CLI::ValidationError& error) {
      return error.what();
    }
    return "nothing";
  };
  EXPECT_THAT(problem("redis://:hush@h:99999", {}), HasSubstr("--engine: Redis URL: port"));
  EXPECT_THAT(problem("redis://h", {.password_file = file_with(folder, "empty", "")}),
              HasSubstr("--redis-password-file: the first line"));
  EXPECT_THAT(problem("rediss://h", {.certificate = "/cert"}), HasSubstr("--redis-cert: needs --redis-key"));
  EXPECT_EQ(problem("redis://:hush@h:99999", {}).find("hush"), std::string::npos);
}

TEST(EvictionWarning, NamesAServerThatMayThrowLocksAway) {
  FIRSTCOME_NEEDS_REDIS();
  const RedisServer keeps;
  const RedisServer evicts({.lines = {"maxmemory-policy allkeys-lru"}});
  EXPECT_EQ(eviction_warning("redis://" + keeps.address()), std::nullopt);
  EXPECT_THAT(eviction_warning("redis://" + evicts.address()), Optional(HasSubstr("allkeys-lru")));
  EXPECT_THAT(eviction_warning("redlock://" + keeps.address() + "," + evicts.address()),
              Optional(HasSubstr("noeviction")));
  EXPECT_EQ(eviction_warning("redis://127.0.0.1:" + std::to_string(testing::free_port())), std::nullopt);
}

}  // namespace
}  // namespace firstcome::cli
