#include "net/http_server.hpp"

#include "net/test_server.hpp"

#include <gtest/gtest.h>

namespace firstcome::net::testing {
namespace {

TEST(HttpServer, AnswersAndKeepsTheConnection) {
  TestServer server;
  RawClient client{server.port()};
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.send(post("/echo?a=1&b", "{}", "Content-Type: application/json\r\nIdempotency-Key: \"k\"\r\n")));
    const Reply reply = client.reply();
    EXPECT_EQ(reply.status, 200U);
    EXPECT_EQ(reply.body, "2|/echo|a=1&b|application/json|\"k\"|1||{}");
    EXPECT_TRUE(reply.has("X-Answer: yes\r\n"));
    EXPECT_TRUE(reply.has("Date: "));
    EXPECT_TRUE(reply.has("Content-Type: text/plain\r\n"));
    EXPECT_FALSE(reply.has("Connection:"));
    EXPECT_FALSE(reply.has("Server:"));
  }
}

}  // namespace
}  // namespace firstcome::net::testing
