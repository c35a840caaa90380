#include "lock/identity.hpp"

#include <openssl/rand.h>

#include <array>
#include <bit>
#include <stdexcept>

namespace firstcome::lock {

namespace {

template <std::size_t size>
std::array<unsigned char, size> random_bytes() {
  std::array<unsigned char, size> bytes;
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) throw std::runtime_error("no random numbers");
  return bytes;
}

}  // namespace

std::string random_identity() {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : random_bytes<16>()) {
    text += digits[byte >> 4U];
    text += digits[byte & 0xFU];
  }
  return text;
}

std::uint64_t random_number() { return std::bit_cast<std::uint64_t>(random_bytes<sizeof(std::uint64_t)>()); }

}  // namespace firstcome::lock
