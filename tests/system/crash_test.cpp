// kill -9 of the server at random moments under load, over real HTTP: nothing acknowledged is gone, nothing is there
// twice, and a request that got no answer has one effect when it is sent again.
#include "support/blocking_client.hpp"
#include "support/json.hpp"
#include "support/rounds.hpp"
#include "support/server_process.hpp"
#include "support/temporary_folder.hpp"
#include "system/witness.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

namespace firstcome::testing {
namespace {

constexpr int customers_at_once = 8;
constexpr std::int64_t coupons = 2'000;

void create(BlockingClient& client, const std::string& body) {
  auto answer = client.request("POST", "/v1/sales", body);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->status, 201U) << answer->body;
}

void expect_sound(BlockingClient& client, const std::string& sale) {
  auto answer = client.request("GET", "/v1/sales/" + sale + "/audit");
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->status, 200U) << answer->body;
  auto audit = parse_json(answer->body);
  EXPECT_TRUE(audit.at("ok").as_bool()) << answer->body;
  const auto& equation = audit.at("equation");
  EXPECT_EQ(integer_of(equation, "available") + integer_of(equation, "held") + integer_of(equation, "sold"),
            integer_of(equation, "stock"));
}

/// One customer after another on one connection until the server is gone; every third goes on to confirm or cancel.
void ask_until_cut(Witness& witness, std::uint16_t port, const std::string& name, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  BlockingClient client(port);
  for (int i = 0;; ++i) {
    std::string customer = name + "-" + std::to_string(i);
    std::string sale = random() % 4 == 0 ? "coupon" : "ticket";
    if (!witness.reserve(client, sale, customer, "key-" + customer)) return;
    if (random() % 3 != 0) continue;
    if (!witness.finish_one(client, random() % 2 == 0 ? "confirm" : "cancel")) return;
  }
}

void rush_until_killed(Witness& witness, ServerProcess& server, int round, std::mt19937_64& random) {
  std::vector<std::jthread> crowd;
  for (int i = 0; i < customers_at_once; ++i) {
    crowd.emplace_back(ask_until_cut, std::ref(witness), server.port(),
                       "r" + std::to_string(round) + "c" + std::to_string(i), random());
  }
  // allowed: the moment is what is random here, not a condition that is waited for
  std::this_thread::sleep_for(std::chrono::milliseconds{std::uniform_int_distribution{5, 300}(random)});
  server.process().kill();
}

TEST(Crash, KillAtRandomMomentsLosesAndDoublesNothing) {
  const std::uint64_t chosen = seed();
  const int times = rounds(50);
  SCOPED_TRACE("repeat with FIRSTCOME_SEED=" + std::to_string(chosen));
  std::mt19937_64 random(chosen);
  TemporaryFolder folder;
  Witness witness;
  for (int round = 0; round <= times; ++round) {
    ServerProcess server(folder.path() / "data");
    BlockingClient client(server.port());
    if (round == 0) {
      create(client, R"({"id":"ticket","kind":"ticket","stock":1000000000,"hold_ms":600000000})");
      create(client, R"({"id":"coupon","kind":"coupon","stock":)" + std::to_string(coupons) + "}");
    }
    witness.repeat_unanswered(client);
    witness.check_new(client);
    expect_sound(client, "ticket");
    expect_sound(client, "coupon");
    if (::testing::Test::HasFailure()) FAIL() << "in round " << round << ", log:\n" << server.log();
    if (round < times) {
      rush_until_killed(witness, server, round, random);
    } else {
      witness.check_all(client, "ticket");
      witness.check_all(client, "coupon");
    }
  }
  RecordProperty("answers", static_cast<int>(witness.answered()));
  EXPECT_GT(witness.answered(), static_cast<std::size_t>(times)) << "the crowd was not heard: the test has no power";
}

}  // namespace
}  // namespace firstcome::testing
