// What the lock commands are told, and how they answer where there is no lock.
#pragma once

#include "cli/command.hpp"
#include "cli/exit_code.hpp"

#include <firstcome/open_locks.hpp>

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::cli {

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
  bool semaphore = false;              ///< `show` looks at a semaphore
  int conflict_code = exit_try_again;  ///< the exit code where the lock was not to be had in time
  std::uint64_t token = 0;             ///< of the grant that `free` ends
  bool verbose = false;
  bool json = false;
  std::string shell_command;         ///< one line for the shell, instead of `command`
  std::vector<std::string> command;  ///< program and arguments
};

using LockGiven = std::shared_ptr<LockOptionsGiven>;

/// Names the environment variable that `--backend` is taken from where it is not given.
inline constexpr const char* lock_backend_variable = "FIRSTCOME_LOCK_BACKEND";

void add_lock_name(CLI::App& command, LockOptionsGiven& given);
void add_lock_backend(CLI::App& command, LockOptionsGiven& given);
/// Adds `--backend` to a command that works only with locks of the kind `fifo` on Redis.
void add_lock_backend_on_redis(CLI::App& command, LockOptionsGiven& given);
void add_lock_kind(CLI::App& command, LockOptionsGiven& given);

/// Prints `why` on standard error and returns `code`.
int complain(int code, const std::string& why);

/// Opens what keeps the locks. The error is an exit code, after a message on standard error.
std::expected<std::unique_ptr<LockSpace>, int> open_lock_space(const LockOptionsGiven& given);

/// Says on standard error why there is no lease, and returns the exit code for it.
int not_acquired(const LockOptionsGiven& given, const NotAcquired& reason);

}  // namespace firstcome::cli
