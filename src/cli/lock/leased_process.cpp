#include "cli/lock/leased_process.hpp"

#include "cli/exit_code.hpp"
#include "cli/lock/process_tree.hpp"
#include "cli/lock/spawn.hpp"
#include "cli/lock/terminal.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>

namespace firstcome::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// While processes are killed, those that were started meanwhile are looked for this often.
constexpr milliseconds kill_again{20};
/// A command that has ended, and whose processes have not, is reported after this long.
constexpr milliseconds patience_with_others{1'000};

/// SIGCHLD, which `run_behind_front` blocked.
int child_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void drain(int signals) {
  signalfd_siginfo info{};
  while (::read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) continue;
}

/// A command that was started, and all that it started, until the last of them has ended.
class LeasedProcess {
 public:
  LeasedProcess(pid_t command, Front& front, int lost, milliseconds grace)
      : command_(command),
        front_(front),
        terminal_(front.group()),
        children_(child_signals()),
        lost_(lost),
        grace_(grace) {}

  int run() {
    while (!all_ended()) {
      if (killing_) kill_descendants(command_);
      wait_for_something();
    }
    // Kept until here, so that its process id and its group's stay its own.
    ::waitpid(command_, nullptr, 0);
    terminal_.take_back(command_);
    return *code_;
  }

 private:
  bool all_ended() {
    see_stop();
    see_end();
    if (!code_) {
      reap_orphans();
      return false;
    }
    // Twice: a process that is started while the first look passes it by, and whose parent ends, is seen by the second.
    return living_descendants(command_).empty() && living_descendants(command_).empty();
  }

  /// Reaps adopted processes that have ended while the command runs; the command keeps its process id until the end.
  void reap_orphans() const {
    for (;;) {
      siginfo_t info{};
      if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
      if (info.si_pid == command_) return;
      ::waitpid(info.si_pid, nullptr, 0);
    }
  }

  void see_end() {
    siginfo_t info{};
    if (code_ || ::waitid(P_PID, static_cast<id_t>(command_), &info, WEXITED | WNOHANG | WNOWAIT) != 0) return;
    if (info.si_pid != command_) return;
    code_ = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    report_others_at_ = Clock::now() + patience_with_others;
  }

  /// Gives the command the terminal where that is what stopped it. Otherwise the whole job stops.
  void see_stop() {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(command_), &info, WSTOPPED | WNOHANG) != 0 || info.si_pid != command_) return;
    const int by = info.si_status;
    if ((by == SIGTTIN || by == SIGTTOU) && terminal_.lend(command_)) {
      wants_terminal_ = true;
      ::kill(-command_, SIGCONT);
    } else if (by == SIGTSTP || by == SIGTTIN || by == SIGTTOU) {
      terminal_.take_back(command_);
      front_.stop_by(by);
    }
  }

  void wait_for_something() {
    std::array<pollfd, 3> events{pollfd{front_.descriptor(), POLLIN, 0}, pollfd{children_.get(), POLLIN, 0},
                                 pollfd{stopping_ ? -1 : lost_, POLLIN, 0}};
    ::poll(events.data(), events.size(), milliseconds_left());
    drain(children_.get());
    if (events[0].revents != 0) hear_front();
    if (events[2].revents != 0) stop();
    if (kill_at_ && Clock::now() >= *kill_at_) killing_ = true;
    if (report_others_at_ && Clock::now() >= *report_others_at_) report_others();
  }

  /// Until the next thing that happens by itself; -1: nothing does.
  int milliseconds_left() const {
    if (killing_) return static_cast<int>(kill_again.count());
    if (!kill_at_ && !report_others_at_) return -1;
    const auto next =
        std::min(kill_at_.value_or(Clock::time_point::max()), report_others_at_.value_or(Clock::time_point::max()));
    const auto left = std::chrono::ceil<milliseconds>(next - Clock::now()).count();
    return static_cast<int>(std::max<milliseconds::rep>(left, 0));
  }

  void hear_front() {
    while (const auto number = front_.next_signal()) pass_on(*number);
    if (front_.has_ended()) killing_ = true;
  }

  void pass_on(int number) {
    if (number == SIGCONT && wants_terminal_) terminal_.lend(command_);
    // What asks for a report, as these often do, would end the processes that do not expect it.
    const bool to_command_only = number == SIGUSR1 || number == SIGUSR2 || number == SIGALRM;
    ::kill(to_command_only ? command_ : -command_, number);
    const bool asks_to_end = number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGQUIT;
    if (code_ && asks_to_end) send_to_others(number);
  }

  /// Sends the signal to those descendants that have left the command's process group.
  void send_to_others(int number) const {
    for (const pid_t pid : living_descendants(command_)) {
      if (::getpgid(pid) != command_) ::kill(pid, number);
    }
  }

  /// Asks every process to end. One that is stopped can only do so when it goes on.
  void stop() {
    stopping_ = true;
    std::fprintf(stderr, "firstcome: the lease is lost; the command is stopped\n");
    kill_at_ = Clock::now() + grace_;
    for (const int number : {SIGTERM, SIGCONT}) {
      ::kill(-command_, number);
      send_to_others(number);
    }
  }

  void report_others() {
    report_others_at_.reset();
    std::fprintf(stderr, "firstcome: the command has ended; the lock is kept for processes that it left running: %zu\n",
                 living_descendants(command_).size());
  }

  const pid_t command_;  ///< also its process group
  Front& front_;
  Terminal terminal_;
  const net::FileDescriptor children_;
  const int lost_;
  const milliseconds grace_;
  std::optional<int> code_;  ///< of the command, once it has ended
  bool wants_terminal_ = false;
  bool stopping_ = false;
  bool killing_ = false;
  std::optional<Clock::time_point> kill_at_;
  std::optional<Clock::time_point> report_others_at_;
};

int not_started(const LeasedCommand& command, int error) {
  std::fprintf(stderr, "firstcome: %s: %s\n", command.words.front().c_str(), std::strerror(error));
  return error == ENOENT ? exit_not_found : exit_not_executable;
}

}  // namespace

CommandEnd run_under(const Lease& lease, const LeasedCommand& command, Front& front) {
  const net::FileDescriptor lost(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const auto pid = spawn({command.words, command.environment, front.original_mask()});
  if (!pid) return {.code = not_started(command, pid.error()), .lease_lost = false};
  const std::stop_callback tell(lease.stop_token(), [&lost] { ::eventfd_write(lost.get(), 1); });
  const int code = LeasedProcess(*pid, front, lost.get(), command.grace).run();
  return {.code = code, .lease_lost = lease.lost()};
}

}  // namespace firstcome::cli
