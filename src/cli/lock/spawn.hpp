// Starting a command in a process group of its own, which dies with who started it.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <expected>
#include <string>
#include <vector>

namespace firstcome::cli {

struct Spawned {
  std::vector<std::string> words;        ///< program and arguments; the program is looked for in PATH, as a shell does
  std::vector<std::string> environment;  ///< all of it, as NAME=value
  sigset_t signal_mask{};
};

/// Starts it. It leads a process group of its own, and gets SIGKILL when the calling thread ends. Returns its process
/// id once it runs; the error is an errno.
std::expected<pid_t, int> spawn(const Spawned& command);

}  // namespace firstcome::cli
