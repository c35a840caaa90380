#include "net/test_server.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace firstcome::net::testing {
namespace {

using Clock = std::chrono::steady_clock;

TEST(HttpDrain, EndsAtOnceWhenNothingIsUnderWay) {
  TestServer server;
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int i = 0; i < 10; ++i) {
    idle.push_back(std::make_unique<RawClient>(server.port()));
    ASSERT_TRUE(idle.back()->send(get("/echo")));
    ASSERT_EQ(idle.back()->reply().status, 200U);
  }
  const auto begin = Clock::now();
  server.stop();
  EXPECT_LT(Clock::now() - begin, 2s);
  for (auto& client : idle) EXPECT_TRUE(client->ended());
}

TEST(HttpDrain, AnswersWhatIsUnderWayAndThenCloses) {
  TestServer server;
  RawClient client{server.port()};
  ASSERT_TRUE(client.send(get("/later")));
  ASSERT_TRUE(eventually([&] { return server.handler.handled == 1; }));
  server.server.stop();
  ASSERT_TRUE(eventually([&] { return !RawClient{server.port()}.connected(); })) << "accepts no more";
  const int turns = server.handler.turns;
  server.server.wake();
  EXPECT_TRUE(eventually([&] { return server.handler.turns > turns; })) << "still makes turns";
  server.on_thread([&] { server.handler.answer_later(); });
  const Reply reply = client.reply();
  EXPECT_EQ(reply.status, 200U);
  EXPECT_TRUE(reply.has("Connection: close\r\n"));
  EXPECT_TRUE(client.ended());
  server.stop();
}

TEST(HttpDrain, AnswersRequestsThatHadArrived) {
  TestServer server;
  RawClient client{server.port()};
  RawClient other{server.port()};
  ASSERT_TRUE(client.send(get("/echo")));
  ASSERT_EQ(client.reply().status, 200U);
  ASSERT_TRUE(other.send(get("/echo")));
  ASSERT_EQ(other.reply().status, 200U);
  server.on_thread([&] {  // while the server's thread is busy, both come
    ASSERT_TRUE(client.send(get("/echo?last")));
    server.server.stop();
    ASSERT_TRUE(other.send(get("/echo?last")));
  });
  for (RawClient* each : {&client, &other}) {
    const Reply reply = each->reply();
    EXPECT_EQ(reply.status, 200U);
    EXPECT_TRUE(each->ended());
  }
}

TEST(HttpDrain, LetsARequestComeToItsEnd) {
  TestServer server;
  RawClient client{server.port()};
  const std::string request = post("/echo", "hello");
  ASSERT_TRUE(client.send(request.substr(0, 30)));
  ASSERT_TRUE(eventually([&] { return server.counters().connections == 1; }));
  server.server.stop();
  ASSERT_TRUE(eventually([&] { return !RawClient{server.port()}.connected(); }));
  ASSERT_TRUE(client.send(request.substr(30)));
  const Reply reply = client.reply();
  EXPECT_EQ(reply.body, "2|/echo||||0||hello");
  EXPECT_TRUE(reply.has("Connection: close\r\n"));
  EXPECT_TRUE(client.ended());
}

TEST(HttpDrain, WaitsNoLongerThanItsDeadline) {
  HttpServerOptions options;
  options.drain_deadline = 100ms;
  TestServer server{options};
  RawClient never_answered{server.port()};
  RawClient never_sent{server.port()};
  ASSERT_TRUE(never_answered.send(get("/later")));
  ASSERT_TRUE(never_sent.send("GET /"));
  ASSERT_TRUE(eventually([&] { return server.handler.handled == 1 && server.counters().connections == 2; }));
  const auto begin = Clock::now();
  server.stop();
  EXPECT_GE(Clock::now() - begin, 90ms);
  EXPECT_LT(Clock::now() - begin, 3s);
  const Reply reply = never_answered.reply();
  EXPECT_EQ(reply.status, 503U);
  EXPECT_EQ(reply.body, "given up: /later");
  EXPECT_TRUE(reply.has("Retry-After: 1\r\n"));
  EXPECT_TRUE(reply.has("Connection: close\r\n"));
  EXPECT_TRUE(never_answered.ended());
  EXPECT_EQ(never_sent.reply().status, 0U);
  EXPECT_LE(server.server.drain_end(), Clock::now());
  server.handler.answer_later();  // too late, and dropped
}

TEST(HttpDrain, SendsTheRestOfALargeAnswer) {
  TestServer server;
  RawClient slow{server.port(), 4096};
  constexpr std::size_t size = 8'000'000;
  ASSERT_TRUE(slow.send(get("/big?" + std::to_string(size))));
  ASSERT_TRUE(slow.readable_within(patience));
  server.server.stop();
  EXPECT_EQ(slow.reply().body.size(), size);
  EXPECT_TRUE(slow.ended());
}

TEST(HttpDrain, StopsBeforeItRan) {
  TestHandler handler;
  HttpServer server{{}, handler, handler};
  server.stop();
  server.run();
  EXPECT_EQ(handler.turns, 1);
}

}  // namespace
}  // namespace firstcome::net::testing
