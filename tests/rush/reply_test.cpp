#include "rush/reply.hpp"

#include "rush/told.hpp"

#include <gtest/gtest.h>

#include <string>

namespace firstcome::rush {
namespace {

constexpr Moment now = std::chrono::hours{24};
constexpr Moment a_year_on = now + std::chrono::hours{24 * 365};

std::optional<Milliseconds> expires_in(const std::string& ms) {
  net::ClientResponse response;
  response.status = 201;
  response.body = R"({"id":"r1","customer":"c","number":1,"quantity":1,"state":"held","expires_in_ms":)" + ms + "}";
  const Reply reply = read_reply(response);
  return reply.reservation ? reply.reservation->expires_in : std::nullopt;
}

TEST(Reply, TakesTimesThatCannotBeCountedForVeryLong) {
  for (const char* const seconds : {"10000000000", "9223372036854775807", "9223372036854775808"}) {
    ASSERT_TRUE(read_retry_after(seconds)) << seconds;
    EXPECT_GT(now + *read_retry_after(seconds), a_year_on) << seconds;
  }
  ASSERT_TRUE(expires_in("9223372036854775807"));
  EXPECT_GT(now + *expires_in("9223372036854775807"), a_year_on);
}

TEST(Reply, ReadsUsualTimesAsTheyAre) {
  EXPECT_EQ(read_retry_after("2"), Milliseconds{2'000});
  EXPECT_EQ(expires_in("1500"), Milliseconds{1'500});
  EXPECT_EQ(expires_in("-1"), Milliseconds{0}) << "it has ended";
  for (const char* const none : {"", "-1", "1.5", "soon", "1 "}) EXPECT_FALSE(read_retry_after(none)) << none;
}

}  // namespace
}  // namespace firstcome::rush
