// `firstcome serve --engine guarded` as a process, over an inventory in a file and one in Redis.
#include "support/blocking_client.hpp"
#include "support/json.hpp"
#include "support/redis_server.hpp"
#include "support/server_process.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

using ::testing::Key;

constexpr auto coupon = R"({"id":"tee","kind":"coupon","stock":2})";
constexpr auto charged = R"({"id":"tee","kind":"product","stock":2,"hold_ms":1000,"payment":"auto","unit_price":500})";

/// A server, and an inventory that outlives it.
class GuardedServer {
 public:
  /// `inventory`: sqlite or redis.
  GuardedServer(const std::string& inventory, const std::string& guard, std::vector<std::string> more = {}) {
    if (inventory == "redis") redis_.emplace();
    more.insert(more.end(), {"--engine", "guarded", "--guard", guard, "--inventory"});
    more.push_back(redis_ ? "redis://" + redis_->address() : "sqlite://" + (folder_.path() / "stock.db").string());
    server_.emplace(folder_.path() / "data", std::move(more));
    client_.emplace(server_->port());
  }

  HttpAnswer ask(std::string_view method, std::string_view target, std::string_view body = {},
                 const std::vector<std::string>& fields = {}) {
    return client_->request(method, target, body, fields).value();
  }
  HttpAnswer reserve(const std::string& customer, const std::vector<std::string>& fields = {}) {
    return ask("POST", "/v1/sales/tee/reservations", R"({"customer":")" + customer + R"("})", fields);
  }
  double metric(const std::string& name) {
    const std::string text = "\n" + ask("GET", "/metrics").body;
    const std::string line = "\n" + name + " ";
    const std::size_t at = text.find(line);
    if (at == std::string::npos) throw std::runtime_error("there is no " + name);
    return std::stod(text.substr(at + line.size()));
  }
  std::uint16_t port() const { return server_->port(); }

 private:
  TemporaryFolder folder_;
  std::optional<RedisServer> redis_;
  std::optional<ServerProcess> server_;
  std::optional<BlockingClient> client_;
};

std::string code_of(const HttpAnswer& answer) { return text_of(parse_json(answer.body), "code"); }

struct Way {
  std::string inventory;
  std::string guard;
};

class GuardedWays : public ::testing::TestWithParam<Way> {};

TEST_P(GuardedWays, SellOverHttpAndAudit) {
  FIRSTCOME_NEEDS_REDIS();
  GuardedServer server(GetParam().inventory, GetParam().guard);
  EXPECT_EQ(server.ask("POST", "/v1/sales", coupon).status, 201U);
  EXPECT_EQ(server.ask("POST", "/v1/sales", coupon).status, 200U);
  EXPECT_EQ(text_of(parse_json(server.ask("GET", "/v1/sales/tee").body), "engine"), "guarded");

  const std::vector<std::string> key{R"(Idempotency-Key: "click-1")"};
  const HttpAnswer sold = server.reserve("ann", key);
  ASSERT_EQ(sold.status, 201U) << sold.body;
  EXPECT_EQ(text_of(parse_json(sold.body), "state"), "confirmed");
  const HttpAnswer again = server.reserve("ann", key);
  EXPECT_EQ(again.body, sold.body) << "byte for byte";
  EXPECT_THAT(again.fields, Contains(Key("idempotent-replayed")));
  EXPECT_EQ(code_of(server.reserve("ann")), "limit-exceeded");
  EXPECT_EQ(server.reserve("bob").status, 201U);
  const HttpAnswer refused = server.reserve("cid");
  EXPECT_EQ(refused.status, 410U);
  EXPECT_EQ(code_of(refused), "sold-out");

  const std::string location = sold.fields.at("location");
  EXPECT_EQ(text_of(parse_json(server.ask("GET", location).body), "customer"), "ann");
  const auto audit = parse_json(server.ask("GET", "/v1/sales/tee/audit").body);
  EXPECT_TRUE(audit.at("ok").as_bool()) << audit;
  EXPECT_EQ(integer_of(audit.at("equation"), "sold"), 2);
  EXPECT_EQ(server.ask("GET", "/readyz").status, 200U);
}

TEST_P(GuardedWays, AnswerWithThePayment) {
  FIRSTCOME_NEEDS_REDIS();
  GuardedServer server(GetParam().inventory, GetParam().guard, {"--simulate-payment", "before=0"});
  ASSERT_EQ(server.ask("POST", "/v1/sales", charged).status, 201U);
  const HttpAnswer sold = server.reserve("ann");
  ASSERT_EQ(sold.status, 201U) << sold.body;
  const auto payment = parse_json(sold.body).at("payment");
  EXPECT_NE(text_of(payment, "id"), "");
  EXPECT_EQ(integer_of(payment, "amount"), 500);
  EXPECT_EQ(parse_json(server.ask("GET", sold.fields.at("location")).body).at("payment"), payment);
}

TEST_P(GuardedWays, AnswerPaymentFailedAndGiveTheUnitBack) {
  FIRSTCOME_NEEDS_REDIS();
  GuardedServer server(GetParam().inventory, GetParam().guard, {"--simulate-payment", "before=1"});
  ASSERT_EQ(server.ask("POST", "/v1/sales", charged).status, 201U);
  const HttpAnswer failed = server.reserve("ann");
  EXPECT_EQ(failed.status, 402U);
  EXPECT_EQ(code_of(failed), "payment-failed");
  EXPECT_EQ(integer_of(parse_json(server.ask("GET", "/v1/sales/tee").body), "available"), 2);
}

TEST_P(GuardedWays, SayWhatIsNotSupportedAndServeSalesOfAFileAtTheStart) {
  FIRSTCOME_NEEDS_REDIS();
  const TemporaryFolder folder;
  const std::string sales = (folder.path() / "sales.json").string();
  std::ofstream(sales) << "[" << coupon << "]";
  GuardedServer server(GetParam().inventory, GetParam().guard, {"--sales", sales});
  const HttpAnswer sold = server.reserve("ann");
  ASSERT_EQ(sold.status, 201U) << sold.body;
  const std::string location = sold.fields.at("location");
  for (const auto& [method, target] : std::vector<std::pair<std::string, std::string>>{
           {"POST", location + "/cancel"}, {"DELETE", "/v1/sales/tee"}, {"GET", "/v1/events"}}) {
    const HttpAnswer answer = server.ask(method, target);
    EXPECT_EQ(answer.status, 501U) << method << " " << target << " " << answer.body;
    EXPECT_EQ(code_of(answer), "not-supported");
  }
  EXPECT_EQ(server.ask("POST", location + "/payment").status, 200U) << "it is confirmed: there is nothing to pay";
  const HttpAnswer queued = server.ask(
      "POST", "/v1/sales", R"({"id":"q","kind":"coupon","stock":2,"queue":{"admit_per_tick":1,"tick_ms":100}})");
  EXPECT_EQ(queued.status, 501U);
  EXPECT_THAT(text_of(parse_json(queued.body), "detail"), HasSubstr("queue: "));
}

INSTANTIATE_TEST_SUITE_P(Inventories, GuardedWays,
                         ::testing::Values(Way{"sqlite", "conditional-update"}, Way{"redis", "fifo"},
                                           Way{"redis", "incr"}),
                         [](const auto& test) {
                           std::string name = test.param.inventory + "_" + test.param.guard;
                           std::erase(name, '-');
                           return name;
                         });

TEST(GuardedServers, TellWhoFindsTheLockTakenToComeAgain) {
  FIRSTCOME_NEEDS_REDIS();
  GuardedServer server("redis", "setnx-try", {"--simulate-payment", "delay_ms=2500"});
  ASSERT_EQ(server.ask("POST", "/v1/sales", charged).status, 201U);
  BlockingClient ann(server.port());
  BlockingClient bob(server.port());
  ASSERT_TRUE(ann.send("POST", "/v1/sales/tee/reservations", R"({"customer":"ann"})"));
  ASSERT_TRUE(bob.send("POST", "/v1/sales/tee/reservations", R"({"customer":"bob"})"));
  const HttpAnswer first = ann.receive().value();
  const HttpAnswer second = bob.receive().value();
  const HttpAnswer& busy = first.status == 201U ? second : first;
  EXPECT_EQ(first.status + second.status, 201U + 409U);
  EXPECT_EQ(code_of(busy), "busy");
  EXPECT_EQ(busy.fields.at("retry-after"), "1");
}

TEST(GuardedServers, SellUnderALockOfServersOfWhichOneIsAway) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer first, second, third;
  const std::string locks = "redlock://" + first.address() + "," + second.address() + "," + third.address();
  third.kill();
  GuardedServer server("sqlite", "redlock", {"--locks", locks});
  ASSERT_EQ(server.ask("POST", "/v1/sales", coupon).status, 201U);
  EXPECT_EQ(server.reserve("ann").status, 201U);
}

TEST(GuardedServers, CountWhatTheySendAndHowLongTheyWait) {
  FIRSTCOME_NEEDS_REDIS();
  {
    GuardedServer server("redis", "fifo");
    ASSERT_EQ(server.ask("POST", "/v1/sales", coupon).status, 201U);
    const double before = server.metric("firstcome_redis_commands_total");
    ASSERT_EQ(server.reserve("ann").status, 201U);
    const double sent = server.metric("firstcome_redis_commands_total") - before;
    EXPECT_GE(sent, 5) << "acquire; stock and customer; write; release";
    EXPECT_LE(sent, 12);
    EXPECT_EQ(server.metric("firstcome_guard_waits_total"), 1);
    EXPECT_GT(server.metric("firstcome_guard_wait_seconds_total"), 0);
    EXPECT_EQ(server.metric("firstcome_sql_statements_total"), 0);
  }
  GuardedServer server("sqlite", "conditional-update");
  ASSERT_EQ(server.ask("POST", "/v1/sales", coupon).status, 201U);
  const double before = server.metric("firstcome_sql_statements_total");
  ASSERT_EQ(server.reserve("ann").status, 201U);
  EXPECT_GE(server.metric("firstcome_sql_statements_total") - before, 2);
  EXPECT_EQ(server.metric("firstcome_redis_commands_total"), 0);
}

}  // namespace
}  // namespace firstcome::testing
