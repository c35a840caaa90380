// Payment and cancel: one switch per endpoint, one case per state, as in API.md's table.
#include "sale/sale_ledger.hpp"

#include <algorithm>
#include <cassert>

namespace firstcome::sale {

Outcome SaleLedger::begin_payment(ShortNumber number, BeginPayment::By by, Instant now) {
  if (by == BeginPayment::By::client && terms_.payment == PaymentMode::automatic) return Outcome::not_client_payment;
  switch (state_of(number)) {
    case ReservationState::held:
      if (reservations_.claimed(number)) return Outcome::request_in_progress;
      reservations_.claim(number, now);
      changed(number);
      emit(EventType::payment_begun, now, number);
      return Outcome::done;
    case ReservationState::confirmed:
      return Outcome::unchanged;
    case ReservationState::cancelled:
      return reason_of(number) == Reason::payment_failed || reason_of(number) == Reason::payment_refused
                 ? Outcome::payment_failed
                 : Outcome::not_held;
    case ReservationState::expired:  // while its charge runs it may yet be sold
      return reservations_.claimed(number) ? Outcome::request_in_progress : Outcome::hold_expired;
    case ReservationState::paid_unfulfilled:
      return Outcome::paid_unfulfilled;
    case ReservationState::queued:
    case ReservationState::refused:
    case ReservationState::returned:
      break;
  }
  return Outcome::not_held;
}

// A claim runs only on one that is held, or was when the hold ended: nothing else can happen to it meanwhile.
Outcome SaleLedger::finish_payment(ShortNumber number, const FinishPayment& command, Instant now) {
  if (!reservations_.claimed(number)) return Outcome::unchanged;
  const bool in_time = state_of(number) == ReservationState::held;
  assert(in_time || state_of(number) == ReservationState::expired);
  reservations_.end_claim(number);
  changed(number);
  Outcome outcome = Outcome::done;
  switch (command.charge) {
    case Charge::charged:
      reservations_.set_payment(number, command.payment.id, command.payment.account_number);
      if (in_time) {
        sell_hold(number, now);
      } else if (!take_again(number, now)) {
        leave_unfulfilled(number, now);
        reservations_[number].refund = Refund::due;
        find_payment_work(number);
        outcome = Outcome::paid_unfulfilled;
      }
      break;
    case Charge::declined:
    case Charge::refused:
      if (in_time) {
        const bool tried = command.charge == Charge::declined;
        leave_hold(number, ReservationState::cancelled, tried ? Reason::payment_failed : Reason::payment_refused);
      }
      emit(command.charge == Charge::declined ? EventType::payment_failed : EventType::payment_refused, now, number);
      outcome = in_time ? Outcome::payment_failed : Outcome::hold_expired;
      break;
    case Charge::unreachable:
      emit(EventType::payment_unreachable, now, number);
      // In its grace it was only waiting for this answer.
      if (in_time && reservations_[number].expires_at <= now) expire(number, now);
      outcome = state_of(number) == ReservationState::held ? Outcome::gateway_unavailable : Outcome::hold_expired;
      break;
  }
  settle_after_command(now);
  return outcome;
}

Outcome SaleLedger::confirm(ShortNumber number, const std::string& payment_id, Instant now) {
  if (terms_.payment == PaymentMode::automatic) return Outcome::not_client_payment;
  if (reservations_.claimed(number)) return Outcome::request_in_progress;
  Outcome outcome = Outcome::done;
  switch (state_of(number)) {
    case ReservationState::held:
      sell_hold(number, now);
      break;
    case ReservationState::expired:
    case ReservationState::cancelled:
      if (!take_again(number, now)) {
        leave_unfulfilled(number, now);
        outcome = Outcome::paid_unfulfilled;
      }
      break;
    case ReservationState::confirmed:
      return reservations_.payment(number).id == payment_id ? Outcome::unchanged : Outcome::already_confirmed;
    case ReservationState::paid_unfulfilled:
      return Outcome::paid_unfulfilled;
    case ReservationState::queued:
    case ReservationState::refused:
    case ReservationState::returned:
      return Outcome::not_held;
  }
  reservations_.set_payment(number, payment_id, {});
  settle_after_command(now);
  return outcome;
}

Outcome SaleLedger::cancel(ShortNumber number, Instant now) {
  switch (state_of(number)) {
    case ReservationState::queued:
      leave_line(number, ReservationState::cancelled, Reason::by_customer);
      break;
    case ReservationState::held:
      if (reservations_.claimed(number)) return Outcome::payment_in_progress;
      leave_hold(number, ReservationState::cancelled, Reason::by_customer);
      break;
    case ReservationState::confirmed:
      return Outcome::already_confirmed;
    case ReservationState::cancelled:
      return Outcome::unchanged;
    case ReservationState::expired:
      return Outcome::hold_expired;
    case ReservationState::paid_unfulfilled:
      return Outcome::paid_unfulfilled;
    case ReservationState::refused:
    case ReservationState::returned:
      return Outcome::not_held;
  }
  emit(EventType::reservation_cancelled, now, number);
  settle_after_command(now);
  return Outcome::done;
}

Outcome SaleLedger::finish_refund(ShortNumber number, Instant now) {
  PackedReservation& record = reservations_[number];
  if (record.refund != Refund::due) return Outcome::unchanged;
  record.refund = Refund::done;
  --refunds_due_;
  changed(number);
  emit(EventType::refund_done, now, number);
  return Outcome::done;
}

// --- work for the payment worker ---

/// A task that is not a plain charge, where there is one.
void SaleLedger::find_payment_work(ShortNumber number) {
  const PackedReservation& record = reservations_[number];
  PaymentTask task{.ref = ref(number), .action = PaymentTask::Action::refund, .amount = amount_of(record)};
  if (record.refund == Refund::due) {
    ++refunds_due_;
  } else if (reservations_.claimed(number)) {
    task.action = PaymentTask::Action::settle;
  } else {
    return;
  }
  context_.work.tasks.push_back(task);
  context_.changes.payment_work = true;
}

bool SaleLedger::is_due(const PaymentTask& task) const {
  if (at_rest_) return false;
  const auto number = static_cast<ShortNumber>(value(task.ref.number));
  if (task.action == PaymentTask::Action::refund) return reservations_[number].refund == Refund::due;
  return reservations_.claimed(number);
}

void SaleLedger::want_charging() {
  context_.changes.payment_work = true;
  if (wants_charging_) return;
  wants_charging_ = true;
  context_.work.to_charge.push_back(handle_);
}

bool SaleLedger::take_charges(std::vector<PaymentTask>& tasks, std::size_t limit, Instant now) {
  constexpr std::size_t looked_at = 65'536;  // in one go; most of them may have been decided long ago
  if (at_rest_) charging_ = line_.serving() + 1;
  for (std::size_t looked = 0; charging_ <= line_.serving(); ++charging_, ++looked) {
    if (looked == looked_at) {
      context_.changes.payment_work = true;  // whoever asked is rung again
      return false;
    }
    const PackedReservation& record = reservations_[charging_];
    if (record.state != ReservationState::held || record.expires_at <= now || reservations_.claimed(charging_))
      continue;
    if (tasks.size() >= limit) return false;
    tasks.push_back({.ref = ref(charging_), .action = PaymentTask::Action::charge, .amount = amount_of(record)});
  }
  wants_charging_ = false;
  return true;
}

}  // namespace firstcome::sale
