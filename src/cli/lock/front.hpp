// Two processes instead of one: the front, which its caller sees, and behind it the holder of a lock.
//
// The front has the process id, the signals and the place in the caller's job. The holder keeps the lease and runs the
// command. So the lease is renewed also while the job is stopped (Ctrl-Z), and whichever of the two is killed, even by
// SIGKILL, the other one ends the command.
#pragma once

#include "net/file_descriptor.hpp"

#include <signal.h>
#include <sys/types.h>

#include <functional>
#include <optional>
#include <utility>

namespace firstcome::cli {

/// The front, as the holder sees it. Thread safety: for one thread at a time.
class Front {
 public:
  Front(net::FileDescriptor link, pid_t group, sigset_t mask) : link_(std::move(link)), group_(group), mask_(mask) {}

  /// Can be polled for reading: the front got a signal, or has ended. -1 after its end was seen.
  int descriptor() const { return link_.get(); }

  /// Returns the next signal that the front got, in order; nothing: none now.
  std::optional<int> next_signal();

  /// Whether the front has ended, which only SIGKILL or a crash does before the holder ends. `next_signal` finds out.
  bool has_ended() const { return !link_; }

  /// Makes the front stop by this signal, as the command has stopped. When it goes on, SIGCONT is its next signal. In
  /// an orphaned process group it cannot be stopped: where the command was stopped for using the terminal, its next
  /// signals then are SIGHUP and SIGCONT.
  void stop_by(int number);

  /// Returns the process group of the front, which is the caller's job.
  pid_t group() const { return group_; }

  /// Returns the signal mask that the program was started with.
  const sigset_t& original_mask() const { return mask_; }

 private:
  net::FileDescriptor link_;
  pid_t group_;
  sigset_t mask_;
};

/// Runs `holder` in a new process and stands in front of it. Returns the exit code that `holder` returned. Signals of
/// the front reach the holder through `Front`: those that end or stop a process by default, and SIGCONT and SIGWINCH.
/// One that was ignored when the program was started (nohup) stays ignored. When Ctrl-C has ended the command, the
/// front ends by SIGINT itself, as a shell expects that is to leave its loop. When the holder was killed, the front
/// kills every process below it and returns `exit_lease_lost`.
///
/// REQUIRES: this process has one thread only.
int run_behind_front(const std::function<int(Front&)>& holder);

}  // namespace firstcome::cli
