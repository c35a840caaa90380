#include "sale/refusal_memory.hpp"

#include "sale/hash.hpp"

#include <cassert>

namespace firstcome::sale {

RememberedRefusal refusal_of(const Reserve& command, std::uint64_t seed, SaleHandle sale, const ReserveAnswer& answer,
                             Instant at) {
  return {.key = command.key,
          .at = at,
          .sale = sale,
          .number = static_cast<ShortNumber>(value(answer.ref.number)),
          .quantity = static_cast<std::uint32_t>(command.quantity),
          .reference_hash = hash_text(command.reference, seed),
          .left = answer.left,
          .outcome = answer.outcome};
}

void tell_again(const RememberedRefusal& refusal, const Reserve& command, std::uint64_t seed, ReserveAnswer& answer) {
  if (refusal.quantity != command.quantity || refusal.reference_hash != hash_text(command.reference, seed)) {
    answer.outcome = Outcome::idempotency_key_reused;
    return;
  }
  answer.outcome = refusal.outcome;
  if (refusal.number != 0) answer.ref = {refusal.sale, Number{refusal.number}};
  answer.left = refusal.left;
  answer.replayed_refusal = true;
}

const RememberedRefusal* RefusalMemory::find(SaleHandle sale, KeyHash key, std::uint64_t hash, Instant now) const {
  if (refusals_.empty()) return nullptr;
  const std::uint32_t sequence = index_.find(hash, first_, [&](std::uint32_t candidate) {
    const RememberedRefusal& refusal = refusals_[candidate - first_];
    return refusal.key == key && refusal.sale == sale && now - refusal.at < limits::refusal_lifetime;
  });
  return sequence == 0 ? nullptr : &refusals_[sequence - first_];
}

void RefusalMemory::remember(std::uint64_t hash, const RememberedRefusal& refusal) {
  assert(refusal.key);
  forget_old(refusal.at);
  if (first_ > UINT32_MAX - 1 - refusals_.size()) {  // sequences are used up: begin again
    refusals_.clear();
    index_.clear();
    first_ = 1;
  }
  refusals_.push_back(refusal);
  const auto sequence = static_cast<std::uint32_t>(first_ + refusals_.size() - 1);
  index_.insert(hash, sequence, first_);
}

void RefusalMemory::forget_old(Instant now) {
  while (!refusals_.empty() &&
         (refusals_.size() >= capacity_ || now - refusals_.front().at >= limits::refusal_lifetime)) {
    refusals_.pop_front();
    ++first_;
  }
}

}  // namespace firstcome::sale
