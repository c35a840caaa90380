// Idempotency-Key: the first answer again, byte for byte.
#include "api/api_test.hpp"

#include <thread>

namespace firstcome::api::testing {
namespace {

using namespace std::chrono_literals;

class Replay : public ApiTest {
 protected:
  void expect_replayed(const Reply& first, const Reply& again) {
    EXPECT_EQ(again.status, first.status);
    EXPECT_EQ(again.text, first.text);
    EXPECT_EQ(again.field("location"), first.field("location"));
    EXPECT_EQ(again.field("content-type"), first.field("content-type"));
    EXPECT_EQ(first.field("idempotent-replayed"), "");
    EXPECT_EQ(again.field("idempotent-replayed"), "true");
  }
};

TEST_F(Replay, AHeldReservationGetsTheSameBytesWhateverBecameOfIt) {
  create("s", 2, R"("unit_price":7)");
  const Reply first = reserve("s", "c", 1, {key("k-1")});
  EXPECT_EQ(first.status, 201U);
  server.advance(10s);
  expect_replayed(first, reserve("s", "c", 1, {key("k-1")}));
  act(first.id(), "payment");
  expect_replayed(first, reserve("s", "c", 1, {key("k-1")}));
  act(first.id(), "return");
  expect_replayed(first, reserve("s", "c", 1, {key("k-1")}));
  EXPECT_EQ(sale("s").integer("available"), 2);
}

TEST_F(Replay, AQueuedOneKeepsThePositionThatItJoinedAt) {
  create("s", 1, R"("standby":true)");
  const std::string holder = reserved("s", "a");
  const Reply first = reserve("s", "c", 1, {key("k-1")});
  EXPECT_EQ(first.status, 202U);
  act(holder, "cancel");
  EXPECT_EQ(reservation(first.id()).state(), "held");
  expect_replayed(first, reserve("s", "c", 1, {key("k-1")}));
}

TEST_F(Replay, OneConfirmedAtOnce) {
  create("s", 1, R"("hold_ms":0)");
  const Reply first = reserve("s", "c", 1, {key("k-1")});
  expect_replayed(first, reserve("s", "c", 1, {key("k-1")}));
  EXPECT_EQ(sale("s").integer("sold"), 1);
}

TEST_F(Replay, TheSameDecodedRequestIsTheSameRequest) {
  create("s", 2);
  const Reply first = client.post("/v1/sales/s/reservations", R"({"customer":"c","reference":"r"})", {key("a\\\"b")});
  EXPECT_EQ(first.status, 201U) << first.text;
  expect_replayed(first, client.post("/v1/sales/s/reservations",
                                     R"( {"reference":"\u0072", "quantity":1,"customer":"c"} )", {key("a\\\"b")}));
  const Reply quoted = reserve("s", "d", 1, {"Idempotency-Key: \"plain\""});
  expect_replayed(quoted, reserve("s", "d", 1, {"Idempotency-Key: plain"}));
}

TEST_F(Replay, AnotherQuantityOrReferenceIsAReuse) {
  create("s", 9);
  reserve("s", "c", 1, {key("k-1")});
  expect_problem(reserve("s", "c", 2, {key("k-1")}), 422, "idempotency-key-reused");
  expect_problem(client.post("/v1/sales/s/reservations", R"({"customer":"c","reference":"x"})", {key("k-1")}), 422,
                 "idempotency-key-reused");
  EXPECT_EQ(sale("s").integer("held"), 1);
}

TEST_F(Replay, AKeyBelongsToACustomerAndASale) {
  create("s", 9);
  create("t", 9);
  const std::string id = reserve("s", "c", 1, {key("k-1")}).id();
  EXPECT_NE(reserve("s", "d", 1, {key("k-1")}).id(), id);
  EXPECT_NE(reserve("t", "c", 1, {key("k-1")}).id(), id);
  EXPECT_NE(reserve("s", "c", 1, {key("k-2")}).id(), id);
  EXPECT_EQ(reserve("s", "c", 1, {key("k-1")}).id(), id);
}

TEST_F(Replay, FinalRefusals) {
  create("out", 0);
  create("shut", 1);
  patch("shut", R"({"state":"closed"})");
  create("limited", 9, R"("limit_per_customer":1)");
  reserved("limited", "c");
  for (const char* id : {"out", "shut", "limited"}) {
    const Reply first = reserve(id, "c", 1, {key("k-1")});
    EXPECT_GE(first.status, 409U);
    expect_replayed(first, reserve(id, "c", 1, {key("k-1")}));
  }
  patch("out", R"({"stock":5})");
  expect_problem(reserve("out", "c", 1, {key("k-1")}), 410, "sold-out");
  EXPECT_EQ(reserve("out", "c", 1, {key("k-2")}).status, 201U);
}

TEST_F(Replay, AnswersThatMayChangeAreNotRemembered) {
  create("s", 1);
  const std::string holder = reserved("s", "a");
  expect_problem(reserve("s", "c", 1, {key("k-1")}), 409, "sold-out-holds-pending");
  act(holder, "cancel");
  const Reply now = reserve("s", "c", 1, {key("k-1")});
  EXPECT_EQ(now.status, 201U);
  EXPECT_EQ(now.field("idempotent-replayed"), "");
}

TEST_F(Replay, AKeyIsForgottenAfterADay) {
  create("s", 2, R"("hold_ms":0)");
  const std::string first = reserve("s", "c", 1, {key("k-1")}).id();
  server.advance(23h);
  EXPECT_EQ(reserve("s", "c", 1, {key("k-1")}).id(), first);
  server.advance(2h);
  EXPECT_NE(reserve("s", "c", 1, {key("k-1")}).id(), first);
}

TEST_F(Replay, TwinsAtOnceGetOneAnswerAndOneEffect) {
  create("s", 1000);
  Client twin(server.port());
  for (int i = 0; i < 200; ++i) {
    const std::string body = R"({"customer":"c-)" + std::to_string(i) + "\"}";
    client.send("POST", "/v1/sales/s/reservations", body, {key("k")});
    twin.send("POST", "/v1/sales/s/reservations", body, {key("k")});
    const Reply one = client.receive();
    const Reply two = twin.receive();
    EXPECT_EQ(one.status, 201U);
    EXPECT_EQ(one.text, two.text);
    EXPECT_NE(one.field("idempotent-replayed"), two.field("idempotent-replayed"));
  }
  EXPECT_EQ(sale("s").integer("held"), 200);
}

TEST_F(Replay, KeysThatAreNone) {
  create("s", 9);
  for (const std::string& field : std::vector<std::string>{
           "Idempotency-Key:", "Idempotency-Key: \"\"", "Idempotency-Key: \"a b\"", "Idempotency-Key: a b",
           "Idempotency-Key: \"a", "Idempotency-Key: a\"b", "Idempotency-Key: \"a\"b\"", "Idempotency-Key: \"a\\x\"",
           "Idempotency-Key: \"a\\\"", "Idempotency-Key: \"a\";p=1", "Idempotency-Key: a,b",
           "Idempotency-Key: \xC3\xA9", "Idempotency-Key: " + std::string(256, 'k')}) {
    const Reply reply = reserve("s", "c", 1, {field});
    expect_problem(reply, 400, "invalid-idempotency-key");
  }
  expect_problem(reserve("s", "c", 1, {key("a"), key("a")}), 400, "invalid-idempotency-key");
  EXPECT_EQ(sale("s").integer("held"), 0);
  EXPECT_EQ(reserve("s", "c", 1, {key(std::string(255, 'k'))}).status, 201U);
}

}  // namespace
}  // namespace firstcome::api::testing
