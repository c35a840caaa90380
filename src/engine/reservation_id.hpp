// The text form of a reservation's id: 38 characters that cannot be guessed.
//
// base64url, without padding, of the 64-bit sale handle, the 64-bit number (both big-endian) and a 96-bit tag: the
// first 12 bytes of HMAC-SHA-256 over those 16 bytes under the store's secret. Any node finds sale and record from it;
// one with a wrong tag is nobody's, and no look-up is made for it.
#pragma once

#include <firstcome/types.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace firstcome::engine {

inline constexpr std::size_t reservation_id_length = 38;
/// With so many characters, the same for all ids of a sale, and of no other: numbers are below 2^62.
inline constexpr std::size_t reservation_id_of_sale = 11;
using ReservationIdText = std::array<char, reservation_id_length>;

/// The secret of a store, made once when the store is.
using StoreSecret = std::array<std::uint8_t, 32>;

/// Makes and reads ids. Not thread-safe: one per thread.
class ReservationIds {
 public:
  explicit ReservationIds(const StoreSecret& secret);
  ~ReservationIds();
  ReservationIds(ReservationIds&&) noexcept;
  ReservationIds& operator=(ReservationIds&&) noexcept;

  ReservationIdText encode(ReservationRef ref);
  /// Nothing where the text is not an id of this store. Compares in constant time.
  std::optional<ReservationRef> decode(std::string_view text);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The hash of an idempotency key; see KeyHash. Never all zero. `key` must not be empty. Thread-safe.
/// SHA-256 over each part preceded by its length (32 bits, big-endian), truncated to 128 bits.
KeyHash hash_key(std::string_view customer, std::string_view sale, std::string_view key);

}  // namespace firstcome::engine
