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

/// A node that has not heard of the incarnation of a sale until it asks for a reservation of it.
class NodeThatAsks : public ::testing::Test {
 protected:
  static constexpr engine::StoreSecret secret{1, 2, 3};
  static constexpr ReservationRef ref{SaleHandle{7}, Number{3}};

  NodeThatAsks() {
    const engine::ReservationIdText text =
        engine::ReservationIds(std::make_shared<engine::StoreIdentity>(secret, heard())).encode(ref);
    target = "/v1/reservations/" + std::string(text.view());
  }
  static engine::Incarnations heard() {
    engine::Incarnations incarnations;
    incarnations.begin(engine::Era{.sale = ref.sale, .incarnation = Incarnation{0x1a2b}});
    return incarnations;
  }
  std::expected<Answer, Failure> answer(const Command& command) {
    ++asked;
    const auto* get = std::get_if<GetReservation>(&command);
    if (get == nullptr || get->ref != ref) return Answer{ReservationAnswer{}};
    if (asks_in_vain) return Answer{ReservationAnswer{}};
    identity->set(heard());
    ReservationAnswer found;
    found.outcome = Outcome::done;
    found.reservation.ref = ref;
    return Answer{std::move(found)};
  }

  const std::shared_ptr<engine::StoreIdentity> identity = std::make_shared<engine::StoreIdentity>(secret);
  std::string target;
  bool asks_in_vain = false;
  std::atomic<int> asked = 0;
  ScriptedEngine engine_{[this](const Command& command) { return answer(command); }, {}};
  Api api{engine_, engine::ReservationIds(identity), nullptr, {}};
  ServerThread thread{{}, api, engine_};
};

TEST_F(NodeThatAsks, KnowsAReservationThatAnotherNodeMade) {
  Client client(thread.server().port());
  EXPECT_EQ(client.get(target).status, 200U);
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(client.get(target).status, 200U);
  EXPECT_EQ(asked, 3) << "it knows by then";
}

TEST_F(NodeThatAsks, KnowsNoReservationOfALostPast) {
  asks_in_vain = true;
  Client client(thread.server().port());
  expect_problem(client.get(target), 404, "reservation-not-found");
  expect_problem(client.post(target + "/cancel", ""), 404, "reservation-not-found");
  EXPECT_EQ(asked, 2);
}

TEST_F(NodeThatAsks, AsksFirstWhatAnOldIdMeans) {
  engine::Incarnations of_another;
  of_another.begin(engine::Era{.sale = SaleHandle{8}, .incarnation = Incarnation{0x3c4d}});
  identity->set(of_another);
  const engine::ReservationIdText old = engine::ReservationIds(secret).encode(ref);
  Client client(thread.server().port());
  expect_problem(client.get("/v1/reservations/" + std::string(old.view())), 404, "reservation-not-found");
  EXPECT_EQ(asked, 1);
}

TEST_F(ApiTest, AStoreThatLostNothingHasNoLosses) {
  EXPECT_EQ(client.get("/v1/losses").text, R"({"items":[]})");
  EXPECT_EQ(client.post("/v1/losses/settle", R"({"by":"mina","reason":"none"})").text, R"({"items":[]})");
  expect_problem(client.post("/v1/losses/settle", R"({"by":"mina"})"), 422, "invalid-field");
}

}  // namespace
}  // namespace firstcome::api::testing
