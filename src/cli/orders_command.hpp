// `firstcome orders ...`: the order service and what it could not store.
#pragma once

#include "cli/command.hpp"

namespace firstcome::cli {

/// Adds `orders` and its subcommands.
void add_orders_commands(CLI::App& app, Run& run);

}  // namespace firstcome::cli
