// `firstcome lock free`: an administrator's way to end a grant.
#pragma once

#include "cli/lock/lock_options.hpp"

namespace firstcome::cli {

/// Ends the grant of the lock that has `given.token`. Returns `exit_fine`; `exit_refused` where nobody holds the lock
/// or a grant with another token does; `exit_usage` for a kind that cannot be freed.
int free_lock(const LockOptionsGiven& given);

}  // namespace firstcome::cli
