// How a subcommand is added to the program: it registers its options and, when it was chosen, sets what is to be run.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>

namespace firstcome::cli {

/// Runs the chosen subcommand; its exit code (see `exit_code.hpp`).
using Run = std::function<int()>;

}  // namespace firstcome::cli
