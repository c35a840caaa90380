// The terminal of a job, lent to a command in a process group of its own.
//
// The command gets it only when it asks: when reading from the terminal, or changing its modes, has stopped it. So a
// command that writes to a pager leaves the keyboard to the pager.
#pragma once

#include "net/file_descriptor.hpp"

#include <sys/types.h>

namespace firstcome::cli {

/// Thread safety: for one thread at a time. REQUIRES: SIGTTOU is blocked.
class Terminal {
 public:
  /// `job`: the process group that the terminal is lent from.
  explicit Terminal(pid_t job);

  /// Makes `group` the foreground group, if the job is. Returns whether `group` is the foreground group now.
  bool lend(pid_t group);
  /// Makes the job the foreground group again, if `group` is.
  void take_back(pid_t group);

 private:
  const pid_t job_;
  const net::FileDescriptor device_;  ///< none where there is no terminal
};

}  // namespace firstcome::cli
