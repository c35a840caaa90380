#include "net/redis/command.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace firstcome::net {
namespace {

using namespace std::string_literals;

std::string sent(const RedisCommand& command, RedisCommand::Form form = RedisCommand::Form::usual) {
  std::string out;
  command.append_to(out, form);
  EXPECT_GE(command.size_bound(form), out.size());
  return out;
}

TEST(RedisCommand, IsEncodedWithTheLengthOfEachArgument) {
  EXPECT_EQ(sent(RedisCommand("PING")), "*1\r\n$4\r\nPING\r\n");
  EXPECT_EQ(sent(RedisCommand("SET", "k", "a\r\n\0b"s, "")),
            "*4\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\na\r\n\0b\r\n$0\r\n\r\n"s);
}

TEST(RedisCommand, TakesIntegersOfEverySize) {
  EXPECT_EQ(sent(RedisCommand("X", -5, 7U)), "*3\r\n$1\r\nX\r\n$2\r\n-5\r\n$1\r\n7\r\n");
  EXPECT_EQ(sent(RedisCommand("X", std::numeric_limits<std::int64_t>::min())),
            "*2\r\n$1\r\nX\r\n$20\r\n-9223372036854775808\r\n");
  EXPECT_EQ(sent(RedisCommand("X", std::numeric_limits<std::uint64_t>::max())),
            "*2\r\n$1\r\nX\r\n$20\r\n18446744073709551615\r\n");
}

TEST(RedisCommand, OfAScriptGoesByItsHashOrByItsText) {
  const RedisScript script("return 1");
  EXPECT_EQ(script.sha(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
  const RedisCommand command(script, {"k1", "k2"}, 3);
  EXPECT_EQ(sent(command),
            "*6\r\n$7\r\nEVALSHA\r\n$40\r\ne0e1f9fabfc9d4800c877a703b823ac0578ff8db\r\n"
            "$1\r\n2\r\n$2\r\nk1\r\n$2\r\nk2\r\n$1\r\n3\r\n");
  EXPECT_EQ(sent(command, RedisCommand::Form::with_text),
            "*6\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n2\r\n$2\r\nk1\r\n$2\r\nk2\r\n$1\r\n3\r\n");
}

TEST(RedisCommand, ChangesOneArgumentWhenItIsRedirected) {
  RedisCommand command("EVAL", "x");
  command.add_unless_redirected("1", "0").add("last");
  EXPECT_EQ(sent(command), "*4\r\n$4\r\nEVAL\r\n$1\r\nx\r\n$1\r\n1\r\n$4\r\nlast\r\n");
  command.mark_redirected();
  command.mark_redirected();
  EXPECT_EQ(sent(command), "*4\r\n$4\r\nEVAL\r\n$1\r\nx\r\n$1\r\n0\r\n$4\r\nlast\r\n");
  RedisCommand other("GET", "k");
  other.mark_redirected();
  EXPECT_EQ(sent(other), "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
}

}  // namespace
}  // namespace firstcome::net
