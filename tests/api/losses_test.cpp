// GET /v1/losses, POST /v1/losses/settle, and what /readyz says beside "ready".
#include "api/api_test.hpp"

#include <gtest/gtest.h>

#include <string>

namespace firstcome::api::testing {
namespace {

Loss two_reservations() {
  Loss loss;
  loss.sale_id = "ticket";
  loss.incarnation = Incarnation{0x1a2b};
  loss.number_from = 3;
  loss.number_upto = 4;
  loss.witness = "the orders";
  loss.found_at = Instant{std::chrono::sys_days{std::chrono::year{2026} / 11 / 27}};
  return loss;
}

TEST(Losses, AreToldWithWhatIsLostAndWhoRemembers) {
  ScriptedServer server([](const Command& command) -> std::expected<Answer, Failure> {
    LossesAnswer answer;
    answer.items.push_back(two_reservations());
    if (const auto* settle = std::get_if<SettleLosses>(&command)) {
      answer.items[0].settled = {answer.items[0].found_at, settle->by, settle->reason};
    }
    return answer;
  });
  Client client(server.port());
  const std::string loss =
      R"({"sale":"ticket","incarnation":"00001a2b","numbers":{"from":3,"upto":4},"sequences":null,)"
      R"("witness":"the orders","found_at":"2026-11-27T00:00:00.000Z","settled":)";
  EXPECT_EQ(client.get("/v1/losses").text, R"({"items":[)" + loss + "null}]}");
  EXPECT_EQ(client.post("/v1/losses/settle", R"({"by":"mina","reason":"refunded"})").text,
            R"({"items":[)" + loss + R"({"at":"2026-11-27T00:00:00.000Z","by":"mina","reason":"refunded"}}]})");
}

TEST(Losses, AreAWarningOfAServerThatIsReady) {
  ScriptedServer server([](const Command&) -> std::expected<Answer, Failure> { return LossesAnswer{}; },
                        {true, "something is lost"});
  const Reply reply = Client(server.port()).get("/readyz");
  EXPECT_EQ(reply.status, 200U);
  EXPECT_EQ(reply.text, R"({"status":"ready","detail":"something is lost"})");
}

TEST_F(ApiTest, AStoreThatLostNothingHasNoLosses) {
  EXPECT_EQ(client.get("/v1/losses").text, R"({"items":[]})");
  EXPECT_EQ(client.post("/v1/losses/settle", R"({"by":"mina","reason":"none"})").text, R"({"items":[]})");
  expect_problem(client.post("/v1/losses/settle", R"({"by":"mina"})"), 422, "invalid-field");
}

}  // namespace
}  // namespace firstcome::api::testing
