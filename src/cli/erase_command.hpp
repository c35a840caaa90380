// `firstcome erase --customer C --database URL`: takes a customer out of the order database.
//
// Exit codes: exit_fine; exit_refused where nothing there tells of that customer; exit_unavailable or exit_try_again.
#pragma once

#include "cli/command.hpp"

namespace firstcome::cli {

void add_erase_command(CLI::App& app, Run& run);

}  // namespace firstcome::cli
