// kill -9 of the server between the gateway's answer and the commit: each charge has its reservation or its refund, and
// none is made twice. The provider does the killing, at the very moment when it has written a charge into its books.
#include "support/blocking_client.hpp"
#include "support/json.hpp"
#include "support/rounds.hpp"
#include "support/server_process.hpp"
#include "support/temporary_folder.hpp"
#include "system/provider_process.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace firstcome::testing {
namespace {

using namespace std::chrono_literals;

std::string reserve(BlockingClient& client, const std::string& customer) {
  auto answer = client.request("POST", "/v1/sales/seat/reservations", R"({"customer":")" + customer + R"("})");
  if (!answer || answer->status != 201) throw std::runtime_error("no hold: " + (answer ? answer->body : "no answer"));
  return text_of(parse_json(answer->body), "id");
}

void crash_once(const std::string& kill_when, std::int64_t hold_ms) {
  SCOPED_TRACE(kill_when + ", holds of " + std::to_string(hold_ms) + " ms");
  TemporaryFolder folder;
  ProviderProcess provider(folder.path(), kill_when);
  std::vector<std::string> ids;
  {
    ServerProcess server(folder.path() / "data", {"--gateway", provider.address()});
    write_pid(folder.path(), server.process().pid());
    BlockingClient client(server.port());
    auto created = client.request(
        "POST", "/v1/sales",
        R"({"id":"seat","kind":"ticket","stock":4,"unit_price":1000,"hold_ms":)" + std::to_string(hold_ms) + "}");
    ASSERT_TRUE(created);
    ASSERT_EQ(created->status, 201U) << created->body;
    for (int i = 0; i < 4; ++i) ids.push_back(reserve(client, "c-" + std::to_string(i)));
    for (const std::string& id : ids) {
      BlockingClient payer(server.port());
      if (!payer.request("POST", "/v1/reservations/" + id + "/payment")) break;  // the crash
    }
    ASSERT_EQ(server.process().wait(30s), 128 + 9) << "the provider did not kill the server: the test has no power";
  }
  ServerProcess server(folder.path() / "data", {"--gateway", provider.address()});
  BlockingClient client(server.port());
  expect_each_charge_once(client, provider);
  auto again = client.request("POST", "/v1/reservations/" + ids[2] + "/payment");
  ASSERT_TRUE(again);
  expect_each_charge_once(client, provider);
}

TEST(PaymentCrash, EachChargeHasItsReservationOrItsRefundAndNoneIsMadeTwice) {
  const int times = rounds(20);
  for (int round = 0; round < times && !::testing::Test::HasFailure(); ++round) {
    // Every other one with holds that are over before the server is back.
    crash_once(round % 4 < 2 ? "before-answer" : "after-answer", round % 2 == 0 ? 600'000 : 1'000);
  }
}

}  // namespace
}  // namespace firstcome::testing
