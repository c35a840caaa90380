// What becomes of reservations that were accepted: units given back, holds extended, other customers, units found after
// all; and the grace of a hold that is being charged.
#include "api/api_test.hpp"

#include <chrono>

namespace firstcome::api::testing {
namespace {

using namespace std::chrono_literals;
using Mood = ObedientGateway::Mood;

class After : public ApiTest {
 protected:
  std::string confirmed(std::string_view customer, Units quantity = 1) {
    const std::string id = reserved("s", customer, quantity);
    EXPECT_EQ(act(id, "confirm", R"({"payment_id":"p-1"})").status, 200U);
    return id;
  }
  Reply transfer(const std::string& id, const std::string& customer) {
    return act(id, "transfer", R"({"customer":")" + customer + "\"}");
  }
  Reply extend(const std::string& id, int ms) { return act(id, "extend", R"({"ms":)" + std::to_string(ms) + "}"); }
  /// The last event of the feed.
  json::value last_event() {
    const json::value page = json::parse(client.get("/v1/events?limit=1000").text);
    return page.at("items").as_array().back();
  }
};

TEST_F(After, SomeUnitsAreReturnedAndGoToTheNextInLine) {
  create("s", 4, R"("standby":true,"unit_price":100)");
  const Reply first = reserve("s", "a", 3, {key("k")});
  const std::string id = first.id();
  act(id, "confirm", R"({"payment_id":"p-1"})");
  reserved("s", "c");
  const std::string waiting = reserved("s", "b");
  EXPECT_EQ(reservation(waiting).state(), "queued");
  const Reply back = act(id, "return", R"({"quantity":1})");
  EXPECT_EQ(back.status, 200U) << back.text;
  EXPECT_EQ(back.state(), "confirmed");
  EXPECT_EQ(back.integer("quantity"), 2);
  EXPECT_EQ(reservation(waiting).state(), "held");
  EXPECT_EQ(back.integer("amount"), 200);
  EXPECT_EQ(back.body.at("payment").at("amount").as_int64(), 300) << "what was paid";
  EXPECT_EQ(reserve("s", "a", 3, {key("k")}).text, first.text) << "the first answer again";
  const Reply more = act(id, "return", R"({"quantity":3})");
  expect_problem(more, 409, "not-enough");
  EXPECT_EQ(more.integer("available"), 2);
  EXPECT_EQ(act(id, "return", R"({"quantity":2})").state(), "returned");
  EXPECT_EQ(act(id, "return", R"({"quantity":1})").state(), "returned") << "nothing is left to return";
  EXPECT_EQ(sale("s").integer("sold") + sale("s").integer("held") + sale("s").integer("available"), 4);
  expect_problem(act(id, "return", R"({"quantity":0})"), 422, "invalid-field");
}

TEST_F(After, AReturnOfSomeUnitsIsRepeatedWithoutHarmWhereItSaysHowManyThereAre) {
  create("s", 3);
  const std::string id = confirmed("a", 3);
  const std::string body = R"({"quantity":1,"if_quantity":3})";
  EXPECT_EQ(act(id, "return", body).integer("quantity"), 2);
  const Reply again = act(id, "return", body);
  expect_problem(again, 412, "reservation-changed");
  EXPECT_EQ(again.integer("quantity"), 2);
  EXPECT_EQ(reservation(id).integer("quantity"), 2);
  EXPECT_EQ(sale("s").integer("available"), 1);
  expect_problem(act(id, "return", R"({"if_quantity":0})"), 422, "invalid-field");
  EXPECT_EQ(act(id, "return", R"({"if_quantity":2})").state(), "returned");
}

TEST_F(After, AnAmendedReservationIsAnEventWithWhatIsLeft) {
  create("s", 3, R"("unit_price":100)");
  const std::string id = confirmed("a", 3);
  act(id, "return", R"({"quantity":1})");
  const json::value event = last_event();
  EXPECT_EQ(event.at("type").as_string(), "reservation-amended");
  EXPECT_EQ(event.at("value").as_int64(), 2);
  EXPECT_EQ(event.at("quantity").as_int64(), 2);
  EXPECT_EQ(event.at("amount").as_int64(), 200);
  EXPECT_EQ(event.at("payment").at("amount").as_int64(), 300) << "what was paid, of which 100 were given back";
}

TEST_F(After, AHoldIsExtendedOnceByAtMostWhatTheSaleAllows) {
  create("s", 2, R"("hold_ms":60000,"extend_ms":30000)");
  const std::string id = reserved("s", "a");
  const std::string other = reserved("s", "b");
  expect_problem(extend(id, 30001), 409, "not-extendable");
  const Reply longer = extend(id, 30000);
  EXPECT_EQ(longer.status, 200U) << longer.text;
  EXPECT_EQ(longer.integer("expires_in_ms"), 90000);
  expect_problem(extend(id, 1), 409, "not-extendable");
  server.advance(60s);
  EXPECT_EQ(reservation(other).state(), "expired");
  EXPECT_EQ(reservation(id).state(), "held");
  expect_problem(extend(other, 1), 409, "not-extendable");
  server.advance(30s);
  EXPECT_EQ(reservation(id).state(), "expired");
  create("never", 1);
  expect_problem(extend(reserved("never", "a"), 1), 409, "not-extendable");
}

TEST_F(After, AHoldThatIsBeingChargedOutlivesItsEndUntilTheAnswerComes) {
  create("s", 1, R"("standby":true)");
  const std::string id = reserved("s", "a");
  server.gateway().set(Mood::keep_waiting);
  Client payer(server.port());
  payer.send("POST", "/v1/reservations/" + id + "/payment");
  server.gateway().wait_for_kept(1);
  server.advance(69999ms);
  const Reply graced = reservation(id);
  EXPECT_EQ(graced.state(), "held");
  EXPECT_EQ(graced.integer("expires_in_ms"), 0);
  server.gateway().answer_one(Mood::charge);
  EXPECT_EQ(payer.receive().state(), "confirmed");
}

TEST_F(After, TheGraceOfAChargeIsTenSeconds) {
  create("s", 1, R"("standby":true)");
  const std::string id = reserved("s", "a");
  const std::string waiting = reserved("s", "b");
  server.gateway().set(Mood::keep_waiting);
  Client payer(server.port());
  payer.send("POST", "/v1/reservations/" + id + "/payment");
  server.gateway().wait_for_kept(1);
  server.advance(70s);
  EXPECT_EQ(reservation(id).state(), "expired");
  EXPECT_EQ(reservation(waiting).state(), "held");
  server.gateway().answer_one(Mood::charge);
  expect_problem(payer.receive(), 409, "paid-unfulfilled");
}

TEST_F(After, InItsGraceAHoldEndsWhenTheGatewayIsUnreachable) {
  create("s", 1);
  const std::string id = reserved("s", "a");
  server.gateway().set(Mood::keep_waiting);
  Client payer(server.port());
  payer.send("POST", "/v1/reservations/" + id + "/payment");
  server.gateway().wait_for_kept(1);
  server.advance(61s);
  server.gateway().answer_one(Mood::be_unreachable);
  expect_problem(payer.receive(), 410, "hold-expired");
  EXPECT_EQ(reservation(id).state(), "expired");
  EXPECT_EQ(sale("s").integer("available"), 1);
}

TEST_F(After, FailuresBeforeAndDuringThePaymentAreToldApart) {
  create("s", 2);
  for (const auto& [mood, reason] : {std::pair{Mood::decline, "payment-failed"}, {Mood::refuse, "payment-refused"}}) {
    server.gateway().set(mood);
    const std::string id = reserved("s", reason);
    expect_problem(act(id, "payment"), 402, "payment-failed");
    EXPECT_EQ(reservation(id).string("reason"), reason);
    EXPECT_EQ(last_event().at("type").as_string(), reason);
    expect_problem(act(id, "payment"), 402, "payment-failed");
  }
}

TEST_F(After, AReservationIsTransferredAndTheNewCustomersLimitCounts) {
  create("s", 9, R"("limit_per_customer":2,"max_open":1)");
  const std::string held = reserved("s", "a");
  const std::string sold = confirmed("b", 2);
  EXPECT_EQ(transfer(held, "a").string("customer"), "a");
  const Reply limit = transfer(held, "b");
  expect_problem(limit, 409, "limit-exceeded");
  EXPECT_EQ(limit.integer("left"), 0);
  const Reply moved = transfer(sold, "c");
  EXPECT_EQ(moved.status, 200U) << moved.text;
  EXPECT_EQ(moved.string("customer"), "c");
  EXPECT_EQ(last_event().at("type").as_string(), "reservation-transferred");
  EXPECT_EQ(last_event().at("customer").as_string(), "c");
  EXPECT_EQ(transfer(held, "b").state(), "held");
  EXPECT_EQ(last_event().at("type").as_string(), "hold-transferred");
  const std::string other = reserved("s", "d");
  const Reply open = transfer(other, "b");
  expect_problem(open, 409, "already-open");
  const json::value of_c = json::parse(client.get("/v1/sales/s/reservations?customer=c").text);
  ASSERT_EQ(of_c.at("items").as_array().size(), 1U);
  EXPECT_EQ(json::parse(client.get("/v1/sales/s/reservations?customer=a").text).at("items").as_array().size(), 0U);
  EXPECT_EQ(client.get("/v1/sales/s/audit").string("ok"), "true");
}

TEST_F(After, OnlyHeldAndConfirmedOnesAreTransferred) {
  create("s", 1, R"("standby":true)");
  const std::string held = reserved("s", "a");
  const std::string waiting = reserved("s", "b");
  expect_problem(transfer(waiting, "c"), 409, "not-transferable");
  act(waiting, "cancel");
  expect_problem(transfer(waiting, "c"), 409, "not-transferable");
  server.gateway().set(Mood::keep_waiting);
  Client payer(server.port());
  payer.send("POST", "/v1/reservations/" + held + "/payment");
  server.gateway().wait_for_kept(1);
  expect_problem(transfer(held, "c"), 409, "payment-in-progress");
  server.gateway().answer_one(Mood::charge);
  EXPECT_EQ(payer.receive().status, 200U);
}

TEST_F(After, APaymentThatCameTooLateIsFulfilledWhenAUnitIsFree) {
  create("s", 1, R"("hold_ms":1000)");
  const std::string late = reserved("s", "a");
  expect_problem(act(late, "fulfil"), 409, "not-fulfillable");
  server.advance(1s);
  const std::string next = confirmed("b");
  expect_problem(act(late, "confirm", R"({"payment_id":"p-2"})"), 409, "paid-unfulfilled");
  const Reply none = act(late, "fulfil");
  expect_problem(none, 409, "not-enough");
  EXPECT_EQ(none.integer("available"), 0);
  patch("s", R"({"state":"closed"})");
  act(next, "return");
  const Reply got = act(late, "fulfil");
  EXPECT_EQ(got.status, 200U) << got.text;
  EXPECT_EQ(got.state(), "confirmed");
  EXPECT_EQ(got.body.at("payment").at("id").as_string(), "p-2");
  EXPECT_EQ(last_event().at("type").as_string(), "reservation-confirmed");
  EXPECT_EQ(act(late, "fulfil").state(), "confirmed") << "again";
}

TEST_F(After, WhatWasPaidBackIsNotFulfilled) {
  create("s", 1, R"("hold_ms":1000)");
  const std::string late = reserved("s", "a");
  server.gateway().set(Mood::keep_waiting);
  Client payer(server.port());
  payer.send("POST", "/v1/reservations/" + late + "/payment");
  server.gateway().wait_for_kept(1);
  server.advance(11s);
  const std::string next = confirmed("b");
  server.gateway().answer_one(Mood::charge);
  expect_problem(payer.receive(), 409, "paid-unfulfilled");
  act(next, "return");
  Reply said = act(late, "fulfil");
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (said.code() == "payment-in-progress" && std::chrono::steady_clock::now() < deadline)
    said = act(late, "fulfil");
  expect_problem(said, 409, "not-fulfillable");
}

}  // namespace
}  // namespace firstcome::api::testing
