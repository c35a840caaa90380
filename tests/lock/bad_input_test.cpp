// What is said when a lock cannot be had, by every kind of lock that open_locks makes.
#include "lock/waiting.hpp"
#include "support/redis_server.hpp"
#include "support/sql_server.hpp"

#include <firstcome/limits.hpp>
#include <firstcome/lock_mutex.hpp>
#include <firstcome/open_locks.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace firstcome::lock::test {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::free_port;
using firstcome::testing::MariadbServer;
using firstcome::testing::PostgresServer;
using firstcome::testing::RedisServer;
using ::testing::HasSubstr;
using ::testing::Not;
using Why = NotAcquired::Why;

struct KindOfLock {
  std::string name;
  std::string scheme;
  LockKind kind = LockKind::fifo;
  std::string key = {};     ///< in Redis, of the lock L
  std::size_t servers = 1;  ///< independent ones
};

std::vector<KindOfLock> on_redis() {
  return {{"Fifo", "redis", LockKind::fifo, "firstcome:lock:{L}"},
          {"Redisson", "redis", LockKind::redisson, "L"},
          {"SetnxSpinning", "redis", LockKind::setnx, "firstcome:setnx:{L}"},
          {"SetnxTriedOnce", "redis", LockKind::setnx_try, "firstcome:setnx:{L}"},
          {"Redlock", "redlock", LockKind::fifo, "firstcome:redlock:{L}", 3}};
}

std::vector<KindOfLock> all_kinds() {
  std::vector<KindOfLock> all = on_redis();
  all.push_back({"Postgresql", "postgresql"});
  all.push_back({"Mariadb", "mysql"});
  return all;
}

/// The kernel takes connections for it, and nobody ever reads from them.
class SilentServer {
 public:
  SilentServer() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    const bool listens = ::bind(socket_, generic, size) == 0 && ::listen(socket_, 128) == 0 &&
                         ::getsockname(socket_, generic, &size) == 0;
    if (!listens) throw std::runtime_error("cannot listen");
    port_ = ntohs(address.sin_port);
  }
  ~SilentServer() { ::close(socket_); }
  SilentServer(const SilentServer&) = delete;
  SilentServer& operator=(const SilentServer&) = delete;

  std::uint16_t port() const { return port_; }

 private:
  const int socket_;
  std::uint16_t port_ = 0;
};

std::string name_of_kind(const ::testing::TestParamInfo<KindOfLock>& info) { return info.param.name; }

class BadInput : public ::testing::TestWithParam<KindOfLock> {
 protected:
  /// With a server of that kind at each of the ports.
  static std::string url(const std::vector<std::uint16_t>& ports, const std::string& user_and_password = {}) {
    const bool sql = GetParam().scheme == "postgresql" || GetParam().scheme == "mysql";
    std::string text = GetParam().scheme + "://" + (sql ? "shop:secret@" : user_and_password);
    for (const std::uint16_t port : ports) {
      text += (port == ports.front() ? "127.0.0.1:" : ",127.0.0.1:") + std::to_string(port);
    }
    return sql ? text + "/shop" : text;
  }
  static bool names_one_of(const std::vector<std::uint16_t>& ports, const std::string& text) {
    return std::ranges::any_of(
        ports, [&](std::uint16_t port) { return text.find("127.0.0.1:" + std::to_string(port)) != std::string::npos; });
  }
  static std::unique_ptr<LockSpace> open(const std::string& url) {
    return open_locks(url, GetParam().kind, {.watchdog_lease = 1'500ms}).value();
  }
  static NotAcquired refused(const std::string& url, AcquireOptions options = {.wait = 1h}) {
    const auto space = open(url);
    Acquired got = ask(*space, std::move(options)).take();
    return got ? NotAcquired{Why::stopped, "the lock was given"} : got.error();
  }
  static Box<Acquired> ask(LockSpace& space, AcquireOptions options, const std::string& name = "L") {
    Box<Acquired> box;
    space.lock(name)->acquire(std::move(options), box.setter());
    return box;
  }
};
INSTANTIATE_TEST_SUITE_P(Kinds, BadInput, ::testing::ValuesIn(all_kinds()), name_of_kind);

/// Each of the answers comes at once: nobody is asked.
TEST_P(BadInput, BadNamesAndLeasesAreRefusedHere) {
  const auto space = open(url({free_port()}));
  for (const std::string& name : {std::string(), std::string(limits::lock_name_bytes + 1, 'n'), std::string("a{b"),
                                  std::string("a}b"), std::string("{}")}) {
    const Acquired no = ask(*space, {.wait = 1h}, name).take();
    ASSERT_FALSE(no);
    EXPECT_EQ(no.error().why, Why::bad_name);
    EXPECT_THAT(no.error().detail, HasSubstr("the name of a lock"));
  }
  for (const Milliseconds lease : {Milliseconds{0}, Milliseconds{-1}, Milliseconds::min()}) {
    const Acquired no = ask(*space, {.wait = 1h, .lease = lease}).take();
    ASSERT_FALSE(no);
    EXPECT_EQ(no.error().why, Why::bad_lease);
    EXPECT_THAT(no.error().detail, HasSubstr(std::to_string(lease.count()) + " ms"));
  }
}

TEST_P(BadInput, NobodyThereIsSaidAtOnceWithTheAddress) {
  std::vector<std::uint16_t> ports;
  for (std::size_t i = 0; i < GetParam().servers; ++i) ports.push_back(free_port());
  const BootTime begin = BootClock::now();
  const NotAcquired no = refused(url(ports));
  EXPECT_EQ(no.why, Why::unavailable) << no.detail;
  EXPECT_TRUE(names_one_of(ports, no.detail)) << no.detail;
  EXPECT_LT(BootClock::now() - begin, 1'900ms);  // before any connect time-out
}

TEST_P(BadInput, ASilentServerIsGivenUpWithinTheConnectTimeOut) {
  std::vector<SilentServer> silent(GetParam().servers);
  std::vector<std::uint16_t> ports;
  for (const SilentServer& server : silent) ports.push_back(server.port());
  const BootTime begin = BootClock::now();
  const NotAcquired no = refused(url(ports));
  EXPECT_EQ(no.why, Why::unavailable) << no.detail;
  EXPECT_TRUE(names_one_of(ports, no.detail)) << no.detail;
  EXPECT_LT(BootClock::now() - begin, 6s);
}

class BadRedis : public BadInput {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    for (std::size_t i = 0; i < GetParam().servers; ++i) servers.push_back(std::make_unique<RedisServer>());
  }
  std::string at(const std::string& user_and_password = {}) const {
    std::vector<std::uint16_t> ports;
    for (const auto& server : servers) ports.push_back(server->port());
    return url(ports, user_and_password);
  }
  void tell(const std::vector<std::string>& command) const {
    for (const auto& server : servers) EXPECT_THAT(server->text(command), Not(::testing::StartsWith("-")));
  }

  std::vector<std::unique_ptr<RedisServer>> servers;
};
INSTANTIATE_TEST_SUITE_P(Kinds, BadRedis, ::testing::ValuesIn(on_redis()), name_of_kind);

TEST_P(BadRedis, AWrongPasswordOrUserIsDeniedAndNotShown) {
  tell({"ACL", "SETUSER", "clerk", "on", ">secret", "~*", "&*", "+@all"});
  for (const char* who : {"clerk:guessed@", "nobody:guessed@", ":guessed@"}) {
    const BootTime begin = BootClock::now();
    const NotAcquired no = refused(at(who));
    EXPECT_EQ(no.why, Why::denied) << who << no.detail;
    EXPECT_THAT(no.detail, HasSubstr("refused AUTH"));
    EXPECT_THAT(no.detail, Not(HasSubstr("guessed")));
    EXPECT_LT(BootClock::now() - begin, 2s);
  }
  EXPECT_TRUE(ask(*open(at("clerk:secret@")), {.wait = patience}).take());
}

TEST_P(BadRedis, APasswordThatIsMissingIsDenied) {
  tell({"CONFIG", "SET", "requirepass", "secret"});
  const NotAcquired no = refused(at());
  EXPECT_EQ(no.why, Why::denied) << no.detail;
  EXPECT_THAT(no.detail, HasSubstr("NOAUTH"));
}

TEST_P(BadRedis, AUserWhoMayNotWriteThereIsDenied) {
  tell({"ACL", "SETUSER", "guest", "on", ">secret", "~other:*", "&*", "+@all"});
  const NotAcquired no = refused(at("guest:secret@"));
  EXPECT_EQ(no.why, Why::denied) << no.detail;
  EXPECT_THAT(no.detail, HasSubstr("NOPERM"));
}

TEST_P(BadRedis, AKeyOfAnotherTypeIsSaidAndLeftAsItIs) {
  tell({"LPUSH", GetParam().key, "mine"});
  const NotAcquired no = refused(at());
  EXPECT_EQ(no.why, Why::wrong_type) << no.detail;
  EXPECT_THAT(no.detail, HasSubstr("WRONGTYPE"));
  for (const auto& server : servers) EXPECT_EQ(server->text({"LLEN", GetParam().key}), "1");
}

TEST_P(BadRedis, AReplicaThatTakesNoWritesIsSaid) {
  tell({"REPLICAOF", "127.0.0.1", std::to_string(free_port())});
  const NotAcquired no = refused(at());
  EXPECT_EQ(no.why, Why::read_only) << no.detail;
  EXPECT_THAT(no.detail, HasSubstr("READONLY"));
}

TEST_P(BadRedis, AServerThatLostItsScriptsIsSentThemAgain) {
  const auto space = open(at());
  for (int round = 0; round < 2; ++round) {
    Acquired lease = ask(*space, {.wait = patience}).take();
    while (!lease && lease.error().why == Why::timed_out) lease = ask(*space, {.wait = patience}).take();  // tried once
    ASSERT_TRUE(lease) << lease.error().detail;
    tell({"SCRIPT", "FLUSH"});
    Box<RenewOutcome> renewal;
    lease->renew(60s, renewal.setter());
    EXPECT_EQ(renewal.take(), RenewOutcome::renewed);
    tell({"SCRIPT", "FLUSH"});
    EXPECT_EQ(release_blocking(std::move(*lease)), ReleaseOutcome::released);
    tell({"SCRIPT", "FLUSH"});
  }
}

}  // namespace
}  // namespace firstcome::lock::test
