// `firstcome demo`: a server, four sales, four crowds, four verdicts.
#pragma once

#include "cli/command.hpp"

namespace firstcome::cli {

/// Adds `demo`; when chosen, `run` plays it and leaves the server up until SIGINT or SIGTERM, or ends with `--exit`.
/// The exit code is that of the worst verdict.
void add_demo_command(CLI::App& app, Run& run);

}  // namespace firstcome::cli
