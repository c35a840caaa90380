// The metrics of locks, as Prometheus gets them from a server: kept by the server itself and on Redis.
#include "support/blocking_client.hpp"
#include "support/redis_server.hpp"
#include "support/server_process.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace firstcome::testing {
namespace {

struct LockMetricsOfAServer : ::testing::Test {
  void start(std::vector<std::string> arguments) {
    server.emplace(folder.path() / "data", std::move(arguments));
    client.emplace(server->port());
  }
  unsigned post(const std::string& target, const std::string& body) {
    const auto answer = client->request("POST", "/v1/locks/a/" + target, body);
    return answer ? answer->status : 0;
  }
  std::string value(const std::string& name) {
    const auto answer = client->request("GET", "/metrics");
    if (!answer) return "no answer";
    const std::string text = "\n" + answer->body;
    const std::string line = "\nfirstcome_locks_" + name + " ";
    const std::size_t at = text.find(line);
    if (at == std::string::npos || text.find(line, at + 1) != std::string::npos) return "not once in" + text;
    return text.substr(at + line.size(), text.find('\n', at + 1) - at - line.size());
  }

  /// Whether the server keeps the leases, or whoever keeps the locks.
  enum class Kept { here, there };
  /// One holds, renews, releases; another waits for it; a third loses its lease.
  void use_locks(Kept kept) {
    const bool here = kept == Kept::here;
    ASSERT_EQ(post("acquire", R"({"lease":"the-first-holder","lease_ms":30000})"), 200U);
    EXPECT_EQ(value("held"), here ? "1" : "0");
    BlockingClient waiter(server->port());
    ASSERT_TRUE(waiter.send("POST", "/v1/locks/a/acquire",
                            R"({"lease":"the-second-holder","wait_ms":30000,"lease_ms":30000})"));
    EXPECT_TRUE(eventually([this] { return value("waiting") == "1"; }));
    ASSERT_EQ(post("renew", R"({"lease":"the-first-holder"})"), 200U);
    EXPECT_NE(value("renewal_lag_seconds_count"), "0");
    ASSERT_EQ(post("release", R"({"lease":"the-first-holder"})"), 200U);
    const auto granted = waiter.receive();
    ASSERT_TRUE(granted);
    ASSERT_EQ(granted->status, 200U);
    EXPECT_EQ(value("wait_seconds_count"), "2");
    EXPECT_EQ(value("hold_seconds_count"), here ? "1" : "0");
    EXPECT_EQ(value("waiting"), "0");
    ASSERT_EQ(post("release", R"({"lease":"the-second-holder"})"), 200U);
    EXPECT_EQ(value("lost_total"), "0");
    ASSERT_EQ(post("acquire", R"({"lease":"one-who-goes-away","lease_ms":20})"), 200U);
    EXPECT_EQ(value("wait_seconds_count"), "3");
    if (here) {
      EXPECT_TRUE(eventually([this] { return value("lost_total") == "1"; }));
      EXPECT_EQ(value("hold_seconds_count"), "3");
    }
    EXPECT_EQ(value("held"), "0");
  }

  TemporaryFolder folder;
  std::optional<ServerProcess> server;
  std::optional<BlockingClient> client;
};

TEST_F(LockMetricsOfAServer, AreThoseOfTheEmbeddedEngine) {
  start({});
  use_locks(Kept::here);
  EXPECT_NE(post("renew", R"({"lease":"one-who-goes-away"})"), 200U);
  EXPECT_EQ(value(R"(not_renewed_total{why="refused"})"), "1");
}

TEST_F(LockMetricsOfAServer, AreThoseOfLocksOnRedis) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer redis;
  start({"--locks", "redis://" + redis.address()});
  use_locks(Kept::there);
  redis.kill();
  EXPECT_NE(post("acquire", R"({"lease":"one-too-late-for-it","lease_ms":30000})"), 200U);
  EXPECT_EQ(value(R"(not_acquired_total{why="unavailable"})"), "1");
}

}  // namespace
}  // namespace firstcome::testing
