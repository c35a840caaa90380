// The environment of a command that runs under a lock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::cli {

/// Returns the environment of this process with FIRSTCOME_LOCK_NAME and, where there is one, FIRSTCOME_LOCK_TOKEN of
/// this lock, and none of those of a lock around it. FIRSTCOME_LOCK_BACKEND is `backend`, where this lock is, without
/// user and password: a lock that the command takes is at the same place.
std::vector<std::string> environment_under(const std::string& name, std::optional<std::uint64_t> token,
                                           const std::string& backend);

}  // namespace firstcome::cli
