// Names that nobody else has, from the system's randomness.
#pragma once

#include <cstdint>
#include <string>

namespace firstcome::lock {

/// 128 random bits as 32 hexadecimal digits: names a process, or one LockSpace of it.
std::string random_identity();

std::uint64_t random_number();

}  // namespace firstcome::lock
