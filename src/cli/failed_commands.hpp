// `firstcome orders failed list|retry|discard`: events that could not be stored as orders.
//
// Exit codes: exit_fine; exit_refused where there is no such event, or one fails again; exit_unavailable or
// exit_try_again where the database does not do it.
#pragma once

#include "cli/command.hpp"

namespace firstcome::cli {

/// Adds `failed` to `orders`.
void add_failed_commands(CLI::App& orders, Run& run);

}  // namespace firstcome::cli
