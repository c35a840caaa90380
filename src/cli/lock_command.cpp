#include "cli/lock_command.hpp"

#include "cli/exit_code.hpp"
#include "cli/leased_process.hpp"
#include "lock/named_lock.hpp"
#include "lock/redis/fifo.hpp"
#include "net/redis/url.hpp"

#include <firstcome/lock_mutex.hpp>
#include <firstcome/open_locks.hpp>

#include <fmt/core.h>

#include <cstdio>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::cli {
namespace {

struct LockOptionsGiven {
  std::string backend = "redis://127.0.0.1:6379";
  std::string kind = "fifo";
  std::string name;
  std::int64_t wait_ms = 10'000;
  std::int64_t lease_ms = 0;  ///< 0: none given
  bool shared = false;
  bool exclusive = false;
  std::uint32_t permits = 0;  ///< 0: no semaphore
  std::uint32_t of = 0;
  std::vector<std::string> command;
};

using Given = std::shared_ptr<LockOptionsGiven>;

int complain(int code, const std::string& why) {
  fmt::print(stderr, "firstcome: {}\n", why);
  return code;
}

/// A failure is told to whoever waits after this long, and not only after the usual outage.
LockSettings settings_for(const LockOptionsGiven& given) {
  LockSettings settings;
  const Milliseconds wait{given.wait_ms};
  settings.outage_limit = std::min(settings.outage_limit, std::max(wait, Milliseconds{3'000}));
  return settings;
}

std::expected<std::unique_ptr<LockSpace>, int> open(const LockOptionsGiven& given) {
  const auto kind = lock_kind_of(given.kind);
  auto space = open_locks(given.backend, kind.value_or(LockKind::fifo), settings_for(given));
  if (!space) return std::unexpected(complain(exit_usage, "--backend: " + space.error()));
  return std::move(*space);
}

/// In words, where the detail is what the server said.
std::string_view meaning_of(NotAcquired::Why why) {
  switch (why) {
    case NotAcquired::Why::unavailable:
      return "what keeps the locks cannot be reached, or serves nobody now";
    case NotAcquired::Why::denied:
      return "what keeps the locks denies this user or password";
    case NotAcquired::Why::wrong_type:
      return "something that is no lock of this kind has its name there";
    case NotAcquired::Why::read_only:
      return "what keeps the locks takes no writes, as a replica does";
    case NotAcquired::Why::broken:
      return "no answer came";
    default:
      return text_of(why);
  }
}

int not_acquired(const LockOptionsGiven& given, const NotAcquired& reason) {
  const std::string detail = reason.detail.empty() ? "" : ": " + reason.detail;
  switch (reason.why) {
    case NotAcquired::Why::bad_name:
      return complain(exit_usage, "a lock's name is 1 to 512 bytes without '{' and '}'");
    case NotAcquired::Why::bad_lease:
      return complain(exit_usage, "--lease must be more than 0 and at most a year");
    case NotAcquired::Why::bad_weight:
    case NotAcquired::Why::bad_capacity:
    case NotAcquired::Why::other_capacity:
    case NotAcquired::Why::not_offered:
      return complain(exit_usage, reason.detail);
    case NotAcquired::Why::timed_out:
    case NotAcquired::Why::stopped:
    case NotAcquired::Why::full:
      return complain(exit_try_again,
                      fmt::format("{} was not acquired: {}{}", given.name, text_of(reason.why), detail));
    default:
      return complain(exit_unavailable, fmt::format("the lock {} cannot be asked for ({}): {}{}", given.name,
                                                    text_of(reason.why), meaning_of(reason.why), detail));
  }
}

std::unique_ptr<Lock> wanted(LockSpace& space, const LockOptionsGiven& given) {
  if (given.shared) return space.read_write_lock(given.name)->reader();
  if (given.exclusive) return space.read_write_lock(given.name)->writer();
  if (given.of != 0) return space.semaphore(given.name, given.of)->permits(given.permits);
  return space.lock(given.name);
}

int run_command(const LockOptionsGiven& given) {
  block_passed_signals();
  auto space = open(given);
  if (!space) return space.error();
  const auto lock = wanted(**space, given);
  AcquireOptions options;
  options.wait = Milliseconds{given.wait_ms};
  if (given.lease_ms != 0) options.lease = Milliseconds{given.lease_ms};
  Acquired acquired = acquire_blocking(*lock, options);
  if (!acquired) return not_acquired(given, acquired.error());

  LeasedProgram program;
  program.command = given.command;
  program.environment.push_back("FIRSTCOME_LOCK_NAME=" + given.name);
  if (const auto token = acquired->token())
    program.environment.push_back("FIRSTCOME_LOCK_TOKEN=" + std::to_string(*token));
  const auto code = run_under(*acquired, program);
  release_blocking(std::move(*acquired));
  return code ? *code : complain(exit_unavailable, code.error());
}

int show(const LockOptionsGiven& given) {
  if (const auto refused = lock::refusal_of_name(given.name)) return not_acquired(given, *refused);
  auto space = open(given);
  if (!space) return space.error();
  std::promise<std::expected<LockView, LockFailure>> promise;
  (*space)->inspect(given.name, [&promise](auto answer) { promise.set_value(std::move(answer)); });
  const auto view = promise.get_future().get();
  if (!view) return complain(exit_unavailable, view.error().detail);
  const auto or_dash = [](const auto& number) { return number ? fmt::format("{}", *number) : std::string("-"); };
  fmt::print("name     {}\nheld     {}\nowner    {}\ntoken    {}\n", given.name, view->held ? "yes" : "no",
             view->owner.empty() ? "-" : view->owner, or_dash(view->token));
  fmt::print("expires  {}\nwaiting  {}\n",
             view->expires_in ? fmt::format("in {} ms", view->expires_in->count()) : std::string("-"),
             or_dash(view->waiting));
  return exit_fine;
}

int list(const LockOptionsGiven& given) {
  const auto url = net::parse_redis_url(given.backend);
  if (!url) return complain(exit_usage, "--backend: " + url.error());
  const auto names = lock::list_fifo_locks(*url, Milliseconds{10'000});
  if (!names) return complain(exit_unavailable, names.error().detail);
  for (const std::string& name : *names) fmt::print("{}\n", name);
  return exit_fine;
}

const std::map<std::string, std::int64_t>& units() {
  static const std::map<std::string, std::int64_t> map{{"ms", 1}, {"s", 1'000}, {"min", 60'000}, {"h", 3'600'000}};
  return map;
}

void add_backend(CLI::App& command, LockOptionsGiven& given) {
  command
      .add_option("--backend", given.backend,
                  "Where locks are kept: redis://HOST:PORT, redis+sentinel://..., redis+cluster://..., "
                  "redlock://HOST,HOST,HOST, postgresql://USER:PASSWORD@HOST/DATABASE, mysql://...")
      ->capture_default_str()
      ->envname("FIRSTCOME_LOCK_BACKEND");
}

void add_kind(CLI::App& command, LockOptionsGiven& given) {
  command.add_option("--kind", given.kind, "On redis://: fifo, redisson (shared with Java), setnx or setnx-try")
      ->check(CLI::IsMember({"fifo", "redisson", "setnx", "setnx-try"}))
      ->capture_default_str();
}

void add_shares(CLI::App& command, LockOptionsGiven& given) {
  CLI::Option* shared =
      command.add_flag("--shared", given.shared, "Read: together with others that do, see --exclusive");
  CLI::Option* exclusive =
      command.add_flag("--exclusive", given.exclusive, "Write: alone, of those with --shared as well");
  CLI::Option* permits = command.add_option("--permits", given.permits, "So many permits of a semaphore, see --of");
  CLI::Option* of = command.add_option("--of", given.of, "How many permits there are; the first who asks fixes it");
  exclusive->excludes(shared);
  permits->needs(of)->excludes(shared)->excludes(exclusive);
  of->needs(permits);
}

void add_run(CLI::App& lock, Run& run) {
  auto given = std::make_shared<LockOptionsGiven>();
  CLI::App* command = lock.add_subcommand(
      "run", "Runs a command while holding a lock; its exit code, or 75 where the lock was not to be had in time");
  command->add_option("name", given->name, "The lock's name")->required();
  add_backend(*command, *given);
  add_kind(*command, *given);
  command->add_option("--wait", given->wait_ms, "How long to wait for the lock, such as 500ms, 10s, 5min; 0ms: not")
      ->transform(CLI::AsNumberWithUnit(units(), CLI::AsNumberWithUnit::UNIT_REQUIRED, "TIME"))
      ->check(CLI::NonNegativeNumber)
      ->default_str("10s");
  command->add_option("--lease", given->lease_ms, "How long to hold it at most; default: as long as the command runs")
      ->transform(CLI::AsNumberWithUnit(units(), CLI::AsNumberWithUnit::UNIT_REQUIRED, "TIME"))
      ->check(CLI::PositiveNumber);
  add_shares(*command, *given);
  command->add_option("command", given->command, "What to run, after --")->required();
  command->footer(
      "The command finds the fencing token in FIRSTCOME_LOCK_TOKEN. When the lease is lost it is stopped.\n"
      "Example: firstcome lock run nightly-report --wait 0ms -- ./report.sh --all");
  command->callback([given, &run] { run = [given] { return run_command(*given); }; });
}

void add_show(CLI::App& lock, Run& run) {
  auto given = std::make_shared<LockOptionsGiven>();
  CLI::App* command = lock.add_subcommand("show", "Shows who holds a lock, for how long, and how many wait");
  command->add_option("name", given->name, "The lock's name")->required();
  add_backend(*command, *given);
  add_kind(*command, *given);
  command->callback([given, &run] { run = [given] { return show(*given); }; });
}

void add_list(CLI::App& lock, Run& run) {
  auto given = std::make_shared<LockOptionsGiven>();
  CLI::App* command =
      lock.add_subcommand("list", "Lists the names of the fifo locks, also those last held within the hour");
  add_backend(*command, *given);
  command->callback([given, &run] { run = [given] { return list(*given); }; });
}

}  // namespace

void add_lock_commands(CLI::App& app, Run& run) {
  CLI::App* lock = app.add_subcommand("lock", "Runs commands under a lock that machines share, and looks at locks");
  lock->require_subcommand(1);
  add_run(*lock, run);
  add_show(*lock, run);
  add_list(*lock, run);
}

}  // namespace firstcome::cli
