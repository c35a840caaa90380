// Holds that end, each as early as it may: those in the order of numbers, found by a cursor; those that outlive their
// end because they are being charged; and those that were extended.
#include "sale/next_hold.hpp"
#include "sale/sale_ledger.hpp"

#include <cassert>

namespace firstcome::sale {

/// The first number whose hold ends in the order of numbers; 0: none.
ShortNumber SaleLedger::next_in_order() const {
  if (held_ == exceptions_) return 0;
  while (reservations_[expiring_].state != ReservationState::held || reservations_[expiring_].extended) ++expiring_;
  assert(expiring_ <= line_.serving());
  return expiring_;
}

/// The first number that is in its grace; 0: none.
ShortNumber SaleLedger::next_in_grace() const {
  if (in_grace_ == 0) return 0;
  while (reservations_[in_grace_from_].state != ReservationState::held || reservations_[in_grace_from_].extended) {
    ++in_grace_from_;
  }
  assert(in_grace_from_ < expiring_);
  return in_grace_from_;
}

SaleLedger::NextHold SaleLedger::next_hold() const {
  NextHold next;
  if (const ShortNumber number = next_in_order()) next.offer(reservations_[number].expires_at, number);
  if (const ShortNumber number = next_in_grace()) {
    next.offer(reservations_[number].expires_at + limits::payment_grace, number);
  }
  for (; !extended_ends_.empty(); extended_ends_.pop()) {
    const auto& [at, number] = extended_ends_.top();
    if (reservations_[number].state != ReservationState::held) continue;
    next.offer(at, number);
    break;
  }
  return next;
}

/// The instant of `hold` has come.
void SaleLedger::end_hold(const NextHold& hold, Instant now) {
  const PackedReservation& record = reservations_[hold.number];
  const Instant latest = record.expires_at + limits::payment_grace;
  if (!reservations_.claimed(hold.number) || hold.at >= latest) return expire(hold.number, now);
  if (record.extended) {
    extended_ends_.pop();  // the top is this one
    extended_ends_.emplace(latest, hold.number);
  } else {
    begin_grace(hold.number);
  }
}

void SaleLedger::begin_grace(ShortNumber number) {
  assert(number == expiring_);
  ++expiring_;
  if (in_grace_ == 0) in_grace_from_ = number;
  ++in_grace_;
  exceptions_ += reservations_[number].quantity;
}

/// To be called before a hold ends: it is no exception any more.
void SaleLedger::leave_exceptions(ShortNumber number) {
  const PackedReservation& record = reservations_[number];
  if (!record.extended && number >= expiring_) return;
  exceptions_ -= record.quantity;
  if (!record.extended) --in_grace_;
}

void SaleLedger::expire(ShortNumber number, Instant now) {
  leave_hold(number, ReservationState::expired, Reason::none);
  emit(EventType::reservation_expired, now, number);
}

Outcome SaleLedger::extend(ShortNumber number, Milliseconds by, Instant now) {
  PackedReservation& record = reservations_[number];
  const bool held = record.state == ReservationState::held && record.expires_at > now;
  if (!held || record.extended || by <= Milliseconds{0} || by > terms_.extend) return Outcome::not_extendable;
  record.expires_at += by;
  record.extended = true;
  exceptions_ += record.quantity;
  extended_ends_.emplace(record.expires_at, number);
  changed(number);
  emit(EventType::reservation_extended, now, number);
  plan();
  return Outcome::done;
}

}  // namespace firstcome::sale
