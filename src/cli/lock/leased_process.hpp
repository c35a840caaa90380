// A command that runs for as long as a lease lasts.
#pragma once

#include "cli/lock/front.hpp"

#include <firstcome/lock.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace firstcome::cli {

struct LeasedCommand {
  std::vector<std::string> words;          ///< program and arguments; found as a shell does
  std::vector<std::string> environment;    ///< all of it, as NAME=value
  std::chrono::milliseconds grace{5'000};  ///< between the request to stop and the end by force
};

/// How a command ended.
struct CommandEnd {
  int code = 0;             ///< its exit code; as in a shell 126, 127 and 128 + the signal that ended it
  bool lease_lost = false;  ///< the lease was lost before every process of the command had ended
};

/// Runs the command in a process group of its own, and returns when the command and every process that it started have
/// ended: until then the lease is needed.
///
/// Signals of the front reach the command's group once, SIGUSR1, SIGUSR2 and SIGALRM only the command itself. Where
/// the command stops, so does the front. When the lease is lost, every process of the command gets SIGTERM, and SIGKILL
/// after the grace. When the front has been killed, they get SIGKILL at once. The kernel kills the command itself when
/// this process is killed. A message on standard error says what cannot be started, or is ended.
///
/// REQUIRES: called within `run_behind_front`, on the thread that it runs the holder on; the lease is not empty.
CommandEnd run_under(const Lease& lease, const LeasedCommand& command, Front& front);

}  // namespace firstcome::cli
