// Several processes on one Redis sell one stock, and one of them is killed in the middle: the others go on with what it
// has left, whether that is the sale, its holds or a payment. TLS and a user with few rights at the end.
#include "system/redis_nodes.hpp"

#include "support/certificates.hpp"
#include "support/json.hpp"
#include "system/provider_process.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::testing {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

struct Reserved {
  std::string id;
  std::string state;
};

Reserved reserve_at(std::uint16_t port, const std::string& customer) {
  BlockingClient client(port);
  const auto answer = client.request("POST", "/v1/sales/tee/reservations", R"({"customer":")" + customer + R"("})");
  if (!answer || answer->status >= 300) throw std::runtime_error(answer ? answer->body : "no answer");
  const auto body = parse_json(answer->body);
  return {text_of(body, "id"), text_of(body, "state")};
}

TEST(RedisNodes, SellEachUnitOnceWhenOneOfThreeIsKilled) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer redis;
  Nodes nodes(3, "redis://" + redis.address());
  // A claim of the node that dies is taken over after ten seconds; who comes too late asks again when holds end.
  create_sale(nodes[0].port(), R"({"id":"tee","kind":"ticket","stock":8000,"standby":false,"hold_ms":15000})");
  rush::RushOptions options = crowd_for(nodes, 20'000);
  options.double_click = 0.2;
  bool killed = false;
  const rush::RushResult result = rushed(options, [&](const rush::CrowdFigures& figures) {
    if (killed || figures.clicks < 4'000) return;
    killed = true;
    nodes.kill(2);
  });
  ASSERT_TRUE(killed) << "all was over before: the test has no power";
  EXPECT_EQ(result.grade(), rush::Grade::fine) << rush::report(result) << nodes.logs();
  EXPECT_EQ(result.after.sold, 8'000);
  EXPECT_EQ(result.totals.sold, 8'000U);
  EXPECT_EQ(result.totals.unanswered, 0U);
  EXPECT_EQ(result.verdict.unknown, 0U);
  EXPECT_GT(result.figures.targets[2].unanswered, 0U) << "nobody was asking it: the test has no power";
  expect_undisturbed(result, 0);
  expect_undisturbed(result, 1);
}

TEST(RedisNodes, EndTheHoldsOfOneThatWasKilled) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer redis;
  Nodes nodes(2, "redis://" + redis.address());
  create_sale(nodes[0].port(), R"({"id":"tee","kind":"ticket","stock":1,"hold_ms":10000})");
  EXPECT_EQ(reserve_at(nodes[0].port(), "first").state, "held");
  const auto held_until = SteadyClock::now() + 10s;
  const Reserved waits = reserve_at(nodes[1].port(), "second");
  EXPECT_EQ(waits.state, "queued");
  nodes.kill(0);
  // Nobody asks the node that is left, or it would end the hold because of that: its outbox is looked at instead.
  const auto changes = [&redis] { return redis.text({"XLEN", "firstcome:{sale-1}:events"}); };
  const std::string before = changes();
  ASSERT_NE(before, "0") << "there is no such stream: the test has no power";
  ASSERT_LT(SteadyClock::now(), held_until) << "the hold was over before: the test has no power";
  ASSERT_TRUE(eventually([&] { return changes() != before; })) << nodes.logs();
  const auto late = SteadyClock::now() - held_until;
  EXPECT_LT(late, 5s);
  RecordProperty("late_ms", std::to_string(late / 1ms));
  BlockingClient client(nodes[1].port());
  const auto answer = client.request("GET", "/v1/reservations/" + waits.id);
  ASSERT_TRUE(answer);
  EXPECT_EQ(text_of(parse_json(answer->body), "state"), "held") << answer->body;
}

// The provider kills the node that asks it for the third charge, when that is in its books and not yet answered.
TEST(RedisNodes, SettleThePaymentOfOneThatWasKilledAndChargeOnce) {
  FIRSTCOME_NEEDS_REDIS();
  TemporaryFolder folder;
  ProviderProcess provider(folder.path(), "before-answer");
  RedisServer redis;
  Nodes nodes(2, "redis://" + redis.address(), {"--gateway", provider.address(), "--gateway-timeout-ms", "1000"});
  write_pid(folder.path(), nodes[0].process().pid());
  create_sale(nodes[0].port(), R"({"id":"tee","kind":"ticket","stock":4,"unit_price":1000,"hold_ms":600000})");
  std::vector<std::string> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(reserve_at(nodes[0].port(), "c-" + std::to_string(i)).id);
  for (const std::string& id : ids) {
    BlockingClient payer(nodes[0].port());
    if (!payer.request("POST", "/v1/reservations/" + id + "/payment")) break;  // the crash
  }
  ASSERT_EQ(nodes[0].process().wait(30s), 128 + 9) << "the provider did not kill it: the test has no power";
  BlockingClient client(nodes[1].port());
  expect_each_charge_once(client, provider);
  EXPECT_TRUE(client.request("POST", "/v1/reservations/" + ids[2] + "/payment"));
  expect_each_charge_once(client, provider);
}

TEST(RedisNodes, SellByTlsAsAUserWithFewRights) {
  FIRSTCOME_NEEDS_REDIS();
  TemporaryFolder folder;
  const CertificateAuthority authority(folder.path(), "authority");
  const CertificateAuthority::Certificate own = authority.sign("server", "IP:127.0.0.1");
  RedisServer redis({.tls = RedisTlsFiles{own.file, own.key_file, authority.file()}});
  ASSERT_EQ(
      redis.text({"ACL", "SETUSER", "shop", "on", ">secret", "~firstcome:*", "+@read", "+@write", "+@scripting",
                  "+@connection", "+time", "+wait", "+info", "+config|get", "-@dangerous", "+info", "+config|get"}),
      "OK");
  // The password is in no list of processes.
  const std::string password = folder.path() / "password";
  std::ofstream(password) << "secret\n";
  const std::string url = "rediss://shop:@127.0.0.1:" + std::to_string(redis.tls_port());
  Nodes nodes(2, url, {"--redis-ca", authority.file(), "--redis-password-file", password});
  create_sale(nodes[0].port(), R"({"id":"tee","kind":"ticket","stock":300,"hold_ms":1000})");
  rush::RushOptions options = crowd_for(nodes, 1'000);
  options.double_click = 0.2;
  options.abandon = 0.2;
  const rush::RushResult result = rushed(options);
  EXPECT_EQ(result.grade(), rush::Grade::fine) << rush::report(result) << nodes.logs();
  EXPECT_EQ(result.after.sold, 300);
  expect_undisturbed(result, 0);
  expect_undisturbed(result, 1);
  EXPECT_NE(redis.text({"CLIENT", "LIST"}).find("user=shop"), std::string::npos);
}

TEST(RedisNodes, KeepLocksByTlsAsTheyKeepSales) {
  FIRSTCOME_NEEDS_REDIS();
  TemporaryFolder folder;
  const CertificateAuthority authority(folder.path(), "authority");
  const CertificateAuthority::Certificate own = authority.sign("server", "IP:127.0.0.1");
  RedisServer redis({.tls = RedisTlsFiles{own.file, own.key_file, authority.file()}});
  ASSERT_EQ(redis.text({"CONFIG", "SET", "tls-auth-clients", "yes"}), "OK");
  const CertificateAuthority::Certificate ours = authority.sign("node", "IP:127.0.0.1");
  const std::string url = "rediss://127.0.0.1:" + std::to_string(redis.tls_port());
  Nodes nodes(1, url, {"--redis-ca", authority.file(), "--redis-cert", ours.file, "--redis-key", ours.key_file});
  BlockingClient client(nodes[0].port());
  const auto taken = client.request("POST", "/v1/locks/door/acquire",
                                    R"({"lease":"lease-0123456789","wait_ms":10000,"lease_ms":5000})");
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->status, 200U) << taken->body << nodes.logs();
}

}  // namespace
}  // namespace firstcome::testing
