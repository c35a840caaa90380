// Leases that clients name, over two processes of `firstcome serve` that share locks on Redis.
#include "support/blocking_client.hpp"
#include "support/json.hpp"
#include "support/redis_server.hpp"
#include "support/server_process.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::testing {
namespace {

constexpr auto ann = R"({"lease":"ann-0123456789-abcdef"})";
constexpr auto bob = R"({"lease":"bob-0123456789-abcdef","wait_ms":20000})";

class SharedLeasesOfServers : public ::testing::Test {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    redis.emplace();
    const std::vector<std::string> arguments{"--locks", "redis://" + redis->address()};
    one = std::make_unique<ServerProcess>(folder.path() / "one", arguments);
    two = std::make_unique<ServerProcess>(folder.path() / "two", arguments);
  }
  static HttpAnswer post(const ServerProcess& server, const std::string& target, const std::string& body) {
    BlockingClient client(server.port());
    return client.request("POST", "/v1/locks/a/" + target, body).value();
  }
  static std::int64_t token(const HttpAnswer& answer) { return integer_of(parse_json(answer.body), "token"); }

  TemporaryFolder folder;
  std::optional<RedisServer> redis;
  std::unique_ptr<ServerProcess> one;
  std::unique_ptr<ServerProcess> two;
};

TEST_F(SharedLeasesOfServers, OutliveTheOneThatWasKilledAndGoToWhoWaitsAtTheOther) {
  const HttpAnswer grant = post(*one, "acquire", ann);
  ASSERT_EQ(grant.status, 200U);
  one.reset();  // SIGKILL
  EXPECT_EQ(token(post(*two, "acquire", ann)), token(grant));
  EXPECT_EQ(token(post(*two, "renew", ann)), token(grant));
  BlockingClient waiter(two->port());
  ASSERT_TRUE(waiter.send("POST", "/v1/locks/a/acquire", bob));
  EXPECT_TRUE(eventually([this] {
    BlockingClient client(two->port());
    const auto seen = client.request("GET", "/v1/locks/a");
    return seen && integer_of(parse_json(seen->body), "waiting") == 1;
  }));
  EXPECT_EQ(post(*two, "release", ann).status, 200U);
  const auto next = waiter.receive();
  ASSERT_TRUE(next);
  ASSERT_EQ(next->status, 200U);
  EXPECT_GT(token(*next), token(grant));
  EXPECT_EQ(post(*two, "renew", ann).status, 409U);
}

}  // namespace
}  // namespace firstcome::testing
