// How a benchmark tells its figures: lines `figure NAME VALUE [>= GOAL | <= GOAL]`, which `./run bench` gathers into
// one table with a verdict for each that has a goal.
#pragma once

#include <fmt/core.h>

#include <cstdio>
#include <string_view>

namespace firstcome::bench {

inline void figure(std::string_view name, double value) {
  fmt::print("figure {} {:.6g}\n", name, value);
  std::fflush(stdout);
}

inline void figure_at_least(std::string_view name, double value, double goal) {
  fmt::print("figure {} {:.6g} >= {:.6g}\n", name, value, goal);
  std::fflush(stdout);
}

inline void figure_at_most(std::string_view name, double value, double goal) {
  fmt::print("figure {} {:.6g} <= {:.6g}\n", name, value, goal);
  std::fflush(stdout);
}

}  // namespace firstcome::bench
