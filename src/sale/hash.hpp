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

template <class Word>
std::uint64_t load(const char* from) {
  Word word = 0;
  std::memcpy(&word, from, sizeof word);
  return word;
}

/// As a == b, without a call for short texts.
inline bool equal_texts(std::string_view a, std::string_view b) {
  const std::size_t size = a.size();
  if (size != b.size()) return false;
  if (size > 16) return a == b;
  const char* left = a.data();
  const char* right = b.data();
  const auto differ = [&]<class Word>(Word) {
    const std::size_t last = size - sizeof(Word);
    return (load<Word>(left) ^ load<Word>(right)) | (load<Word>(left + last) ^ load<Word>(right + last));
  };
  if (size >= 8) return differ(std::uint64_t{}) == 0;
  if (size >= 4) return differ(std::uint32_t{}) == 0;
  return a == b;
}

/// Cost: a multiplication for every 16 bytes and one more.
inline std::uint64_t hash_text(std::string_view text, std::uint64_t seed) {
  std::uint64_t hash = seed ^ hash_salt_a;
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left > 16; at += 16, left -= 16) {
    hash = multiply_fold(load<std::uint64_t>(at) ^ hash, load<std::uint64_t>(at + 8) ^ hash_salt_b);
  }
  // The rest as two words, which overlap where it is short; the length tells apart what then looks alike.
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  if (left >= 8) {
    first = load<std::uint64_t>(at);
    second = load<std::uint64_t>(at + left - 8);
  } else if (left >= 4) {
    first = load<std::uint32_t>(at);
    second = load<std::uint32_t>(at + left - 4);
  } else if (left > 0) {
    first = load<std::uint8_t>(at) << 16 | load<std::uint8_t>(at + left / 2) << 8 | load<std::uint8_t>(at + left - 1);
  }
  hash = multiply_fold(first ^ hash, second ^ hash_salt_b);
  return multiply_fold(hash ^ hash_salt_b, text.size() ^ hash_salt_a);
}

inline std::uint64_t hash_of(KeyHash key, std::uint64_t seed) {
  return multiply_fold(key.high ^ seed ^ hash_salt_a, key.low ^ hash_salt_b);
}

}  // namespace firstcome::sale
