#include "net/bad_requests.hpp"

#include <initializer_list>

namespace firstcome::net::testing {

namespace {

using namespace std::string_view_literals;

// clang-format off
/// Request lines, each followed by correct fields.
constexpr std::string_view request_lines[] = {
    ""sv, " "sv, "GET"sv, "GET "sv, "GET /"sv, "GET / "sv, "GET /\t"sv, "/ HTTP/1.1"sv, " GET / HTTP/1.1"sv,
    "\tGET / HTTP/1.1"sv, "GET  / HTTP/1.1"sv, "GET /  HTTP/1.1"sv, "GET / HTTP/1.1 "sv, "GET / HTTP/1.1\t"sv,
    "GET\t/ HTTP/1.1"sv, "GET /\tHTTP/1.1"sv, "GET / http/1.1"sv, "GET / HTTP/1"sv, "GET / HTTP/1."sv,
    "GET / HTTP/.1"sv, "GET / HTTP/11"sv, "GET / HTTP/1.10"sv, "GET / HTTP/01.1"sv, "GET / HTTP/2.0"sv,
    "GET / HTTP/0.9"sv, "GET / HTTP/1.2"sv, "GET / HTTP/3"sv, "GET / HTTP/1.1x"sv, "GET / HTTP/-1.1"sv,
    "GET / HTTP/1,1"sv, "GET / HTTP 1.1"sv, "GET / HTPP/1.1"sv, "GET / XTTP/1.1"sv, "G\0T / HTTP/1.1"sv,
    "GET /\0 HTTP/1.1"sv, "GET / HTTP/1.1\0"sv, "GET /\x01 HTTP/1.1"sv, "GET /\x7f HTTP/1.1"sv,
    "GET /\x80 HTTP/1.1"sv, "GET /caf\xc3\xa9 HTTP/1.1"sv, "GET /a b HTTP/1.1"sv, "GET /#part HTTP/1.1"sv,
    "G(T / HTTP/1.1"sv, "G:T / HTTP/1.1"sv, "G\xc3\x89T / HTTP/1.1"sv, "\"GET\" / HTTP/1.1"sv, "GET echo HTTP/1.1"sv,
    "GET * HTTP/1.1"sv, "POST * HTTP/1.1"sv, "GET ftp://x/ HTTP/1.1"sv, "GET http:// HTTP/1.1"sv,
    "GET http:///a HTTP/1.1"sv, "GET //\x0b HTTP/1.1"sv, "GET ?a HTTP/1.1"sv, "GET \\ HTTP/1.1"sv,
    "GET http:/x HTTP/1.1"sv, "PRI * HTTP/2.0"sv, "\x16\x03\x01\x02"sv, "*1"sv, "\xff\xfe"sv,
    "GET / HTTP/1.1\rHost: x"sv, "HTTP/1.1 200 OK"sv,
};

/// Fields, each after a correct Host.
constexpr std::string_view fields[] = {
    "Host: y"sv, "Host:"sv, "host: x"sv, "X"sv, "X y"sv, ": y"sv, " X: y"sv, "\tX: y"sv, "X : y"sv, "X\t: y"sv,
    "X\0: y"sv, "X: \0"sv, "X: a\0b"sv, "X: a\x01"sv, "X: a\x0b" "b"sv, "X: a\x0c"sv, "X: a\x1b[0m"sv, "X: a\x7f"sv,
    "X(: y"sv, "X@: y"sv, "X[: y"sv, "X{: y"sv, "X\xc3\xa9: y"sv, "X\"Y\": y"sv, "X=Y: y"sv, "X/Y: y"sv, "X,Y: y"sv,
    "X;Y: y"sv, "X\\Y: y"sv, "X: a\r\n b"sv, "X: a\r\n\tb"sv, "X:\r\n b"sv, "X: \r\n\tb"sv, "X: a\r\n \r\nY: b"sv,
    "X:\r\n \r\nY: b"sv, "X: a\nY: b"sv, "X: a\rY: b"sv, "X: a\n b"sv, "X: a\r\r"sv, "X: a\r\nY"sv,
    "\xef\xbb\xbfX: y"sv, "X\n: y"sv, "Connection: clo se"sv, "Connection: (close)"sv,
    "Content-Type: a\r\nContent-Type: b"sv, "Authorization: a\r\nauthorization: b"sv,
    "Content-Type: text/plain\r\n boundary=x"sv,
};

constexpr std::string_view content_lengths[] = {
    ""sv, " "sv, "+5"sv, "-5"sv, "-0"sv, "0x5"sv, "5 5"sv, "5,5"sv, "5, 6"sv, ", 5"sv, "5,"sv, "5;"sv, "5.0"sv,
    "5e0"sv, "five"sv, "5\t5"sv, "\"5\""sv, "5\x0b"sv, "\xd9\xa5"sv, "1_0"sv, "0b1"sv, "99999999999999999999"sv,
    "18446744073709551616"sv, "5\0"sv, "5\r\n 5"sv, "NaN"sv, "5a"sv, "a5"sv, "&#53;"sv,
};

/// Transfer codings that nobody speaks here: 501.
constexpr std::string_view unknown_codings[] = {
    "gzip"sv, "identity"sv, "deflate"sv, "gzip, chunked"sv, "chunked, gzip"sv, "chunked, chunked"sv, "chunked, x"sv,
    "x, chunked"sv, "xchunked"sv, "chunkedx"sv, "chunk"sv, "chunked;q=1"sv, "chunked,"sv, ",chunked"sv, ", chunked"sv,
    "\"chunked\""sv, "'chunked'"sv, ""sv, "chu nked"sv, "chunked\xa0"sv, "\xa0" "chunked"sv, "cow"sv,
};

constexpr std::string_view broken_codings[] = {
    "\x0b" "chunked"sv, "chunked\x0c"sv, "chunked\0"sv, "chunked\r\n x"sv, "\r\n chunked"sv, "chunked\nX: y"sv,
    "chunked\rX: y"sv,
};

/// Chunks, each before a correct last one.
constexpr std::string_view chunks[] = {
    "\r\n"sv, "x\r\n"sv, "-1\r\n"sv, "+1\r\na\r\n"sv, "0x1\r\na\r\n"sv, " 1\r\na\r\n"sv, "1 \r\na\r\n"sv,
    "\t1\r\na\r\n"sv, "1\t\r\na\r\n"sv, "1\na\r\n"sv, "1\ra\r\n"sv, "1\r\nab\r\n"sv, "2\r\na\r\n\r\n"sv, "1\r\na\n"sv,
    "1\r\na\r1\r\na\r\n"sv, "1\r\na1\r\na\r\n"sv, "g\r\n"sv, "1g\r\na\r\n"sv, "1,\r\na\r\n"sv, "1;\r\na\r\n"sv,
    "1; \r\na\r\n"sv, "1;=\r\na\r\n"sv, "1;a=\r\na\r\n"sv, "1;a=\"\r\na\"\r\n"sv, "1;a b\r\na\r\n"sv,
    "1;a=\"\x01\"\r\na\r\n"sv, "1;a=\"\n\"\r\na\r\n"sv, "1;a=\"\0\"\r\na\r\n"sv, "1;a\nb\r\na\r\n"sv,
    "1;a\x0b\r\na\r\n"sv, "fffffffffffffffff\r\n"sv, "1ffffffffffffffff\r\n"sv, "10000000000000000\r\n"sv,
    "1\r\r\na\r\n"sv, "1\r\n\r\na\r\n"sv, "\0" "1\r\na\r\n"sv, "1\0\r\na\r\n"sv, "\xef\xbb\xbf" "1\r\na\r\n"sv,
    "0.1\r\na\r\n"sv, "1\r\na\r\n\r\n"sv,
};

constexpr std::string_view trailers[] = {
    "X\r\n"sv, ": y\r\n"sv, "X : y\r\n"sv, "X: a\r\n b\r\n"sv, "X:\r\n b\r\n"sv, "X: \0\r\n"sv, "X: a\nY: b\r\n"sv,
    "Content-Length: 5\r\n"sv, "Transfer-Encoding: chunked\r\n"sv, " X: y\r\n"sv,
};
// clang-format on

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string all;
  for (const std::string_view part : parts) all += part;
  return all;
}

void add_bad_request_lines(std::vector<BadRequestCase>& all) {
  for (const std::string_view line : request_lines) all.push_back({joined({line, "\r\nHost: x\r\n\r\n"})});
  all.push_back({"GET / HTTP/1.1\nHost: x\n\n"});
  all.push_back({"GET / HTTP/1.1\nHost: x\r\n\r\n"});
  all.push_back({"\n\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"});
  all.push_back({"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"});
  all.push_back({"GET / HTTP/1.1\r\r\nHost: x\r\n\r\n"});
}

void add_bad_fields(std::vector<BadRequestCase>& all) {
  for (const std::string_view field : fields)
    all.push_back({joined({"GET / HTTP/1.1\r\nHost: x\r\n", field, "\r\n\r\n"})});
  all.push_back({"GET / HTTP/1.1\r\n\r\n"});
  all.push_back({"GET / HTTP/1.1\r\nX: y\r\n\r\n"});
  all.push_back({"GET / HTTP/1.1\r\nHost : x\r\n\r\n"});
  all.push_back({"GET / HTTP/1.1\r\n Host: x\r\n\r\n"});
  all.push_back({"GET / HTTP/1.1\r\nHost: x\r\nX: y\n\n"});
  all.push_back({"GET / HTTP/1.1\r\nHost: x\n\r\n"});
  all.push_back({"GET / HTTP/1.1\r\nHost: x\r\n\nX"});
  all.push_back({"GET / HTTP/1.1\r\nHost: x\r\n\rX"});
}

/// Ways to say how long the body is. `body` would be a whole request to a reader who sees another end.
void add_bad_lengths(std::vector<BadRequestCase>& all) {
  const std::string body = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
  const auto add = [&](std::string_view lines, BadRequest why = BadRequest::malformed,
                       std::string_view version = "1.1") {
    all.push_back({joined({"POST /echo HTTP/", version, "\r\nHost: x\r\n", lines, "\r\n\r\n", body}), why});
  };
  for (const std::string_view length : content_lengths) add(joined({"Content-Length: ", length}));
  add("Content-Length: 5\r\nContent-Length: 5");
  add("Content-Length: 5\r\nContent-Length: 6");
  add("Content-Length: 6\r\nX: y\r\ncontent-length: 5");
  add("Content-Length: 0\r\nContent-Length: 0");
  add("Content-Length : 5");
  add("Content-Length\x0b: 5");
  add("\tContent-Length: 5");

  // CL.TE and TE.CL
  add("Content-Length: 5\r\nTransfer-Encoding: chunked");
  add("Transfer-Encoding: chunked\r\nContent-Length: 5");
  add("Transfer-Encoding: chunked\r\nContent-Length: 0");
  add("Content-Length: 0\r\nTransfer-Encoding: chunked");
  add("content-length: 5\r\nTRANSFER-ENCODING: CHUNKED");
  add("Content-Length: 5\r\nTransfer-Encoding: gzip");
  add("Transfer-Encoding: gzip\r\nContent-Length: 5", BadRequest::not_implemented);
  add("Transfer-Encoding: identity\r\nContent-Length: 5", BadRequest::not_implemented);
  add("Transfer-Encoding: xchunked\r\nContent-Length: 5", BadRequest::not_implemented);

  // TE.TE
  add("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked");
  add("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity");
  add("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", BadRequest::not_implemented);
  add("Transfer-Encoding: chunked\r\nTransfer-encoding: x");
  for (const std::string_view coding : unknown_codings)
    add(joined({"Transfer-Encoding: ", coding}), BadRequest::not_implemented);
  for (const std::string_view coding : broken_codings) add(joined({"Transfer-Encoding: ", coding}));
  add("Transfer-Encoding : chunked");
  add("Transfer-Encoding\t: chunked");
  add(" Transfer-Encoding: chunked");
  add("X: y\nTransfer-Encoding: chunked");
  add("X: y\rTransfer-Encoding: chunked");
  add("Transfer-Encoding: chunked", BadRequest::malformed, "1.0");
  add("Transfer-Encoding: gzip", BadRequest::not_implemented, "1.0");
  add("Connection: keep-alive\r\nTransfer-Encoding: chunked", BadRequest::malformed, "1.0");
}

/// Chunked bodies.
void add_bad_chunks(std::vector<BadRequestCase>& all) {
  const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string end = "0\r\n\r\n";
  for (const std::string_view chunk : chunks) all.push_back({joined({head, chunk, end})});
  for (const std::string_view trailer : trailers) all.push_back({joined({head, "1\r\na\r\n0\r\n", trailer, "\r\n"})});
  all.push_back({head + "1\r\na\r\n0;a=\"\x01\"\r\n\r\n"});
  all.push_back({head + "1\r\na\r\n0 \r\n\r\n"});
  all.push_back({joined({head, "1;a=", std::string(300, 'b'), "\r\na\r\n", end})});
}

/// More than the limits allow.
void add_too_large(std::vector<BadRequestCase>& all) {
  const auto& limits = bad_request_limits;
  const auto add = [&all](std::string bytes, BadRequest why) { all.push_back({std::move(bytes), why}); };
  const std::string large(limits.header_bytes, 'a');
  const std::string target = "GET /" + std::string(limits.target_bytes, 'a');
  add(target + " HTTP/1.1\r\nHost: x\r\n\r\n", BadRequest::uri_too_long);
  add("GET /" + large + large + " HTTP/1.1\r\nHost: x\r\n\r\n", BadRequest::uri_too_long);
  add("GET / HTTP/1.1\r\nHost: x\r\nX: " + large + "\r\n\r\n", BadRequest::header_too_large);
  add("GET / HTTP/1.1\r\nHost: x\r\n" + large + ": y\r\n\r\n", BadRequest::header_too_large);
  add("GET / HTTP/1.1\r\nHost: x\r\nX: " + large + large + large, BadRequest::header_too_large);
  std::string many = "GET / HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 200; ++i) many += "A: b\r\n";
  add(many + "\r\n", BadRequest::header_too_large);
  const std::string post = "POST /echo HTTP/1.1\r\nHost: x\r\n";
  for (const char* length : {"1001", "65537", "4294967296", "4294967301", "9223372036854775808", "18446744073709551615",
                             "00000000000000001001"})
    add(post + "Content-Length: " + length + "\r\n\r\n", BadRequest::body_too_large);
  add(post + "Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n", BadRequest::body_too_large);
  const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  const std::string half = "1f5\r\n" + std::string(501, 'b') + "\r\n";
  add(chunked + "3e9\r\n", BadRequest::body_too_large);
  add(chunked + "ffffffffffffffff\r\n", BadRequest::body_too_large);
  add(chunked + "7fffffffffffffff\r\n", BadRequest::body_too_large);
  add(chunked + "100000001\r\n", BadRequest::body_too_large);
  add(chunked + half + half + "0\r\n\r\n", BadRequest::body_too_large);
  std::string crumbs = chunked;
  for (int i = 0; i < 1001; ++i) crumbs += "1\r\nb\r\n";
  add(crumbs + "0\r\n\r\n", BadRequest::body_too_large);
  std::string long_trailer = chunked + "0\r\n";
  for (int i = 0; i < 400; ++i) long_trailer += "A: b\r\n";
  add(long_trailer + "\r\n", BadRequest::header_too_large);
  add(chunked + "0\r\nX: " + large + large, BadRequest::header_too_large);
}

}  // namespace

std::string shown(std::string_view bytes) {
  static constexpr char hex[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes.substr(0, 200)) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '\r')
      text += "\\r";
    else if (c == '\n')
      text += "\\n";
    else if (code >= 0x20 && code < 0x7f)
      text += c;
    else
      text += {'\\', 'x', hex[code >> 4], hex[code & 15]};
  }
  return text;
}

std::vector<BadRequestCase> bad_requests() {
  std::vector<BadRequestCase> all;
  add_bad_request_lines(all);
  add_bad_fields(all);
  add_bad_lengths(all);
  add_bad_chunks(all);
  add_too_large(all);
  return all;
}

}  // namespace firstcome::net::testing
