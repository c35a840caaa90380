#include "cli/lock/lock_options.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <utility>

namespace firstcome::cli {
namespace {

/// Who waits longer than this is told of a failure after this long, and not only after the usual outage.
constexpr Milliseconds shortest_outage{3'000};

LockSettings settings_for(const LockOptionsGiven& given) {
  LockSettings settings;
  const Milliseconds wait{given.wait_ms};
  settings.outage_limit = std::min(settings.outage_limit, std::max(wait, shortest_outage));
  return settings;
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

/// Why somebody who asked in time went away without the lock.
std::string_view conflict_of(const LockOptionsGiven& given, NotAcquired::Why why) {
  return why == NotAcquired::Why::timed_out && given.wait_ms == 0 ? "somebody holds it" : text_of(why);
}

}  // namespace

void add_lock_name(CLI::App& command, LockOptionsGiven& given) {
  command.add_option("name", given.name, "The lock's name")->required();
}

void add_lock_backend(CLI::App& command, LockOptionsGiven& given) {
  command
      .add_option("--backend", given.backend,
                  "Where locks are kept: redis://HOST:PORT, redis+sentinel://..., redis+cluster://..., "
                  "redlock://HOST,HOST,HOST, postgresql://USER:PASSWORD@HOST/DATABASE, mysql://...")
      ->capture_default_str()
      ->envname(lock_backend_variable);
}

void add_lock_backend_on_redis(CLI::App& command, LockOptionsGiven& given) {
  command
      .add_option("--backend", given.backend,
                  "The Redis that keeps the locks: redis://HOST:PORT, redis+sentinel://... or redis+cluster://...")
      ->capture_default_str()
      ->envname(lock_backend_variable);
}

void add_lock_kind(CLI::App& command, LockOptionsGiven& given) {
  command.add_option("--kind", given.kind, "On redis://: fifo, redisson (shared with Java), setnx or setnx-try")
      ->check(CLI::IsMember({"fifo", "redisson", "setnx", "setnx-try"}))
      ->capture_default_str();
}

int complain(int code, const std::string& why) {
  std::fprintf(stderr, "firstcome: %s\n", why.c_str());  // never throws, also where nobody reads it
  return code;
}

std::expected<std::unique_ptr<LockSpace>, int> open_lock_space(const LockOptionsGiven& given) {
  const auto kind = lock_kind_of(given.kind);
  auto space = open_locks(given.backend, kind.value_or(LockKind::fifo), settings_for(given));
  if (!space) return std::unexpected(complain(exit_usage, "--backend: " + space.error()));
  return std::move(*space);
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
      return complain(given.conflict_code,
                      fmt::format("{} was not acquired: {}{}", given.name, conflict_of(given, reason.why), detail));
    default:
      return complain(exit_unavailable, fmt::format("the lock {} cannot be asked for ({}): {}{}", given.name,
                                                    text_of(reason.why), meaning_of(reason.why), detail));
  }
}

}  // namespace firstcome::cli
