// Ports for the servers of tests.
#pragma once

#include <cstdint>

namespace firstcome::testing {

/// A TCP port of 127.0.0.1 that nobody listens on. No other process is given it by this function while this one lives,
/// and none by the system for a connection of its own: it is below those.
std::uint16_t free_port();

}  // namespace firstcome::testing
