// What no lock can promise, shown on each kind: a holder that is stopped for longer than its lease writes when it wakes
// up. A resource without a fence takes that write; one with a fence refuses it, where the lock has tokens.
//
// So the tests under fire have teeth: the same crowd and the same resource, and the damage is seen.
#include "lock/redis/fifo_crowd.hpp"
#include "support/sql_server.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::lock::test {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::ChildProcess;
using firstcome::testing::eventually;
using firstcome::testing::MariadbServer;
using firstcome::testing::PostgresServer;
using firstcome::testing::RedisServer;

struct Unfenced {
  std::string name;
  std::string scheme;
  LockKind kind = LockKind::fifo;
  enum class Tokens : std::uint8_t { none, some } tokens = Tokens::none;
};

class WithoutAFence : public ::testing::TestWithParam<Unfenced> {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    resource = std::make_unique<RedisServer>();
    const std::string& scheme = GetParam().scheme;
    if (scheme == "postgresql") {
      FIRSTCOME_NEEDS_SQL(PostgresServer);
      sql = std::make_unique<PostgresServer>();
    } else if (scheme == "mysql") {
      FIRSTCOME_NEEDS_SQL(MariadbServer);
      sql = std::make_unique<MariadbServer>();
    } else {
      for (int i = 0; i < (scheme == "redlock" ? 3 : 1); ++i) servers.push_back(std::make_unique<RedisServer>());
    }
  }

  std::string url() const {
    if (sql) return sql->url();
    std::string text = GetParam().scheme + "://";
    for (const auto& server : servers) text += (server == servers.front() ? "" : ",") + server->address();
    return text;
  }
  std::size_t count(const char* name) const {
    const std::string text = resource->text({"GET", name});
    return text == "(nil)" ? 0 : std::stoul(text);
  }
  ChildProcess* holder() const {
    const std::string process = resource->text({"GET", "holder"});
    for (const auto& child : crowd) {
      if (std::to_string(child->pid()) == process) return child.get();
    }
    return nullptr;
  }
  /// Stops the holder, hopefully at its work, until somebody else has worked; then lets it go on.
  void stop_the_holder() const {
    ChildProcess* const child = holder();
    if (child == nullptr) return;
    child->signal(SIGSTOP);
    const std::size_t before = count("plain");
    eventually([&] { return count("plain") > before; }, 10s);
    const std::size_t lost = count("plain_lost");
    child->signal(SIGCONT);
    eventually([&] { return count("plain_lost") > lost; }, 200ms);
  }

  std::unique_ptr<RedisServer> resource;
  std::unique_ptr<firstcome::testing::SqlTestServer> sql;
  std::vector<std::unique_ptr<RedisServer>> servers;
  std::vector<std::unique_ptr<ChildProcess>> crowd;
};

TEST_P(WithoutAFence, AHolderThatWasStoppedUndoesWhatOthersWrote) {
  for (int i = 0; i < 4; ++i) {
    crowd.push_back(
        start_crowd({.url = url(), .kind = GetParam().kind, .resource = resource->port()}, CrowdWork::slow));
  }
  ASSERT_TRUE(eventually([this] { return count("plain") > 10; }));
  const BootTime end = BootClock::now() + 60s;
  while (count("plain_lost") == 0 && BootClock::now() < end) stop_the_holder();
  const Findings found = look_at(*resource);
  crowd.clear();
  EXPECT_GT(found.plain_lost, 0U);
  EXPECT_EQ(found.fenced_lost, 0U);
  EXPECT_EQ(found.lower_tokens, 0U);
  if (GetParam().tokens == Unfenced::Tokens::none) return;
  EXPECT_GT(found.unfenced_lower, 0U);
  EXPECT_GT(found.refused, 0U);
  EXPECT_GT(count("fenced"), 0U);
}

INSTANTIATE_TEST_SUITE_P(Kinds, WithoutAFence,
                         ::testing::Values(Unfenced{"Fifo", "redis", LockKind::fifo, Unfenced::Tokens::some},
                                           Unfenced{"Redisson", "redis", LockKind::redisson},
                                           Unfenced{"Setnx", "redis", LockKind::setnx}, Unfenced{"Redlock", "redlock"},
                                           Unfenced{"Postgresql", "postgresql", {}, Unfenced::Tokens::some},
                                           Unfenced{"Mariadb", "mysql", {}, Unfenced::Tokens::some}),
                         [](const auto& given) { return given.param.name; });

}  // namespace
}  // namespace firstcome::lock::test
