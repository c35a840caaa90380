#include "cli/rush_command.hpp"

#include "cli/compare_command.hpp"
#include "cli/exit_code.hpp"
#include "rush/progress.hpp"
#include "rush/report.hpp"
#include "rush/rush.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>

namespace firstcome::cli {
namespace {

/// The options as they are written; what they mean is in `rush`.
struct RushWords {
  std::string targets;
  std::string units_each = "1";
  double timeout_s = 10;
  double patience_s = 300;
  std::optional<std::uint32_t> connections;
  std::int64_t max_lag_ms = 100;
  rush::RushOptions rush;
};

Milliseconds milliseconds(double seconds) {
  constexpr double most = 1e9;  // thirty years
  return Milliseconds{std::isfinite(seconds) && seconds > 0 ? std::llround(std::min(seconds, most) * 1e3) : 0};
}

[[noreturn]] void wrong(const std::string& option, const std::string& rule) {
  throw CLI::ValidationError(option + " " + rule);
}

rush::RushOptions options_of(const RushWords& words) {
  rush::RushOptions options = words.rush;
  auto targets = rush::parse_targets(words.targets);
  if (!targets)
    wrong("--target", "must be http[s]://HOST[:PORT][/PATH], several with commas between them: " + targets.error());
  options.targets = std::move(*targets);
  auto units = rush::parse_units_each(words.units_each);
  if (!units) wrong("--units-each", units.error());
  options.units_each = *units;
  if (words.connections && *words.connections == 0) wrong("--connections", "must be at least 1 (was: 0)");
  options.connections = words.connections.value_or(0);
  options.timeout = milliseconds(words.timeout_s);
  options.patience = milliseconds(words.patience_s);
  options.max_lag = Milliseconds{words.max_lag_ms};
  if (auto problem = rush::problem_of(options)) throw CLI::ValidationError(*problem);
  return options;
}

int exit_code_of(rush::RushFailure::Kind kind) {
  switch (kind) {
    case rush::RushFailure::Kind::refused:
      return exit_refused;
    case rush::RushFailure::Kind::unavailable:
      return exit_unavailable;
    case rush::RushFailure::Kind::limit:
      return exit_usage;
  }
  return exit_unavailable;
}

// Opened before the rush: a file that cannot be written should not be found out afterwards.
bool open_json(const std::string& path, std::ofstream& file) {
  if (path.empty() || path == "-") return true;
  file.open(path, std::ios::trunc);
  if (!file) fmt::print(stderr, "firstcome: --json {}: cannot be written\n", path);
  return static_cast<bool>(file);
}

int run_rush_command(const rush::RushOptions& options) {
  std::ofstream file;
  if (!open_json(options.json, file)) return exit_unavailable;
  std::expected<rush::RushResult, rush::RushFailure> result;
  {
    rush::ProgressPrinter printer(stderr);
    auto show = [&printer](const rush::Progress& progress) { printer.show(progress); };
    result = rush::run_rush(options, show, printer.every());
  }
  if (!result) {
    fmt::print(stderr, "firstcome: {}\n", result.error().detail);
    return exit_code_of(result.error().kind);
  }
  if (options.json == "-") {
    fmt::print("{}", rush::report_json(*result));
  } else {
    fmt::print("{}", rush::report(*result));
    if (file.is_open() && !(file << rush::report_json(*result)).flush()) {
      fmt::print(stderr, "firstcome: --json {}: cannot be written\n", options.json);
      return exit_unavailable;
    }
  }
  return static_cast<int>(result->grade());
}

void add_crowd_options(CLI::App& command, RushWords& words) {
  command.add_option("--customers", words.rush.customers, "How many customers come")->capture_default_str();
  command.add_option("--connections", words.connections,
                     "Connections open at once (default: as many as customers, at most 256)");
  command.add_option("--rate", words.rush.rate,
                     "Customers that arrive in a second, however fast the server answers; without it all stand at the "
                     "door at once, and each connection takes the next when it is free");
  command.add_option("--double-click", words.rush.double_click, "Share of the customers who click twice at once")
      ->capture_default_str();
  command
      .add_option("--without-key", words.rush.without_key,
                  "Share of those whose two clicks carry no Idempotency-Key, so that the sale's limits decide")
      ->capture_default_str();
  command.add_option("--abandon", words.rush.abandon, "Share of the customers who never pay")->capture_default_str();
  command.add_option("--units-each", words.units_each, "Units each customer asks for: a number, or a range like 1-3")
      ->capture_default_str();
  command.add_option("--seed", words.rush.seed, "Of who clicks twice, who never pays, who wants how many")
      ->capture_default_str();
}

}  // namespace

void add_rush_command(CLI::App& app, Run& run) {
  auto words = std::make_shared<RushWords>();
  CLI::App* command = app.add_subcommand("rush", "Let a crowd loose on a sale, and judge what it was told");
  command->footer(
      "Exit codes: 0 fine, 1 a threshold missed, 2 a promise broken, 3 the run is invalid: the generator was late.");
  command->add_option("--target", words->targets,
                      "http[s]://HOST[:PORT][/PATH] of a server, or several with commas between (required)");
  command->add_option("--sale", words->rush.sale, "Id of the sale (required)");
  add_crowd_options(*command, *words);
  command->add_option("--timeout", words->timeout_s, "Seconds to wait for one answer")->capture_default_str();
  command->add_option("--patience", words->patience_s, "Seconds after which those who still wait go home")
      ->capture_default_str();
  command->add_option("--max-p99-ms", words->rush.max_p99_ms,
                      "Exit 1 where 1 % of the reservations took longer than this");
  command
      ->add_option("--max-lag-ms", words->max_lag_ms,
                   "Exit 3 where 1 % of the arrivals of a --rate were handled later than this")
      ->capture_default_str();
  command->add_option("--json", words->rush.json, "File for the result as JSON; - for standard output, and no table");
  command->require_subcommand(0, 1);
  add_compare_command(*command, run);
  command->callback([words, command, &run] {
    if (!command->get_subcommands().empty()) return;
    if (command->count("--target") == 0) throw CLI::RequiredError("--target");
    if (command->count("--sale") == 0) throw CLI::RequiredError("--sale");
    rush::RushOptions options = options_of(*words);
    run = [options] { return run_rush_command(options); };
  });
}

}  // namespace firstcome::cli
