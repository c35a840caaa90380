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
};

}  // namespace firstcome::cli
