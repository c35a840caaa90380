// Every process that this one started, directly or through others, also those whose own parent has ended.
//
// A process group is not enough to find them: timeout(1), setsid(1) and shells with job control make groups of their
// own.
#pragma once

#include <sys/types.h>

#include <vector>

namespace firstcome::cli {

/// Makes this process the parent of each descendant whose own parent ends, so that all stay below it.
void adopt_orphans();

/// Returns the descendants that have not ended, in no order; none where /proc is not mounted. Reaps adopted children
/// that have ended, except `kept`. Cost: reads one small file for each process of the machine. Thread safety: for one
/// thread at a time.
std::vector<pid_t> living_descendants(pid_t kept);

/// Kills every descendant except those that are started meanwhile and are not seen: the caller repeats it until none
/// is left. Returns how many it found.
std::size_t kill_descendants(pid_t kept);

}  // namespace firstcome::cli
