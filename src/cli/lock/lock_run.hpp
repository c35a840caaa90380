// `firstcome lock run`: a command that runs while a lock is held.
#pragma once

#include "cli/lock/lock_options.hpp"

namespace firstcome::cli {

/// Waits for the lock, runs the command and gives the lock back. Returns the command's exit code; or
/// `given.conflict_code` where the lock was not to be had in time, `exit_lease_lost` where it was lost while the
/// command ran, 128 + a signal that ended the wait, and what `not_acquired` returns for failures. REQUIRES: a command
/// is given.
int run_under_lock(const LockOptionsGiven& given);

}  // namespace firstcome::cli
