// Final refusals by idempotency key, so that the same request again gets the same words.
//
// Bounded: the last `limits::refusals_remembered`, each for `limits::refusal_lifetime`. In memory only: a refusal has
// no effect, so forgetting one is harmless. Memory grows with use, to about 80 MB when full.
#pragma once

#include "sale/chunked.hpp"
#include "sale/flat_index.hpp"

#include <firstcome/command.hpp>
#include <firstcome/limits.hpp>
#include <firstcome/outcome.hpp>
#include <firstcome/types.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>

namespace firstcome::sale {

/// What must be known to answer again, and to see whether it is the same request.
struct RememberedRefusal {
  KeyHash key;
  Instant at;
  SaleHandle sale{};
  ShortNumber number = 0;  ///< ReserveAnswer::ref
  std::uint32_t quantity = 0;
  std::uint64_t reference_hash = 0;
  Units left = 0;
  Outcome outcome = Outcome::sold_out;
};

/// What to remember of a final refusal. `seed` is of the references' hashes.
RememberedRefusal refusal_of(const Reserve& command, std::uint64_t seed, SaleHandle sale, const ReserveAnswer& answer,
                             Instant at);
/// Fills the answer to the same key again: the refusal, or idempotency_key_reused for another request.
void tell_again(const RememberedRefusal& refusal, const Reserve& command, std::uint64_t seed, ReserveAnswer& answer);

/// Not thread-safe.
class RefusalMemory {
 public:
  explicit RefusalMemory(std::size_t capacity = limits::refusals_remembered) : capacity_(capacity) {}

  // `hash` is always hash_of the key, with one seed.
  void prefetch(std::uint64_t hash) const { index_.prefetch(hash); }

  /// The refusal that this key was given in this sale, if remembered; else nullptr. Valid until the next `remember`.
  const RememberedRefusal* find(SaleHandle sale, KeyHash key, std::uint64_t hash, Instant now) const;
  /// REQUIRES: `find` gives nothing for it; `refusal.at` does not fall.
  void remember(std::uint64_t hash, const RememberedRefusal& refusal);

  std::size_t size() const { return refusals_.size(); }

 private:
  void forget_old(Instant now);

  std::size_t capacity_;
  std::deque<RememberedRefusal> refusals_;  // the first has the sequence first_
  std::uint32_t first_ = 1;
  FlatIndex index_;  // of sequences
};

}  // namespace firstcome::sale
