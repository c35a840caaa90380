// Our side of a shared lock in a process of its own.
#pragma once

#include "support/child_process.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace firstcome::interop {

/// What it does with the lock `shared`.
enum class CppWork : std::uint8_t {
  increment,           ///< the counter, `turns` times; prints how often it was another process that had done it before
  increment_unlocked,  ///< likewise, but without the lock
  hold,                ///< gets it for 1.5 s, prints `locked`, and does nothing more
};

std::unique_ptr<testing::ChildProcess> start_cpp_peer(std::uint16_t port, CppWork work, int turns = 0);

/// The line that it prints after its prefix; "(none)" where none comes in time.
std::string line_of(testing::ChildProcess& peer);

}  // namespace firstcome::interop
