// Requests that must be refused, and why. Many are known ways to make two readers of one stream disagree on where a
// request ends. None may reach a handler, whatever follows it on the connection.
#pragma once

#include "net/request_parser.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace firstcome::net::testing {

struct BadRequestCase {
  std::string bytes;
  BadRequest why = BadRequest::malformed;
};

/// The limits that the cases are made for.
inline constexpr RequestLimits bad_request_limits{.header_bytes = 1024, .target_bytes = 200, .body_bytes = 1000};

/// For messages: control characters as \xNN.
inline std::string shown(std::string_view bytes) {
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

/// Request lines, each followed by correct fields.
inline void add_bad_request_lines(std::vector<BadRequestCase>& all) {
  using namespace std::string_literals;
  const std::vector<std::string> lines{
      "",
      " ",
      "GET",
      "GET ",
      "GET /",
      "GET / ",
      "GET /\t",
      "/ HTTP/1.1",
      " GET / HTTP/1.1",
      "\tGET / HTTP/1.1",
      "GET  / HTTP/1.1",
      "GET /  HTTP/1.1",
      "GET / HTTP/1.1 ",
      "GET / HTTP/1.1\t",
      "GET\t/ HTTP/1.1",
      "GET /\tHTTP/1.1",
      "GET / http/1.1",
      "GET / HTTP/1",
      "GET / HTTP/1.",
      "GET / HTTP/.1",
      "GET / HTTP/11",
      "GET / HTTP/1.10",
      "GET / HTTP/01.1",
      "GET / HTTP/2.0",
      "GET / HTTP/0.9",
      "GET / HTTP/1.2",
      "GET / HTTP/3",
      "GET / HTTP/1.1x",
      "GET / HTTP/-1.1",
      "GET / HTTP/1,1",
      "GET / HTTP 1.1",
      "GET / HTPP/1.1",
      "GET / XTTP/1.1",
      "G\0T / HTTP/1.1"s,
      "GET /\0 HTTP/1.1"s,
      "GET / HTTP/1.1\0"s,
      "GET /\x01 HTTP/1.1",
      "GET /\x7f HTTP/1.1",
      "GET /\x80 HTTP/1.1",
      "GET /caf\xc3\xa9 HTTP/1.1",
      "GET /a b HTTP/1.1",
      "GET /#part HTTP/1.1",
      "G(T / HTTP/1.1",
      "G:T / HTTP/1.1",
      "G\xc3\x89T / HTTP/1.1",
      "\"GET\" / HTTP/1.1",
      "GET echo HTTP/1.1",
      "GET * HTTP/1.1",
      "POST * HTTP/1.1",
      "GET ftp://x/ HTTP/1.1",
      "GET http:// HTTP/1.1",
      "GET http:///a HTTP/1.1",
      "GET //\x0b HTTP/1.1",
      "GET ?a HTTP/1.1",
      "GET \\ HTTP/1.1",
      "GET http:/x HTTP/1.1",
      "PRI * HTTP/2.0",
      "\x16\x03\x01\x02",
      "*1",
      "\xff\xfe",
      "GET / HTTP/1.1\rHost: x",
      "HTTP/1.1 200 OK",
  };
  for (const std::string& line : lines) all.push_back({line + "\r\nHost: x\r\n\r\n"});
  all.push_back({"GET / HTTP/1.1\nHost: x\n\n"});
  all.push_back({"GET / HTTP/1.1\nHost: x\r\n\r\n"});
  all.push_back({"\n\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"});
  all.push_back({"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"});
  all.push_back({"GET / HTTP/1.1\r\r\nHost: x\r\n\r\n"});
}

/// Fields, each after a correct Host.
inline void add_bad_fields(std::vector<BadRequestCase>& all) {
  using namespace std::string_literals;
  const std::vector<std::string> fields{
      "Host: y",
      "Host:",
      "host: x",
      "X",
      "X y",
      ": y",
      " X: y",
      "\tX: y",
      "X : y",
      "X\t: y",
      "X\0: y"s,
      "X: \0"s,
      "X: a\0b"s,
      "X: a\x01",
      "X: a\x0b"
      "b",
      "X: a\x0c",
      "X: a\x1b[0m",
      "X: a\x7f",
      "X(: y",
      "X@: y",
      "X[: y",
      "X{: y",
      "X\xc3\xa9: y",
      "X\"Y\": y",
      "X=Y: y",
      "X/Y: y",
      "X,Y: y",
      "X;Y: y",
      "X\\Y: y",
      "X: a\r\n b",
      "X: a\r\n\tb",
      "X:\r\n b",
      "X: \r\n\tb",
      "X: a\r\n \r\nY: b",
      "X:\r\n \r\nY: b",
      "X: a\nY: b",
      "X: a\rY: b",
      "X: a\n b",
      "X: a\r\r",
      "X: a\r\nY",
      "\xef\xbb\xbfX: y",
      "X\n: y",
      "Connection: clo se",
      "Connection: (close)",
      "Content-Type: a\r\nContent-Type: b",
      "Authorization: a\r\nauthorization: b",
      "Content-Type: text/plain\r\n boundary=x",
  };
  for (const std::string& field : fields) all.push_back({"GET / HTTP/1.1\r\nHost: x\r\n" + field + "\r\n\r\n"});
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
inline void add_bad_lengths(std::vector<BadRequestCase>& all) {
  using namespace std::string_literals;
  const std::string body = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
  const auto add = [&](const std::string& fields, BadRequest why = BadRequest::malformed,
                       const std::string& version = "1.1") {
    all.push_back({"POST /echo HTTP/" + version + "\r\nHost: x\r\n" + fields + "\r\n\r\n" + body, why});
  };
  for (const std::string& length : {""s,
                                    " "s,
                                    "+5"s,
                                    "-5"s,
                                    "-0"s,
                                    "0x5"s,
                                    "5 5"s,
                                    "5,5"s,
                                    "5, 6"s,
                                    ", 5"s,
                                    "5,"s,
                                    "5;"s,
                                    "5.0"s,
                                    "5e0"s,
                                    "five"s,
                                    "5\t5"s,
                                    "\"5\""s,
                                    "5\x0b"s,
                                    "\xd9\xa5"s,
                                    "1_0"s,
                                    "0b1"s,
                                    "99999999999999999999"s,
                                    "18446744073709551616"s,
                                    "5\0"s,
                                    "5\r\n 5"s,
                                    "NaN"s,
                                    "5a"s,
                                    "a5"s,
                                    "&#53;"s})
    add("Content-Length: " + length);
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
  for (const std::string& coding : {"gzip"s,
                                    "identity"s,
                                    "deflate"s,
                                    "gzip, chunked"s,
                                    "chunked, gzip"s,
                                    "chunked, chunked"s,
                                    "chunked, x"s,
                                    "x, chunked"s,
                                    "xchunked"s,
                                    "chunkedx"s,
                                    "chunk"s,
                                    "chunked;q=1"s,
                                    "chunked,"s,
                                    ",chunked"s,
                                    ", chunked"s,
                                    "\"chunked\""s,
                                    "'chunked'"s,
                                    ""s,
                                    "chu nked"s,
                                    "chunked\xa0"s,
                                    "\xa0"
                                    "chunked"s,
                                    "cow"s})
    add("Transfer-Encoding: " + coding, BadRequest::not_implemented);
  for (const std::string& coding :
       {"\x0b"
        "chunked"s,
        "chunked\x0c"s, "chunked\0"s, "chunked\r\n x"s, "\r\n chunked"s, "chunked\nX: y"s, "chunked\rX: y"s})
    add("Transfer-Encoding: " + coding);
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
inline void add_bad_chunks(std::vector<BadRequestCase>& all) {
  using namespace std::string_literals;
  const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string end = "0\r\n\r\n";
  for (const std::string& chunks : {"\r\n"s,
                                    "x\r\n"s,
                                    "-1\r\n"s,
                                    "+1\r\na\r\n"s,
                                    "0x1\r\na\r\n"s,
                                    " 1\r\na\r\n"s,
                                    "1 \r\na\r\n"s,
                                    "\t1\r\na\r\n"s,
                                    "1\t\r\na\r\n"s,
                                    "1\na\r\n"s,
                                    "1\ra\r\n"s,
                                    "1\r\nab\r\n"s,
                                    "2\r\na\r\n\r\n"s,
                                    "1\r\na\n"s,
                                    "1\r\na\r1\r\na\r\n"s,
                                    "1\r\na1\r\na\r\n"s,
                                    "g\r\n"s,
                                    "1g\r\na\r\n"s,
                                    "1,\r\na\r\n"s,
                                    "1;\r\na\r\n"s,
                                    "1; \r\na\r\n"s,
                                    "1;=\r\na\r\n"s,
                                    "1;a=\r\na\r\n"s,
                                    "1;a=\"\r\na\"\r\n"s,
                                    "1;a b\r\na\r\n"s,
                                    "1;a=\"\x01\"\r\na\r\n"s,
                                    "1;a=\"\n\"\r\na\r\n"s,
                                    "1;a=\"\0\"\r\na\r\n"s,
                                    "1;a\nb\r\na\r\n"s,
                                    "1;a\x0b\r\na\r\n"s,
                                    "fffffffffffffffff\r\n"s,
                                    "1ffffffffffffffff\r\n"s,
                                    "10000000000000000\r\n"s,
                                    "1\r\r\na\r\n"s,
                                    "1\r\n\r\na\r\n"s,
                                    "\0"
                                    "1\r\na\r\n"s,
                                    "1\0\r\na\r\n"s,
                                    "\xef\xbb\xbf"
                                    "1\r\na\r\n"s,
                                    "0.1\r\na\r\n"s,
                                    "1\r\na\r\n\r\n"s})
    all.push_back({head + chunks + end});
  for (const std::string& trailer :
       {"X\r\n"s, ": y\r\n"s, "X : y\r\n"s, "X: a\r\n b\r\n"s, "X:\r\n b\r\n"s, "X: \0\r\n"s, "X: a\nY: b\r\n"s,
        "Content-Length: 5\r\n"s, "Transfer-Encoding: chunked\r\n"s, " X: y\r\n"s})
    all.push_back({head + "1\r\na\r\n0\r\n" + trailer + "\r\n"});
  all.push_back({head + "1\r\na\r\n0;a=\"\x01\"\r\n\r\n"});
  all.push_back({head + "1\r\na\r\n0 \r\n\r\n"});
  all.push_back({head + "1;a=" + std::string(300, 'b') + "\r\na\r\n" + end});
}

/// More than the limits allow.
inline void add_too_large(std::vector<BadRequestCase>& all) {
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
  std::string trailers = chunked + "0\r\n";
  for (int i = 0; i < 400; ++i) trailers += "A: b\r\n";
  add(trailers + "\r\n", BadRequest::header_too_large);
  add(chunked + "0\r\nX: " + large + large, BadRequest::header_too_large);
}

inline std::vector<BadRequestCase> bad_requests() {
  std::vector<BadRequestCase> all;
  add_bad_request_lines(all);
  add_bad_fields(all);
  add_bad_lengths(all);
  add_bad_chunks(all);
  add_too_large(all);
  return all;
}

}  // namespace firstcome::net::testing
