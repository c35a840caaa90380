// The table of API.md: every state of a reservation, and what each endpoint answers there.
#include "api/api_test.hpp"

namespace firstcome::api::testing {
namespace {

using namespace std::chrono_literals;
using Mood = ObedientGateway::Mood;

/// Brings a reservation of a sale of its own into a state.
class States : public ApiTest {
 protected:
  std::string queued() {
    create("q", 1, R"("standby":true)");
    reserved("q", "first");
    return reserved("q", "second");
  }
  std::string held() {
    create("h", 1);
    return reserved("h", "c");
  }
  std::string confirmed() {
    const std::string id = held();
    EXPECT_EQ(act(id, "confirm", R"({"payment_id":"p-1"})").status, 200U);
    return id;
  }
  std::string cancelled() {
    const std::string id = held();
    EXPECT_EQ(act(id, "cancel").status, 200U);
    return id;
  }
  std::string declined() {
    const std::string id = held();
    server.gateway().set(Mood::decline);
    expect_problem(act(id, "payment"), 402, "payment-failed");
    return id;
  }
  std::string declined_elsewhere() {
    create("d", 1);
    const std::string id = reserved("d", "c");
    server.gateway().set(Mood::decline);
    expect_problem(act(id, "payment"), 402, "payment-failed");
    return id;
  }
  std::string expired() {
    const std::string id = held();
    server.advance(60s);
    EXPECT_EQ(reservation(id).state(), "expired");
    return id;
  }
  std::string refused() {
    const std::string id = queued();
    patch("q", R"({"state":"closed"})");
    EXPECT_EQ(reservation(id).state(), "refused");
    return id;
  }
  std::string paid_unfulfilled() {
    const std::string id = expired();
    reserved("h", "another");
    expect_problem(act(id, "confirm", R"({"payment_id":"p-1"})"), 409, "paid-unfulfilled");
    EXPECT_EQ(reservation(id).state(), "paid_unfulfilled");
    return id;
  }
  std::string returned() {
    const std::string id = confirmed();
    EXPECT_EQ(act(id, "return").status, 200U);
    return id;
  }
  Reply confirm(const std::string& id, const std::string& payment = "p-1") {
    return act(id, "confirm", R"({"payment_id":")" + payment + "\"}");
  }
};

TEST_F(States, QueuedIsNotPaidNotConfirmedNotReturnedAndMayBeCancelled) {
  const std::string id = queued();
  expect_problem(act(id, "payment"), 409, "not-held");
  expect_problem(confirm(id), 409, "not-held");
  expect_problem(act(id, "return"), 409, "not-confirmed");
  const Reply cancelled = act(id, "cancel");
  EXPECT_EQ(cancelled.status, 200U);
  EXPECT_EQ(cancelled.state(), "cancelled");
  EXPECT_EQ(cancelled.string("reason"), "by-customer");
}

TEST_F(States, HeldIsChargedOnce) {
  const std::string id = held();
  const Reply paid = act(id, "payment");
  EXPECT_EQ(paid.status, 200U) << paid.text;
  EXPECT_EQ(paid.state(), "confirmed");
  EXPECT_EQ(json::serialize(paid.body.at("payment")),
            R"({"id":"pay-)" + id.substr(0, 8) + R"(","amount":0,"account_number":"110-123-456789"})");
  ASSERT_EQ(server.gateway().charges().size(), 1U);
  EXPECT_EQ(server.gateway().charges()[0].key, id);
  const Reply again = act(id, "payment", "{}");
  EXPECT_EQ(again.status, 200U);
  EXPECT_EQ(again.text, paid.text);
  EXPECT_EQ(server.gateway().charges().size(), 1U);
}

TEST_F(States, ADeclinedPaymentGivesTheUnitsBackAndIsToldAgain) {
  const std::string id = declined();
  EXPECT_EQ(sale("h").integer("available"), 1);
  EXPECT_EQ(reservation(id).state(), "cancelled");
  EXPECT_EQ(reservation(id).string("reason"), "payment-failed");
  expect_problem(act(id, "payment"), 402, "payment-failed");
  EXPECT_EQ(act(id, "cancel").status, 200U);
  expect_problem(act(id, "return"), 409, "not-confirmed");
  EXPECT_EQ(server.gateway().charges().size(), 1U);
}

TEST_F(States, AnUnreachableGatewayLeavesTheHold) {
  const std::string id = held();
  server.gateway().set(Mood::be_unreachable);
  const Reply reply = act(id, "payment");
  expect_problem(reply, 503, "gateway-unavailable");
  EXPECT_EQ(reply.field("retry-after"), "1");
  EXPECT_EQ(reservation(id).state(), "held");
  server.gateway().set(Mood::charge);
  EXPECT_EQ(act(id, "payment").status, 200U);
}

TEST_F(States, WhileAPaymentRunsNobodyElsePaysConfirmsOrCancels) {
  const std::string id = held();
  server.gateway().set(Mood::keep_waiting);
  Client payer(server.port());
  payer.send("POST", "/v1/reservations/" + id + "/payment");
  server.gateway().wait_for_kept(1);
  expect_problem(act(id, "payment"), 409, "request-in-progress");
  expect_problem(confirm(id), 409, "request-in-progress");
  const Reply cancel = act(id, "cancel");
  expect_problem(cancel, 409, "payment-in-progress");
  EXPECT_EQ(cancel.field("retry-after"), "1");
  expect_problem(act(id, "return"), 409, "not-confirmed");
  server.gateway().answer_one(Mood::charge);
  EXPECT_EQ(payer.receive().status, 200U);
}

TEST_F(States, HeldIsConfirmed) {
  const std::string id = held();
  expect_problem(act(id, "return"), 409, "not-confirmed");
  const Reply reply = confirm(id, "elsewhere-7");
  EXPECT_EQ(reply.status, 200U) << reply.text;
  EXPECT_EQ(reply.state(), "confirmed");
  EXPECT_EQ(json::serialize(reply.body.at("payment")), R"({"id":"elsewhere-7","amount":0,"account_number":null})");
}

TEST_F(States, HeldIsCancelledAndTheUnitIsBack) {
  const std::string id = held();
  EXPECT_EQ(sale("h").integer("available"), 0);
  EXPECT_EQ(act(id, "cancel").state(), "cancelled");
  EXPECT_EQ(sale("h").integer("available"), 1);
}

TEST_F(States, ConfirmedStaysAsItIsUntilItIsReturned) {
  const std::string id = confirmed();
  EXPECT_EQ(act(id, "payment").status, 200U);
  EXPECT_EQ(confirm(id, "p-1").status, 200U);
  expect_problem(confirm(id, "p-2"), 409, "already-confirmed");
  expect_problem(act(id, "cancel"), 409, "already-confirmed");
  EXPECT_EQ(server.gateway().charges().size(), 0U);
  const Reply back = act(id, "return");
  EXPECT_EQ(back.status, 200U);
  EXPECT_EQ(back.state(), "returned");
  EXPECT_EQ(sale("h").integer("available"), 1);
}

TEST_F(States, CancelledByTheCustomerIsNotPaidAgain) {
  const std::string id = cancelled();
  expect_problem(act(id, "payment"), 409, "not-held");
  EXPECT_EQ(act(id, "cancel").status, 200U);
  expect_problem(act(id, "return"), 409, "not-confirmed");
}

TEST_F(States, CancelledMayBeConfirmedWhereTheUnitIsStillThere) {
  for (const std::string& id : {cancelled(), declined_elsewhere()}) {
    const Reply late = confirm(id, "shop-1");
    EXPECT_EQ(late.status, 200U) << late.text;
    EXPECT_EQ(late.state(), "confirmed");
    EXPECT_TRUE(late.null("reason"));
    EXPECT_EQ(late.body.at("payment").at("id").as_string(), "shop-1");
  }
}

TEST_F(States, CancelledAndPaidWhenTheUnitIsSoldKeepsItsPaymentAndARefundIsDue) {
  const std::string id = cancelled();
  reserved("h", "another");
  expect_problem(confirm(id, "shop-1"), 409, "paid-unfulfilled");
  const Reply now = reservation(id);
  EXPECT_EQ(now.state(), "paid_unfulfilled");
  EXPECT_TRUE(now.null("reason"));
  EXPECT_EQ(now.body.at("payment").at("id").as_string(), "shop-1");
  const std::string feed = client.get("/v1/events").text;
  EXPECT_NE(feed.find("reservation-paid-unfulfilled"), std::string::npos);
  EXPECT_NE(feed.find("refund-due"), std::string::npos);
}

TEST_F(States, ExpiredMayBeConfirmedWhereTheUnitIsStillThere) {
  const std::string id = expired();
  expect_problem(act(id, "payment"), 410, "hold-expired");
  expect_problem(act(id, "cancel"), 410, "hold-expired");
  expect_problem(act(id, "return"), 409, "not-confirmed");
  const Reply late = confirm(id);
  EXPECT_EQ(late.status, 200U) << late.text;
  EXPECT_EQ(late.state(), "confirmed");
  EXPECT_EQ(sale("h").integer("sold"), 1);
}

TEST_F(States, RefusedIsFinal) {
  const std::string id = refused();
  EXPECT_EQ(reservation(id).string("reason"), "sale-closed");
  expect_problem(act(id, "payment"), 409, "not-held");
  expect_problem(confirm(id), 409, "not-held");
  expect_problem(act(id, "cancel"), 409, "not-held");
  expect_problem(act(id, "return"), 409, "not-confirmed");
}

TEST_F(States, PaidUnfulfilledStaysUntilItIsFulfilled) {
  const std::string id = paid_unfulfilled();
  expect_problem(act(id, "payment"), 409, "paid-unfulfilled");
  expect_problem(confirm(id), 409, "paid-unfulfilled");
  expect_problem(act(id, "cancel"), 409, "paid-unfulfilled");
  expect_problem(act(id, "return"), 409, "not-confirmed");
}

TEST_F(States, ReturnedMayBeSaidAgain) {
  const std::string id = returned();
  const Reply again = act(id, "return");
  EXPECT_EQ(again.status, 200U);
  EXPECT_EQ(again.state(), "returned");
  EXPECT_EQ(sale("h").integer("available"), 1);
}

TEST_F(States, AnAutomaticSaleIsNotPaidByClients) {
  server.gateway().set(Mood::keep_waiting);
  create("a", 1, R"("payment":"auto")");
  const std::string id = reserved("a", "c");
  expect_problem(act(id, "payment"), 409, "not-client-payment");
  expect_problem(confirm(id), 409, "not-client-payment");
  server.gateway().wait_for_kept(1);
  server.gateway().answer_one(Mood::charge);
}

TEST_F(States, EveryActionOnNobodysReservationIsNotFound) {
  std::string id = held();
  id[37] = id[37] == 'A' ? 'Q' : 'A';
  for (const char* what : {"payment", "cancel", "return", "fulfil"})
    expect_problem(act(id, what), 404, "reservation-not-found");
  expect_problem(confirm(id), 404, "reservation-not-found");
  expect_problem(reservation(id), 404, "reservation-not-found");
  expect_problem(reservation("nonsense"), 404, "reservation-not-found");
}

}  // namespace
}  // namespace firstcome::api::testing
