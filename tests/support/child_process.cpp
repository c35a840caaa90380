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

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace firstcome::testing {
namespace {

using SteadyClock = std::chrono::steady_clock;

int milliseconds_left(SteadyClock::time_point deadline) {
  auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now()).count();
  return left > 0 ? static_cast<int>(left) : 0;
}

/// What a child needs, made before it is forked: another thread may hold the allocator's lock at that moment, and a
/// child that asked for memory would wait for it for ever.
class Launch {
 public:
  explicit Launch(const ChildOptions& options) : options_(options), entries_(environment_of(options)) {
    arguments_.push_back(const_cast<char*>(options.program.c_str()));
    for (const std::string& argument : options.arguments) arguments_.push_back(const_cast<char*>(argument.c_str()));
    arguments_.push_back(nullptr);
    for (std::string& entry : entries_) environment_.push_back(entry.data());
    environment_.push_back(nullptr);
  }

  /// The child's part: nothing but calls that are safe after a fork.
  [[noreturn]] void run(int output) const {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (options_.group == ChildOptions::Group::own) setpgid(0, 0);
    dup2(output, STDOUT_FILENO);
    if (!options_.error_log.empty()) {
      const int log = open(options_.error_log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
      if (log >= 0) dup2(log, STDERR_FILENO);
    }
    if (options_.open_files) {
      const rlimit limit{*options_.open_files, *options_.open_files};
      setrlimit(RLIMIT_NOFILE, &limit);
    }
    execve(options_.program.c_str(), arguments_.data(), environment_.data());
    _exit(127);
  }

 private:
  /// This process's own, but for the names that the options give.
  static std::vector<std::string> environment_of(const ChildOptions& options) {
    std::vector<std::string> entries = options.environment;
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string_view own = *entry;
      const std::string_view name = own.substr(0, own.find('=') + 1);
      const auto gives_it = [&](const std::string& given) { return given.starts_with(name); };
      if (std::ranges::none_of(options.environment, gives_it)) entries.emplace_back(own);
    }
    return entries;
  }

  const ChildOptions& options_;
  std::vector<std::string> entries_;
  std::vector<char*> arguments_;
  std::vector<char*> environment_;
};

}  // namespace

std::string firstcome_program() {
  if (const char* given = std::getenv("FIRSTCOME_PROGRAM")) return given;
  return built_program();
}

ChildProcess::ChildProcess(ChildOptions options) {
  const Launch launch(options);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) launch.run(ends[1]);
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
