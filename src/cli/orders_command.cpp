#include "cli/orders_command.hpp"

#include "cli/failed_commands.hpp"
#include "cli/orders_service.hpp"

namespace firstcome::cli {

void add_orders_commands(CLI::App& app, Run& run) {
  CLI::App* orders = app.add_subcommand(
      "orders", "Write orders: take events from Kafka into an SQL database, until SIGTERM or SIGINT");
  orders->require_subcommand(0, 1);
  add_orders_service(*orders, run);
  add_failed_commands(*orders, run);
}

}  // namespace firstcome::cli
