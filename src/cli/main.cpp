// The program: chooses a subcommand and runs it.
#include "cli/audit_command.hpp"
#include "cli/demo_command.hpp"
#include "cli/erase_command.hpp"
#include "cli/exit_code.hpp"
#include "cli/export_command.hpp"
#include "cli/lock_command.hpp"
#include "cli/orders_command.hpp"
#include "cli/rush_command.hpp"
#include "cli/sale_commands.hpp"
#include "cli/serve_options.hpp"
#include "engine/sql/sql_connecting.hpp"
#include "net/kafka/given_up.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <span>
#include <string>

namespace {

/// The first argument, where it stands for a command that there is not. CLI11 would say only that one is missing.
std::string unknown_command(const CLI::App& app, std::span<char*> arguments) {
  const std::string first = arguments.size() > 1 ? arguments[1] : "";
  if (first.empty() || first.starts_with('-')) return "";
  const auto known = app.get_subcommands([&first](const CLI::App* command) { return command->check_name(first); });
  return known.empty() ? first : "";
}

}  // namespace

int main(int argc, char** argv) {
  using namespace firstcome::cli;
  CLI::App app{"firstcome sells limited stock to a crowd, first come first served."};
  app.require_subcommand(1);
  app.set_version_flag("--version", FIRSTCOME_VERSION);
  Run run;
  add_serve_command(app, run);
  add_rush_command(app, run);
  add_demo_command(app, run);
  add_sale_commands(app, run);
  add_lock_commands(app, run);
  add_orders_commands(app, run);
  add_export_command(app, run);
  add_erase_command(app, run);
  add_audit_command(app, run);
  if (const std::string unknown = unknown_command(app, {argv, static_cast<std::size_t>(argc)}); !unknown.empty()) {
    std::fprintf(stderr, "firstcome: there is no command '%s'; firstcome --help lists them\n", unknown.c_str());
    return exit_usage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 has codes of its own for each kind of wrong usage; help and version are none.
    return app.exit(error) == 0 ? exit_fine : exit_usage;
  }
  try {
    const int code = run();
    // The threads that still work on those use what the usual end of a process destroys.
    if (firstcome::engine::connections_given_up() + firstcome::net::kafka_clients_given_up() > 0) {
      std::fflush(nullptr);
      std::_Exit(code);
    }
    return code;
  } catch (const CLI::Error& error) {  // an option that only its user can judge
    std::fprintf(stderr, "firstcome: %s\n", error.what());
    return exit_usage;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "firstcome: %s\n", error.what());
    return exit_unavailable;
  }
}
