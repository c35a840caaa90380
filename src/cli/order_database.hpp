// What the subcommands that look into an order database have in common.
#pragma once

#include "cli/command.hpp"
#include "events/orders/order_store.hpp"

#include <expected>
#include <memory>
#include <string>

namespace firstcome::cli {

/// Adds `--database`, required.
void add_database(CLI::App& command, std::string& url);

/// Opens it as it is: tables are neither made nor changed. Throws CLI::ValidationError for a wrong URL; else an exit
/// code, and it was said why.
std::expected<std::unique_ptr<events::OrderStore>, int> open_orders(const std::string& url);

/// Says it on standard error. Returns the exit code for it.
int troubled(const events::Trouble& trouble);

}  // namespace firstcome::cli
