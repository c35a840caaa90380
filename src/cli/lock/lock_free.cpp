#include "cli/lock/lock_free.hpp"

#include "lock/named_lock.hpp"

#include <firstcome/lock_mutex.hpp>

#include <fmt/core.h>

#include <string>
#include <utility>

namespace firstcome::cli {
namespace {

int report(const LockOptionsGiven& given, FreeOutcome outcome) {
  switch (outcome) {
    case FreeOutcome::freed:
      fmt::print("the grant of {} with token {} has ended\n", given.name, given.token);
      return exit_fine;
    case FreeOutcome::not_held:
      return complain(exit_refused, fmt::format("nobody holds {}", given.name));
    case FreeOutcome::other_token:
      return complain(exit_refused,
                      fmt::format("the grant that holds {} has another token than {}; firstcome lock show "
                                  "{} tells it",
                                  given.name, given.token, given.name));
    case FreeOutcome::not_offered:
      return complain(exit_usage, "this kind of lock cannot be freed");
  }
  std::unreachable();
}

}  // namespace

int free_lock(const LockOptionsGiven& given) {
  if (const auto refused = lock::refusal_of_name(given.name)) return not_acquired(given, *refused);
  auto space = open_lock_space(given);
  if (!space) return space.error();
  const auto freed = force_release_blocking(**space, given.name, given.token);
  if (!freed) return complain(exit_unavailable, freed.error().detail);
  return report(given, *freed);
}

}  // namespace firstcome::cli
