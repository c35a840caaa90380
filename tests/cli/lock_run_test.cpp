// `firstcome lock run`: a command and all that it starts run under the lock, and not without it.
#include "cli/lock_fixture.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>

namespace firstcome::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr int lease_lost = 79;

/// Whether a process of this id is there, be it as a zombie.
bool exists(pid_t pid) { return ::kill(pid, 0) == 0 || errno != ESRCH; }

class LockRun : public LockCommand {
 protected:
  /// What blocks whoever reads from it, until `open_gate`.
  std::string gate() {
    const std::filesystem::path path = folder.path() / "gate";
    if (!std::filesystem::exists(path)) {
      EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    }
    return path.string();
  }
  void open_gate() {
    const int writer = ::open(gate().c_str(), O_WRONLY | O_CLOEXEC);
    EXPECT_GE(writer, 0);
    ::close(writer);
  }
  /// A shell script that says "in" and then waits for the gate.
  std::string waits_at_gate() { return "echo in; read line < " + gate() + "; true"; }

  std::optional<pid_t> read_pid(ChildProcess& child) {
    const auto line = child.read_line(patience);
    if (!line) return std::nullopt;
    return static_cast<pid_t>(std::stol(*line));
  }
};

TEST_F(LockRun, KeepsTheLockForWhatTheCommandLeftRunning) {
  for (const std::string starter : {"", "setsid ", "timeout 100 "}) {
    const auto child = start({"run", "job", "--", "sh", "-c", starter + "cat " + gate() + " & echo in"});
    ASSERT_EQ(child->read_line(patience), "in") << error();
    EXPECT_TRUE(eventually([&] { return error().find("the lock is kept for processes") != std::string::npos; }));
    EXPECT_EQ(run({"run", "job", "-n", "--", "true"}), 75) << starter;
    open_gate();
    EXPECT_EQ(child->wait(patience), 0) << error();
    EXPECT_EQ(run({"run", "job", "-n", "--", "true"}), 0) << starter;
    std::filesystem::remove(folder.path() / "error.log");
  }
}

TEST_F(LockRun, StopsEverythingThatTheCommandStartedWhenTheLeaseIsLost) {
  for (const std::string starter : {"", "setsid ", "timeout 100 "}) {
    const std::string script = starter + "sh -c 'echo $$; exec sleep 100' & wait; sleep 100";
    const auto child = start({"run", "job", "--lease", "2s", "--", "sh", "-c", script});
    const auto descendant = read_pid(*child);
    ASSERT_TRUE(descendant) << error();
    EXPECT_EQ(child->wait(patience), lease_lost) << error();
    EXPECT_FALSE(exists(*descendant)) << starter;
  }
}

TEST_F(LockRun, StopsACommandThatIsSuspendedWhenTheLeaseIsLost) {
  const auto child = start({"run", "job", "--lease", "2s", "--", "sh", "-c", "echo $$; kill -STOP $$; sleep 100"});
  const auto command = read_pid(*child);
  ASSERT_TRUE(command) << error();
  EXPECT_EQ(child->wait(patience), lease_lost) << error();
  EXPECT_THAT(error(), HasSubstr("ended with " + std::to_string(128 + SIGTERM)));
}

TEST_F(LockRun, SaysThatTheLeaseWasLostThoughTheCommandSucceeds) {
  const auto child = start(
      {"run", "job", "--lease", "2s", "--", "sh", "-c", "trap 'exit 0' TERM; echo in; while :; do sleep 0.1; done"});
  EXPECT_EQ(child->wait(patience), lease_lost);
  EXPECT_THAT(error(), HasSubstr("ended with 0"));
}

TEST_F(LockRun, SaysThatTheLeaseWasLostThoughOnlyItsReleaseFindsOut) {
  const auto child = start({"run", "job", "--", "sh", "-c", waits_at_gate()});
  ASSERT_EQ(child->read_line(patience), "in") << error();
  redis().command({"DEL", "firstcome:lock:{job}"});
  open_gate();
  EXPECT_EQ(child->wait(patience), lease_lost);
  EXPECT_THAT(error(), HasSubstr("the lock job was lost while the command ran, which ended with 0"));
}

TEST_F(LockRun, ItsKillEndsEverythingAndFreesTheLock) {
  const auto child =
      start({"run", "job", "--", "sh", "-c", "setsid sh -c 'echo $$; exec sleep 100' & echo $$; sleep 100"});
  const auto one = read_pid(*child);
  const auto other = read_pid(*child);
  ASSERT_TRUE(one && other) << error();
  child->kill();
  // Well before the lease of 30 s is over.
  EXPECT_EQ(run({"run", "job", "--wait", "15s", "--", "true"}), 0);
  EXPECT_TRUE(eventually([&] { return !exists(*one) && !exists(*other); }));
}

TEST_F(LockRun, TheKillOfItsHolderEndsEverything) {
  const auto child =
      start({"run", "job", "--", "sh", "-c", "echo $PPID; setsid sh -c 'echo $$; exec sleep 100' & sleep 100"});
  const auto holder = read_pid(*child);
  const auto descendant = read_pid(*child);
  ASSERT_TRUE(holder && descendant) << error();
  ASSERT_NE(*holder, child->pid());
  ASSERT_EQ(::kill(*holder, SIGKILL), 0);
  EXPECT_EQ(child->wait(patience), lease_lost);
  EXPECT_FALSE(exists(*descendant));
}

TEST_F(LockRun, ANestedCommandSeesTheInnerLock) {
  const std::string program = firstcome_program();
  const auto child = start({"run", "outer", "--", program, "lock", "run", "inner", "--", "bash", "-c",
                            "echo $FIRSTCOME_LOCK_NAME; echo $FIRSTCOME_LOCK_TOKEN; read line < " + gate() + "; true"});
  EXPECT_EQ(child->read_line(patience), "inner") << error();
  const auto token = child->read_line(patience);
  ASSERT_TRUE(token) << error();
  EXPECT_THAT(output({"show", "inner"}), HasSubstr("token    " + *token + "\n"));
  open_gate();
  EXPECT_EQ(child->wait(patience), 0);
}

TEST_F(LockRun, ANestedLockWithoutATokenShowsNone) {
  const auto child = start({"run", "outer", "--", firstcome_program(), "lock", "run", "inner", "--kind", "setnx", "--",
                            "sh", "-c", "echo [$FIRSTCOME_LOCK_TOKEN]"});
  EXPECT_EQ(child->read_line(patience), "[]") << error();
  EXPECT_EQ(child->wait(patience), 0);
}

TEST_F(LockRun, TheKillOfAnOuterLockEndsTheInnerCommandToo) {
  const auto child = start(
      {"run", "outer", "--", firstcome_program(), "lock", "run", "inner", "--", "sh", "-c", "echo $$; exec sleep 100"});
  const auto command = read_pid(*child);
  ASSERT_TRUE(command) << error();
  child->kill();
  EXPECT_EQ(run({"run", "outer", "--wait", "15s", "--", "true"}), 0);
  EXPECT_TRUE(eventually([&] { return !exists(*command); }));
}

TEST_F(LockRun, HidesThePasswordOfTheBackendFromTheCommand) {
  redis().command({"ACL", "SETUSER", "shop", "on", ">guessed", "~*", "&*", "+@all"});
  const std::string address = redis().address();
  const auto child = start_program("/usr/bin/env", {"FIRSTCOME_LOCK_BACKEND=redis://shop:guessed@" + address,
                                                    firstcome_program(), "lock", "run", "job", "--", "env"});
  std::string environment;
  while (const auto line = child->read_line(patience)) environment += *line + "\n";
  EXPECT_EQ(child->wait(patience), 0) << error();
  EXPECT_THAT(environment, HasSubstr("FIRSTCOME_LOCK_BACKEND=redis://" + address + "\n"));
  EXPECT_THAT(environment, ::testing::Not(HasSubstr("guessed")));
}

TEST_F(LockRun, TellsTheCommandWhereTheLockIs) {
  const auto child = start_program("/usr/bin/env", {"-u", "FIRSTCOME_LOCK_BACKEND", firstcome_program(), "lock", "run",
                                                    "job", "--backend", backend(), "--", "env"});
  std::string environment;
  while (const auto line = child->read_line(patience)) environment += *line + "\n";
  EXPECT_EQ(child->wait(patience), 0) << error();
  EXPECT_THAT(environment, HasSubstr("FIRSTCOME_LOCK_BACKEND=" + backend() + "\n"));
}

struct Signal {
  int number;
  std::string word;
};

const std::vector<Signal>& ending_signals() {
  static const std::vector<Signal> all{{SIGINT, "INT"},   {SIGTERM, "TERM"}, {SIGHUP, "HUP"},  {SIGQUIT, "QUIT"},
                                       {SIGUSR1, "USR1"}, {SIGUSR2, "USR2"}, {SIGALRM, "ALRM"}};
  return all;
}

TEST_F(LockRun, PassesSignalsOnToTheCommand) {
  std::vector<Signal> signals = ending_signals();
  signals.push_back({SIGWINCH, "WINCH"});
  signals.push_back({SIGCONT, "CONT"});
  for (const auto& [number, word] : signals) {
    const auto child = start({"run", "job", "--", "bash", "-c",
                              "trap 'echo got; exit 3' " + word + "; echo in; while :; do sleep 0.05; done"});
    ASSERT_EQ(child->read_line(patience), "in") << error();
    child->signal(number);
    EXPECT_EQ(child->read_line(patience), "got") << word;
    EXPECT_EQ(child->wait(patience), 3) << word;
  }
}

TEST_F(LockRun, ReturnsTheSignalThatEndedTheCommand) {
  for (const auto& [number, word] : ending_signals()) {
    const auto child = start({"run", "job", "--", "sh", "-c", "echo in; exec sleep 100"});
    ASSERT_EQ(child->read_line(patience), "in") << error();
    child->signal(number);
    EXPECT_EQ(child->wait(patience), 128 + number) << word;
  }
}

TEST_F(LockRun, ASignalForAnEndReachesTheWholeGroup) {
  const auto child = start({"run", "job", "--", "sh", "-c", "echo in; sleep 100; echo out"});
  ASSERT_EQ(child->read_line(patience), "in") << error();
  child->signal(SIGTERM);
  EXPECT_EQ(child->wait(patience), 128 + SIGTERM) << "it did not wait for the sleep";
}

TEST_F(LockRun, AReportIsAskedOfTheCommandAlone) {
  const auto child =
      start({"run", "job", "--", "bash", "-c",
             "trap 'echo report' USR1; (read line < " + gate() + "; echo survived) & echo in; wait; wait"});
  ASSERT_EQ(child->read_line(patience), "in") << error();
  child->signal(SIGUSR1);
  EXPECT_EQ(child->read_line(patience), "report");
  open_gate();
  EXPECT_EQ(child->read_line(patience), "survived");
  EXPECT_EQ(child->wait(patience), 0);
}

TEST_F(LockRun, ASignalEndsTheWaitAndStartsNoCommand) {
  const auto holder = start({"run", "job", "--", "sh", "-c", waits_at_gate()});
  ASSERT_EQ(holder->read_line(patience), "in") << error();
  const std::string mark = folder.path() / "started";
  for (const auto& [number, word] : ending_signals()) {
    const auto waiting = start({"run", "job", "--wait", "1h", "--", "touch", mark});
    ASSERT_TRUE(somebody_waits("job")) << word;
    waiting->signal(number);
    EXPECT_EQ(waiting->wait(patience), 128 + number) << word;
  }
  open_gate();
  EXPECT_EQ(holder->wait(patience), 0);
  EXPECT_EQ(run({"run", "job", "--wait", "5s", "--", "true"}), 0);
  EXPECT_FALSE(std::filesystem::exists(mark));
}

TEST_F(LockRun, AWindowThatChangesItsSizeEndsNoWait) {
  const auto holder = start({"run", "job", "--", "sh", "-c", waits_at_gate()});
  ASSERT_EQ(holder->read_line(patience), "in") << error();
  const auto waiting = start({"run", "job", "--wait", "1h", "--", "sh", "-c", "exit 3"});
  ASSERT_TRUE(somebody_waits("job"));
  waiting->signal(SIGWINCH);
  open_gate();
  EXPECT_EQ(waiting->wait(patience), 3);
}

TEST_F(LockRun, ASignalThatIsIgnoredEndsNothing) {
  const auto holder = start({"run", "job", "--", "sh", "-c", waits_at_gate()});
  ASSERT_EQ(holder->read_line(patience), "in") << error();
  const auto waiting = start_program("/bin/sh", {"-c", "trap '' HUP; exec " + firstcome_program() +
                                                           " lock run job --wait 1h -- sh -c 'kill -HUP $$; exit 3'"});
  ASSERT_TRUE(somebody_waits("job"));
  waiting->signal(SIGHUP);
  open_gate();
  EXPECT_EQ(waiting->wait(patience), 3);
}

TEST_F(LockRun, ASuspendedWaitStartsItsCommandWhenItGoesOn) {
  const auto holder = start({"run", "job", "--", "sh", "-c", waits_at_gate()});
  ASSERT_EQ(holder->read_line(patience), "in") << error();
  const auto waiting = start({"run", "job", "--wait", "1h", "--", "sh", "-c", "echo started; exit 3"});
  ASSERT_TRUE(somebody_waits("job"));
  waiting->signal(SIGTSTP);
  open_gate();
  EXPECT_EQ(holder->wait(patience), 0);
  EXPECT_EQ(waiting->read_line(300ms), std::nullopt);
  waiting->signal(SIGCONT);
  EXPECT_EQ(waiting->read_line(patience), "started");
  EXPECT_EQ(waiting->wait(patience), 3);
}

}  // namespace
}  // namespace firstcome::testing
