// A program that a test starts and ends: its arguments, its first line of output, how it ended.
//
// The child dies with the test program (PR_SET_PDEATHSIG), so a test that fails leaves nothing behind.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::testing {

/// The program under test: $FIRSTCOME_PROGRAM, or the one built with the tests.
std::string firstcome_program();

struct ChildOptions {
  std::string program;
  std::vector<std::string> arguments;
  std::filesystem::path error_log;          ///< standard error goes here; empty: to the test's own
  std::vector<std::string> environment;     ///< NAME=value, added
  std::optional<std::uint64_t> open_files;  ///< RLIMIT_NOFILE
  /// Its process group. One of its own can be stopped by SIGTSTP wherever the tests run.
  enum class Group : std::uint8_t { same, own } group = Group::same;
};

class ChildProcess {
 public:
  /// Throws std::runtime_error where the program cannot be started.
  explicit ChildProcess(ChildOptions options);
  /// Kills it if it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }

  /// The next line of its standard output, without the newline; nothing at its end or when `timeout` is over.
  std::optional<std::string> read_line(std::chrono::milliseconds timeout);

  /// SIGSTOP, SIGTSTP: returns when all its threads have stopped, or it has ended; until then they may go on, for a
  /// while on a busy machine.
  void signal(int number) const;

  /// Waits for its end. The exit code, or 128 + the signal that ended it; nothing when `timeout` is over.
  std::optional<int> wait(std::chrono::milliseconds timeout);

  /// SIGKILL, and waits.
  void kill();

 private:
  pid_t pid_ = -1;
  int output_ = -1;
  std::string buffer_;
  std::optional<int> status_;
};

}  // namespace firstcome::testing
