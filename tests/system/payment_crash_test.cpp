// kill -9 of the server between the gateway's answer and the commit: each charge has its reservation or its refund, and
// none is made twice. The provider does the killing, at the very moment when it has written a charge into its books.
#include "support/blocking_client.hpp"
#include "support/json.hpp"
#include "support/rounds.hpp"
#include "support/server_process.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <map>

namespace firstcome::testing {
namespace {

using namespace std::chrono_literals;

class ProviderProcess {
 public:
  ProviderProcess(const std::filesystem::path& folder, const std::string& kill_when) {
    ChildOptions options;
    options.program = PAYMENT_PROVIDER;
    options.arguments = {"--ledger",        (folder / "books").string(),
                         "--kill-pid-file", (folder / "pid").string(),
                         "--kill-on",       "3",
                         "--kill-when",     kill_when};
    options.error_log = folder / "provider.log";
    process_ = std::make_unique<ChildProcess>(std::move(options));
    auto line = process_->read_line(30s);
    const std::string prefix = "listening on http://127.0.0.1:";
    if (!line || !line->starts_with(prefix)) throw std::runtime_error("the provider did not start");
    port_ = static_cast<std::uint16_t>(std::stoi(line->substr(prefix.size())));
  }

  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }

  boost::json::value books() const {
    BlockingClient client(port_);
    auto answer = client.request("GET", "/ledger");
    if (!answer) throw std::runtime_error("the provider's books cannot be read");
    return parse_json(answer->body);
  }

 private:
  std::unique_ptr<ChildProcess> process_;
  std::uint16_t port_ = 0;
};

std::string reserve(BlockingClient& client, const std::string& customer) {
  auto answer = client.request("POST", "/v1/sales/seat/reservations", R"({"customer":")" + customer + R"("})");
  if (!answer || answer->status != 201) throw std::runtime_error("no hold: " + (answer ? answer->body : "no answer"));
  return text_of(parse_json(answer->body), "id");
}

std::string state_of(BlockingClient& client, const std::string& id) {
  auto answer = client.request("GET", "/v1/reservations/" + id);
  if (!answer || answer->status != 200) throw std::runtime_error("a reservation is gone");
  return text_of(parse_json(answer->body), "state");
}

void write_pid(const std::filesystem::path& folder, pid_t pid) {
  std::ofstream file(folder / "pid.new");
  file << pid << '\n';
  file.close();
  std::filesystem::rename(folder / "pid.new", folder / "pid");
}

/// Waits until the server has settled what the crash left: every charge confirmed, or paid back.
void expect_each_charge_once(BlockingClient& client, const ProviderProcess& provider) {
  const auto deadline = std::chrono::steady_clock::now() + 50s;
  for (;;) {
    auto books = provider.books();
    std::map<std::string, int> charges;
    std::map<std::string, int> refunds;
    for (const auto& charge : books.at("charges").as_array()) ++charges[text_of(charge, "key")];
    for (const auto& refund : books.at("refunds").as_array()) ++refunds[std::string(refund.as_string())];
    ASSERT_FALSE(charges.empty()) << "nobody was charged: the test has no power";
    bool settled = true;
    for (const auto& [key, times] : charges) {
      ASSERT_EQ(times, 1) << key << " was charged twice";
      std::string state = state_of(client, key);
      ASSERT_LE(refunds[key], 1) << key << " was paid back twice";
      ASSERT_FALSE(state == "confirmed" && refunds[key] == 1) << key << " has its unit and its money";
      settled = settled && (state == "confirmed" || refunds[key] == 1);
    }
    if (settled) return;
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "a charge has neither its reservation nor its refund";
  }
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
