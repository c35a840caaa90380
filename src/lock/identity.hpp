// Names that nobody else has: from the system's randomness, or made of a text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace firstcome::lock {

/// 128 random bits as 32 hexadecimal digits: names a process, or one LockSpace of it.
std::string random_identity();

/// Likewise 32 digits, the same ones for the same text, which they do not show: the beginning of its SHA-256.
std::string identity_of(std::string_view text);

std::uint64_t random_number();

}  // namespace firstcome::lock
