// The program's exit codes, the same for every subcommand.
#pragma once

namespace firstcome::cli {

enum ExitCode : int {
  exit_fine = 0,
  exit_refused = 1,  ///< a threshold missed or an operation refused
  exit_promise_broken = 2,
  exit_invalid_run = 3,
  exit_usage = 64,
  exit_unavailable = 69,  ///< something needed is unavailable
  exit_try_again = 75,
  exit_lease_lost = 79,       ///< the command ran, or went on running, without its lock
  exit_not_executable = 126,  ///< as a shell says it, of a command that is there but cannot be run
  exit_not_found = 127,       ///< as a shell says it, of a command that is not there
};

}  // namespace firstcome::cli
