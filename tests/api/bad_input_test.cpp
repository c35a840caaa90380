// Whatever is sent: an honest answer, and nothing has happened.
#include "api/api_test.hpp"

#include <gmock/gmock.h>

namespace firstcome::api::testing {
namespace {

class BadInput : public ApiTest {
 protected:
  void SetUp() override { create("s", 100); }
  void TearDown() override { EXPECT_EQ(sale("s").integer("available"), 100) << "something happened all the same"; }

  Reply send(std::string_view body) { return client.post("/v1/sales/s/reservations", body); }
  /// With another content type.
  Reply send_as(const std::string& content_type, const std::string& body) {
    client.send_raw("POST /v1/sales/s/reservations HTTP/1.1\r\nHost: h\r\n" +
                    (content_type.empty() ? "" : "Content-Type: " + content_type + "\r\n") +
                    "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.receive();
  }
};

/// `"m0":0,"m1":0...`
std::string many_members(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += (i == 0 ? "\"m" : ",\"m") + std::to_string(i) + "\":0";
  return text;
}

TEST_F(BadInput, MalformedJson) {
  for (const std::string& body :
       std::vector<std::string>{"",
                                " ",
                                "{",
                                "}",
                                "null",
                                "[]",
                                "5",
                                "\"c\"",
                                "{\"customer\":\"c\"",
                                "{\"customer\":}",
                                "{customer:\"c\"}",
                                "{'customer':'c'}",
                                "{\"customer\":\"c\",}",
                                "{\"customer\":\"c\"} x",
                                "{\"customer\":\"c\"}{}",
                                "{\"customer\":\"c\" /* hi */}",
                                "// hi\n{\"customer\":\"c\"}",
                                "\xEF\xBB\xBF{\"customer\":\"c\"}",
                                "{\"customer\":\"c\",\"quantity\":01}",
                                "{\"customer\":\"c\",\"quantity\":+1}",
                                "{\"customer\":\"c\",\"quantity\":NaN}",
                                "{\"customer\":\"c\",\"quantity\":0x1}",
                                "{\"customer\":\"c\",\"customer\":\"d\"}",
                                "{\"customer\":\"c\",\"\\u0063ustomer\":\"d\"}",
                                "{\"customer\":\"c\",\"x\":1,\"x\":2}",
                                "{\"customer\":\"c\",\"x\":{\"y\":1,\"y\":2}}",
                                "{\"customer\":\"c\",\"x\":[{\"y\":1},{\"z\":{\"y\":1,\"\\u0079\":2}}]}",
                                "{\"customer\":{\"y\":1,\"y\":2}}",
                                "{\"customer\":\"c\"," + many_members(100) + ",\"m99\":0}",
                                "{\"customer\":\"\x01\"}",
                                "{\"customer\":\"a\nb\"}",
                                "{\"customer\":\"\\ud800\"}",
                                "{\"customer\":\"\\x\"}",
                                "{\"customer\":\"\xFF\"}",
                                "{\"customer\":\"\xC0\xAF\"}",
                                "{\"customer\":\"\xED\xA0\x80\"}",
                                "{\"\xFF\":1,\"customer\":\"c\"}",
                                "{\"customer\":" + std::string(50, '[') + std::string(50, ']') + "}",
                                "{\"customer\":" + std::string(10'000, '['),
                                std::string(60'000, '['),
                                "{\"a\":" + std::string(5, '{') + "}"}) {
    expect_problem(send(body), 400, "malformed-json");
  }
}

TEST_F(BadInput, TheSameMemberMayStandInSeveralObjects) {
  expect_problem(send(R"({"customer":"c","x":{"x":{"x":1},"y":[{"x":1},{"x":2}]},"y":{"x":1}})"), 422, "unknown-field");
  expect_problem(send("{\"customer\":\"c\"," + many_members(4'000) + "}"), 422, "unknown-field");
}

TEST_F(BadInput, ABodyThatIsEncodedIsRefused) {
  for (const char* encoding : {"gzip", "br", "identity, gzip"}) {
    const Reply reply =
        client.post("/v1/sales/s/reservations", R"({"customer":"c"})", {"Content-Encoding: " + std::string(encoding)});
    expect_problem(reply, 415, "unsupported-media-type");
    EXPECT_NE(reply.string("detail").find("Content-Encoding"), std::string::npos);
  }
  expect_problem(client.post("/v1/sales/none/reservations", R"({"customer":"c"})", {"Content-Encoding: Identity"}), 404,
                 "sale-not-found");
}

TEST_F(BadInput, QueriesMustBeUtf8) {
  for (const char* target : {"/v1/sales?%ff=1", "/v1/sales?after=%ff", "/v1/sales/s/reservations?customer=%c0%af",
                             "/v1/orders?customer=%ED%A0%80", "/v1/events?sale=%80"}) {
    const Reply reply = client.get(target);
    expect_problem(reply, 422, "invalid-field");
    EXPECT_FALSE(reply.string("field").empty()) << target;
  }
}

TEST_F(BadInput, NamesOfLocksAreTextWithoutControlCharacters) {
  for (const char* name : {"%ff", "a%00b", "a%0ab", "%7f", "%ed%a0%80"}) {
    for (const char* what : {"/acquire", "/renew", "/release"})
      expect_problem(client.post("/v1/locks/" + std::string(name) + what), 422, "invalid-field");
    expect_problem(client.get("/v1/locks/" + std::string(name)), 422, "invalid-field");
  }
  EXPECT_EQ(client.get("/v1/locks/%EC%9D%B4%EC%88%9C%EC%8B%A0").status, 200U);
}

TEST_F(BadInput, AMemberThatStandsTwiceIsNamed) {
  EXPECT_NE(send(R"({"customer":"c","customer":"d"})").string("detail").find("'customer'"), std::string::npos);
}

struct Case {
  std::string body;
  std::string field;
};

TEST_F(BadInput, InvalidFieldsNameTheFieldAndTheRule) {
  const std::vector<Case> cases{
      {R"({})", "customer"},
      {R"({"quantity":1})", "customer"},
      {R"({"customer":""})", "customer"},
      {R"({"customer":null})", "customer"},
      {R"({"customer":5})", "customer"},
      {R"({"customer":["c"]})", "customer"},
      {R"({"customer":{"id":"c"}})", "customer"},
      {R"({"customer":true})", "customer"},
      {R"({"customer":"a\u0000b"})", "customer"},
      {R"({"customer":"a\nb"})", "customer"},
      {R"({"customer":"a\u007fb"})", "customer"},
      {R"({"customer":")" + std::string(129, 'x') + R"("})", "customer"},
      {R"({"customer":")" + std::string(65, '\xC3') + "\"}", ""},
      {R"({"customer":"c","quantity":0})", "quantity"},
      {R"({"customer":"c","quantity":-1})", "quantity"},
      {R"({"customer":"c","quantity":-0})", "quantity"},
      {R"({"customer":"c","quantity":1.0})", "quantity"},
      {R"({"customer":"c","quantity":1.5})", "quantity"},
      {R"({"customer":"c","quantity":1e3})", "quantity"},
      {R"({"customer":"c","quantity":"1"})", "quantity"},
      {R"({"customer":"c","quantity":null})", "quantity"},
      {R"({"customer":"c","quantity":[1]})", "quantity"},
      {R"({"customer":"c","quantity":1000001})", "quantity"},
      {R"({"customer":"c","quantity":9223372036854775807})", "quantity"},
      {R"({"customer":"c","quantity":9223372036854775808})", "quantity"},
      {R"({"customer":"c","quantity":-9223372036854775809})", "quantity"},
      {R"({"customer":"c","quantity":18446744073709551616})", "quantity"},
      {R"({"customer":"c","quantity":1e999})", ""},
      {R"({"customer":"c","reference":5})", "reference"},
      {R"({"customer":"c","reference":"a\u0001"})", "reference"},
      {R"({"customer":"c","reference":")" + std::string(129, 'x') + R"("})", "reference"},
  };
  for (const Case& bad : cases) {
    const Reply reply = send(bad.body);
    if (bad.field.empty()) {
      EXPECT_TRUE(reply.status == 400 || reply.status == 422) << bad.body << reply.text;
      continue;
    }
    expect_problem(reply, 422, "invalid-field");
    EXPECT_EQ(reply.string("field"), bad.field) << bad.body;
    EXPECT_NE(reply.string("detail").find("must be"), std::string::npos) << reply.text;
  }
}

TEST_F(BadInput, UnknownFieldsNameTheField) {
  const std::vector<Case> cases{
      {R"({"customer":"c","quantty":1})", "quantty"},
      {R"({"customer":"c","Quantity":1})", "Quantity"},
      {R"({"customer":"c","quantity":0,"x":{"deep":[1,{"y":2}]}})", "x"},
      {R"({"":1,"customer":"c"})", ""},
      {R"({"customer":"c","naïve \"x\"":1})", "naïve \"x\""},
  };
  for (const Case& bad : cases) {
    const Reply reply = send(bad.body);
    expect_problem(reply, 422, "unknown-field");
    if (!bad.field.empty()) {
      EXPECT_EQ(reply.string("field"), bad.field);
    }
  }
  std::string many = R"({"customer":"c")";
  for (int i = 0; i < 3000; ++i) many += ",\"m" + std::to_string(i) + "\":1";
  expect_problem(send(many + "}"), 422, "unknown-field");
  const Reply lengthy = send(R"({")" + std::string(10'000, 'k') + R"(":1})");
  expect_problem(lengthy, 422, "unknown-field");
  EXPECT_LT(lengthy.text.size(), 500U);
}

TEST_F(BadInput, ContentTypes) {
  const std::string body = R"({"customer":"c","quantity":0})";  // 422 where the type is right
  for (const char* type : {"application/json", "Application/JSON", "application/json; charset=utf-8",
                           "application/json;charset=\"UTF-8\"", "application/json; x=y"})
    expect_problem(send_as(type, body), 422, "invalid-field");
  for (const char* type : {"", "text/plain", "application/jsonp", "application/json; charset=latin1",
                           "application/x-www-form-urlencoded", "application/problem+json", "json"})
    expect_problem(send_as(type, body), 415, "unsupported-media-type");
  expect_problem(send_as("", ""), 400, "malformed-json");
}

TEST_F(BadInput, ABodyThatIsTooLargeIsRefusedUnread) {
  Client other(server.port());
  other.send_raw(
      "POST /v1/sales/s/reservations HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
      "Content-Length: 65537\r\n\r\n");
  expect_problem(other.receive(), 413, "body-too-large");
  const std::string body = R"({"customer":"c","quantity":0,"reference":")" + std::string(60'000, 'x') + "\"}";
  expect_problem(send(body), 422, "invalid-field");
}

TEST_F(BadInput, WhatIsNotHttpAtAll) {
  Client other(server.port());
  other.send_raw("hello\r\n\r\n");
  expect_problem(other.receive(), 400, "malformed-request");
  Client lengthy(server.port());
  lengthy.send_raw("GET /" + std::string(5'000, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n");
  expect_problem(lengthy.receive(), 414, "uri-too-long");
  Client wordy(server.port());
  wordy.send_raw("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(10'000, 'x') + "\r\n\r\n");
  expect_problem(wordy.receive(), 431, "header-too-large");
}

TEST_F(BadInput, AHeaderThatMayComeOnceIsNamedWhereItComesTwice) {
  const std::string head = "PATCH /v1/sales/s HTTP/1.1\r\nHost: h\r\n";
  for (const std::string line :
       {"If-Match: \"a\"", "Content-Type: application/json", "Content-Encoding: identity", "Authorization: Bearer a",
        "Content-Length: 2", "Transfer-Encoding: chunked", "Host: h"}) {
    Client other(server.port());
    const std::string name = line.substr(0, line.find(':'));
    other.send_raw((name == "Host" ? head : head + line + "\r\n") + line + "\r\n\r\n{}");
    const Reply refused = other.receive();
    expect_problem(refused, 400, "malformed-request");
    EXPECT_EQ(refused.body.at("detail").as_string(), "The header " + name + " may come once, and came again.");
  }
  Client other(server.port());
  const Reply refused = other.ask("POST", "/v1/sales/s/reservations", R"({"customer":"c"})",
                                  {"Idempotency-Key: a", "Idempotency-Key: a"});
  expect_problem(refused, 400, "invalid-idempotency-key");
  EXPECT_EQ(refused.body.at("detail").as_string(), "The header Idempotency-Key may come once.");
}

/// What one client did wrong is not told to the next.
TEST_F(BadInput, AConnectionThatIsRefusedForSomethingElseIsNotToldOfAHeader) {
  Client first(server.port());
  first.send_raw("GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n");
  EXPECT_THAT(first.receive().text, ::testing::HasSubstr("Host"));
  Client second(server.port());
  second.send_raw("GET / HTTP/1.1\r\nX y\r\n\r\n");
  const Reply refused = second.receive();
  expect_problem(refused, 400, "malformed-request");
  EXPECT_THAT(refused.text, ::testing::Not(::testing::HasSubstr("may come once")));
}

TEST_F(BadInput, SaleBodies) {
  const std::vector<Case> cases{
      {R"({"stock":1})", "id"},
      {R"({"id":"n"})", "stock"},
      {R"({"id":"N","stock":1})", "id"},
      {R"({"id":"-n","stock":1})", "id"},
      {R"({"id":")" + std::string(65, 'n') + R"(","stock":1})", "id"},
      {R"({"id":"n","stock":-1})", "stock"},
      {R"({"id":"n","stock":1000000001})", "stock"},
      {R"({"id":"n","stock":1.0})", "stock"},
      {R"({"id":"n","stock":1,"name":""})", "name"},
      {R"({"id":"n","stock":1,"name":null})", "name"},
      {R"({"id":"n","stock":1,"name":")" + std::string(201, 'n') + R"("})", "name"},
      {R"({"id":"n","stock":1,"kind":"car"})", "kind"},
      {R"({"id":"n","stock":1,"unit_price":-1})", "unit_price"},
      {R"({"id":"n","stock":1,"unit_price":1000000000001})", "unit_price"},
      {R"({"id":"n","stock":1,"currency":"krw"})", "currency"},
      {R"({"id":"n","stock":1,"currency":"KRWW"})", "currency"},
      {R"({"id":"n","stock":1,"currency":"ZZZ"})", "currency"},
      {R"({"id":"n","stock":1,"currency":"HRK"})", "currency"},
      {R"({"id":"n","stock":1,"limit_per_customer":0})", "limit_per_customer"},
      {R"({"id":"n","stock":1,"max_open":0})", "max_open"},
      {R"({"id":"n","stock":1,"max_open":4294967296})", "max_open"},
      {R"({"id":"n","stock":1,"hold_ms":-1})", "hold_ms"},
      {R"({"id":"n","stock":1,"hold_ms":604800001})", "hold_ms"},
      {R"({"id":"n","stock":1,"opens_at":"tomorrow"})", "opens_at"},
      {R"({"id":"n","stock":1,"opens_at":"2026-02-30T00:00:00Z"})", "opens_at"},
      {R"({"id":"n","stock":1,"closes_at":1})", "closes_at"},
      {R"({"id":"n","stock":1,"opens_at":"2026-01-02T00:00:00Z","closes_at":"2026-01-02T00:00:00Z"})", "closes_at"},
      {R"({"id":"n","stock":1,"queue":5})", "queue"},
      {R"({"id":"n","stock":1,"queue":{}})", "queue.admit_per_tick"},
      {R"({"id":"n","stock":1,"queue":{"admit_per_tick":1}})", "queue.tick_ms"},
      {R"({"id":"n","stock":1,"queue":{"admit_per_tick":0,"tick_ms":10}})", "queue.admit_per_tick"},
      {R"({"id":"n","stock":1,"queue":{"admit_per_tick":1,"tick_ms":9}})", "queue.tick_ms"},
      {R"({"id":"n","stock":1,"queue":{"admit_per_tick":1,"tick_ms":3600001}})", "queue.tick_ms"},
      {R"({"id":"n","stock":1,"queue":{"admit_per_tick":1,"tick_ms":10},"standby":false})", "standby"},
      {R"({"id":"n","stock":1,"standby":"yes"})", "standby"},
      {R"({"id":"n","stock":1,"payment":"card"})", "payment"},
      {R"({"id":"n","stock":1,"payment":"auto","hold_ms":0})", "payment"},
      {R"({"id":"n","stock":1,"payment":"auto","kind":"coupon"})", "payment"},
  };
  for (const Case& bad : cases) {
    const Reply reply = client.post("/v1/sales", bad.body);
    expect_problem(reply, 422, "invalid-field");
    EXPECT_EQ(reply.string("field"), bad.field) << bad.body;
  }
  const Reply nested = client.post("/v1/sales", R"({"id":"n","stock":1,"queue":{"admit_per_tick":1,"tick":10}})");
  expect_problem(nested, 422, "unknown-field");
  EXPECT_EQ(nested.string("field"), "queue.tick");
  expect_problem(client.post("/v1/sales", R"({"id":"n","stock":1,"queue.tick_ms":10})"), 422, "unknown-field");
  expect_problem(
      client.post("/v1/sales", R"({"id":"n","stock":1,"queue":{"tick_ms":10,"tick_ms":10,"admit_per_tick":1}})"), 400,
      "malformed-json");
  expect_problem(sale("n"), 404, "sale-not-found");
}

TEST_F(BadInput, ActionsTakeNoMembers) {
  create("t", 1);
  const std::string id = reserved("t", "c");
  for (const char* what : {"payment", "cancel", "return"}) {
    expect_problem(act(id, what, R"({"x":1})"), 422, "unknown-field");
    expect_problem(act(id, what, "[]"), 400, "malformed-json");
  }
  for (const char* body : {"", "{}", R"({"payment_id":""})", R"({"payment_id":5})", R"({"payment_id":"a\n"})"}) {
    const Reply reply = act(id, "confirm", body);
    expect_problem(reply, 422, "invalid-field");
    EXPECT_EQ(reply.string("field"), "payment_id");
  }
  EXPECT_EQ(reservation(id).state(), "held");
}

TEST_F(BadInput, QueryParameters) {
  const std::vector<Case> cases{
      {"/v1/sales?limit=0", "limit"},
      {"/v1/sales?limit=1001", "limit"},
      {"/v1/sales?limit=-1", "limit"},
      {"/v1/sales?limit=", "limit"},
      {"/v1/sales?limit=5x", "limit"},
      {"/v1/sales?limit=99999999999999999999", "limit"},
      {"/v1/sales?limit=5&limit=5", "limit"},
      {"/v1/sales?lim%69t=0", "limit"},
      {"/v1/sales?Limit=5", "Limit"},
      {"/v1/sales?customer=c", "customer"},
      {"/v1/sales/s?verbose", "verbose"},
      {"/v1/sales/s/reservations?after=x", "after"},
      {"/v1/sales/s/reservations?customer=", "customer"},
      {"/v1/sales/s/reservations?customer=%0a", "customer"},
      {"/v1/sales/s/reservations?customer=%zz", "customer"},
      {"/v1/events?after=-1", "after"},
      {"/v1/events?sale=", "sale"},
      {"/v1/events?sale=No%20id", "sale"},
      {"/v1/events?sale=s&sale=s", "sale"},
      {"/v1/sales?sale=s", "sale"},
      {"/healthz?x=1", "x"},
  };
  for (const Case& bad : cases) {
    const Reply reply = client.get(bad.body);
    expect_problem(reply, 422, "invalid-field");
    EXPECT_EQ(reply.string("field"), bad.field) << bad.body;
  }
  EXPECT_EQ(client.get("/v1/sales?").status, 200U);
  EXPECT_EQ(client.get("/v1/sales?&limit=5&").status, 200U);
}

TEST_F(BadInput, PathsAndMethods) {
  for (const char* path : {"/", "/v1", "/v1/", "/v1/sales/", "/v1/sales/s/", "/v1/sales/s/nothing", "/v2/sales",
                           "/v1/sales/s/reservations/1", "/v1/sales/s/reservations/1/2", "/V1/sales", "/v1/%zz",
                           "/v1/sales/s%2Freservations%2Fx/y", "//v1/sales", "/v1//sales"})
    expect_problem(client.get(path), 404, "not-found");
  expect_problem(client.get("/v1/sales/a%2Fb"), 404, "sale-not-found");
  EXPECT_EQ(client.get("/v1/s%61les/%73").status, 200U);

  const auto allowed = [&](const char* method, const char* path) {
    const Reply reply = client.ask(method, path, std::string_view(method) == "PUT" ? "{}" : "");
    expect_problem(reply, 405, "method-not-allowed");
    return reply.field("allow");
  };
  EXPECT_EQ(allowed("PUT", "/v1/sales"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(allowed("DELETE", "/v1/sales"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(allowed("POST", "/v1/sales/s"), "GET, HEAD, PATCH, DELETE, OPTIONS");
  EXPECT_EQ(allowed("GET", "/v1/reservations/x/cancel"), "POST, OPTIONS");
  EXPECT_EQ(allowed("PATCH", "/v1/sales/s/reservations"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(allowed("DELETE", "/v1/events"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(allowed("BREW", "/healthz"), "GET, HEAD, OPTIONS");
}

TEST_F(BadInput, AnIdIsNotGuessed) {
  create("t", 2);
  const std::string one = reserved("t", "a");
  const std::string two = reserved("t", "b");
  expect_problem(reservation(one.substr(0, 22) + two.substr(22)), 404, "reservation-not-found");
  for (std::size_t i = 0; i < one.size(); ++i) {
    std::string guess = one;
    guess[i] = guess[i] == 'B' ? 'C' : 'B';
    expect_problem(reservation(guess), 404, "reservation-not-found");
  }
  expect_problem(reservation(one + "A"), 404, "reservation-not-found");
  expect_problem(reservation(one.substr(1)), 404, "reservation-not-found");
  EXPECT_EQ(reservation(one).status, 200U);
}

}  // namespace
}  // namespace firstcome::api::testing
