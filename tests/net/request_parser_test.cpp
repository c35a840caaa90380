#include "net/request_parser.hpp"

#include "net/bad_requests.hpp"
#include "support/rounds.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace firstcome::net::testing {
namespace {

using Progress = RequestParser::Progress;

/// Feeds a parser as a connection does: into a buffer of exactly the size that it promises to suffice.
class Feeder {
 public:
  explicit Feeder(RequestLimits limits = bad_request_limits)
      : limits_(limits), parser_(limits_), data_(std::make_unique<char[]>(limits_.buffer_bytes())) {}

  Progress feed(std::string_view piece) {
    Progress progress = Progress::need_more;
    while (progress == Progress::need_more && !piece.empty()) {
      if (size_ == limits_.buffer_bytes()) size_ = parser_.compact(data_.get(), size_);
      const std::size_t taken = std::min(piece.size(), limits_.buffer_bytes() - size_);
      EXPECT_GT(taken, 0U) << "the buffer does not suffice";
      if (taken == 0) return Progress::refused;
      std::copy_n(piece.begin(), taken, data_.get() + size_);
      size_ += taken;
      piece.remove_prefix(taken);
      progress = parser_.parse(data_.get(), size_);
    }
    unread_ = piece.size();
    return progress;
  }

  Progress feed_in_pieces(std::string_view bytes, std::size_t piece) {
    Progress progress = Progress::need_more;
    std::size_t fed = 0;
    while (progress == Progress::need_more && fed < bytes.size()) {
      const std::string_view next = bytes.substr(fed, piece);
      progress = feed(next);
      fed += next.size();
    }
    unread_ += bytes.size() - fed;
    return progress;
  }

  const RequestParser& parser() const { return parser_; }
  HttpRequest request() const { return parser_.request(data_.get()); }
  /// Bytes that were given but are not of the request.
  std::size_t left_over() const { return unread_ + size_ - parser_.consumed(); }

 private:
  RequestLimits limits_;
  RequestParser parser_;
  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
  std::size_t unread_ = 0;
};

TEST(RequestParser, KeepsWhatTheRoutesNeed) {
  Feeder feeder;
  ASSERT_EQ(feeder.feed("POST /v1/sales/a%20b/reservations?x=1&y HTTP/1.1\r\nHost: example\r\nUser-Agent: u\r\n"
                        "Content-Type:  application/json \r\nidempotency-KEY: \"k 1\"\r\nAuthorization: Bearer t\r\n"
                        "Content-Length: 2\r\n\r\n{}GET"),
            Progress::complete);
  const HttpRequest request = feeder.request();
  EXPECT_EQ(request.method, Method::post);
  EXPECT_EQ(request.target, "/v1/sales/a%20b/reservations?x=1&y");
  EXPECT_EQ(request.path, "/v1/sales/a%20b/reservations");
  EXPECT_EQ(request.query, "x=1&y");
  EXPECT_EQ(request.content_type, "application/json");
  EXPECT_EQ(request.idempotency_key, "\"k 1\"");
  EXPECT_EQ(request.idempotency_keys, 1U);
  EXPECT_EQ(request.authorization, "Bearer t");
  EXPECT_EQ(request.body, "{}");
  EXPECT_TRUE(feeder.parser().keep_alive());
  EXPECT_EQ(feeder.left_over(), 3U);
}

TEST(RequestParser, CountsIdempotencyKeys) {
  Feeder feeder;
  ASSERT_EQ(feeder.feed("GET / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n"),
            Progress::complete);
  EXPECT_EQ(feeder.request().idempotency_keys, 2U);
}

TEST(RequestParser, KnowsTheMethods) {
  const std::vector<std::pair<std::string, Method>> methods{
      {"GET", Method::get},       {"HEAD", Method::head},  {"POST", Method::post},       {"PUT", Method::put},
      {"PATCH", Method::patch},   {"DELETE", Method::del}, {"OPTIONS", Method::options}, {"TRACE", Method::other},
      {"CONNECT", Method::other}, {"BREW", Method::other}, {"get", Method::other},
  };
  for (const auto& [name, method] : methods) {
    Feeder feeder;
    ASSERT_EQ(feeder.feed(name + " /a HTTP/1.1\r\nHost: x\r\n\r\n"), Progress::complete) << name;
    EXPECT_EQ(feeder.request().method, method) << name;
  }
}

TEST(RequestParser, TakesEveryFormOfTarget) {
  struct Form {
    std::string method, target, path, query;
  };
  for (const Form& form : std::vector<Form>{{"GET", "/", "/", ""},
                                            {"GET", "/a?", "/a", ""},
                                            {"GET", "/a?b?c", "/a", "b?c"},
                                            {"GET", "/?a", "/", "a"},
                                            {"GET", "//a", "//a", ""},
                                            {"GET", "http://x/a?b", "/a", "b"},
                                            {"GET", "HTTPS://x:1/a", "/a", ""},
                                            {"GET", "http://x", "/", ""},
                                            {"GET", "http://x?b", "/", "b"},
                                            {"OPTIONS", "*", "*", ""},
                                            {"CONNECT", "x:443", "x:443", ""}}) {
    Feeder feeder;
    ASSERT_EQ(feeder.feed(form.method + " " + form.target + " HTTP/1.1\r\nHost: x\r\n\r\n"), Progress::complete)
        << form.target;
    EXPECT_EQ(feeder.request().target, form.target);
    EXPECT_EQ(feeder.request().path, form.path) << form.target;
    EXPECT_EQ(feeder.request().query, form.query) << form.target;
  }
}

TEST(RequestParser, KeepsAliveAsTheVersionsSay) {
  const auto keeps_alive = [](const std::string& version, const std::string& connection) {
    Feeder feeder;
    EXPECT_EQ(feeder.feed("GET / HTTP/" + version + "\r\nHost: x\r\n" + connection + "\r\n"), Progress::complete);
    return feeder.parser().keep_alive();
  };
  EXPECT_TRUE(keeps_alive("1.1", ""));
  EXPECT_TRUE(keeps_alive("1.1", "Connection: keep-alive\r\n"));
  EXPECT_FALSE(keeps_alive("1.1", "Connection: close\r\n"));
  EXPECT_FALSE(keeps_alive("1.1", "Connection: x, CLOSE\r\n"));
  EXPECT_FALSE(keeps_alive("1.0", ""));
  EXPECT_TRUE(keeps_alive("1.0", "Connection: Keep-Alive\r\n"));
}

TEST(RequestParser, PutsTheChunksOfABodyTogether) {
  const std::string bytes =
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "5\r\nhello\r\n1;a;b=c;d=\"e f\"\r\n \r\n0005\r\nworld\r\nA\r\n0\r\n\r\n0\r\n\r\n\r\n"
      "0;last\r\nIdempotency-Key: forged\r\nHost: y\r\n\r\n";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    Feeder feeder;
    ASSERT_EQ(feeder.feed_in_pieces(bytes + "GET", piece), Progress::complete) << piece;
    EXPECT_EQ(feeder.request().body, "hello world0\r\n\r\n0\r\n\r\n") << piece;
    EXPECT_EQ(feeder.request().idempotency_keys, 0U);
    EXPECT_EQ(feeder.left_over(), 3U);
  }
}

TEST(RequestParser, TakesAnEmptyChunkedBody) {
  const std::string bytes = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    Feeder feeder;
    ASSERT_EQ(feeder.feed_in_pieces(bytes + "GET", piece), Progress::complete) << piece;
    EXPECT_EQ(feeder.request().body, "");
    EXPECT_EQ(feeder.left_over(), 3U);
  }
}

TEST(RequestParser, TakesAllThatTheLimitsAllow) {
  const RequestLimits limits = bad_request_limits;
  std::string head = "POST /" + std::string(limits.target_bytes - 1, 'a') +
                     " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(limits.body_bytes) + "\r\nX: ";
  head += std::string(limits.header_bytes - head.size() - 4, 'b') + "\r\n\r\n";
  ASSERT_EQ(head.size(), limits.header_bytes);
  const std::string body(limits.body_bytes, 'c');
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{1000}, std::size_t{10'000}}) {
    Feeder feeder;
    ASSERT_EQ(feeder.feed_in_pieces(head + body, piece), Progress::complete) << piece;
    EXPECT_EQ(feeder.request().body, body);
  }
}

TEST(RequestParser, TakesALargeBodyInSmallChunksInABufferOfItsOwnSize) {
  std::string bytes = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string body;
  for (std::size_t i = 0; i < bad_request_limits.body_bytes; ++i) {
    body += static_cast<char>('a' + i % 26);
    bytes += "1;x=" + std::string(100, 'y') + "\r\n" + body.back() + "\r\n";
  }
  bytes += "0\r\n\r\n";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{100}, std::size_t{5000}, bytes.size()}) {
    Feeder feeder;
    ASSERT_EQ(feeder.feed_in_pieces(bytes, piece), Progress::complete) << piece;
    EXPECT_EQ(feeder.request().body, body);
  }
}

TEST(RequestParser, SkipsOneEmptyLineBeforeARequest) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{100}}) {
    Feeder feeder;
    ASSERT_EQ(feeder.feed_in_pieces("\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n", piece), Progress::complete) << piece;
    EXPECT_EQ(feeder.request().path, "/a");
    EXPECT_EQ(feeder.left_over(), 0U);
  }
}

TEST(RequestParser, SaysWhenTheClientWaitsForAContinue) {
  const auto waits = [](const std::string& rest) {
    Feeder feeder;
    feeder.feed("POST / HTTP/" + rest + "\r\n\r\n");
    return feeder.parser().expects_continue();
  };
  EXPECT_TRUE(waits("1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 5"));
  EXPECT_TRUE(waits("1.1\r\nHost: x\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked"));
  EXPECT_FALSE(waits("1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 0"));
  EXPECT_FALSE(waits("1.1\r\nHost: x\r\nExpect: 100-continue"));
  EXPECT_FALSE(waits("1.1\r\nHost: x\r\nExpect: something\r\nContent-Length: 5"));
  EXPECT_FALSE(waits("1.0\r\nExpect: 100-continue\r\nContent-Length: 5"));
}

TEST(RequestParser, RefusesBadRequestsAndSaysWhy) {
  const std::vector<BadRequestCase> all = bad_requests();
  EXPECT_GE(all.size(), 150U);
  for (const BadRequestCase& bad : all) {
    Feeder feeder;
    EXPECT_EQ(feeder.feed(bad.bytes), Progress::refused) << shown(bad.bytes);
    EXPECT_EQ(feeder.parser().why(), bad.why) << shown(bad.bytes);
  }
}

TEST(RequestParser, DoesNotWaitForTheEndOfAChunkSize) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{10'000}}) {
    Feeder feeder;
    EXPECT_EQ(feeder.feed_in_pieces("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
                                        std::string(2 * bad_request_limits.header_bytes, '0'),
                                    piece),
              Progress::refused);
    EXPECT_EQ(feeder.parser().why(), BadRequest::header_too_large);
  }
}

TEST(RequestParser, NeverCompletesABadRequestHoweverItComesInPieces) {
  // Beast looks at the rest of a broken header only once its end has come, so `refused` may take more bytes.
  for (const BadRequestCase& bad : bad_requests()) {
    for (std::size_t piece = 1; piece <= 16; ++piece) {
      Feeder feeder;
      EXPECT_NE(feeder.feed_in_pieces(bad.bytes + std::string(3000, 'x'), piece), Progress::complete)
          << piece << ": " << shown(bad.bytes);
    }
  }
}

/// What one made of some bytes: nothing (needs more), a refusal, or a request.
std::optional<std::string> made_of(const std::string& bytes, const std::vector<std::size_t>& pieces) {
  Feeder feeder;
  Progress progress = Progress::need_more;
  std::size_t fed = 0;
  for (std::size_t i = 0; progress == Progress::need_more && fed < bytes.size(); ++i) {
    const std::string_view piece = std::string_view{bytes}.substr(fed, pieces[i % pieces.size()]);
    progress = feeder.feed(piece);
    fed += piece.size();
  }
  if (progress != Progress::complete) return std::nullopt;
  const HttpRequest request = feeder.request();
  std::string text{request.target};
  text += '|';
  text += request.body;
  text += '|';
  text += request.content_type;
  return text + "|" + std::to_string(request.idempotency_keys) + "|" +
         std::to_string(feeder.left_over() + bytes.size() - fed);
}

TEST(RequestParser, MakesTheSameOfDamagedRequestsHoweverTheyComeInPieces) {
  const std::uint64_t seed = firstcome::testing::seed();
  SCOPED_TRACE("repeat with FIRSTCOME_SEED=" + std::to_string(seed));
  std::mt19937_64 random{seed};
  const auto below = [&random](std::size_t end) { return static_cast<std::size_t>(random() % end); };
  std::vector<std::string> seeds{
      "POST /echo?q HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n",
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"b\"\r\nhello\r\n0\r\nA: b\r\n\r\nGET",
      "GET /a HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nConnection: keep-alive\r\n\r\n",
  };
  for (const BadRequestCase& bad : bad_requests()) seeds.push_back(bad.bytes);
  static constexpr std::string_view telling = "\r\n\0 \t:;,0159aAfgGx\"\x7f\x80=";
  for (int i = 0; i < firstcome::testing::rounds(10'000); ++i) {
    std::string bytes = seeds[i % 4 == 0 ? below(seeds.size()) : below(3)];
    for (std::size_t damage = below(4); damage > 0 && !bytes.empty(); --damage) {
      const std::size_t place = below(bytes.size());
      const std::size_t kind = below(3);
      if (kind == 0) bytes[place] = telling[below(telling.size())];
      if (kind == 1) bytes.insert(place, 1, telling[below(telling.size())]);
      if (kind == 2) bytes.erase(place, 1 + below(3));
    }
    const auto whole = made_of(bytes, {bytes.size() + 1});
    const auto pieces = made_of(bytes, {1 + below(5), 1 + below(5), 1 + below(40)});
    ASSERT_EQ(whole, pieces) << shown(bytes);
  }
}

}  // namespace
}  // namespace firstcome::net::testing
