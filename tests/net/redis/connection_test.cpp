#include "net/redis/connection.hpp"

#include "net/redis/loop.hpp"
#include "support/redis_server.hpp"
#include "support/tcp_proxy.hpp"
#include "support/temporary_folder.hpp"

#include <boost/asio/co_spawn.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace firstcome::net {
namespace {

using namespace testing;
using firstcome::testing::free_port;
using firstcome::testing::RedisServer;
using firstcome::testing::TcpProxy;
using Kind = RedisFailure::Kind;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(RedisConnection, SendsACommandAndGivesTheReply) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  Loop loop;
  RedisConnection connection(loop.executor(), at_port(server.port()));
  const std::uint64_t sent_before = redis_commands_sent();
  EXPECT_EQ(text_of(loop.ask(connection, RedisCommand("SET", "k", std::string("a\0\r\nb", 5)))), "OK");
  EXPECT_EQ(text_of(loop.ask(connection, RedisCommand("GET", "k"))), std::string("a\0\r\nb", 5));
  EXPECT_EQ(text_of(loop.ask(connection, RedisCommand("GET", "none"))), "(nil)");
  EXPECT_EQ(text_of(loop.ask(connection, RedisCommand("STRLEN", "k"))), "5");
  EXPECT_EQ(connection.counters().commands, 4U);
  EXPECT_EQ(connection.counters().replies, 4U);
  EXPECT_EQ(redis_commands_sent() - sent_before, 4U);
}

TEST(RedisConnection, GivesTheServersErrorWithItsWord) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  Loop loop;
  RedisConnection connection(loop.executor(), at_port(server.port()));
  ASSERT_TRUE(loop.ask(connection, RedisCommand("SET", "k", "v")));
  const RedisResult result = loop.ask(connection, RedisCommand("HGET", "k", "f"));
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().is_refused("WRONGTYPE")) << result.error().detail;
  EXPECT_FALSE(result.error().may_have_run());
  EXPECT_EQ(text_of(loop.ask(connection, RedisCommand("GET", "k"))), "v");
}

TEST(RedisConnection, AnswersAThousandPipelinedCommandsInOrder) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  Loop loop;
  RedisConnection connection(loop.executor(), at_port(server.port()));
  std::vector<std::string> replies;
  for (int i = 0; i < 1'000; ++i) {
    connection.execute(RedisCommand("ECHO", i), in(10s),
                       [&](RedisResult result) { replies.push_back(text_of(result)); });
  }
  EXPECT_TRUE(replies.empty());  // never from inside the call
  EXPECT_EQ(connection.pending(), 1'000U);
  ASSERT_TRUE(loop.run_until([&] { return replies.size() == 1'000; }));
  for (std::size_t i = 0; i < 1'000; ++i) EXPECT_EQ(replies[i], std::to_string(i));
  EXPECT_EQ(connection.pending(), 0U);
}

TEST(RedisConnection, CarriesWhatIsLargerThanTheKernelTakes) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  Loop loop;
  RedisConnection connection(loop.executor(), at_port(server.port()));
  const std::string large(20'000'000, 'x');
  EXPECT_EQ(text_of(loop.ask(connection, RedisCommand("SET", "k", large))), "OK");
  EXPECT_EQ(text_of(loop.ask(connection, RedisCommand("GET", "k"))).size(), large.size());
}

Task<void> count_to(RedisConnection& connection, std::int64_t count, std::vector<std::int64_t>& seen) {
  for (std::int64_t i = 0; i < count; ++i) {
    RedisCommand command("INCR", "counter");
    const RedisResult result = co_await connection.execute(std::move(command), in(10s));
    seen.push_back(result ? result->integer : -1);
  }
}

TEST(RedisConnection, ServesCoroutines) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  Loop loop;
  RedisConnection connection(loop.executor(), at_port(server.port()));
  std::vector<std::int64_t> seen;
  bool done = false;
  boost::asio::co_spawn(loop.executor(), count_to(connection, 3, seen), [&done](std::exception_ptr) { done = true; });
  ASSERT_TRUE(loop.run_until([&done] { return done; }));
  EXPECT_EQ(seen, (std::vector<std::int64_t>{1, 2, 3}));
}

TEST(RedisConnection, FailsClearlyWhereNobodyListens) {
  Loop loop;
  const std::uint16_t port = free_port();
  RedisConnection connection(loop.executor(), at_port(port));
  const RedisResult result = loop.ask(connection, RedisCommand("PING"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::not_sent);
  EXPECT_EQ(result.error().detail, "cannot connect to 127.0.0.1:" + std::to_string(port) + ": Connection refused");
  EXPECT_FALSE(loop.ask(connection, RedisCommand("PING")));
  EXPECT_EQ(connection.counters().not_sent, 2U);
}

TEST(RedisConnection, FailsWithinTheConnectTimeOutWhereTheServerIsSilent) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  TcpProxy proxy(server.port());
  proxy.stall();
  Loop loop;
  const steady_clock::time_point begin = steady_clock::now();
  RedisConnection connection(loop.executor(), at_port(proxy.port()), {.connect_timeout = 200ms});
  const RedisResult result = loop.ask(connection, RedisCommand("PING"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::not_sent);
  EXPECT_THAT(result.error().detail, HasSubstr("in time"));
  EXPECT_LT(steady_clock::now() - begin, 2s);
  EXPECT_GE(steady_clock::now() - begin, 200ms);
}

TEST(RedisConnection, FailsWhereTheNameIsNotKnown) {
  Loop loop;
  RedisEndpoint endpoint;
  endpoint.address.host = "no-such-host.invalid";
  RedisConnection connection(loop.executor(), endpoint);
  const RedisResult result = loop.ask(connection, RedisCommand("PING"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, Kind::not_sent);
}

TEST(RedisConnection, WaitsForTheServerWhereThatIsWanted) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  server.stop();
  Loop loop;
  RedisConnection connection(loop.executor(), at_port(server.port()), {.when_down = RedisOptions::WhenDown::wait});
  std::string first;
  std::string second;
  connection.execute(RedisCommand("PING"), in(50ms), [&](RedisResult result) { first = text_of(result); });
  connection.execute(RedisCommand("PING"), in(20s), [&](RedisResult result) { second = text_of(result); });
  ASSERT_TRUE(loop.run_until([&] { return !first.empty(); }));
  EXPECT_THAT(first, StartsWith("not_sent: not sent in time: cannot connect"));
  EXPECT_EQ(second, "");
  server.start();
  ASSERT_TRUE(loop.run_until([&] { return !second.empty(); }));
  EXPECT_EQ(second, "PONG");
}

TEST(RedisConnection, SaysThatThePasswordIsWrongOrMissing) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server({.password = "secret"});
  Loop loop;
  RedisEndpoint endpoint = at_port(server.port());
  RedisConnection missing(loop.executor(), endpoint);
  EXPECT_THAT(text_of(loop.ask(missing, RedisCommand("GET", "k"))), HasSubstr("refused PING: NOAUTH"));
  endpoint.password = "wrong";
  RedisConnection wrong(loop.executor(), endpoint);
  const std::string said = text_of(loop.ask(wrong, RedisCommand("GET", "k")));
  EXPECT_THAT(said, HasSubstr("not_sent"));
  EXPECT_THAT(said, HasSubstr("refused AUTH: WRONGPASS"));
  endpoint.password = "secret";
  endpoint.user = "default";
  endpoint.database = 3;
  RedisConnection right(loop.executor(), endpoint);
  EXPECT_EQ(text_of(loop.ask(right, RedisCommand("SET", "k", "v"))), "OK");
  EXPECT_THAT(server.info("db3"), HasSubstr("keys=1"));
}

TEST(RedisConnection, TimesOutAndGivesUpTheConnection) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  Loop loop;
  RedisConnection connection(loop.executor(), at_port(server.port()));
  ASSERT_TRUE(loop.ask(connection, RedisCommand("PING")));
  server.pause();
  std::string impatient;
  std::string patient;
  connection.execute(RedisCommand("INCR", "a"), in(100ms), [&](RedisResult result) { impatient = text_of(result); });
  connection.execute(RedisCommand("INCR", "b"), in(20s), [&](RedisResult result) { patient = text_of(result); });
  ASSERT_TRUE(loop.run_until([&] { return !impatient.empty() && !patient.empty(); }));
  EXPECT_THAT(impatient, StartsWith("timed_out: no answer from "));
  EXPECT_THAT(patient, StartsWith("unknown: no answer from "));
  server.resume();
  ASSERT_TRUE(loop.run_until([&] { return connection.is_connected(); }));
  EXPECT_EQ(text_of(loop.ask(connection, RedisCommand("ECHO", "x"))), "x");
  EXPECT_EQ(connection.counters().connects, 2U);
  EXPECT_EQ(connection.counters().timed_out, 1U);
  EXPECT_EQ(connection.counters().unknown, 1U);
}

TEST(RedisConnection, ALateAnswerCostsNobodyElseTheConnection) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  Loop loop;
  RedisConnection connection(loop.executor(), at_port(server.port()), {.silence_limit = 60s});
  ASSERT_TRUE(loop.ask(connection, RedisCommand("PING")));
  const RedisScript busy(
      "local function now() local t = redis.call('TIME') return t[1] * 1000 + t[2] / 1000 end\n"
      "local from = now() while now() < from + 1500 do end return 'late'");
  std::string late;
  std::string next;
  connection.execute(RedisCommand(busy, {}), in(50ms), [&](RedisResult result) { late = text_of(result); });
  connection.execute(RedisCommand("ECHO", "next"), in(20s), [&](RedisResult result) { next = text_of(result); });
  ASSERT_TRUE(loop.run_until([&] { return !late.empty() && !next.empty(); }));
  EXPECT_THAT(late, StartsWith("timed_out: no answer from "));
  EXPECT_EQ(next, "next");
  EXPECT_EQ(connection.counters().connects, 1U);
  EXPECT_EQ(connection.counters().timed_out, 1U);
}

TEST(RedisConnection, FindsOutThatAnIdleConnectionIsDead) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  firstcome::testing::TcpProxy proxy(server.port());
  Loop loop;
  RedisConnection connection(loop.executor(), at_port(proxy.port()), {.silence_limit = 200ms, .idle_ping = 100ms});
  ASSERT_TRUE(loop.run_until([&] { return connection.is_connected(); }));
  proxy.drop(firstcome::testing::TcpProxy::Direction::to_client);  // as a network that has forgotten the connection
  ASSERT_TRUE(loop.run_until([&] { return !connection.is_connected(); }));
  proxy.resume();
  ASSERT_TRUE(loop.run_until([&] { return connection.is_connected(); }));
  EXPECT_EQ(connection.counters().commands, 0U);
}

TEST(RedisConnection, KeepsAnIdleConnectionThatAnswers) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  Loop loop;
  RedisConnection connection(loop.executor(), at_port(server.port()), {.idle_ping = 20ms});
  ASSERT_TRUE(loop.run_until([&] { return connection.is_connected(); }));
  const auto pings = [&server] {
    const std::string all = server.text({"INFO", "commandstats"});
    const std::size_t at = all.find("cmdstat_ping:calls=");
    return at == std::string::npos ? 0 : std::stoi(all.substr(at + 19));
  };
  const int before = pings();
  ASSERT_TRUE(loop.run_until([&] { return pings() >= before + 5; }));
  EXPECT_EQ(connection.counters().connects, 1U);
  EXPECT_EQ(text_of(loop.ask(connection, RedisCommand("ECHO", "x"))), "x");
}

TEST(RedisConnection, SpeaksOverALocalSocket) {
  FIRSTCOME_NEEDS_REDIS();
  firstcome::testing::TemporaryFolder folder;
  const std::string path = folder.path() / "redis.sock";
  RedisServer server({.password = "secret", .lines = {"unixsocket " + path}});
  Loop loop;
  const auto url = parse_redis_url("redis+unix://:secret@" + path + "?database=2");
  ASSERT_TRUE(url) << url.error();
  const auto client = make_redis_client(loop.executor(), *url);
  ASSERT_TRUE(client) << client.error();
  EXPECT_EQ(text_of(loop.ask(**client, "k", RedisCommand("SET", "k", "1"))), "OK");
  EXPECT_NE(server.text({"CLIENT", "LIST"}).find("laddr=" + path), std::string::npos);
  const auto nobody = make_redis_client(loop.executor(), parse_redis_url("redis+unix:///nowhere/x").value());
  EXPECT_THAT(text_of(loop.ask(**nobody, "k", RedisCommand("PING"))), HasSubstr("cannot connect to /nowhere/x"));
}

TEST(RedisConnection, ComesBackAfterTheServerWasKilled) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  Loop loop;
  RedisConnection connection(loop.executor(), at_port(server.port()));
  std::vector<std::uint64_t> connected;
  std::vector<std::string> lost;
  connection.when_connected([&](std::uint64_t nth) { connected.push_back(nth); });
  connection.when_lost([&](const std::string& reason) { lost.push_back(reason); });
  ASSERT_TRUE(loop.ask(connection, RedisCommand("SET", "k", "v")));
  server.kill();
  ASSERT_TRUE(loop.run_until([&] { return !lost.empty(); }));
  EXPECT_THAT(lost[0], StartsWith("lost the connection to "));
  const RedisResult meanwhile = loop.ask(connection, RedisCommand("GET", "k"));
  ASSERT_FALSE(meanwhile);
  EXPECT_EQ(meanwhile.error().kind, Kind::not_sent);
  server.start();
  ASSERT_TRUE(loop.run_until([&] { return connection.is_connected(); }));
  EXPECT_EQ(text_of(loop.ask(connection, RedisCommand("GET", "k"))), "(nil)");
  EXPECT_EQ(connected, (std::vector<std::uint64_t>{1, 2}));
}

TEST(RedisConnection, RefusesMoreThanItsBounds) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  Loop loop;
  RedisConnection connection(loop.executor(), at_port(server.port()), {.most_commands = 2, .most_bytes = 1'000});
  std::vector<std::string> replies;
  for (int i = 0; i < 3; ++i) {
    connection.execute(RedisCommand("ECHO", i), in(10s),
                       [&](RedisResult result) { replies.push_back(text_of(result)); });
  }
  ASSERT_TRUE(loop.run_until([&] { return replies.size() == 3; }));
  EXPECT_THAT(replies[0], StartsWith("not_sent: too many commands wait"));
  EXPECT_EQ(replies[1], "0");
  EXPECT_EQ(replies[2], "1");
  EXPECT_THAT(text_of(loop.ask(connection, RedisCommand("SET", "k", std::string(1'000, 'x')))), StartsWith("not_sent"));
  EXPECT_EQ(text_of(loop.ask(connection, RedisCommand("SET", "k", std::string(800, 'x')))), "OK");
}

TEST(RedisConnection, RefusesWhatIsTooLateAlready) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  Loop loop;
  RedisConnection connection(loop.executor(), at_port(server.port()));
  EXPECT_THAT(text_of(loop.ask(connection, RedisCommand("INCR", "k"), -1ms)), StartsWith("not_sent: "));
  EXPECT_EQ(text_of(loop.ask(connection, RedisCommand("GET", "k"))), "(nil)");
}

TEST(RedisConnection, RefusesARepliesNestingThatItCannotRead) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  Loop loop;
  RedisConnection connection(loop.executor(), at_port(server.port()));
  const std::string said = text_of(loop.ask(connection, RedisCommand("EVAL", "return {{{{{{{{{1}}}}}}}}}", 0)));
  EXPECT_THAT(said, StartsWith("unknown: cannot read the reply of "));
  EXPECT_THAT(said, HasSubstr("nested"));
  ASSERT_TRUE(loop.run_until([&] { return connection.is_connected(); }));
  EXPECT_EQ(text_of(loop.ask(connection, RedisCommand("PING"))), "PONG");
}

TEST(RedisConnection, SendsAScriptThatTheServerDoesNotKnowWithItsText) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  Loop loop;
  RedisConnection connection(loop.executor(), at_port(server.port()));
  const RedisScript script("return redis.call('INCRBY', KEYS[1], ARGV[1])");
  EXPECT_EQ(text_of(loop.ask(connection, RedisCommand(script, {"k"}, 2))), "2");
  EXPECT_EQ(text_of(loop.ask(connection, RedisCommand(script, {"k"}, 2))), "4");
  EXPECT_EQ(connection.counters().scripts_by_text, 1U);
  server.command({"SCRIPT", "FLUSH"});
  EXPECT_EQ(text_of(loop.ask(connection, RedisCommand(script, {"k"}, 2))), "6");
  EXPECT_EQ(connection.counters().scripts_by_text, 2U);
}

TEST(RedisConnection, TakesOnlyAMasterWhereThatIsAskedFor) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer master;
  RedisServer replica({.lines = {"replicaof 127.0.0.1 " + std::to_string(master.port())}});
  Loop loop;
  RedisConnection right(loop.executor(), at_port(master.port()), {}, RedisRole::master);
  EXPECT_EQ(text_of(loop.ask(right, RedisCommand("SET", "k", "v"))), "OK");
  RedisConnection wrong(loop.executor(), at_port(replica.port()), {}, RedisRole::master);
  EXPECT_THAT(text_of(loop.ask(wrong, RedisCommand("GET", "k"))), HasSubstr("is not a master but a slave"));
  RedisConnection any(loop.executor(), at_port(replica.port()));
  const RedisResult refused = loop.ask(any, RedisCommand("SET", "k", "v"));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is_refused("READONLY"));
}

TEST(RedisConnection, CompletesWhatRunsWhenItIsDestroyed) {
  FIRSTCOME_NEEDS_REDIS();
  RedisServer server;
  Loop loop;
  auto connection = std::make_unique<RedisConnection>(loop.executor(), at_port(server.port()));
  ASSERT_TRUE(loop.ask(*connection, RedisCommand("PING")));
  std::vector<std::string> said;
  const auto note = [&said](RedisResult result) { said.push_back(text_of(result)); };
  connection->execute(RedisCommand("DEBUG", "SLEEP", "0"), in(10s), [&](RedisResult) { connection.reset(); });
  connection->execute(RedisCommand("PING"), in(10s), note);
  ASSERT_TRUE(loop.run_until([&] { return said.size() == 1; }));
  EXPECT_THAT(said[0], StartsWith("unknown: "));

  connection = std::make_unique<RedisConnection>(loop.executor(), at_port(server.port()));
  connection->execute(RedisCommand("PING"), in(10s), note);
  connection.reset();
  EXPECT_EQ(said.size(), 1U);
  ASSERT_TRUE(loop.run_until([&] { return said.size() == 2; }));
  EXPECT_THAT(said[1], StartsWith("not_sent: "));
}

}  // namespace
}  // namespace firstcome::net
