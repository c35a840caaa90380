// Wall-clock time as an interleaving is told in it.
#pragma once

#include <firstcome/types.hpp>

#include <chrono>

namespace firstcome::engine {

/// Microseconds since 1970.
using Microsecond = std::chrono::sys_time<std::chrono::microseconds>;

/// Of this machine. Thread-safe.
Microsecond wall_microseconds();

inline Instant instant_of(Microsecond at) { return std::chrono::floor<Milliseconds>(at); }

}  // namespace firstcome::engine
