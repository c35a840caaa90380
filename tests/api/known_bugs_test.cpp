// Bugs that others shipped, asked of this server over HTTP.
#include "api/api_test.hpp"

#include <atomic>
#include <thread>

namespace firstcome::api::testing {
namespace {

using namespace std::chrono_literals;
using Mood = ObedientGateway::Mood;

class KnownBugs : public ApiTest {};

TEST_F(KnownBugs, No3_RepeatedClicksOfOneCustomerTakeOneUnit) {
  create("s", 100, R"("limit_per_customer":1)");
  std::vector<std::thread> clicks;
  std::atomic<int> told_yes = 0;
  for (int i = 0; i < 4; ++i) {
    clicks.emplace_back([&] {
      Client click(server.port());
      for (int n = 0; n < 50; ++n)
        told_yes += click.post("/v1/sales/s/reservations", R"({"customer":"eager"})").status == 201 ? 1 : 0;
    });
  }
  for (std::thread& thread : clicks) thread.join();
  EXPECT_EQ(told_yes, 1);
  EXPECT_EQ(sale("s").integer("held"), 1);
  EXPECT_EQ(sale("s").integer("available"), 99);
}

TEST_F(KnownBugs, No5_ACustomerWhomTheStockRefusedIsNotMarkedAsServed) {
  create("s", 1, R"("limit_per_customer":1)");
  const std::string holder = reserved("s", "first");
  expect_problem(reserve("s", "second"), 409, "sold-out-holds-pending");
  act(holder, "cancel");
  EXPECT_EQ(reserve("s", "second").status, 201U);
}

TEST_F(KnownBugs, No7_APaymentIsAnsweredWhenItIsStoredAndNotBefore) {
  create("s", 1);
  const std::string id = reserved("s", "c");
  server.gateway().set(Mood::keep_waiting);
  Client payer(server.port());
  payer.send("POST", "/v1/reservations/" + id + "/payment");
  server.gateway().wait_for_kept(1);
  EXPECT_EQ(reservation(id).state(), "held");
  const Reply meanwhile = act(id, "confirm", R"({"payment_id":"webhook"})");
  expect_problem(meanwhile, 409, "request-in-progress");
  EXPECT_EQ(meanwhile.field("retry-after"), "1") << "a provider that asks again is told so";
  server.gateway().answer_one(Mood::charge);
  EXPECT_EQ(payer.receive().status, 200U);
  EXPECT_EQ(reservation(id).state(), "confirmed") << "whoever was told 200 finds it stored";
}

TEST_F(KnownBugs, No8_AShoppersOwnHoldNeitherBlocksTheShopperNorSellsTwice) {
  create("s", 1);
  const Reply first = reserve("s", "c", 1, {key("cart")});
  EXPECT_EQ(reserve("s", "c", 1, {key("cart")}).id(), first.id());
  expect_problem(reserve("s", "c"), 409, "sold-out-holds-pending");
  EXPECT_EQ(act(first.id(), "payment").status, 200U);
  EXPECT_EQ(sale("s").integer("sold"), 1);
  expect_problem(reserve("s", "c"), 410, "sold-out");
}

TEST_F(KnownBugs, No10_ADoubleClickMakesOneReservationAndOneCharge) {
  create("s", 10);
  Client twin(server.port());
  client.send("POST", "/v1/sales/s/reservations", R"({"customer":"c"})", {key("click")});
  twin.send("POST", "/v1/sales/s/reservations", R"({"customer":"c"})", {key("click")});
  const std::string id = client.receive().id();
  EXPECT_EQ(twin.receive().id(), id);
  server.gateway().set(Mood::keep_waiting);
  client.send("POST", "/v1/reservations/" + id + "/payment");
  twin.send("POST", "/v1/reservations/" + id + "/payment");
  server.gateway().wait_for_kept(1);
  server.gateway().answer_one(Mood::charge);
  const Reply one = client.receive();
  const Reply two = twin.receive();
  EXPECT_TRUE(one.status == 200 || two.status == 200);
  for (const Reply& reply : {one, two})
    if (reply.status != 200) expect_problem(reply, 409, "request-in-progress");
  EXPECT_EQ(server.gateway().charges().size(), 1U);
  EXPECT_EQ(sale("s").integer("sold"), 1);
}

TEST_F(KnownBugs, No16_ASaleThatWaitsForItsGatewayHoldsUpNoOtherSale) {
  create("slow", 50);
  create("other", 500, R"("hold_ms":0)");
  server.gateway().set(Mood::keep_waiting);
  std::vector<std::unique_ptr<Client>> payers;
  for (int i = 0; i < 20; ++i) {
    const std::string id = reserved("slow", "c-" + std::to_string(i));
    payers.push_back(std::make_unique<Client>(server.port()));
    payers.back()->send("POST", "/v1/reservations/" + id + "/payment");
  }
  server.gateway().wait_for_kept(20);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(reserve("other", "c").status, 201U);
  EXPECT_EQ(reserve("slow", "one-more").status, 201U);
  for (int i = 0; i < 20; ++i) server.gateway().answer_one(Mood::charge);
  for (const auto& payer : payers) EXPECT_EQ(payer->receive().status, 200U);
}

}  // namespace
}  // namespace firstcome::api::testing
