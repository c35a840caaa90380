#include "cli/dependencies.hpp"

#include "support/child_process.hpp"
#include "support/redis_server.hpp"
#include "support/sql_server.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::cli {
namespace {

using namespace std::chrono_literals;
using testing::ChildOptions;
using testing::ChildProcess;
using ::testing::HasSubstr;
using testing::RedisServer;

constexpr int fine = 0;
constexpr int unavailable = 69;
/// Five times the attempt of one second after which a refusal is told at the latest.
constexpr auto at_once = 5s;

/// Is away the first times, then reached.
Dependency that_comes_after(int attempts, int& tried) {
  return {"a server", [attempts, &tried](std::chrono::milliseconds) -> std::expected<void, Unreached> {
            if (++tried > attempts) return {};
            return std::unexpected(Unreached{Unreached::Why::away, "it is away"});
          }};
}

Dependency that_refuses() {
  return {"a server", [](std::chrono::milliseconds) -> std::expected<void, Unreached> {
            return std::unexpected(Unreached{Unreached::Why::refused, "wrong password"});
          }};
}

TEST(Dependencies, AreWaitedForUntilAllWereReached) {
  int first = 0;
  int second = 0;
  EXPECT_EQ(await_dependencies({that_comes_after(2, first), that_comes_after(1, second)}, 20s), fine);
  EXPECT_EQ(first, 3);
  EXPECT_EQ(second, 2);
}

TEST(Dependencies, ThatAreAwayAreTriedOnceWhereNobodyWaits) {
  int tried = 0;
  EXPECT_EQ(await_dependencies({that_comes_after(9, tried)}, 0s), fine);
  EXPECT_EQ(tried, 1);
}

TEST(Dependencies, ThatStayAwayEndTheWaitAtItsLimit) {
  int tried = 0;
  EXPECT_EQ(await_dependencies({that_comes_after(1'000'000, tried)}, 300ms), unavailable);
  EXPECT_GE(tried, 2);
}

TEST(Dependencies, ThatRefuseEndTheWaitAtOnce) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(await_dependencies({that_refuses()}, 1h), unavailable);
  EXPECT_EQ(await_dependencies({that_refuses()}, 0s), unavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, at_once);
}

Unreached::Why why(const Dependency& dependency) { return dependency.reach(1s).error().why; }

TEST(Dependencies, RedisIsReachedAwayOrRefuses) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  const auto url = [&](const std::string& user) {
    return net::parse_redis_url("redis://" + user + server.address()).value();
  };
  EXPECT_TRUE(redis_dependency(url(""), {}).reach(10s));
  EXPECT_EQ(why(redis_dependency(url(":guessed@"), {})), Unreached::Why::refused);
  EXPECT_EQ(why(redis_dependency(net::parse_redis_url("redis://127.0.0.1:1").value(), {})), Unreached::Why::away);
}

TEST(Dependencies, AKafkaThatIsNotThereIsAway) {
  EXPECT_EQ(why(kafka_dependency(net::parse_kafka_url("kafka://127.0.0.1:1").value())), Unreached::Why::away);
}

template <typename Server>
void reach_database() {
  FIRSTCOME_NEEDS_SQL(Server);
  Server server;
  const auto database = [](const std::string& url) { return engine::parse_database_url(url, "database").value(); };
  EXPECT_TRUE(database_dependency(database(server.url())).reach(10s));
  EXPECT_EQ(why(database_dependency(database(server.url_at(server.port(), "guessed")))), Unreached::Why::refused);
  const std::string url = server.url();
  server.kill();
  EXPECT_EQ(why(database_dependency(database(url))), Unreached::Why::away);
}

TEST(Dependencies, PostgresqlIsReachedAwayOrRefuses) { reach_database<testing::PostgresServer>(); }

TEST(Dependencies, MariadbIsReachedAwayOrRefuses) { reach_database<testing::MariadbServer>(); }

class WaitFor : public ::testing::Test {
 protected:
  std::unique_ptr<ChildProcess> start(std::vector<std::string> arguments) {
    ChildOptions options;
    options.program = testing::firstcome_program();
    options.arguments = std::move(arguments);
    options.error_log = folder.path() / "error.log";
    return std::make_unique<ChildProcess>(std::move(options));
  }
  std::vector<std::string> serve(const std::string& engine) const {
    return {"serve", "--listen", "127.0.0.1:0", "--data", folder.path() / "data", "--engine", engine};
  }
  std::string error() const {
    std::ifstream file(folder.path() / "error.log");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  testing::TemporaryFolder folder;
};

TEST_F(WaitFor, ServesWhenItsRedisHasCome) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  const std::string engine = "redis://" + server.address();
  server.stop();
  auto arguments = serve(engine);
  arguments.insert(arguments.end(), {"--wait-for", "60s"});
  const auto child = start(arguments);
  ASSERT_TRUE(testing::eventually([&] { return error().find("waiting for Redis") != std::string::npos; })) << error();
  server.start();
  const auto line = child->read_line(60s);
  ASSERT_TRUE(line) << error();
  EXPECT_THAT(*line, HasSubstr("listening on"));
}

TEST_F(WaitFor, AWrongPasswordOfRedisEndsItAtOnce) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  auto arguments = serve("redis://:guessed@" + server.address());
  arguments.insert(arguments.end(), {"--wait-for", "1h"});
  EXPECT_EQ(start(arguments)->wait(20s), unavailable);
  EXPECT_THAT(error(), HasSubstr("refuses this user or password"));
}

TEST_F(WaitFor, AWrongPasswordOfTheOrderDatabaseEndsItAtOnce) {
  FIRSTCOME_NEEDS_SQL(testing::PostgresServer);
  testing::PostgresServer server;
  auto arguments = serve("embedded");
  arguments.insert(arguments.end(), {"--orders", server.url_at(server.port(), "guessed")});
  EXPECT_EQ(start(arguments)->wait(20s), unavailable);
  EXPECT_THAT(error(), HasSubstr("refuses this user or password"));
  EXPECT_THAT(error(), ::testing::Not(HasSubstr("guessed")));
}

}  // namespace
}  // namespace firstcome::cli
