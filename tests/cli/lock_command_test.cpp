// `firstcome lock` as a process, against a real Redis.
#include "support/child_process.hpp"
#include "support/redis_server.hpp"
#include "support/sql_server.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto patience = 20s;

class LockCommand : public ::testing::Test {
 protected:
  void SetUp() override { FIRSTCOME_NEEDS_REDIS(); }

  std::unique_ptr<ChildProcess> start(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "lock");
    ChildOptions options;
    options.program = firstcome_program();
    options.arguments = std::move(arguments);
    options.error_log = folder.path() / "error.log";
    options.environment = {"FIRSTCOME_LOCK_BACKEND=redis://" + redis().address()};
    return std::make_unique<ChildProcess>(std::move(options));
  }
  int run(std::vector<std::string> arguments) { return start(std::move(arguments))->wait(patience).value_or(-1); }
  std::string error() const {
    std::ifstream file(folder.path() / "error.log");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  RedisServer& redis() {
    if (!redis_) redis_ = std::make_unique<RedisServer>();
    return *redis_;
  }

  /// Runs `true` under the lock `job`; it must end with that code, and say that.
  void says(int code, const std::string& text, const std::string& backend, const std::string& kind = "fifo") {
    EXPECT_EQ(run({"run", "job", "--backend", backend, "--kind", kind, "--wait", "2s", "--", "true"}), code);
    EXPECT_THAT(error(), HasSubstr(text)) << kind << " at " << backend;
    EXPECT_THAT(error(), Not(HasSubstr("guessed"))) << "a password";
  }

  TemporaryFolder folder;

 private:
  std::unique_ptr<RedisServer> redis_;
};

TEST_F(LockCommand, RunsACommandAndReturnsItsExitCode) {
  EXPECT_EQ(run({"run", "job", "--", "true"}), 0);
  EXPECT_EQ(run({"run", "job", "--", "sh", "-c", "exit 7"}), 7);
  EXPECT_EQ(run({"run", "job", "--", "sh", "-c", "kill -9 $$"}), 128 + SIGKILL);
}

TEST_F(LockCommand, TellsTheCommandItsTokenWhichRises) {
  std::uint64_t last = 0;
  for (int round = 0; round < 3; ++round) {
    const auto child = start({"run", "job", "--", "sh", "-c", "echo $FIRSTCOME_LOCK_NAME $FIRSTCOME_LOCK_TOKEN"});
    const auto line = child->read_line(patience);
    ASSERT_TRUE(line && line->starts_with("job ")) << error();
    const std::uint64_t token = std::stoull(line->substr(4));
    EXPECT_GT(token, last);
    last = token;
    EXPECT_EQ(child->wait(patience), 0);
  }
}

TEST_F(LockCommand, OneRunsAtATimeAndTheOtherIsTold75) {
  const auto holder = start({"run", "job", "--", "sh", "-c", "echo in; exec sleep 100"});
  ASSERT_EQ(holder->read_line(patience), "in") << error();
  EXPECT_EQ(run({"run", "job", "--wait", "0ms", "--", "true"}), 75);
  EXPECT_THAT(error(), HasSubstr("not acquired"));
  EXPECT_EQ(run({"run", "job", "--wait", "100ms", "--", "true"}), 75);
  EXPECT_EQ(run({"run", "another", "--wait", "0ms", "--", "true"}), 0);
  holder->signal(SIGTERM);  // passed on
  EXPECT_EQ(holder->wait(patience), 128 + SIGTERM);
  EXPECT_EQ(run({"run", "job", "--wait", "5s", "--", "true"}), 0);
}

TEST_F(LockCommand, ReadersRunTogetherAndAWriterAlone) {
  const auto reader = start({"run", "job", "--shared", "--", "sh", "-c", "echo in; exec sleep 100"});
  ASSERT_EQ(reader->read_line(patience), "in") << error();
  EXPECT_EQ(run({"run", "job", "--shared", "--wait", "0ms", "--", "true"}), 0);
  EXPECT_EQ(run({"run", "job", "--exclusive", "--wait", "0ms", "--", "true"}), 75);
  reader->signal(SIGTERM);
  EXPECT_EQ(reader->wait(patience), 128 + SIGTERM);
  EXPECT_EQ(run({"run", "job", "--exclusive", "--wait", "0ms", "--", "true"}), 0);
}

TEST_F(LockCommand, SoManyRunAtATimeAsThereArePermits) {
  const auto two = start({"run", "job", "--permits", "2", "--of", "3", "--", "sh", "-c", "echo in; exec sleep 100"});
  ASSERT_EQ(two->read_line(patience), "in") << error();
  EXPECT_EQ(run({"run", "job", "--permits", "1", "--of", "3", "--wait", "0ms", "--", "true"}), 0);
  EXPECT_EQ(run({"run", "job", "--permits", "2", "--of", "3", "--wait", "0ms", "--", "true"}), 75);
  EXPECT_EQ(run({"run", "job", "--permits", "4", "--of", "3", "--", "true"}), 64);
  EXPECT_EQ(run({"run", "job", "--permits", "1", "--of", "4", "--", "true"}), 64);
  EXPECT_THAT(error(), HasSubstr("has 3 permits, not 4"));
  EXPECT_EQ(run({"run", "job", "--permits", "0", "--of", "3", "--", "true"}), 64);
  EXPECT_EQ(run({"run", "job", "--permits", "1", "--", "true"}), 64);
  EXPECT_EQ(run({"run", "job", "--permits", "1", "--of", "3", "--shared", "--", "true"}), 64);
  EXPECT_EQ(run({"run", "job", "--shared", "--kind", "setnx", "--", "true"}), 64);
  EXPECT_THAT(error(), HasSubstr("no read-write locks"));
}

TEST_F(LockCommand, StopsTheCommandWhenTheLeaseIsLost) {
  const auto child = start({"run", "job", "--lease", "300ms", "--", "sleep", "100"});
  EXPECT_EQ(child->wait(patience), 128 + SIGTERM);
  EXPECT_THAT(error(), HasSubstr("the lease is lost"));
}

TEST_F(LockCommand, StopsACommandByForceThatDoesNotWantTo) {
  const auto child =
      start({"run", "job", "--lease", "300ms", "--", "sh", "-c", "trap '' TERM; echo in; while :; do sleep 1; done"});
  EXPECT_EQ(child->wait(patience), 128 + SIGKILL);
}

TEST_F(LockCommand, ShowsAndListsLocks) {
  const auto holder = start({"run", "job", "--", "sh", "-c", "echo in; exec sleep 100"});
  ASSERT_EQ(holder->read_line(patience), "in") << error();
  const auto shown = start({"show", "job"});
  EXPECT_EQ(shown->read_line(patience), "name     job");
  EXPECT_EQ(shown->read_line(patience), "held     yes");
  EXPECT_EQ(shown->wait(patience), 0);
  const auto listed = start({"list"});
  EXPECT_EQ(listed->read_line(patience), "job");
  EXPECT_EQ(listed->wait(patience), 0);
}

TEST_F(LockCommand, SaysClearlyWhatIsWrong) {
  EXPECT_EQ(run({"run", "job", "--backend", "nowhere", "--", "true"}), 64);
  EXPECT_THAT(error(), HasSubstr("--backend"));
  EXPECT_EQ(run({"run", "a{b}", "--", "true"}), 64);
  EXPECT_THAT(error(), HasSubstr("1 to 512 bytes"));
  EXPECT_EQ(run({"run", "job", "--wait", "10", "--", "true"}), 64) << "a time without a unit";
  EXPECT_EQ(run({"run", "job", "--lease", "0s", "--", "true"}), 64);
  EXPECT_EQ(run({"run", "job", "--kind", "magic", "--", "true"}), 64);
  EXPECT_EQ(run({"run", "job"}), 64);
  EXPECT_EQ(run({"run", "job", "--", "/no/such/program"}), 69);
  EXPECT_THAT(error(), HasSubstr("/no/such/program"));
  EXPECT_EQ(run({"run", "job", "--backend", "redis://127.0.0.1:1", "--wait", "1s", "--", "true"}), 69);
  EXPECT_THAT(error(), HasSubstr("127.0.0.1:1"));
}

TEST_F(LockCommand, RefusesBadNamesAndLeases) {
  for (const std::string& name : {std::string(), std::string(513, 'n'), std::string("a{b"), std::string("}")}) {
    for (const auto& command : std::vector<std::vector<std::string>>{{"run", name, "--", "true"}, {"show", name}}) {
      EXPECT_EQ(run(command), 64);
      EXPECT_THAT(error(), HasSubstr("a lock's name is 1 to 512 bytes without '{' and '}'"));
    }
  }
  EXPECT_EQ(run({"run", std::string(512, 'n'), "--", "true"}), 0);
  for (const char* lease : {"0ms", "-1s", "1", "soon"}) {
    EXPECT_EQ(run({"run", "job", "--lease", lease, "--", "true"}), 64) << lease;
    EXPECT_THAT(error(), HasSubstr("--lease")) << lease;
  }
  EXPECT_EQ(run({"run", "job", "--lease", "8785h", "--", "true"}), 64);
  EXPECT_THAT(error(), HasSubstr("--lease must be more than 0 and at most a year"));
}

TEST_F(LockCommand, NamesWhatIsWrongWithTheRedisServer) {
  struct Kind {
    std::string word;
    std::string scheme;
    std::string key;
  };
  const std::vector<Kind> kinds{{"fifo", "redis://", "firstcome:lock:{job}"},
                                {"redisson", "redis://", "job"},
                                {"setnx", "redis://", "firstcome:setnx:{job}"},
                                {"setnx-try", "redis://", "firstcome:setnx:{job}"},
                                {"fifo", "redlock://", "firstcome:redlock:{job}"}};
  for (const auto& [kind, scheme, key] : kinds) {
    const std::string at = redis().address();
    says(69, "(unavailable): what keeps the locks cannot be reached", scheme + "127.0.0.1:1", kind);
    says(69, "(denied): what keeps the locks denies this user or password", scheme + ":guessed@" + at, kind);
    redis().command({"DEL", key});
    redis().command({"LPUSH", key, "no lock"});
    says(69, "the lock job cannot be asked for (wrong-type): something that is no lock", scheme + at, kind);
    redis().command({"DEL", key});
    redis().command({"REPLICAOF", "127.0.0.1", "1"});
    says(69, "(read-only): what keeps the locks takes no writes", scheme + at, kind);
    redis().command({"REPLICAOF", "NO", "ONE"});
    redis().command({"SCRIPT", "FLUSH"});
    says(0, "", scheme + at, kind);
  }
}

template <typename Server>
void name_what_is_wrong(const std::function<void(int, const std::string&, const std::string&)>& says) {
  FIRSTCOME_NEEDS_SQL(Server);
  Server server;
  says(0, "", server.url());
  says(69, "(denied): what keeps the locks denies this user or password", server.url_at(server.port(), "guessed"));
  server.kill();
  says(69, "(unavailable): what keeps the locks cannot be reached", server.url());
}

TEST_F(LockCommand, NamesWhatIsWrongWithPostgresql) {
  name_what_is_wrong<PostgresServer>([this](int code, const auto& text, const auto& url) { says(code, text, url); });
}

TEST_F(LockCommand, NamesWhatIsWrongWithMariadb) {
  name_what_is_wrong<MariadbServer>([this](int code, const auto& text, const auto& url) { says(code, text, url); });
}

}  // namespace
}  // namespace firstcome::testing
