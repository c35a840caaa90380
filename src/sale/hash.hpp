// A short seeded hash for tables in memory: multiply two 64-bit words, fold the 128-bit product (the idea of wyhash).
//
// Not a checksum and not stored: who does not know the seed cannot make texts collide on purpose, which is all it is
// for.
#pragma once

#include <firstcome/types.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace firstcome::sale {

__extension__ using Uint128 = unsigned __int128;

inline constexpr std::uint64_t hash_salt_a = 0x9e3779b97f4a7c15;
inline constexpr std::uint64_t hash_salt_b = 0xd1b54a32d192ed03;

constexpr std::uint64_t multiply_fold(std::uint64_t a, std::uint64_t b) {
  const Uint128 product = static_cast<Uint128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint64_t load_word(const char* from, std::size_t bytes = sizeof(std::uint64_t)) {
  std::uint64_t word = 0;
  std::memcpy(&word, from, bytes);
  return word;
}

/// Cost: a multiplication for every 16 bytes.
inline std::uint64_t hash_text(std::string_view text, std::uint64_t seed) {
  std::uint64_t hash = multiply_fold(seed ^ hash_salt_a, text.size() ^ hash_salt_b);
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left >= 16; at += 16, left -= 16) {
    hash = multiply_fold(load_word(at) ^ hash, load_word(at + 8) ^ hash_salt_b);
  }
  const std::uint64_t first = left > 0 ? load_word(at, left < 8 ? left : 8) : 0;
  const std::uint64_t second = left > 8 ? load_word(at + 8, left - 8) : 0;
  return multiply_fold(first ^ hash, second ^ hash_salt_a) ^ hash;
}

inline std::uint64_t hash_of(KeyHash key, std::uint64_t seed) {
  return multiply_fold(key.high ^ seed ^ hash_salt_a, key.low ^ hash_salt_b);
}

}  // namespace firstcome::sale
