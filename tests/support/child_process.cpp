#include "support/child_process.hpp"

#include "support/paths.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

namespace firstcome::testing {
namespace {

using SteadyClock = std::chrono::steady_clock;

int milliseconds_left(SteadyClock::time_point deadline) {
  auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now()).count();
  return left > 0 ? static_cast<int>(left) : 0;
}

[[noreturn]] void run_child(const ChildOptions& options, int output) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (options.group == ChildOptions::Group::own) setpgid(0, 0);
  dup2(output, STDOUT_FILENO);
  if (!options.error_log.empty()) {
    int log = open(options.error_log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log >= 0) dup2(log, STDERR_FILENO);
  }
  if (options.open_files) {
    rlimit limit{*options.open_files, *options.open_files};
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  for (const std::string& entry : options.environment) putenv(const_cast<char*>(entry.c_str()));
  std::vector<char*> arguments{const_cast<char*>(options.program.c_str())};
  for (const std::string& argument : options.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  execv(options.program.c_str(), arguments.data());
  _exit(127);
}

}  // namespace

std::string firstcome_program() {
  if (const char* given = std::getenv("FIRSTCOME_PROGRAM")) return given;
  return built_program();
}

ChildProcess::ChildProcess(ChildOptions options) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) run_child(options, ends[1]);
  close(ends[1]);
  output_ = ends[0];
}

ChildProcess::~ChildProcess() {
  if (!status_) kill();
  close(output_);
}

std::optional<std::string> ChildProcess::read_line(std::chrono::milliseconds timeout) {
  auto deadline = SteadyClock::now() + timeout;
  for (;;) {
    if (auto end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    pollfd ready{output_, POLLIN, 0};
    if (poll(&ready, 1, milliseconds_left(deadline)) <= 0) return std::nullopt;
    char chunk[4096];
    ssize_t got = read(output_, chunk, sizeof chunk);
    if (got <= 0) return std::nullopt;
    buffer_.append(chunk, static_cast<std::size_t>(got));
  }
}

void ChildProcess::signal(int number) const {
  if (status_) return;
  ::kill(pid_, number);
  if (number != SIGSTOP && number != SIGTSTP) return;
  siginfo_t stopped{};
  waitid(P_PID, static_cast<id_t>(pid_), &stopped, WSTOPPED | WEXITED | WNOWAIT);  // leaves its end to `wait`
}

std::optional<int> ChildProcess::wait(std::chrono::milliseconds timeout) {
  if (status_) return status_;
  int handle = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  pollfd ended{handle, POLLIN, 0};
  int ready = poll(&ended, 1, static_cast<int>(timeout.count()));
  close(handle);
  if (ready <= 0) return std::nullopt;
  int status = 0;
  waitpid(pid_, &status, 0);
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return status_;
}

void ChildProcess::kill() {
  if (status_) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  status_ = 128 + SIGKILL;
}

}  // namespace firstcome::testing
