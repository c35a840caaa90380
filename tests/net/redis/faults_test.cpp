// Connections that break at random moments: each command completes once, and what it says is true.
#include "net/redis/connection.hpp"
#include "net/redis/loop.hpp"
#include "support/redis_server.hpp"
#include "support/rounds.hpp"
#include "support/tcp_proxy.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

namespace firstcome::net {
namespace {

using namespace testing;
using firstcome::testing::RedisServer;
using firstcome::testing::TcpProxy;
using Direction = TcpProxy::Direction;
using Kind = RedisFailure::Kind;

struct Sent {
  int completions = 0;
  std::optional<RedisResult> result;
};

constexpr int commands_per_round = 60;

/// Pipelines commands, each of which adds its own number to a set of what ran and echoes it, through a cut.
class Rounds {
 public:
  explicit Rounds(std::uint64_t seed)
      : random_(seed), proxy_(server_.port()), connection_(loop_.executor(), at_port(proxy_.port()), {.seed = seed}) {}

  void run(int round) {
    ASSERT_TRUE(loop_.run_until([this] { return connection_.is_connected(); }));
    const bool there = random_() % 2 == 0;
    proxy_.cut_after(random_() % 6'000, there ? Direction::to_server : Direction::to_client);
    std::vector<Sent> all(commands_per_round);
    for (int i = 0; i < commands_per_round; ++i) {
      RedisCommand command(script_, {"ran"}, round * commands_per_round + i);
      if (i % 7 == 0) command.add(std::string(random_() % 500, 'x'));
      connection_.execute(std::move(command), in(10s), [&all, i](RedisResult result) {
        ++all[static_cast<std::size_t>(i)].completions;
        all[static_cast<std::size_t>(i)].result = std::move(result);
      });
      if (i % 20 == 19) loop_.io().poll_one();
    }
    const auto complete = [&all] {
      return std::ranges::all_of(all, [](const Sent& one) { return one.completions > 0; });
    };
    ASSERT_TRUE(loop_.run_until(complete));
    proxy_.resume();
    for (int i = 0; i < commands_per_round; ++i)
      check(all[static_cast<std::size_t>(i)], round * commands_per_round + i);
  }

  int answered = 0;
  int not_sent = 0;
  int unknown = 0;

 private:
  void check(const Sent& one, int number) {
    EXPECT_EQ(one.completions, 1);
    const bool ran = server_.text({"SISMEMBER", "ran", std::to_string(number)}) == "1";
    if (*one.result) {
      ++answered;
      EXPECT_TRUE(ran);
      EXPECT_EQ((*one.result)->text, std::to_string(number)) << "somebody else's answer";
      return;
    }
    const RedisFailure& failure = one.result->error();
    if (failure.kind == Kind::not_sent) {
      ++not_sent;
      EXPECT_FALSE(ran) << failure.detail;
    } else {
      ++unknown;
      EXPECT_EQ(failure.kind, Kind::unknown) << failure.detail;
    }
  }

  std::mt19937_64 random_;
  RedisServer server_;
  TcpProxy proxy_;
  Loop loop_;
  RedisConnection connection_;
  RedisScript script_{"redis.call('SADD', KEYS[1], ARGV[1]) return ARGV[1]"};
};

TEST(RedisFaults, NothingIsAnsweredTwiceOrWronglyWhenConnectionsAreCutAtRandomMoments) {
  FIRSTCOME_NEEDS_REDIS();
  const std::uint64_t seed = firstcome::testing::seed();
  SCOPED_TRACE("FIRSTCOME_SEED=" + std::to_string(seed));
  Rounds rounds(seed);
  for (int round = 0; round < firstcome::testing::rounds(60); ++round) rounds.run(round);
  EXPECT_GT(rounds.answered, 0);
  EXPECT_GT(rounds.unknown, 0);
}

TEST(RedisFaults, WhatTheKernelDidNotTakeIsSurelyNotSent) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  TcpProxy proxy(server.port());
  Loop loop;
  RedisConnection connection(loop.executor(), at_port(proxy.port()));
  ASSERT_TRUE(loop.ask(connection, RedisCommand("PING")));
  proxy.stall();
  std::vector<RedisResult> results;
  const std::string large(1'000'000, 'x');
  for (int i = 0; i < 40; ++i) {  // more than the buffers of two sockets hold
    connection.execute(RedisCommand("SET", "k" + std::to_string(i), large), in(20s),
                       [&](RedisResult result) { results.push_back(std::move(result)); });
  }
  loop.run_until([] { return false; }, 200ms);  // until nothing more goes
  proxy.cut();
  ASSERT_TRUE(loop.run_until([&] { return results.size() == 40; }));
  EXPECT_EQ(results.front().error().kind, Kind::unknown);
  EXPECT_EQ(results.back().error().kind, Kind::not_sent) << results.back().error().detail;
  EXPECT_EQ(server.text({"DBSIZE"}), "0");
}

}  // namespace
}  // namespace firstcome::net
