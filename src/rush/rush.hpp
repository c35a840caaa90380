// One rush: lets a crowd loose on a sale, waits until everything has ended, and judges.
#pragma once

#include "rush/crowd.hpp"
#include "rush/generator.hpp"
#include "rush/options.hpp"
#include "rush/totals.hpp"
#include "rush/verdict.hpp"

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>

namespace firstcome::rush {

/// How a rush ended; the values are the exit codes.
enum class Grade : int { fine = 0, threshold_missed = 1, promise_broken = 2, invalid = 3 };

/// What is going on, once in a while.
struct Progress {
  enum class Phase : std::uint8_t { rushing, settling };
  Phase phase = Phase::rushing;
  Moment elapsed{};
  std::uint64_t clicks_in_all = 0;
  double requests_per_second = 0;  ///< since the last
  const CrowdFigures* figures = nullptr;
  const SaleSeen* sale = nullptr;
};

struct RushResult {
  RushOptions options;
  std::uint64_t run = 0;  ///< in the names of its customers
  std::size_t connected = 0;
  SaleSeen before, after;
  bool settled = true;
  std::optional<std::uint64_t> orders;  ///< that the server has of the sale; nothing: it has no order service
  CrowdFigures figures;
  Totals totals;
  Verdict verdict;
  GeneratorFigures generator;
  Histogram reservations;  ///< latency of all reservation requests that were answered
  std::optional<std::string> invalid;
  std::optional<std::string> missed;

  /// A broken promise is one whatever the generator did.
  Grade grade() const;
};

struct RushFailure {
  enum class Kind : std::uint8_t {
    refused,      ///< the server said no: no such sale
    unavailable,  ///< no server, or it went away for good
    limit,        ///< the machine does not allow that many connections
  };
  Kind kind = Kind::unavailable;
  std::string detail;
};

/// Blocks until the rush is over. Calls `progress` on this thread, at most every `every`.
/// REQUIRES: problem_of(options) is nothing.
std::expected<RushResult, RushFailure> run_rush(const RushOptions& options,
                                                const std::function<void(const Progress&)>& progress,
                                                Milliseconds every = Milliseconds{1'000});

}  // namespace firstcome::rush
