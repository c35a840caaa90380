#include "net/http_client.hpp"

#include "support/http_peer.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <utility>

namespace firstcome::net {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;
using firstcome::testing::HttpPeer;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Kind = ClientFailure::Kind;

/// Serves one connection after the other by what the test says.
class ScriptedServer {
 public:
  using Script = std::function<void(HttpPeer&, int connection)>;

  explicit ScriptedServer(Script script)
      : acceptor_(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)), script_(std::move(script)) {
    thread_ = std::thread([this] { serve(); });
  }
  ~ScriptedServer() {
    stopping_ = true;
    boost::system::error_code ignored;
    tcp::socket last(io_);
    last.connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }

  HttpOrigin origin() const { return {"127.0.0.1", acceptor_.local_endpoint().port()}; }

 private:
  void serve() {
    for (int connection = 1;; ++connection) {
      tcp::socket socket = acceptor_.accept();
      if (stopping_) return;
      HttpPeer peer(std::move(socket));
      script_(peer, connection);
    }
  }

  asio::io_context io_;
  tcp::acceptor acceptor_;
  Script script_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

/// Answers every request with its connection's number.
void answer_numbers(HttpPeer& peer, int connection) {
  while (!peer.read().empty()) peer.answer(std::to_string(connection));
}

Task<void> ask_into(HttpClient& client, const ClientRequest& request, std::chrono::milliseconds timeout,
                    ClientResult& result) {
  result = co_await client.request(request, steady_clock::now() + timeout);
}

/// A client on an io_context that runs only while it is asked something.
class Asker {
 public:
  explicit Asker(HttpOrigin origin) : client(io_.get_executor(), std::move(origin)) {}

  ClientResult ask(ClientRequest request = {}, std::chrono::milliseconds timeout = 10s) {
    ClientResult result;
    bool done = false;
    io_.restart();
    asio::co_spawn(io_.get_executor(), ask_into(client, request, timeout, result), [&done](std::exception_ptr failed) {
      if (failed) std::rethrow_exception(failed);
      done = true;
    });
    while (!done) io_.run_one();
    return result;
  }

 private:
  asio::io_context io_{1};

 public:
  HttpClient client;
};

TEST(HttpClient, SendsTheRequestAndReadsTheAnswer) {
  std::string seen;
  ScriptedServer server([&seen](HttpPeer& peer, int) {
    seen = peer.read();
    peer.write("HTTP/1.1 201 Created\r\nLocation: /things/1\r\nX-Two: b\r\ncontent-length: 5\r\n\r\nhello");
    peer.read();
  });
  Asker asker(server.origin());
  ClientRequest request;
  request.method = Method::post;
  request.target = "/things?a=b";
  request.body = "{}";
  request.fields = {{"Idempotency-Key", "\"k1\""}};
  const ClientResult result = asker.ask(request);
  ASSERT_TRUE(result) << result.error().detail;
  EXPECT_EQ(result->status, 201U);
  EXPECT_EQ(result->body, "hello");
  EXPECT_EQ(result->field("LOCATION"), "/things/1");
  EXPECT_EQ(result->field("x-two"), "b");
  EXPECT_EQ(result->field("x-none"), "");
  const std::string host = "Host: 127.0.0.1:" + std::to_string(server.origin().port) + "\r\n";
  EXPECT_THAT(seen, StartsWith("POST /things?a=b HTTP/1.1\r\n" + host));
  EXPECT_THAT(seen, HasSubstr("\r\nIdempotency-Key: \"k1\"\r\n"));
  EXPECT_THAT(seen, HasSubstr("\r\nContent-Length: 2\r\n\r\n{}"));
}

TEST(HttpClient, KeepsItsConnection) {
  ScriptedServer server(answer_numbers);
  Asker asker(server.origin());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(asker.ask()->body, "1");
}

TEST(HttpClient, ConnectsAgainAfterTheServerClosedBetweenTwoRequests) {
  ScriptedServer server([](HttpPeer& peer, int connection) {
    if (connection != 1) return answer_numbers(peer, connection);
    peer.read();
    peer.answer("1");
  });
  Asker first(server.origin());
  EXPECT_EQ(first.ask()->body, "1");
  Asker second(server.origin());
  EXPECT_EQ(second.ask()->body, "2");  // served only after the first connection was closed
  second.client.close();
  EXPECT_EQ(first.ask()->body, "3");
}

TEST(HttpClient, ConnectsAgainWhereTheServerSaidThatItCloses) {
  ScriptedServer server([](HttpPeer& peer, int connection) {
    peer.read();
    peer.write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n" + std::to_string(connection));
  });
  Asker asker(server.origin());
  EXPECT_EQ(asker.ask()->body, "1");
  EXPECT_EQ(asker.ask()->body, "2");
}

TEST(HttpClient, DoesNotTakeBytesThatNobodyAskedForAsAnAnswer) {
  ScriptedServer server([](HttpPeer& peer, int connection) {
    peer.read();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + std::to_string(connection) +
               "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong");
    peer.read();
  });
  Asker asker(server.origin());
  EXPECT_EQ(asker.ask()->body, "1");
  EXPECT_EQ(asker.ask()->body, "2");
}

TEST(HttpClient, IsBrokenWhenTheServerClosesInsteadOfAnswering) {
  ScriptedServer server([](HttpPeer& peer, int connection) {
    if (connection == 1) {
      peer.read();
      peer.answer("1");
      peer.read();
    } else {
      answer_numbers(peer, connection);
    }
  });
  Asker asker(server.origin());
  EXPECT_EQ(asker.ask()->body, "1");
  const ClientResult result = asker.ask();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::broken) << result.error().detail;
  EXPECT_EQ(asker.ask()->body, "2");
}

TEST(HttpClient, IsBrokenWhenTheAnswerIsCutShort) {
  ScriptedServer server([](HttpPeer& peer, int) {
    peer.read();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  });
  const ClientResult result = Asker(server.origin()).ask();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::broken);
}

TEST(HttpClient, IsBrokenWhenTheAnswerIsNotHttp) {
  for (const char* answer :
       {"SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/9.9 x\r\n\r\n"}) {
    ScriptedServer server([answer](HttpPeer& peer, int) {
      peer.read();
      peer.write(answer);
      peer.read();
    });
    const ClientResult result = Asker(server.origin()).ask();
    ASSERT_FALSE(result) << answer;
    EXPECT_EQ(result.error().kind, Kind::broken) << answer;
  }
}

TEST(HttpClient, IsBrokenWhenTheHeadHasNoEnd) {
  ScriptedServer server([](HttpPeer& peer, int) {
    peer.read();
    peer.write("HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x'));
    peer.read();
  });
  const ClientResult result = Asker(server.origin()).ask();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::broken);
}

TEST(HttpClient, SaysThatItCouldNotConnect) {
  HttpOrigin nobody;
  {
    asio::io_context io;
    const tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    nobody = {"127.0.0.1", acceptor.local_endpoint().port()};
  }
  Asker asker(nobody);
  const ClientResult result = asker.ask();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::connect);
  EXPECT_THAT(result.error().detail, HasSubstr(std::to_string(nobody.port)));
}

TEST(HttpClient, TimesOutWhileTheServerIsSilentAndConnectsAgain) {
  ScriptedServer server([](HttpPeer& peer, int connection) {
    if (connection > 1) return answer_numbers(peer, connection);
    peer.read();
    EXPECT_EQ(peer.read(), "");  // until the client gives up
  });
  Asker asker(server.origin());
  const auto start = steady_clock::now();
  const ClientResult result = asker.ask({}, 50ms);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::timed_out);
  EXPECT_GE(steady_clock::now() - start, 50ms);
  EXPECT_EQ(asker.ask()->body, "2");
}

TEST(HttpClient, TimesOutInTheMiddleOfAnAnswerAfterEarlierRequestsWithLaterDeadlines) {
  ScriptedServer server([](HttpPeer& peer, int) {
    peer.read();
    peer.answer("1");
    peer.read();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    peer.read();
  });
  Asker asker(server.origin());
  EXPECT_TRUE(asker.ask({}, 1h));
  const ClientResult result = asker.ask({}, 50ms);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::timed_out);
}

TEST(HttpClient, AnEarlierDeadlineDoesNotCutALaterRequest) {
  std::promise<void> release;
  ScriptedServer server([&release](HttpPeer& peer, int) {
    peer.read();
    peer.answer("1");
    peer.read();
    release.get_future().wait();
    peer.answer("2");
    peer.read();
  });
  Asker asker(server.origin());
  const auto first_deadline = steady_clock::now() + 100ms;
  EXPECT_EQ(asker.ask({}, 100ms)->body, "1");
  std::thread releaser([&] {
    // allowed: that the first deadline passes is what is tested
    std::this_thread::sleep_until(first_deadline + 50ms);
    release.set_value();
  });
  const ClientResult result = asker.ask({}, 1h);
  releaser.join();
  ASSERT_TRUE(result) << result.error().detail;
  EXPECT_EQ(result->body, "2");
}

TEST(HttpClient, ReadsAnswersOfEveryFraming) {
  struct Case {
    const char* answer;
    Method method;
    unsigned status;
    const char* body;
  };
  const Case cases[] = {
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", Method::get, 200,
       "abcde"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Method::get, 200, ""},
      {"HTTP/1.1 200 OK\r\n\r\nuntil the end", Method::get, 200, "until the end"},
      {"HTTP/1.1 204 No Content\r\n\r\n", Method::del, 204, ""},
      {"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", Method::head, 200, ""},
      {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", Method::get, 200,
       "x"},
      {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", Method::get, 200, "x"},
  };
  for (const Case& one : cases) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}}) {
      ScriptedServer server([&](HttpPeer& peer, int) {
        peer.read();
        for (std::string_view rest = one.answer; !rest.empty(); rest.remove_prefix(std::min(piece, rest.size()))) {
          peer.write(rest.substr(0, piece));
        }
      });
      ClientRequest request;
      request.method = one.method;
      const ClientResult result = Asker(server.origin()).ask(request);
      ASSERT_TRUE(result) << one.answer << result.error().detail;
      EXPECT_EQ(result->status, one.status) << one.answer;
      EXPECT_EQ(result->body, one.body) << one.answer;
    }
  }
}

TEST(HttpClient, CarriesLargeBodiesBothWays) {
  ScriptedServer server([](HttpPeer& peer, int) {
    const std::string request = peer.read();
    peer.answer(request.substr(request.find("\r\n\r\n") + 4));
    peer.read();
  });
  ClientRequest request;
  request.method = Method::put;
  request.body.assign(20'000'000, 'x');
  const ClientResult result = Asker(server.origin()).ask(request, 60s);
  ASSERT_TRUE(result) << result.error().detail;
  EXPECT_TRUE(result->body == request.body);
}

TEST(HttpClient, FindsAServerByName) {
  ScriptedServer server(answer_numbers);
  Asker asker({"localhost", server.origin().port});
  const ClientResult result = asker.ask();
  ASSERT_TRUE(result) << result.error().detail;
  EXPECT_EQ(result->body, "1");
}

TEST(Fetch, AnswersOrSaysWhyNot) {
  HttpOrigin origin;
  {
    ScriptedServer server(answer_numbers);
    origin = server.origin();
    EXPECT_EQ(fetch(origin, ClientRequest{}, 10s)->body, "1");
  }
  EXPECT_EQ(fetch(origin, ClientRequest{}, 10s).error().kind, Kind::connect);
}

TEST(ParseOrigin, TakesHostAndPort) {
  EXPECT_EQ(parse_origin("http://127.0.0.1:8080"), (HttpOrigin{"127.0.0.1", 8080}));
  EXPECT_EQ(parse_origin("http://shop.example/"), (HttpOrigin{"shop.example", 80}));
  EXPECT_EQ(parse_origin("http://[::1]:9"), (HttpOrigin{"::1", 9}));
}

TEST(ParseOrigin, RefusesWhatItCannotUse) {
  for (const char* text : {"", "127.0.0.1:8080", "ftp://a", "http://", "http://:80", "http://a:0", "http://a:65536",
                           "http://a/path?x", "http://a?x", "http://a#x", "http://u@a", "http://a b"}) {
    const auto origin = parse_origin(text);
    ASSERT_FALSE(origin) << text;
    EXPECT_THAT(origin.error(), HasSubstr(text));
  }
}

}  // namespace
}  // namespace firstcome::net
