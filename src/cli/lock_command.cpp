#include "cli/lock_command.hpp"

#include "cli/lock/lock_free.hpp"
#include "cli/lock/lock_options.hpp"
#include "cli/lock/lock_run.hpp"
#include "cli/lock/lock_views.hpp"
#include "cli/time_option.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace firstcome::cli {
namespace {

constexpr double longest_wait_seconds = 365.0 * 24 * 3'600;

void add_shares(CLI::App& command, LockOptionsGiven& given) {
  CLI::Option* shared =
      command.add_flag("--shared", given.shared, "Read: together with others that do, see --exclusive");
  CLI::Option* exclusive =
      command.add_flag("--exclusive", given.exclusive, "Write: alone, of those with --shared as well");
  CLI::Option* permits = command.add_option("--permits", given.permits, "So many permits of a semaphore, see --of");
  CLI::Option* of = command.add_option("--of", given.of, "How many permits there are; the first who asks fixes it")
                        ->check(CLI::PositiveNumber);
  exclusive->excludes(shared);
  permits->needs(of)->excludes(shared)->excludes(exclusive);
  of->needs(permits);
}

void add_waits(CLI::App& command, LockOptionsGiven& given) {
  CLI::Option* wait =
      command.add_option("--wait", given.wait_ms, "How long to wait for the lock, such as 500ms, 10s, 5min; 0: not")
          ->transform(time_in_ms())
          ->check(CLI::NonNegativeNumber)
          ->default_str("10s");
  const auto take_seconds = [&given](double seconds) {
    // Refuses what is no number at all, too.
    if (!(seconds >= 0 && seconds <= longest_wait_seconds))
      throw CLI::ValidationError(
          "-w", "must be 0 to " + std::to_string(static_cast<std::int64_t>(longest_wait_seconds)) + " seconds");
    given.wait_ms = static_cast<std::int64_t>(seconds * 1'000);
  };
  CLI::Option* seconds =
      command.add_option_function<double>("-w,--timeout", take_seconds, "As --wait, in seconds, such as 10 or 0.5");
  CLI::Option* not_at_all =
      command.add_flag_callback("-n,--nonblock", [&given] { given.wait_ms = 0; }, "As --wait 0: do not wait");
  seconds->excludes(wait);
  not_at_all->excludes(wait)->excludes(seconds);
}

void add_run(CLI::App& lock, Run& run) {
  auto given = std::make_shared<LockOptionsGiven>();
  CLI::App* command = lock.add_subcommand(
      "run", "Runs a command while holding a lock; its exit code, or 75 where the lock was not to be had in time");
  add_lock_name(*command, *given);
  add_lock_backend(*command, *given);
  add_lock_kind(*command, *given);
  add_waits(*command, *given);
  command
      ->add_option("-E,--conflict-exit-code", given->conflict_code,
                   "The exit code where the lock was not to be had in time")
      ->check(CLI::Range(0, 255))
      ->capture_default_str();
  command->add_option("--lease", given->lease_ms, "How long to hold it at most; default: as long as the command runs")
      ->transform(time_in_ms())
      ->check(CLI::PositiveNumber);
  add_shares(*command, *given);
  command->add_flag("--verbose", given->verbose, "Say how long it took to get the lock, and what is run");
  CLI::Option* line = command->add_option("-c", given->shell_command, "A command line for $SHELL, or else /bin/sh");
  command->add_option("command", given->command, "What to run, after --")->excludes(line);
  command->footer(
      "The command finds the fencing token in FIRSTCOME_LOCK_TOKEN. The lock is kept until the command and everything\n"
      "that it started has ended. When the lease is lost, all of that is stopped.\n"
      "Exit codes of its own: 64 wrong usage, 69 the lock cannot be asked for, 75 not to be had in time (see -E),\n"
      "79 the lease was lost, 126 the command cannot be run, 127 it is not there, 128 + the signal that ended it.\n"
      "Example: firstcome lock run nightly-report --wait 0 -- ./report.sh --all");
  command->callback([given, &run] {
    if (given->command.empty() && given->shell_command.empty())
      throw CLI::RequiredError("a command, after -- or with -c,");
    run = [given] { return run_under_lock(*given); };
  });
}

void add_show(CLI::App& lock, Run& run) {
  auto given = std::make_shared<LockOptionsGiven>();
  CLI::App* command = lock.add_subcommand("show", "Shows who holds a lock, for how long, and how many wait");
  add_lock_name(*command, *given);
  add_lock_backend(*command, *given);
  add_lock_kind(*command, *given);
  CLI::Option* shared = command->add_flag("--shared", given->shared, "The read-write lock of this name");
  command->add_flag("--permits", given->semaphore, "The semaphore of this name")->excludes(shared);
  command->add_flag("--json", given->json, "As one JSON object");
  command->callback([given, &run] { run = [given] { return show_lock(*given); }; });
}

void add_list(CLI::App& lock, Run& run) {
  auto given = std::make_shared<LockOptionsGiven>();
  CLI::App* command = lock.add_subcommand(
      "list", "Lists locks, read-write locks and semaphores of the kind fifo, also those last held within the hour");
  add_lock_backend_on_redis(*command, *given);
  command->add_flag("--json", given->json, "A JSON object for each");
  command->callback([given, &run] { run = [given] { return list_locks(*given); }; });
}

void add_free(CLI::App& lock, Run& run) {
  auto given = std::make_shared<LockOptionsGiven>();
  CLI::App* command = lock.add_subcommand("free",
                                          "Ends the grant of a lock of the kind fifo whose holder is gone or must not "
                                          "go on; the next in line has it at once");
  add_lock_name(*command, *given);
  add_lock_backend_on_redis(*command, *given);
  add_lock_kind(*command, *given);
  command->add_option("--token", given->token, "The token of that grant, as `lock show` tells it")->required();
  command->footer(
      "The holder is not asked. It finds its lease lost when it renews it, and is stopped then; until then only the\n"
      "fencing token keeps its writes out. Ends with 1 where nobody, or a grant with another token, holds the lock.");
  command->callback([given, &run] { run = [given] { return free_lock(*given); }; });
}

}  // namespace

void add_lock_commands(CLI::App& app, Run& run) {
  CLI::App* lock = app.add_subcommand("lock", "Runs commands under a lock that machines share, and looks at locks");
  lock->require_subcommand(1);
  add_run(*lock, run);
  add_show(*lock, run);
  add_list(*lock, run);
  add_free(*lock, run);
}

}  // namespace firstcome::cli
