// Whether the generator itself kept up, so that its own ceiling is never reported as the server's.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace firstcome::rush {

/// What one thread did in a span of time.
struct GeneratorFigures {
  std::chrono::nanoseconds elapsed{0};
  std::chrono::nanoseconds ran{0};     ///< on a core
  std::chrono::nanoseconds wanted{0};  ///< runnable, but another had the core; 0 where the kernel does not say
  std::optional<double> rate_asked;    ///< open loop: arrivals a second
  double rate_reached = 0;
  std::chrono::nanoseconds lag_p99{0};  ///< how late arrivals were handled
  std::chrono::nanoseconds lag_bound{0};

  /// The share of the time in which it could not have done more.
  double busy() const;
};

/// Why the run says nothing about the server; nothing where it does.
///
/// An open-loop run is invalid where arrivals were handled late, or where the rate was missed while the generator's
/// thread was busy for more than 95 % of the time. A closed loop promises no rate.
std::optional<std::string> problem_of(const GeneratorFigures& figures);

/// Returns why the latencies of a closed-loop run are the generator's rather than the server's: its thread was busy for
/// more than 95 % of the time, and of a second at least. Nothing where they are the server's, and for an open loop.
std::optional<std::string> problem_of_closed_loop(const GeneratorFigures& figures);

/// Measures the calling thread between two moments.
class ThreadMeter {
 public:
  ThreadMeter();
  /// Fills elapsed, ran and wanted, since the construction.
  GeneratorFigures read() const;

 private:
  struct Reading {
    std::chrono::nanoseconds ran{0}, wanted{0};
  };
  static Reading now();

  std::chrono::steady_clock::time_point start_;
  Reading first_;
};

}  // namespace firstcome::rush
