// A closed sale at rest: its counters stay in memory, its reservations and customers do not.
//
// A sale is settled once it is closed, nothing is held, and no charge runs and nothing is to be paid back. It stays so
// for good: a closed sale grants no hold, and without one no charge begins. Then its reservations are needed only by
// who names one, or lists them. Whoever asks to reserve is refused before they are looked at, and keys are older than
// they are kept for. So the sale's own state, its stock, its deletion and its place in the list of sales go on without
// them.
#include "sale/sale_ledger.hpp"

#include <firstcome/limits.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace firstcome::sale {

// A key that could still be replayed would need its reservation.
static_assert(limits::closed_sale_in_memory >= limits::key_lifetime);

bool SaleLedger::settled() const { return closed_ && held_ == 0 && reservations_.claims() == 0 && refunds_due_ == 0; }

Instant SaleLedger::rests_at() const {
  if (!closed_ || at_rest_ || recount_ || !settled()) return never;
  const Instant closed_long_ago = closed_at_ + limits::closed_sale_in_memory;
  return used_ == Instant::min() ? closed_long_ago : std::max(closed_long_ago, used_ + limits::idle_sale_in_memory);
}

bool SaleLedger::may_make_way(Instant now) const {
  return rests_at() != never && closed_at_ + limits::closed_sale_in_memory <= now && used_ < now && !touched() &&
         !needs_mark_;
}

void SaleLedger::mark_as_settled(Instant now) {
  touch();
  needs_mark_ = false;
  use(now);
}

bool SaleLedger::rest() {
  assert(settled() && (at_rest_ || !touched()));
  reservations_ = Reservations(context_.seed);
  customers_ = Customers(context_.seed);
  extended_ends_ = {};
  recount_.reset();
  return !std::exchange(at_rest_, true);
}

std::optional<std::string> SaleLedger::restore_at_rest() {
  if (!settled()) return "sale " + terms_.id + ": it is not settled";
  if (recount_->serving != recount_->last_number) return "sale " + terms_.id + ": it is closed, but somebody waits";
  const auto last = static_cast<ShortNumber>(recount_->last_number);
  line_.restore(last, last, [](ShortNumber) { return false; });
  needs_mark_ = false;
  rest();
  return std::nullopt;
}

bool SaleLedger::fits_rest(const ReservationRecord& record) {
  return record.state != ReservationState::held && record.claimed_at == Instant{} && record.refund != Refund::due;
}

void SaleLedger::begin_to_bring_back() {
  assert(at_rest_ && !recount_);
  recount_ = std::make_unique<Recount>(Recount{.last_number = line_.last(), .serving = line_.serving()});
}

}  // namespace firstcome::sale
