// `firstcome lock` as a process, against a real Redis.
#include "cli/lock_fixture.hpp"
#include "support/sql_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <string>
#include <vector>

namespace firstcome::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int lease_lost = 79;

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
  EXPECT_EQ(child->wait(patience), lease_lost);
  EXPECT_THAT(error(), HasSubstr("the lease is lost"));
  EXPECT_THAT(error(), HasSubstr("ended with " + std::to_string(128 + SIGTERM)));
}

TEST_F(LockCommand, StopsACommandByForceThatDoesNotWantTo) {
  const auto child =
      start({"run", "job", "--lease", "2s", "--", "sh", "-c", "trap '' TERM; echo in; while :; do sleep 1; done"});
  EXPECT_EQ(child->wait(patience), lease_lost);
  EXPECT_THAT(error(), HasSubstr("ended with " + std::to_string(128 + SIGKILL)));
}

TEST_F(LockCommand, ShowsAndListsLocks) {
  const auto holder = start({"run", "job", "--", "sh", "-c", "echo in; exec sleep 100"});
  ASSERT_EQ(holder->read_line(patience), "in") << error();
  EXPECT_THAT(output({"show", "job"}), ::testing::StartsWith("name     job\nheld     yes\n"));
  EXPECT_THAT(output({"show", "job", "--json"}),
              ::testing::StartsWith(R"({"kind":"lock","name":"job","held":true,"owner":")"));
  EXPECT_EQ(output({"list"}), "lock       job\n");
  EXPECT_EQ(output({"list", "--json"}), R"({"kind":"lock","name":"job"})"
                                        "\n");
}

TEST_F(LockCommand, ShowsAndListsReadWriteLocksAndSemaphores) {
  const auto reader = start({"run", "job", "--shared", "--", "sh", "-c", "echo in; exec sleep 100"});
  const auto writer = start({"run", "prices", "--exclusive", "--", "sh", "-c", "echo in; exec sleep 100"});
  const auto two = start({"run", "job", "--permits", "2", "--of", "5", "--", "sh", "-c", "echo in; exec sleep 100"});
  for (const auto* child : {&reader, &writer, &two}) ASSERT_EQ((*child)->read_line(patience), "in") << error();
  EXPECT_EQ(output({"list"}), "read-write job\nread-write prices\nsemaphore  job\n");
  EXPECT_THAT(output({"show", "job", "--shared"}),
              ::testing::StartsWith("name     job\nheld     by readers\nreaders  1\n"));
  EXPECT_THAT(output({"show", "prices", "--shared"}), HasSubstr("held     by a writer\nreaders  0\n"));
  EXPECT_THAT(output({"show", "prices", "--shared", "--json"}), HasSubstr(R"("writer":true,"readers":0,)"));
  EXPECT_THAT(output({"show", "nothing", "--shared"}), HasSubstr("held     no\nreaders  0\n"));
  EXPECT_THAT(output({"show", "job", "--permits"}),
              ::testing::StartsWith("name     job\npermits  5\nused     2\nholders  1\n"));
  EXPECT_THAT(output({"show", "job", "--permits", "--json"}), HasSubstr(R"("permits":5,"used":2,"holders":1,)"));
  EXPECT_THAT(output({"show", "nothing", "--permits", "--json"}), HasSubstr(R"("permits":null,"used":0,)"));
  EXPECT_EQ(run({"show", "job", "--permits", "--kind", "setnx"}), 64);
  EXPECT_THAT(error(), HasSubstr("has no read-write locks and semaphores"));
}

TEST_F(LockCommand, FreesTheGrantWithThatToken) {
  const auto holder = start({"run", "job", "--", "sh", "-c", "echo $FIRSTCOME_LOCK_TOKEN; exec sleep 100"});
  const auto token = holder->read_line(patience);
  ASSERT_TRUE(token) << error();
  EXPECT_EQ(run({"free", "job", "--token", "1"}), 1);
  EXPECT_THAT(error(), HasSubstr("has another token than 1"));
  EXPECT_EQ(run({"run", "job", "-n", "--", "true"}), 75) << "it was left alone";
  EXPECT_EQ(output({"free", "job", "--token", *token}), "the grant of job with token " + *token + " has ended\n");
  EXPECT_EQ(run({"run", "job", "-n", "--", "true"}), 0);
  EXPECT_EQ(run({"free", "job", "--token", *token}), 1);
  EXPECT_THAT(error(), HasSubstr("nobody holds job"));
  EXPECT_EQ(holder->wait(patience), lease_lost) << "its next renewal tells it";
}

TEST_F(LockCommand, RefusesToFreeWhatItCannot) {
  EXPECT_EQ(run({"free", "job"}), 64);
  EXPECT_EQ(run({"free", "job", "--token", "many"}), 64);
  EXPECT_EQ(run({"free", "a{b}", "--token", "1"}), 64);
  EXPECT_EQ(run({"free", "job", "--token", "1", "--kind", "setnx"}), 64);
  EXPECT_THAT(error(), HasSubstr("cannot be freed"));
}

TEST_F(LockCommand, TakesTheOptionsOfFlock) {
  const auto holder = start({"run", "job", "--", "sh", "-c", "echo in; exec sleep 100"});
  ASSERT_EQ(holder->read_line(patience), "in") << error();
  EXPECT_EQ(run({"run", "job", "-n", "--", "true"}), 75);
  EXPECT_THAT(error(), HasSubstr("job was not acquired: somebody holds it"));
  EXPECT_EQ(run({"run", "job", "-n", "-E", "9", "--", "true"}), 9);
  EXPECT_EQ(run({"run", "job", "-w", "0.1", "-E", "0", "--", "true"}), 0);
  EXPECT_THAT(error(), HasSubstr("job was not acquired: timed-out"));
  EXPECT_EQ(output({"run", "free", "-w", "5", "-c", "echo $((1 + 1))"}), "2\n");
  EXPECT_EQ(run({"run", "free", "-c", "exit 3"}), 3);
  EXPECT_EQ(run({"run", "free", "--verbose", "--", "true"}), 0);
  EXPECT_THAT(error(), HasSubstr("firstcome: got the lock free after 0."));
  EXPECT_THAT(error(), HasSubstr("firstcome: running true"));
}

TEST_F(LockCommand, RefusesOptionsThatContradictEachOther) {
  EXPECT_EQ(run({"run", "job", "-n", "-w", "1", "--", "true"}), 64);
  EXPECT_EQ(run({"run", "job", "-n", "--wait", "1s", "--", "true"}), 64);
  EXPECT_EQ(run({"run", "job", "-w", "1", "--wait", "1s", "--", "true"}), 64);
  EXPECT_EQ(run({"run", "job", "-c", "true", "--", "true"}), 64);
  for (const char* seconds : {"-1", "nan", "inf", "1e300", "soon"}) {
    EXPECT_EQ(run({"run", "job", "-w", seconds, "--", "true"}), 64) << seconds;
  }
  for (const char* code : {"-1", "256"}) EXPECT_EQ(run({"run", "job", "-E", code, "--", "true"}), 64) << code;
  EXPECT_EQ(run({"show", "job", "--shared", "--permits"}), 64);
}

TEST_F(LockCommand, AWaitOfNothingNeedsNoUnit) {
  EXPECT_EQ(run({"run", "job", "--wait", "0", "--", "true"}), 0);
  EXPECT_EQ(run({"run", "job", "--wait", "0ms", "--", "true"}), 0);
}

TEST_F(LockCommand, SaysAsAShellDoesThatACommandCannotBeRun) {
  EXPECT_EQ(run({"run", "job", "--", "/no/such/program"}), 127);
  EXPECT_THAT(error(), HasSubstr("/no/such/program: No such file or directory"));
  EXPECT_EQ(run({"run", "job", "--", "no-such-program-anywhere"}), 127);
  EXPECT_EQ(run({"run", "job", "--", "/etc/passwd"}), 126);
  EXPECT_EQ(run({"run", "job", "--", folder.path().string()}), 126);
  EXPECT_EQ(run({"run", "job", "-n", "--", "true"}), 0) << "it is free again at once";
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
