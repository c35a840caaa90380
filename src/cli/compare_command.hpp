// `firstcome rush compare`: one crowd on every known way to sell.
#pragma once

#include "cli/command.hpp"

namespace firstcome::cli {

/// A subcommand of `rush`.
void add_compare_command(CLI::App& rush, Run& run);

}  // namespace firstcome::cli
