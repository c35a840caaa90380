#include "cli/lock/lock_run.hpp"

#include "cli/lock/command_environment.hpp"
#include "cli/lock/front.hpp"
#include "cli/lock/leased_process.hpp"

#include <firstcome/lock_mutex.hpp>

#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <stop_token>
#include <utility>

namespace firstcome::cli {
namespace {

std::unique_ptr<Lock> wanted(LockSpace& space, const LockOptionsGiven& given) {
  if (given.shared) return space.read_write_lock(given.name)->reader();
  if (given.exclusive) return space.read_write_lock(given.name)->writer();
  if (given.of != 0) return space.semaphore(given.name, given.of)->permits(given.permits);
  return space.lock(given.name);
}

/// A wait for the lock, which a signal of the front ends.
class Wait {
 public:
  Wait(Lock& lock, Front& front) : lock_(lock), front_(front), answered_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  /// Returns the answer, once there is one and the job is not stopped. A lease that comes with a signal is dropped.
  Acquired acquire(AcquireOptions options) {
    options.stop = stop_.get_token();
    lock_.acquire(std::move(options), [this](Acquired answer) {
      answer_.emplace(std::move(answer));
      ::eventfd_write(answered_.get(), 1);
    });
    bool answered = false;
    while (!answered || (stopped_ && !ended_by_)) {
      std::array<pollfd, 2> events{pollfd{front_.descriptor(), POLLIN, 0},
                                   pollfd{answered ? -1 : answered_.get(), POLLIN, 0}};
      ::poll(events.data(), events.size(), -1);
      hear_front();
      answered = answered || events[1].revents != 0;
    }
    hear_front();
    return std::move(*answer_);
  }

  /// Returns the exit code for the signal that ended the wait, if one did.
  std::optional<int> ended_by() const { return ended_by_; }

 private:
  void hear_front() {
    while (const auto number = front_.next_signal()) take(*number);
    if (front_.has_ended()) end(128 + SIGKILL);
  }

  void take(int number) {
    if (number == SIGTSTP) {
      stopped_ = true;
      front_.stop_by(number);
    } else if (number == SIGCONT) {
      stopped_ = false;
    } else if (number != SIGWINCH) {
      end(128 + number);
    }
  }

  void end(int code) {
    if (!ended_by_) ended_by_ = code;
    stop_.request_stop();
  }

  Lock& lock_;
  Front& front_;
  const net::FileDescriptor answered_;
  std::stop_source stop_;
  std::optional<Acquired> answer_;  ///< written before `answered_` is
  std::optional<int> ended_by_;
  bool stopped_ = false;  ///< by Ctrl-Z: a command must not start now
};

LeasedCommand command_for(const LockOptionsGiven& given, const Lease& lease) {
  LeasedCommand command;
  command.words = given.command;
  if (!given.shell_command.empty()) {
    const char* const shell = std::getenv("SHELL");
    command.words = {shell != nullptr && *shell != '\0' ? shell : "/bin/sh", "-c", given.shell_command};
  }
  command.environment = environment_under(given.name, lease.token(), given.backend);
  return command;
}

void report_start(const LockOptionsGiven& given, const Lease& lease, std::chrono::steady_clock::duration waited) {
  if (!given.verbose) return;
  const std::string token = lease.token() ? fmt::format(", token {}", *lease.token()) : "";
  const std::string& command = given.shell_command.empty() ? given.command.front() : given.shell_command;
  const std::string text = fmt::format("firstcome: got the lock {} after {:.3f} s{}\nfirstcome: running {}\n",
                                       given.name, std::chrono::duration<double>(waited).count(), token, command);
  std::fputs(text.c_str(), stderr);
}

int run(const LockOptionsGiven& given, Lease lease, Front& front) {
  // The job may have been stopped for longer than the lease, between the grant and now.
  if (lease.lost()) {
    release_blocking(std::move(lease));
    return complain(exit_lease_lost, fmt::format("the lock {} was lost before the command started", given.name));
  }
  const CommandEnd end = run_under(lease, command_for(given, lease), front);
  const ReleaseOutcome released = release_blocking(std::move(lease));
  if (!end.lease_lost && released != ReleaseOutcome::lost) return end.code;
  return complain(exit_lease_lost,
                  fmt::format("the lock {} was lost while the command ran, which ended with {}", given.name, end.code));
}

int hold(const LockOptionsGiven& given, Front& front) {
  auto space = open_lock_space(given);
  if (!space) return space.error();
  const auto lock = wanted(**space, given);
  AcquireOptions options;
  options.wait = Milliseconds{given.wait_ms};
  if (given.lease_ms != 0) options.lease = Milliseconds{given.lease_ms};
  const auto asked = std::chrono::steady_clock::now();
  Wait wait(*lock, front);
  Acquired acquired = wait.acquire(options);
  if (wait.ended_by()) return *wait.ended_by();
  if (!acquired) return not_acquired(given, acquired.error());
  report_start(given, *acquired, std::chrono::steady_clock::now() - asked);
  return run(given, std::move(*acquired), front);
}

}  // namespace

int run_under_lock(const LockOptionsGiven& given) {
  return run_behind_front([&given](Front& front) { return hold(given, front); });
}

}  // namespace firstcome::cli
