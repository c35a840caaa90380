#include "net/http_server.hpp"

#include "net/bad_requests.hpp"
#include "net/test_server.hpp"

#include <gtest/gtest.h>

#include <system_error>

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
    EXPECT_TRUE(reply.has("HTTP/1.1 200 OK\r\nDate: "));
    EXPECT_TRUE(reply.has("X-Answer: yes\r\n"));
    EXPECT_TRUE(reply.has("Content-Type: text/plain\r\n"));
    EXPECT_FALSE(reply.has("Connection:"));
    EXPECT_FALSE(reply.has("Server:"));
  }
  EXPECT_EQ(server.counters().requests, 3U);
}

TEST(HttpServer, AnswersPipelinedRequestsInTheirOrder) {
  TestServer server;
  RawClient client{server.port()};
  constexpr int requests = 500;
  std::string all;
  for (int i = 0; i < requests; ++i)
    all += i % 2 == 0 ? get("/echo?" + std::to_string(i)) : post("/echo?" + std::to_string(i), std::string(100, 'b'));
  ASSERT_TRUE(client.send(all));
  for (int i = 0; i < requests; ++i) {
    const Reply reply = client.reply();
    ASSERT_EQ(reply.status, 200U) << i;
    ASSERT_NE(reply.body.find("/echo|" + std::to_string(i) + "|"), std::string::npos) << reply.body;
  }
}

TEST(HttpServer, AnswersARequestThatComesByteByByte) {
  TestServer server;
  RawClient client{server.port()};
  for (const char byte : post("/echo", "hello") + get("/echo?2")) ASSERT_TRUE(client.send({&byte, 1}));
  EXPECT_EQ(client.reply().body,
            "2|/echo|||"
            "|0||hello");
  EXPECT_EQ(client.reply().body,
            "0|/echo|2||"
            "|0||");
}

TEST(HttpServer, TakesALargeBodyInPieces) {
  HttpServerOptions options;
  TestServer server{options};
  RawClient client{server.port()};
  const std::string body(options.body_bytes, 'b');
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.send(post("/echo", body)));
    EXPECT_EQ(client.reply().body, "2|/echo||||0||" + body);
  }
  std::string chunked = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t i = 0; i < body.size() / 8; ++i) chunked += "8\r\nbbbbbbbb\r\n";
  ASSERT_TRUE(client.send(chunked + "0\r\n\r\n" + get("/echo")));
  EXPECT_EQ(client.reply().body, "2|/echo||||0||" + body);
  EXPECT_EQ(client.reply().status, 200U);
}

TEST(HttpServer, SendsAHeadWithoutABody) {
  TestServer server;
  RawClient client{server.port()};
  ASSERT_TRUE(client.send("HEAD /echo HTTP/1.1\r\nHost: x\r\n\r\n" + get("/none")));
  const Reply head = client.reply("HEAD");
  EXPECT_EQ(head.status, 200U);
  EXPECT_TRUE(head.has("Content-Length: 14\r\n"));
  EXPECT_EQ(client.reply().status, 404U);
}

TEST(HttpServer, ClosesWhereTheClientWantsItTo) {
  TestServer server;
  RawClient client{server.port()};
  ASSERT_TRUE(client.send(get("/echo", "Connection: close\r\n")));
  EXPECT_TRUE(client.reply().has("Connection: close\r\n"));
  EXPECT_TRUE(client.ended());
}

TEST(HttpServer, IgnoresWhatFollowsTheLastRequest) {
  TestServer server;
  RawClient client{server.port()};
  ASSERT_TRUE(client.send(get("/echo", "Connection: close\r\n") + get("/echo")));
  EXPECT_EQ(client.reply().status, 200U);
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(server.handler.handled, 1);
}

TEST(HttpServer, ClosesAfterHttp10UnlessAskedToStay) {
  TestServer server;
  RawClient client{server.port()};
  ASSERT_TRUE(client.send("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  EXPECT_TRUE(client.reply().has("Connection: keep-alive\r\n"));
  ASSERT_TRUE(client.send("GET /echo HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(client.reply().has("Connection: close\r\n"));
  EXPECT_TRUE(client.ended());
}

TEST(HttpServer, TellsAClientThatWaitsToContinue) {
  TestServer server;
  RawClient client{server.port()};
  ASSERT_TRUE(client.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
  EXPECT_EQ(client.reply().status, 100U);
  EXPECT_EQ(server.handler.handled, 0);
  ASSERT_TRUE(client.send("he"));
  ASSERT_TRUE(client.send("llo"));
  EXPECT_EQ(client.reply().body, "2|/echo||||0||hello");
}

TEST(HttpServer, AnswersAClientThatHasFinishedSending) {
  TestServer server;
  RawClient client{server.port()};
  ASSERT_TRUE(client.send(get("/later") + get("/echo")));
  client.send_no_more();
  ASSERT_TRUE(eventually([&] { return server.handler.handled == 1; }));
  server.on_thread([&] { server.handler.answer_later(); });
  EXPECT_EQ(client.reply().status, 200U);
  EXPECT_EQ(client.reply().status, 200U);
  EXPECT_TRUE(client.ended());
}

TEST(HttpServer, ForgetsARequestWhoseEndNeverComes) {
  TestServer server;
  RawClient client{server.port()};
  ASSERT_TRUE(client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel"));
  client.send_no_more();
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(server.handler.handled, 0);
  EXPECT_TRUE(eventually([&] { return server.counters().connections == 0; }));
}

TEST(HttpServer, KeepsAnExchangeUntilItIsAnsweredThoughItsClientWentAway) {
  TestServer server;
  for (int i = 0; i < 20; ++i) {
    RawClient client{server.port()};
    ASSERT_TRUE(client.send(get("/later")));
    ASSERT_TRUE(eventually([&] { return server.handler.handled == i + 1; }));
    i % 2 == 0 ? client.abort() : client.close();
  }
  RawClient other{server.port()};  // takes no slot that is still in use
  ASSERT_TRUE(other.send(get("/echo")));
  EXPECT_EQ(other.reply().status, 200U);
  EXPECT_EQ(server.counters().connections, 21U);
  server.on_thread([&] { server.handler.answer_later(); });
  EXPECT_TRUE(eventually([&] { return server.counters().connections == 1; }));
}

TEST(HttpServer, SurvivesClientsThatGoAwayAtAnyPoint) {
  TestServer server;
  const std::string request = post("/echo", "hello");
  for (std::size_t length = 0; length <= request.size(); ++length) {
    RawClient client{server.port()};
    ASSERT_TRUE(client.send(std::string_view{request}.substr(0, length)));
    length % 2 == 0 ? client.abort() : client.close();
  }
  RawClient client{server.port()};
  ASSERT_TRUE(client.send(request));
  EXPECT_EQ(client.reply().status, 200U);
  EXPECT_TRUE(eventually([&] { return server.counters().connections == 1; }));
}

TEST(HttpServer, SendsALargeAnswerToASlowReader) {
  TestServer server;
  RawClient slow{server.port(), 4096};
  constexpr std::size_t size = 8'000'000;
  ASSERT_TRUE(slow.send(get("/big?" + std::to_string(size)) + get("/echo?after")));
  ASSERT_TRUE(slow.readable_within(patience));
  RawClient other{server.port()};  // meanwhile others are answered
  ASSERT_TRUE(other.send(get("/echo")));
  EXPECT_EQ(other.reply().status, 200U);
  EXPECT_EQ(server.handler.handled, 2) << "the slow one's second request waits for its first answer";
  const Reply reply = slow.reply();
  EXPECT_EQ(reply.body.size(), size);
  EXPECT_EQ(slow.reply().body,
            "0|/echo|after||"
            "|0||");
}

TEST(HttpServer, MakesOneTurnForAllThatIsReady) {
  TestServer server;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 64; ++i) clients.push_back(std::make_unique<RawClient>(server.port()));
  ASSERT_TRUE(eventually([&] { return server.counters().connections == 64; }));
  int turns = 0;
  server.on_thread([&] {  // the round that begins now reads what all of them send
    turns = server.handler.turns;
    for (auto& client : clients) ASSERT_TRUE(client->send(get("/echo")));
  });
  for (auto& client : clients) EXPECT_EQ(client->reply().status, 200U);
  EXPECT_LE(server.handler.turns - turns, 10);
}

TEST(HttpServer, NeverLetsAFieldEndItsLine) {
  class Splitter final : public HttpHandler {
    void handle(Exchange& exchange) noexcept override {
      const HttpField fields[] = {{"Location", "/a\r\nSet-Cookie: b\n\x01"}};
      exchange.respond(201, "text/plain\r\nX: y", "", fields);
    }
    void refuse(BadRequest, Exchange& exchange) noexcept override { exchange.respond(400, "", ""); }
  };
  TestHandler driven;
  Splitter handler;
  HttpServer server{{}, handler, driven};
  std::thread thread{[&] { server.run(); }};
  RawClient client{server.port()};
  EXPECT_TRUE(client.send(get("/")));
  const Reply reply = client.reply();
  EXPECT_TRUE(reply.has("Location: /a  Set-Cookie: b  \r\n"));
  EXPECT_TRUE(reply.has("Content-Type: text/plain  X: y\r\n"));
  server.stop();
  thread.join();
}

TEST(HttpServer, TellsWhyItCannotListen) {
  TestServer first;
  TestHandler handler;
  HttpServerOptions options;
  options.port = first.port();
  EXPECT_THROW(HttpServer(options, handler, handler), std::system_error);
  options.host = "no such host";
  EXPECT_THROW(HttpServer(options, handler, handler), std::system_error);
}

HttpServerOptions small_limits() {
  HttpServerOptions options;
  options.header_bytes = bad_request_limits.header_bytes;
  options.target_bytes = bad_request_limits.target_bytes;
  options.body_bytes = bad_request_limits.body_bytes;
  return options;
}

TEST(HttpServer, RefusesBadRequestsAndWhateverFollowsThem) {
  TestServer server{small_limits()};
  static constexpr unsigned status[] = {400, 408, 413, 414, 431, 501, 503};
  int cases = 0;
  for (const BadRequestCase& bad : bad_requests()) {
    SCOPED_TRACE(shown(bad.bytes));
    RawClient client{server.port()};
    client.send(bad.bytes + get("/smuggled"));
    const Reply reply = client.reply();
    EXPECT_EQ(reply.status, status[static_cast<std::size_t>(bad.why)]);
    EXPECT_TRUE(reply.has("Connection: close\r\n"));
    EXPECT_TRUE(client.ended());
    EXPECT_EQ(server.handler.handled, 0);
    EXPECT_EQ(server.handler.refused, ++cases);
  }
}

TEST(HttpServer, RefusesABodyThatIsTooLargeBeforeItIsRead) {
  TestServer server{small_limits()};
  RawClient client{server.port()};
  ASSERT_TRUE(client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n"));
  const Reply reply = client.reply();  // no byte of the body was sent
  EXPECT_EQ(reply.status, 413U);
  EXPECT_TRUE(client.ended());
}

TEST(HttpServer, IsReadByAClientThatWasRefusedWhileItSent) {
  TestServer server{small_limits()};
  for (const std::string length : {"Content-Length: 3000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n2dc6c0\r\n"}) {
    RawClient client{server.port()};
    ASSERT_TRUE(client.send("POST /echo HTTP/1.1\r\nHost: x\r\n" + length));
    EXPECT_TRUE(client.send(std::string(3'000'000, 'b'))) << "the server reads on, and forgets what it reads";
    EXPECT_EQ(client.reply().status, 413U);
    EXPECT_TRUE(client.ended());
  }
  EXPECT_EQ(server.handler.handled, 0);
}

}  // namespace
}  // namespace firstcome::net::testing
