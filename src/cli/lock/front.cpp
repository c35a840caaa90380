#include "cli/lock/front.hpp"

#include "cli/exit_code.hpp"
#include "cli/lock/process_tree.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace firstcome::cli {
namespace {

constexpr int kill_again_ms = 20;
/// A command that uses a terminal which it cannot have is told so as often as this, while it does not end.
constexpr std::chrono::milliseconds hang_up_again{1'000};

bool is_ignored(int number) {
  struct sigaction action = {};
  return ::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

sigset_t passed_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH, SIGTSTP, SIGCONT}) {
    if (!is_ignored(number)) sigaddset(&set, number);
  }
  return set;
}

/// Blocks what is passed on, what a process in the background gets for using the terminal, SIGCONT, whose arrival tells
/// that a stop took effect, and SIGPIPE: a reader of our standard error that has gone must not end who keeps the lock.
/// Returns the mask before, which the command gets.
sigset_t block(const sigset_t& passed) {
  sigset_t blocked = passed;
  for (const int number : {SIGCHLD, SIGPIPE, SIGTTIN, SIGTTOU, SIGCONT}) sigaddset(&blocked, number);
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  return before;
}

void send(const net::FileDescriptor& link, int number) {
  if (link) ::send(link.get(), &number, sizeof number, MSG_NOSIGNAL);
}

/// Returns what the other side has sent; nothing: nothing more now. Closes the link where the other side has ended.
std::optional<int> receive(net::FileDescriptor& link) {
  if (!link) return std::nullopt;
  int number = 0;
  const ssize_t got = ::recv(link.get(), &number, sizeof number, 0);
  if (got == static_cast<ssize_t>(sizeof number)) return number;
  if (got == 0 || (errno != EAGAIN && errno != EINTR)) link.reset();
  return std::nullopt;
}

class FrontProcess {
  using Clock = std::chrono::steady_clock;

 public:
  FrontProcess(pid_t holder, net::FileDescriptor link, const sigset_t& passed)
      : holder_(holder), link_(std::move(link)), signals_(signals_of(passed)) {}

  int run() {
    for (;;) {
      int status = 0;
      if (::waitpid(holder_, &status, WNOHANG) == holder_) return end_like(status);
      std::array<pollfd, 2> events{pollfd{signals_.get(), POLLIN, 0}, pollfd{link_.get(), POLLIN, 0}};
      ::poll(events.data(), events.size(), milliseconds_left());
      pass_signals_on();
      obey();
      hang_up();
    }
  }

 private:
  static int signals_of(sigset_t set) {
    sigaddset(&set, SIGCHLD);
    return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  }

  void pass_signals_on() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      const int number = static_cast<int>(info.ssi_signo);
      if (number == SIGCHLD) continue;
      if (number == SIGINT && info.ssi_code == SI_KERNEL) interrupted_by_terminal_ = true;
      send(link_, number);
    }
  }

  void obey() {
    while (const auto number = receive(link_)) stop_by(*number);
  }

  /// Stops here, until somebody sends SIGCONT. The kernel does not stop an orphaned group, where nobody would do that.
  /// A command that asked to stop goes on there. One that was stopped for using the terminal would only be stopped
  /// again: as the kernel hangs up on those who are stopped when their group becomes an orphan, so do we.
  void stop_by(int number) {
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, number);
    ::raise(number);  // which takes back any earlier SIGCONT
    ::pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
    ::pthread_sigmask(SIG_BLOCK, &only, nullptr);
    sigset_t came;
    ::sigpending(&came);
    if (number == SIGTSTP || sigismember(&came, SIGCONT) == 1) return send(link_, SIGCONT);
    hang_up_at_ = std::max(Clock::now(), hung_up_at_ + hang_up_again);
  }

  void hang_up() {
    if (!hang_up_at_ || Clock::now() < *hang_up_at_) return;
    hang_up_at_.reset();
    hung_up_at_ = Clock::now();
    send(link_, SIGHUP);
    send(link_, SIGCONT);
  }

  /// Until the next thing that happens by itself; -1: nothing does.
  int milliseconds_left() const {
    if (!hang_up_at_) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*hang_up_at_ - Clock::now()).count();
    return static_cast<int>(std::max<std::chrono::milliseconds::rep>(left, 0));
  }

  int end_like(int status) const {
    if (!WIFEXITED(status)) return end_command(WTERMSIG(status));
    const int code = WEXITSTATUS(status);
    if (interrupted_by_terminal_ && code == 128 + SIGINT) end_by_interrupt();
    return code;
  }

  static int end_command(int signal) {
    std::fprintf(stderr, "firstcome: signal %d ended the process that held the lock; the command is killed\n", signal);
    while (kill_descendants(0) > 0) ::poll(nullptr, 0, kill_again_ms);
    return exit_lease_lost;
  }

  static void end_by_interrupt() {
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, SIGINT);
    std::fflush(nullptr);
    ::raise(SIGINT);
    ::pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  }

  const pid_t holder_;
  net::FileDescriptor link_;
  const net::FileDescriptor signals_;
  bool interrupted_by_terminal_ = false;
  std::optional<Clock::time_point> hang_up_at_;
  Clock::time_point hung_up_at_{};
};

int fail(const char* what) {
  std::fprintf(stderr, "firstcome: %s: %s\n", what, std::strerror(errno));
  return exit_unavailable;
}

}  // namespace

std::optional<int> Front::next_signal() { return receive(link_); }

void Front::stop_by(int number) { send(link_, number); }

int run_behind_front(const std::function<int(Front&)>& holder) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
    return fail("no socket pair");
  net::FileDescriptor here(ends[0]);
  net::FileDescriptor there(ends[1]);
  // Where the caller ignores SIGCHLD, the kernel would throw away how the holder and the command ended.
  ::signal(SIGCHLD, SIG_DFL);
  const sigset_t passed = passed_signals();
  const sigset_t before = block(passed);
  adopt_orphans();
  const pid_t group = ::getpgrp();
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return fail("no process for the lock");
  if (pid > 0) {
    there.reset();
    return FrontProcess(pid, std::move(here), passed).run();
  }
  here.reset();
  ::setpgid(0, 0);
  adopt_orphans();
  Front front(std::move(there), group, before);
  std::exit(holder(front));
}

}  // namespace firstcome::cli
