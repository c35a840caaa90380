// POST /v1/sales/{id}/reservations: what is accepted and what is refused, and with which members.
#include "api/api_test.hpp"

namespace firstcome::api::testing {
namespace {

using namespace std::chrono_literals;

class ReserveOverHttp : public ApiTest {};

TEST_F(ReserveOverHttp, AHoldWithEveryMember) {
  create("s", 5, R"("unit_price":1500,"currency":"EUR","hold_ms":30000)");
  const Reply reply = client.post("/v1/sales/s/reservations", R"({"customer":"c-1","quantity":2,"reference":"my-7"})");
  EXPECT_EQ(reply.status, 201U);
  EXPECT_EQ(reply.field("location"), "/v1/reservations/" + reply.id());
  EXPECT_EQ(reply.field("retry-after"), "");
  EXPECT_EQ(reply.id().size(), 40U);
  EXPECT_EQ(reply.text,
            R"({"id":")" + reply.id() +
                R"(","sale":"s","customer":"c-1","quantity":2,"reference":"my-7","state":"held","number":1,)"
                R"("amount":3000,"currency":"EUR","created_at":"2026-11-27T00:00:00.000Z",)"
                R"("expires_at":"2026-11-27T00:00:30.000Z","expires_in_ms":30000,"reason":null,)"
                R"("payment":null,"position":null,"eta_ms":null})");
  EXPECT_EQ(reservation(reply.id()).text, reply.text);
  server.advance(10s);
  EXPECT_EQ(reservation(reply.id()).integer("expires_in_ms"), 20'000);
}

TEST_F(ReserveOverHttp, ConfirmedAtOnceWithoutAHold) {
  create("s", 5, R"("hold_ms":0)");
  const Reply reply = reserve("s", "c");
  EXPECT_EQ(reply.status, 201U);
  EXPECT_EQ(reply.state(), "confirmed");
  EXPECT_TRUE(reply.null("expires_at"));
  EXPECT_TRUE(reply.null("expires_in_ms"));
  EXPECT_EQ(sale("s").integer("sold"), 1);
}

TEST_F(ReserveOverHttp, QueuedWithItsPosition) {
  create("s", 1, R"("standby":true)");
  reserved("s", "a");
  reserved("s", "b");
  const Reply reply = reserve("s", "c");
  EXPECT_EQ(reply.status, 202U);
  EXPECT_EQ(reply.state(), "queued");
  EXPECT_EQ(reply.integer("number"), 3);
  EXPECT_EQ(reply.integer("position"), 2);
  EXPECT_TRUE(reply.null("eta_ms"));
  EXPECT_GE(std::stoi(reply.field("retry-after")), 1);
  EXPECT_EQ(reply.field("location"), "/v1/reservations/" + reply.id());
}

TEST_F(ReserveOverHttp, TheQueueIsServedAtTicks) {
  create("s", 2, R"("queue":{"admit_per_tick":1,"tick_ms":1000})");
  const std::string first = reserved("s", "a");
  const std::string second = reserved("s", "b");
  EXPECT_EQ(reservation(first).state(), "queued");
  server.advance(1s);
  EXPECT_EQ(reservation(first).state(), "held");
  EXPECT_EQ(reservation(second).integer("position"), 1);
  server.advance(1s);
  EXPECT_EQ(reservation(second).state(), "held");
}

TEST_F(ReserveOverHttp, SoldOut) {
  create("s", 1, R"("hold_ms":0)");
  reserved("s", "a");
  const Reply reply = reserve("s", "b");
  expect_problem(reply, 410, "sold-out");
  EXPECT_EQ(reply.field("retry-after"), "");
}

TEST_F(ReserveOverHttp, SoldOutWhileHoldsMayComeBack) {
  create("s", 2, R"("hold_ms":30000)");
  reserved("s", "a", 2);
  server.advance(10'500ms);
  const Reply reply = reserve("s", "b");
  expect_problem(reply, 409, "sold-out-holds-pending");
  EXPECT_EQ(reply.integer("held"), 2);
  EXPECT_EQ(reply.integer("next_expiry_ms"), 19'500);
  EXPECT_EQ(reply.field("retry-after"), "20");
}

TEST_F(ReserveOverHttp, NotEnough) {
  create("s", 3, R"("hold_ms":0)");
  reserved("s", "a", 1);
  const Reply reply = reserve("s", "b", 3);
  expect_problem(reply, 409, "not-enough");
  EXPECT_EQ(reply.integer("available"), 2);
}

TEST_F(ReserveOverHttp, LimitExceededNamesTheReservation) {
  create("s", 10, R"("limit_per_customer":3)");
  const std::string id = reserved("s", "a", 2);
  const Reply reply = reserve("s", "a", 2);
  expect_problem(reply, 409, "limit-exceeded");
  EXPECT_EQ(reply.string("reservation"), id);
  EXPECT_EQ(reply.integer("left"), 1);
  const Reply alone = reserve("s", "b", 4);
  expect_problem(alone, 409, "limit-exceeded");
  EXPECT_TRUE(alone.null("reservation"));
  EXPECT_EQ(alone.integer("left"), 3);
}

TEST_F(ReserveOverHttp, AlreadyOpenNamesTheReservation) {
  create("s", 10, R"("max_open":1)");
  const std::string id = reserved("s", "a");
  const Reply reply = reserve("s", "a");
  expect_problem(reply, 409, "already-open");
  EXPECT_EQ(reply.string("reservation"), id);
  EXPECT_EQ(reply.string("left"), "absent");
  act(id, "payment");
  EXPECT_EQ(reserve("s", "a").status, 201U);
}

TEST_F(ReserveOverHttp, OutsideTheHours) {
  create("s", 1, R"("opens_at":"2026-11-27T00:00:01.500Z","closes_at":"2026-11-27T00:00:10Z")");
  const Reply early = reserve("s", "a");
  expect_problem(early, 409, "sale-not-open");
  EXPECT_EQ(early.field("retry-after"), "2");
  server.advance(1500ms);
  EXPECT_EQ(reserve("s", "a").status, 201U);
  server.advance(8500ms);
  expect_problem(reserve("s", "b"), 410, "sale-closed");
}

TEST_F(ReserveOverHttp, HoursComeBeforeLimitsAndLimitsBeforeStock) {
  create("s", 1, R"("limit_per_customer":1,"hold_ms":0)");
  reserved("s", "a");
  expect_problem(reserve("s", "a"), 409, "limit-exceeded");
  patch("s", R"({"state":"closed"})");
  expect_problem(reserve("s", "a"), 410, "sale-closed");
}

TEST_F(ReserveOverHttp, BadInputComesBeforeASaleThatIsNotThere) {
  expect_problem(client.post("/v1/sales/nobody/reservations", R"({"customer":""})"), 422, "invalid-field");
}

TEST_F(ReserveOverHttp, AnAmountIsNeverMoreThanJsonHolds) {
  create("dear", 1'000'000, R"("unit_price":1000000000000,"hold_ms":0)");
  EXPECT_EQ(reserve("dear", "a", 9007).integer("amount"), 9'007'000'000'000'000);
  const Reply reply = reserve("dear", "a", 9008);
  expect_problem(reply, 422, "invalid-field");
  EXPECT_EQ(reply.string("field"), "quantity");
  create("cheap", 1'000'000, R"("unit_price":9007199254,"hold_ms":0)");
  EXPECT_EQ(reserve("cheap", "a", 1'000'000, {key("k")}).integer("amount"), 9'007'199'254'000'000);
  EXPECT_EQ(reserve("cheap", "a", 1'000'000, {key("k")}).field("idempotent-replayed"), "true");
  expect_problem(reserve("nobody", "a", 1'000'000), 404, "sale-not-found");
}

TEST_F(ReserveOverHttp, AnyTextMayNameACustomer) {
  create("s", 9);
  const Reply reply =
      client.post("/v1/sales/s/reservations", R"({"customer":"고객 \"1\" \\ \u00e9","reference":null})");
  EXPECT_EQ(reply.status, 201U) << reply.text;
  EXPECT_EQ(reply.string("customer"), "고객 \"1\" \\ é");
  EXPECT_TRUE(reply.null("reference"));
  EXPECT_EQ(reservation(reply.id()).string("customer"), "고객 \"1\" \\ é");
  const Reply listed = client.get("/v1/sales/s/reservations?customer=%EA%B3%A0%EA%B0%9D+%221%22%20%5C+%c3%a9");
  EXPECT_EQ(listed.body.at("items").as_array().size(), 1U) << listed.text;
  EXPECT_EQ(reserve("s", std::string(128, 'x')).status, 201U);
}

TEST_F(ReserveOverHttp, ListedByNumberInPagesAndByCustomer) {
  create("s", 10);
  for (int i = 0; i < 5; ++i) reserved("s", i % 2 == 0 ? "even" : "odd");
  std::string seen;
  std::string after;
  for (int page = 0; page < 3; ++page) {
    const Reply reply = client.get("/v1/sales/s/reservations?limit=2" + after);
    for (const auto& item : reply.body.at("items").as_array()) seen += std::to_string(item.at("number").as_int64());
    after = "&after=" + reply.string("next");
  }
  EXPECT_EQ(after, "&after=null");
  EXPECT_EQ(seen, "12345");
  const Reply even = client.get("/v1/sales/s/reservations?customer=even");
  EXPECT_EQ(even.body.at("items").as_array().size(), 3U);
  EXPECT_EQ(even.body.at("items").at(1).at("number").as_int64(), 3);
  EXPECT_EQ(client.get("/v1/sales/s/reservations?customer=nobody").text, R"({"items":[],"next":null})");
}

/// As guarded engines do.
TEST(ReserveThatCharges, AnswersWithThePayment) {
  ScriptedServer server([](const Command&) -> std::expected<Answer, Failure> {
    ReserveAnswer answer;
    answer.outcome = Outcome::done;
    answer.ref = {SaleHandle{1}, Number{1}};
    answer.state = ReservationState::confirmed;
    answer.amount = 500;
    answer.currency = "KRW";
    answer.payment = Payment{"p-1", "110-1"};
    return answer;
  });
  const Reply reply = Client(server.port()).post("/v1/sales/s/reservations", R"({"customer":"c"})");
  EXPECT_EQ(reply.status, 201U);
  EXPECT_EQ(reply.body.at("payment"), json::parse(R"({"id":"p-1","amount":500,"account_number":"110-1"})"));
}

}  // namespace
}  // namespace firstcome::api::testing
