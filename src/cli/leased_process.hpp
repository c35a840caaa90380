// A program that runs for as long as a lease lasts.
#pragma once

#include <firstcome/lock.hpp>

#include <chrono>
#include <expected>
#include <string>
#include <vector>

namespace firstcome::cli {

struct LeasedProgram {
  std::vector<std::string> command;        ///< program and arguments; found as a shell does
  std::vector<std::string> environment;    ///< NAME=value, added to ours
  std::chrono::milliseconds grace{5'000};  ///< between the request to stop and the end by force
};

/// Blocks the signals that `run_under` passes on. To be called before there are other threads, which inherit it.
void block_passed_signals();

/// Runs it and waits for its end. SIGINT, SIGTERM and SIGHUP are passed on to it. When the lease is lost it gets
/// SIGTERM, after the grace SIGKILL. Returns its exit code, or 128 + the signal that ended it; the error says why it
/// could not be started. REQUIRES: `block_passed_signals` was called; the lease is not empty.
std::expected<int, std::string> run_under(const Lease& lease, const LeasedProgram& program);

}  // namespace firstcome::cli
