#include "cli/orders_command.hpp"

#include "cli/failed_commands.hpp"

namespace firstcome::cli {

void add_orders_commands(CLI::App& app, Run& run) {
  CLI::App* orders = app.add_subcommand("orders", "Orders in an SQL database");
  orders->require_subcommand(1);
  add_failed_commands(*orders, run);
}

}  // namespace firstcome::cli
