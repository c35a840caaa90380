// Lengths of time as options take them: 500ms, 10s, 5min, 1h.
#pragma once

#include "cli/command.hpp"

#include <cstdint>

namespace firstcome::cli {

/// Turns a time with its unit into milliseconds, for an option of a whole number; 0 needs no unit.
CLI::Validator time_in_ms();

/// Adds `--wait-for`, how long to wait at start for the servers that are needed.
void add_wait_for(CLI::App& command, std::int64_t& wait_for_ms);

}  // namespace firstcome::cli
