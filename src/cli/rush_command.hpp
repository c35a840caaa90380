// `firstcome rush`: a crowd against one sale, and the verdict.
#pragma once

#include "cli/command.hpp"

namespace firstcome::cli {

/// Adds `rush`; when chosen, `run` lets the crowd loose and answers with its grade as exit code.
void add_rush_command(CLI::App& app, Run& run);

}  // namespace firstcome::cli
