#include "lock/identity.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <bit>
#include <span>
#include <stdexcept>

namespace firstcome::lock {

namespace {

template <std::size_t size>
std::array<unsigned char, size> random_bytes() {
  std::array<unsigned char, size> bytes;
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) throw std::runtime_error("no random numbers");
  return bytes;
}

std::string in_hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += digits[byte >> 4U];
    text += digits[byte & 0xFU];
  }
  return text;
}

}  // namespace

std::string random_identity() { return in_hex(random_bytes<16>()); }

std::string identity_of(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    throw std::runtime_error("no SHA-256");
  return in_hex(std::span(digest).first(16));
}

std::uint64_t random_number() { return std::bit_cast<std::uint64_t>(random_bytes<sizeof(std::uint64_t)>()); }

}  // namespace firstcome::lock
