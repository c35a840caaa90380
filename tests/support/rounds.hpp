// How often a test repeats what it does at random, and with which seed. `FIRSTCOME_ROUNDS=2000 FIRSTCOME_SEED=7` in the
// environment overrule what a test asks for.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

namespace firstcome::testing {

inline int rounds(int usual) {
  const char* given = std::getenv("FIRSTCOME_ROUNDS");
  return given != nullptr ? std::stoi(given) : usual;
}

inline std::uint64_t seed() {
  const char* given = std::getenv("FIRSTCOME_SEED");
  return given != nullptr ? std::stoull(given) : std::random_device{}();
}

}  // namespace firstcome::testing
