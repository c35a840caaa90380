#include "net/redis/reply.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace firstcome::net {
namespace {

using Type = RedisReply::Type;

/// All replies of the bytes, fed `step` at a time; "problem: ..." in the last where they are wrong.
std::vector<RedisReply> read_all(std::string_view bytes, std::size_t step) {
  RedisReader reader(1'000);
  std::vector<RedisReply> replies;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    EXPECT_TRUE(reader.feed(bytes.substr(at, step)));
    for (;;) {
      auto reply = reader.next();
      if (!reply) {
        replies.push_back({.type = Type::error, .text = "problem: " + reply.error()});
        return replies;
      }
      if (!*reply) break;
      replies.push_back(std::move(**reply));
    }
  }
  return replies;
}

TEST(RedisReader, ReadsEveryTypeHoweverTheBytesCome) {
  const std::string bytes =
      "+OK\r\n:-42\r\n$5\r\na\r\nbc\r\n$-1\r\n*-1\r\n-ERR no\r\n*0\r\n*3\r\n:1\r\n*2\r\n$1\r\nx\r\n-BUSY "
      "y\r\n$0\r\n\r\n";
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    const std::vector<RedisReply> all = read_all(bytes, step);
    ASSERT_EQ(all.size(), 8U) << "step " << step;
    EXPECT_EQ(all[0].type, Type::status);
    EXPECT_EQ(all[0].text, "OK");
    EXPECT_EQ(all[1].integer, -42);
    EXPECT_EQ(all[2].type, Type::text);
    EXPECT_EQ(all[2].text, "a\r\nbc");
    EXPECT_TRUE(all[3].is_nil());
    EXPECT_TRUE(all[4].is_nil());
    EXPECT_EQ(all[5].type, Type::error);
    EXPECT_TRUE(all[6].is_array());
    EXPECT_TRUE(all[6].elements.empty());
    ASSERT_EQ(all[7].elements.size(), 3U);
    EXPECT_EQ(all[7].at(0).integer, 1);
    EXPECT_EQ(all[7].at(1).at(0).text, "x");
    EXPECT_EQ(all[7].at(1).at(1).text, "BUSY y");
    EXPECT_EQ(all[7].at(2).text, "");
    EXPECT_TRUE(all[7].at(3).at(9).is_nil());
  }
}

TEST(RedisReader, KeepsLongArraysInOrder) {
  std::string bytes = "*5000\r\n";
  for (int i = 0; i < 5'000; ++i) bytes += "*2\r\n:" + std::to_string(i) + "\r\n$1\r\na\r\n";
  RedisReader reader(1U << 20U);
  ASSERT_TRUE(reader.feed(bytes));
  const auto reply = reader.next();
  ASSERT_TRUE(reply && *reply);
  for (std::size_t i = 0; i < 5'000; ++i) ASSERT_EQ((*reply)->at(i).at(0).integer, static_cast<std::int64_t>(i));
}

TEST(RedisReader, ReadsSevenLevelsAndRefusesEight) {
  std::string seven;
  for (int i = 0; i < 7; ++i) seven += "*1\r\n";
  const std::vector<RedisReply> good = read_all(seven + ":1\r\n", 1'000);
  ASSERT_EQ(good.size(), 1U);
  EXPECT_EQ(good[0].type, Type::array);
  const std::vector<RedisReply> deep = read_all("*1\r\n*1\r\n" + seven + ":1\r\n", 1'000);
  ASSERT_EQ(deep.size(), 1U);
  EXPECT_TRUE(deep[0].text.starts_with("problem: ")) << deep[0].text;
}

TEST(RedisReader, RefusesWhatIsNotTheProtocol) {
  for (const char* bytes : {"HTTP/1.1 200 OK\r\n", ":x\r\n", "*-5\r\n", "$-7\r\n", "\x15\x03\x03"}) {
    const std::vector<RedisReply> all = read_all(bytes, 1'000);
    ASSERT_EQ(all.size(), 1U) << bytes;
    EXPECT_TRUE(all[0].text.starts_with("problem: ")) << bytes << all[0].text;
  }
}

TEST(RedisReader, RefusesAReplyThatIsTooLarge) {
  const std::vector<RedisReply> all = read_all("$5000\r\n" + std::string(4'000, 'x'), 100);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].text, "problem: a reply of more than 1000 bytes");
}

TEST(RedisReader, RefusesAnArrayWithoutAnEnd) {
  std::string endless = "*1000000\r\n";
  for (int i = 0; i < 2'000; ++i) endless += ":1\r\n";
  const std::vector<RedisReply> all = read_all(endless, 100);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].text, "problem: a reply of more than 1000 bytes");
}

TEST(RedisReader, CountsTheBytesOfEachReplyAnew) {
  const std::string one = "*2\r\n:1\r\n$200\r\n" + std::string(200, 'x') + "\r\n";
  std::string many;
  for (int i = 0; i < 100; ++i) many += one;
  EXPECT_EQ(read_all(many, 50).size(), 100U);
}

TEST(RedisReader, DoesNotBelieveAHugeLength) {
  const std::vector<RedisReply> all = read_all("*2000000000\r\n:1\r\n", 1'000);
  EXPECT_TRUE(all.empty());
}

TEST(RedisReply, ReadsIntegersAlsoFromTexts) {
  EXPECT_EQ((RedisReply{.type = Type::integer, .integer = 5}).to_integer(), 5);
  EXPECT_EQ((RedisReply{.type = Type::text, .text = "-17"}).to_integer(), -17);
  EXPECT_EQ((RedisReply{.type = Type::text, .text = "17x"}).to_integer(), std::nullopt);
  EXPECT_EQ((RedisReply{.type = Type::text, .text = ""}).to_integer(), std::nullopt);
  EXPECT_EQ(RedisReply{}.to_integer(), std::nullopt);
}

TEST(RedisFailure, KnowsTheWordOfAnError) {
  const RedisFailure failure = refused("NOSCRIPT No matching script. Please use EVAL.");
  EXPECT_TRUE(failure.is_refused("NOSCRIPT"));
  EXPECT_FALSE(failure.may_have_run());
  EXPECT_EQ(refused("OOM").code, "OOM");
}

}  // namespace
}  // namespace firstcome::net
