// `firstcome lock`: a command under a lock, as flock(1) does it, but between machines.
#pragma once

#include "cli/command.hpp"

namespace firstcome::cli {

/// Adds `lock` and its subcommands.
void add_lock_commands(CLI::App& app, Run& run);

}  // namespace firstcome::cli
