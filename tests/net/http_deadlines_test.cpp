#include "net/test_server.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace firstcome::net::testing {
namespace {

constexpr std::chrono::milliseconds soon{150};

HttpServerOptions only(std::chrono::milliseconds HttpServerOptions::* deadline) {
  HttpServerOptions options;
  options.header_deadline = options.body_deadline = options.idle_deadline = options.write_deadline = 60s;
  options.*deadline = soon;
  return options;
}

/// Sends a byte each few milliseconds, so that no wait between two of them is long, until the server ends it. False: it
/// had not by then.
bool is_ended_while_it_drips(RawClient& client) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) {
    client.send("a");
    if (!client.readable_within(5ms)) continue;
    return std::chrono::steady_clock::now() - begin >= soon / 2;
  }
  return false;
}

TEST(HttpDeadlines, EndAHeadThatDripsIn) {
  TestServer server{only(&HttpServerOptions::header_deadline)};
  RawClient client{server.port()};
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: x\r\nX: "));
  EXPECT_TRUE(is_ended_while_it_drips(client));
  const Reply reply = client.reply();
  EXPECT_EQ(reply.status, 408U);
  EXPECT_TRUE(reply.has("Connection: close\r\n"));
  EXPECT_TRUE(client.ended());
}

TEST(HttpDeadlines, EndTheHeadOfALaterRequestToo) {
  TestServer server{only(&HttpServerOptions::header_deadline)};
  RawClient client{server.port()};
  ASSERT_TRUE(client.send(get("/echo")));
  EXPECT_EQ(client.reply().status, 200U);
  EXPECT_FALSE(client.readable_within(2 * soon)) << "between two requests only the idle deadline counts";
  ASSERT_TRUE(client.send(get("/echo") + "GET /"));
  EXPECT_EQ(client.reply().status, 200U);
  EXPECT_EQ(client.reply().status, 408U);
  EXPECT_TRUE(client.ended());
}

TEST(HttpDeadlines, EndAConnectionThatNeverSentAnythingWithoutAWord) {
  TestServer server{only(&HttpServerOptions::header_deadline)};
  RawClient client{server.port()};
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(server.handler.refused, 0);
}

TEST(HttpDeadlines, EndABodyThatDripsIn) {
  TestServer server{only(&HttpServerOptions::body_deadline)};
  for (const std::string length : {"Content-Length: 5000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n1388\r\n"}) {
    RawClient client{server.port()};
    ASSERT_TRUE(client.send("POST /echo HTTP/1.1\r\nHost: x\r\n" + length));
    EXPECT_TRUE(is_ended_while_it_drips(client));
    EXPECT_EQ(client.reply().status, 408U);
    EXPECT_TRUE(client.ended());
  }
}

TEST(HttpDeadlines, EndAnIdleConnectionWithoutAWord) {
  TestServer server{only(&HttpServerOptions::idle_deadline)};
  RawClient client{server.port()};
  ASSERT_TRUE(client.send(get("/echo")));
  EXPECT_EQ(client.reply().status, 200U);
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(server.handler.refused, 0);
}

TEST(HttpDeadlines, DoNotEndARequestThatIsHandled) {
  HttpServerOptions options;
  options.header_deadline = options.body_deadline = options.idle_deadline = options.write_deadline = 50ms;
  TestServer server{options};
  RawClient client{server.port()};
  ASSERT_TRUE(client.send(get("/later")));
  EXPECT_FALSE(client.readable_within(200ms));
  server.on_thread([&] { server.handler.answer_later(); });
  EXPECT_EQ(client.reply().status, 200U);
}

TEST(HttpDeadlines, EndAClientThatDoesNotRead) {
  TestServer server{only(&HttpServerOptions::write_deadline)};
  RawClient client{server.port(), 4096};
  ASSERT_TRUE(client.send(get("/big?20000000")));
  EXPECT_TRUE(eventually([&] { return server.handler.handled == 1 && server.counters().connections == 0; }));
  EXPECT_EQ(client.reply().status, 0U) << "a part of an answer is not an answer";
}

}  // namespace
}  // namespace firstcome::net::testing
