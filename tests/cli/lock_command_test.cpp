// `firstcome lock` as a process, against a real Redis.
#include "support/child_process.hpp"
#include "support/redis_server.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

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

}  // namespace
}  // namespace firstcome::testing
