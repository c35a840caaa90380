// `firstcome lock show` and `list`: looks at locks, which take nothing.
#pragma once

#include "cli/lock/lock_options.hpp"

namespace firstcome::cli {

/// Prints who holds a lock, a read-write lock (`given.shared`) or a semaphore (`given.semaphore`). Returns an exit
/// code.
int show_lock(const LockOptionsGiven& given);

/// Prints the names of all locks, read-write locks and semaphores of the kind `fifo`. Returns an exit code.
int list_locks(const LockOptionsGiven& given);

}  // namespace firstcome::cli
