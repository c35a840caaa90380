// The reservations of one sale as kept in memory: fixed-size records by number, rare texts beside them, and the index
// of idempotency keys. Storage only; what they mean is decided in SaleLedger.
#pragma once

#include "sale/chunked.hpp"
#include "sale/customers.hpp"
#include "sale/flat_index.hpp"
#include "sale/record.hpp"

#include <firstcome/limits.hpp>
#include <firstcome/sale.hpp>
#include <firstcome/types.hpp>

#include <cassert>
#include <cstdint>
#include <string_view>
#include <unordered_map>

namespace firstcome::sale {

struct PackedReservation {
  KeyHash key;
  Instant created_at{};
  Instant expires_at{};  ///< epoch: never held
  CustomerId customer{};
  ShortNumber previous = 0;    ///< the same customer's
  std::uint32_t position = 0;  ///< as at joining; 0: did not wait
  std::uint32_t quantity : 20 = 0;
  ReservationState state : 4 = ReservationState::queued;
  Reason reason : 3 = Reason::none;
  Refund refund : 2 = Refund::none;
  bool updated : 1 = false;   ///< stands among the changes of this batch
  bool extended : 1 = false;  ///< its hold was prolonged
};
static_assert(sizeof(PackedReservation) == 48);
static_assert(limits::quantity < (1 << 20));

/// Not thread-safe. Numbers are given by `add`, from 1.
class Reservations {
 public:
  explicit Reservations(std::uint64_t seed) : seed_(seed) {}

  ShortNumber count() const { return static_cast<ShortNumber>(records_.size()); }
  PackedReservation& operator[](ShortNumber number) { return records_[number - std::size_t{1}]; }
  const PackedReservation& operator[](ShortNumber number) const { return records_[number - std::size_t{1}]; }

  /// A new record with the next number, to be filled at once; only its quantity is set. REQUIRES: its created_at not
  /// before that of the one before it.
  PackedReservation& add(Units quantity) {
    assert(records_.size() < UINT32_MAX);
    PackedReservation record;
    record.quantity = static_cast<std::uint32_t>(quantity) & 0xFFFFFu;
    return records_.emplace_back(record);
  }

  void set_reference(ShortNumber number, std::string_view reference);
  std::string_view reference(ShortNumber number) const;
  /// What it was paid with; empty `id`: nothing. The views are valid until the sale is gone.
  struct PaymentText {
    std::string_view id;
    std::string_view account_number;
    explicit operator bool() const { return !id.empty() || !account_number.empty(); }
  };
  PaymentText payment(ShortNumber number) const;
  /// Each text is cut at 4096 bytes.
  void set_payment(ShortNumber number, std::string_view id, std::string_view account_number);

  /// Of every 256th reservation of a customer: the 256th before it, or itself where there is none; of others 0.
  ShortNumber mark_before(ShortNumber number) const { return marks_.get(number); }
  void set_mark(ShortNumber number, ShortNumber before) { marks_.set(number, before); }

  /// Units that were given back while others were kept.
  Units returned(ShortNumber number) const { return returned_.get(number); }
  void set_returned(ShortNumber number, Units units) { returned_.set(number, static_cast<std::uint32_t>(units)); }

  /// When the charge that runs was begun; epoch: none runs.
  Instant claimed_at(ShortNumber number) const;
  bool claimed(ShortNumber number) const { return !claims_.empty() && claims_.contains(number); }
  void claim(ShortNumber number, Instant at) { claims_[number] = at; }
  void end_claim(ShortNumber number) { claims_.erase(number); }
  std::size_t claims() const { return claims_.size(); }

  // --- idempotency keys: found for `limits::key_lifetime` after their reservation was made ---
  std::uint64_t hash(KeyHash key) const { return hash_of(key, seed_); }
  void prefetch(std::uint64_t hash) const { keys_.prefetch(hash); }
  /// The reservation that this key made; 0: none that young.
  ShortNumber find(KeyHash key, std::uint64_t hash, Instant now) const;
  /// REQUIRES: the reservation has this key.
  void remember(ShortNumber number, std::uint64_t hash, Instant now);

  std::size_t bytes() const { return records_.bytes() + keys_.bytes() + texts_.bytes(); }

 private:
  void drop_old_keys(Instant now);

  std::uint64_t seed_;
  ChunkedVector<PackedReservation> records_;
  Arena texts_;
  SparseColumn references_;
  SparseColumn payments_;
  SparseColumn marks_;
  SparseColumn returned_;
  std::unordered_map<ShortNumber, Instant> claims_;

  FlatIndex keys_;
  ShortNumber oldest_key_ = 1;        // all keys of numbers before it are too old
  std::int64_t keys_dropped_at_ = 0;  // the hour in which that was found
  std::size_t shards_to_sweep_ = 0;
};

}  // namespace firstcome::sale
