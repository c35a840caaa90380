// `firstcome lock run` on a terminal: the keyboard, Ctrl-C and Ctrl-Z as without it.
#include "cli/lock_fixture.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <optional>
#include <utility>

namespace firstcome::testing {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* ctrl_c = "\x03";
constexpr const char* ctrl_z = "\x1a";
constexpr const char* end_of_file = "\x04";

/// A program that leads a session on a terminal of its own, which does not echo. Is killed at the end.
class TerminalSession {
 public:
  TerminalSession(const std::string& backend, const std::vector<std::string>& words) {
    termios modes{};
    cfmakeraw(&modes);
    modes.c_lflag = ISIG | ICANON;
    modes.c_iflag = ICRNL;
    modes.c_cc[VINTR] = ctrl_c[0];
    modes.c_cc[VSUSP] = ctrl_z[0];
    modes.c_cc[VEOF] = end_of_file[0];
    pid_ = ::forkpty(&keyboard_, nullptr, &modes, nullptr);
    if (pid_ == 0) become(backend, words);
    EXPECT_GT(pid_, 0);
  }
  ~TerminalSession() {
    if (!status_) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(keyboard_);
  }
  TerminalSession(const TerminalSession&) = delete;
  TerminalSession& operator=(const TerminalSession&) = delete;

  pid_t pid() const { return pid_; }

  void type(const std::string& keys) const {
    EXPECT_EQ(::write(keyboard_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }

  /// Reads until the screen shows `text` after what was waited for before. Whether it came in time.
  bool shows(const std::string& text) {
    const auto deadline = Clock::now() + patience;
    while (screen_.find(text, seen_) == std::string::npos) {
      if (!read_until(deadline)) return false;
    }
    seen_ = screen_.find(text, seen_) + text.size();
    return true;
  }
  const std::string& screen() const { return screen_; }

  /// Reads until it ends. Returns its status as `waitpid` gives it; nothing: it did not end in time.
  std::optional<int> wait() {
    const auto deadline = Clock::now() + patience;
    while (read_until(deadline)) continue;
    int status = 0;
    while (::waitpid(pid_, &status, WNOHANG) != pid_) {
      if (Clock::now() > deadline) return std::nullopt;
      ::poll(nullptr, 0, 5);
    }
    status_ = status;
    return status_;
  }

 private:
  [[noreturn]] static void become(const std::string& backend, const std::vector<std::string>& words) {
    ::setenv("FIRSTCOME_LOCK_BACKEND", backend.c_str(), 1);
    ::setenv("PS1", "$ ", 1);
    std::vector<char*> pointers;
    for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
    pointers.push_back(nullptr);
    ::execvp(pointers.front(), pointers.data());
    ::_exit(127);
  }

  /// False: nobody has the terminal open any more, or the time is over.
  bool read_until(Clock::time_point deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd ready{keyboard_, POLLIN, 0};
    if (left <= 0 || ::poll(&ready, 1, static_cast<int>(left)) <= 0) return false;
    std::array<char, 4096> buffer{};
    const ssize_t got = ::read(keyboard_, buffer.data(), buffer.size());
    if (got <= 0) return false;
    screen_.append(buffer.data(), static_cast<std::size_t>(got));
    return true;
  }

  pid_t pid_ = -1;
  int keyboard_ = -1;
  std::string screen_;
  std::size_t seen_ = 0;
  std::optional<int> status_;
};

class LockTerminal : public LockCommand {
 protected:
  std::vector<std::string> lock_run(std::vector<std::string> words) const {
    words.insert(words.begin(), {firstcome_program(), "lock", "run", "job"});
    return words;
  }
  /// A shell with job control.
  static std::vector<std::string> shell() { return {"bash", "--norc", "--noprofile", "--noediting", "-i"}; }
};

/// A command that says "in" and counts interrupts until SIGUSR1.
std::vector<std::string> counts_interrupts() {
  return {"--", "bash", "-c",
          "n=0; trap 'n=$((n + 1)); echo interrupted $n' INT; trap 'echo all $n; exit 3' USR1; echo in; "
          "while :; do sleep 0.05; done"};
}

TEST_F(LockTerminal, CtrlCReachesTheCommandOnce) {
  TerminalSession session(backend(), lock_run(counts_interrupts()));
  ASSERT_TRUE(session.shows("in\n")) << session.screen();
  session.type(ctrl_c);
  ASSERT_TRUE(session.shows("interrupted 1")) << session.screen();
  ::kill(session.pid(), SIGUSR1);
  EXPECT_TRUE(session.shows("all 1")) << session.screen();
  const auto status = session.wait();
  ASSERT_TRUE(status);
  EXPECT_EQ(WEXITSTATUS(*status), 3);
}

TEST_F(LockTerminal, CtrlCReachesTheCommandOnceThatHasTheKeyboard) {
  TerminalSession session(backend(), lock_run({"--", "bash", "-c",
                                               "n=0; trap 'n=$((n + 1)); echo interrupted $n' INT; "
                                               "trap 'echo all $n; exit 3' USR1; read line; echo got $line; "
                                               "while :; do sleep 0.05; done"}));
  session.type("a line\n");
  ASSERT_TRUE(session.shows("got a line")) << session.screen();
  session.type(ctrl_c);
  ASSERT_TRUE(session.shows("interrupted 1")) << session.screen();
  ::kill(session.pid(), SIGUSR1);
  EXPECT_TRUE(session.shows("all 1")) << session.screen();
  EXPECT_TRUE(session.wait());
}

TEST_F(LockTerminal, CtrlCThatEndsTheCommandEndsTheLoopOfAScript) {
  const std::string script = "for i in 1 2 3; do " + firstcome_program() +
                             " lock run job -- sh -c 'echo in $0; exec sleep 100' $i; done; echo survived";
  TerminalSession session(backend(), {"bash", "-c", script});
  ASSERT_TRUE(session.shows("in 1")) << session.screen();
  session.type(ctrl_c);
  const auto status = session.wait();
  ASSERT_TRUE(status) << session.screen();
  EXPECT_TRUE(WIFSIGNALED(*status) && WTERMSIG(*status) == SIGINT) << *status << session.screen();
  EXPECT_EQ(session.screen().find("survived"), std::string::npos);
}

TEST_F(LockTerminal, CtrlCEndsTheWait) {
  const auto holder = start({"run", "job", "--", "sh", "-c", "echo in; exec sleep 100"});
  ASSERT_EQ(holder->read_line(patience), "in") << error();
  TerminalSession session(
      backend(),
      {"bash", "-c", "echo asking; " + firstcome_program() + " lock run job --wait 1h -- echo started; echo $?"});
  ASSERT_TRUE(session.shows("asking")) << session.screen();
  ASSERT_TRUE(somebody_waits("job"));
  session.type(ctrl_c);
  EXPECT_TRUE(session.wait());
  EXPECT_EQ(session.screen().find("started"), std::string::npos);
}

TEST_F(LockTerminal, CtrlZStopsTheJobWhichKeepsItsLock) {
  TerminalSession session(backend(), shell());
  session.type(firstcome_program() + " lock run job -- cat\n");
  session.type("one\n");
  ASSERT_TRUE(session.shows("one")) << session.screen();
  session.type(ctrl_z);
  ASSERT_TRUE(session.shows("Stopped")) << session.screen();
  EXPECT_EQ(run({"run", "job", "-n", "--", "true"}), 75) << "the lock is kept";
  session.type("fg\n");
  ASSERT_TRUE(session.shows("lock run job -- cat")) << session.screen();
  session.type("two\n");
  ASSERT_TRUE(session.shows("two")) << session.screen();
  session.type(end_of_file);
  session.type("echo code=$?\n");
  EXPECT_TRUE(session.shows("code=0")) << session.screen();
  session.type("exit\n");
  EXPECT_TRUE(session.wait());
}

TEST_F(LockTerminal, AJobInTheBackgroundStopsWhenItReadsAndGoesOnInTheForeground) {
  TerminalSession session(backend(), shell());
  session.type(firstcome_program() + " lock run job -- sh -c 'echo in; exec cat' &\n");
  ASSERT_TRUE(session.shows("in\n")) << session.screen();
  // The shell tells of a stopped job before a prompt.
  const auto deadline = Clock::now() + patience;
  while (session.screen().find("Stopped") == std::string::npos && Clock::now() < deadline) {
    session.type("jobs; echo asked\n");
    ASSERT_TRUE(session.shows("asked")) << session.screen();
  }
  session.type("fg\n");
  ASSERT_TRUE(session.shows("lock run job")) << session.screen();
  session.type("hello\n");
  EXPECT_TRUE(session.shows("hello")) << session.screen();
  session.type(end_of_file);
  session.type("echo code=$?\n");
  EXPECT_TRUE(session.shows("code=0")) << session.screen();
}

TEST_F(LockTerminal, ACommandInAPipeLeavesTheKeyboardToTheOthers) {
  TerminalSession session(backend(), shell());
  session.type(firstcome_program() +
               " lock run job -- echo from the command | sh -c 'cat; read line < /dev/tty; echo read $line'\n");
  ASSERT_TRUE(session.shows("from the command\n")) << session.screen();
  session.type("a line\n");
  EXPECT_TRUE(session.shows("read a line")) << session.screen();
}

/// Runs the words under the lock from a shell, in a process group that becomes an orphan before `ready` is shown.
std::string as_an_orphan(const std::string& words) {
  return "(sh -c '" + firstcome_program() + " lock run job -- " + words + "; echo ended $?' &); echo ready\n";
}

TEST_F(LockTerminal, ACommandOfAnOrphanedGroupIsHungUpWhenItReadsTheTerminal) {
  TerminalSession session(backend(), shell());
  const std::string go = (folder.path() / "go").string();
  session.type(as_an_orphan("sh -c \"while [ ! -e " + go + " ]; do sleep 0.05; done; read x </dev/tty\""));
  ASSERT_TRUE(session.shows("ready")) << session.screen();
  std::ofstream{go};
  EXPECT_TRUE(session.shows("ended 129")) << session.screen();
}

TEST_F(LockTerminal, ACommandOfAnOrphanedGroupThatIgnoresHangUpsDoesNotSpin) {
  TerminalSession session(backend(), shell());
  const std::string go = (folder.path() / "go").string();
  session.type(as_an_orphan("sh -c \"trap : HUP; while [ ! -e " + go +
                            " ]; do sleep 0.05; done; for i in 1 2 3 4; do (read x </dev/tty); echo try \\$i; done\""));
  ASSERT_TRUE(session.shows("ready")) << session.screen();
  std::ofstream{go};
  ASSERT_TRUE(session.shows("try 1")) << session.screen();
  const auto first = Clock::now();
  ASSERT_TRUE(session.shows("try 3")) << session.screen();
  EXPECT_GE(Clock::now() - first, std::chrono::milliseconds{1'500});
}

}  // namespace
}  // namespace firstcome::testing
