// The text form of a reservation's id: 40 characters that cannot be guessed, and are never given twice.
//
// base64url of the sale's handle (64 bits), the number (48), the incarnation (32), all big-endian, and a 96-bit tag:
// the first 12 bytes of HMAC-SHA-256 over those 18 bytes under the store's secret. Any node finds sale and record from
// it; one with a wrong tag is nobody's, and no look-up is made for it.
//
// Reservations without an incarnation, of stores that were made before there were any, keep the form that they had: 38
// characters without padding, of handle, number (64 bits each) and the tag over these. Ids of both forms begin with the
// handle.
#pragma once

#include "engine/incarnations.hpp"

#include <firstcome/types.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

namespace firstcome::engine {

inline constexpr std::size_t reservation_id_length = 40;
inline constexpr std::size_t reservation_id_length_without_incarnation = 38;
/// With so many characters, the same for all ids of a sale, and of no other: numbers are below 2^46.
inline constexpr std::size_t reservation_id_of_sale = 11;

constexpr bool is_reservation_id_length(std::size_t length) {
  return length == reservation_id_length || length == reservation_id_length_without_incarnation;
}

/// The text of an id, without an allocation.
class ReservationIdText {
 public:
  const char* data() const { return text_.data(); }
  std::size_t size() const { return size_; }
  const char* begin() const { return data(); }
  const char* end() const { return data() + size(); }
  std::string_view view() const { return {data(), size()}; }

 private:
  friend class ReservationIds;
  std::array<char, reservation_id_length> text_;
  std::size_t size_ = 0;
};

/// The secret of a store, made once when the store is.
using StoreSecret = std::array<std::uint8_t, 32>;

/// What makes the ids of a store its own. Thread safety: all members, from any thread.
class StoreIdentity {
 public:
  explicit StoreIdentity(const StoreSecret& secret, Incarnations incarnations = {});

  const StoreSecret& secret() const { return secret_; }
  std::shared_ptr<const Incarnations> incarnations() const;
  /// Rises with every `set`. Cheap.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  void set(Incarnations incarnations);

 private:
  const StoreSecret secret_;
  mutable std::mutex mutex_;  ///< protects what follows
  std::shared_ptr<const Incarnations> incarnations_;
  std::atomic<std::uint64_t> version_ = 1;
};

/// What an id says, whether or not the store still knows such a reservation.
struct ReadId {
  SaleHandle sale{};
  ToldNumber told;
};

/// Makes and reads ids. Not thread-safe: one per thread.
class ReservationIds {
 public:
  explicit ReservationIds(std::shared_ptr<const StoreIdentity> identity);
  /// Of a store without incarnations.
  explicit ReservationIds(const StoreSecret& secret);
  ~ReservationIds();
  ReservationIds(ReservationIds&&) noexcept;
  ReservationIds& operator=(ReservationIds&&) noexcept;

  ReservationIdText encode(ReservationRef ref);
  /// How all ids of a sale begin.
  std::string_view beginning(SaleHandle sale, ReservationIdText& room);
  /// Nothing where the text is not an id that this store, as it is now, has given. Compares in constant time.
  std::optional<ReservationRef> decode(std::string_view text);
  /// Nothing where it was not made with this store's secret. Of a past that the store has lost it reads ids too.
  std::optional<ReadId> read(std::string_view text);

  /// The reservation of such an id. Nothing: this store, as this node knows it, has not given it.
  std::optional<ReservationRef> find(const ReadId& id);
  /// Whether another node may know better what the id means: one without an incarnation, where there are some by now.
  bool is_doubtful(const ReadId& id);

  /// How numbers and events are told: see incarnations.hpp. A number of 0 stays one.
  Number told(ReservationRef ref);
  ToldSequence told_sequence(SaleHandle sale, std::uint64_t sequence);

 private:
  const Incarnations& incarnations();

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The hash of an idempotency key; see KeyHash. Never all zero. `key` must not be empty. Thread-safe.
/// SHA-256 over each part preceded by its length (32 bits, big-endian), truncated to 128 bits.
KeyHash hash_key(std::string_view customer, std::string_view sale, std::string_view key);

}  // namespace firstcome::engine
