#include "sale/refusal_memory.hpp"

#include <cassert>

namespace firstcome::sale {

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
