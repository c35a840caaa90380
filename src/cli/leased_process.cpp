#include "cli/leased_process.hpp"

#include "net/file_descriptor.hpp"

#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <optional>

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX says to declare it

namespace firstcome::cli {
namespace {

using Clock = std::chrono::steady_clock;

sigset_t passed_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&set, number);
  return set;
}

/// With an empty signal mask, whatever ours is.
std::expected<pid_t, std::string> start(const LeasedProgram& program) {
  std::vector<char*> arguments;
  for (const std::string& argument : program.command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  std::vector<char*> environment;
  for (const std::string& variable : program.environment) environment.push_back(const_cast<char*>(variable.c_str()));
  for (char** variable = environ; *variable != nullptr; ++variable) environment.push_back(*variable);
  environment.push_back(nullptr);

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, arguments.front(), nullptr, &attributes, arguments.data(), environment.data());
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return std::unexpected(fmt::format("{}: {}", program.command.front(), std::strerror(error)));
  return pid;
}

/// The exit code as a shell gives it; nothing: it still runs.
std::optional<int> ended(pid_t pid) {
  int status = 0;
  if (::waitpid(pid, &status, WNOHANG) != pid) return std::nullopt;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void pass_on(int signals, pid_t pid) {
  signalfd_siginfo info{};
  while (::read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info))
    if (info.ssi_signo != SIGCHLD) ::kill(pid, static_cast<int>(info.ssi_signo));
}

int until(std::optional<Clock::time_point> end) {
  if (!end) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*end - Clock::now());
  return static_cast<int>(std::max<std::chrono::milliseconds::rep>(left.count(), 0));
}

int wait_for(pid_t pid, int signals, int lost, std::chrono::milliseconds grace) {
  std::optional<Clock::time_point> by_force;
  bool asked = false;
  for (;;) {
    if (const auto code = ended(pid)) return *code;
    std::array<pollfd, 2> events{pollfd{signals, POLLIN, 0}, pollfd{asked ? -1 : lost, POLLIN, 0}};
    ::poll(events.data(), events.size(), until(by_force));
    if (events[0].revents != 0) pass_on(signals, pid);
    if (events[1].revents != 0) {
      asked = true;
      std::fprintf(stderr, "firstcome: the lease is lost; the command is stopped\n");
      ::kill(pid, SIGTERM);
      by_force = Clock::now() + grace;
    }
    if (by_force && Clock::now() >= *by_force) {
      ::kill(pid, SIGKILL);
      by_force.reset();
    }
  }
}

}  // namespace

void block_passed_signals() {
  const sigset_t set = passed_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

std::expected<int, std::string> run_under(const Lease& lease, const LeasedProgram& program) {
  const sigset_t set = passed_signals();
  const net::FileDescriptor signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  const net::FileDescriptor lost(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!signals || !lost) return std::unexpected(fmt::format("no file descriptor: {}", std::strerror(errno)));
  const auto pid = start(program);
  if (!pid) return std::unexpected(pid.error());
  const std::stop_callback tell(lease.stop_token(), [&lost] { ::eventfd_write(lost.get(), 1); });
  return wait_for(*pid, signals.get(), lost.get(), program.grace);
}

}  // namespace firstcome::cli
