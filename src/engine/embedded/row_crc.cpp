#include "engine/embedded/row_crc.hpp"

#include <boost/crc.hpp>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace firstcome::engine {

std::uint32_t crc32c_tables(std::span<const std::byte> bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return static_cast<std::uint32_t>(crc.checksum());
}

#if defined(__x86_64__)

bool has_crc_instruction() { return __builtin_cpu_supports("sse4.2") != 0; }

__attribute__((target("sse4.2"))) std::uint32_t crc32c_hardware(std::span<const std::byte> bytes) {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t crc = 0xFFFFFFFF;
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    crc = _mm_crc32_u64(crc, word);
  }
  auto rest = static_cast<std::uint32_t>(crc);
  for (; left > 0; ++at, --left) rest = _mm_crc32_u8(rest, static_cast<std::uint8_t>(*at));
  return ~rest;
}

#else

bool has_crc_instruction() { return false; }
std::uint32_t crc32c_hardware(std::span<const std::byte> bytes) { return crc32c_tables(bytes); }

#endif

std::uint32_t crc32c(std::span<const std::byte> bytes) {
  static const bool by_instruction = has_crc_instruction();
  return by_instruction ? crc32c_hardware(bytes) : crc32c_tables(bytes);
}

}  // namespace firstcome::engine
