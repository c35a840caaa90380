// What becomes of a reservation that was accepted: units given back, another customer, units found after all.
#include "sale/sale_ledger.hpp"

#include <cassert>

namespace firstcome::sale {

Decided SaleLedger::give_back(ShortNumber number, const Return& command, Instant now) {
  const ReservationState state = state_of(number);
  if (state == ReservationState::returned) return Outcome::unchanged;
  if (state != ReservationState::confirmed) return Outcome::not_confirmed;
  PackedReservation& record = reservations_[number];
  const Units had = record.quantity;
  if (command.if_quantity && *command.if_quantity != had) return {Outcome::reservation_changed, had};
  const Units back = command.quantity.value_or(had);
  if (back > had) return {Outcome::not_enough, had};
  sold_ -= back;
  available_ += back;
  customers_[record.customer].units -= back;
  changed(number);
  if (back == had) {
    record.state = ReservationState::returned;
    emit(EventType::reservation_returned, now, number);
  } else {
    record.quantity = static_cast<std::uint32_t>(had - back) & 0xFFFFFu;
    reservations_.set_returned(number, reservations_.returned(number) + back);
    emit(EventType::reservation_amended, now, number, had - back);
  }
  assert_equation();
  settle_after_command(now);
  return Outcome::done;
}

Decided SaleLedger::fulfil(ShortNumber number, Instant now) {
  const PackedReservation& record = reservations_[number];
  if (record.state == ReservationState::confirmed) return Outcome::unchanged;
  if (record.state != ReservationState::paid_unfulfilled || record.refund == Refund::done) {
    return Outcome::not_fulfillable;
  }
  if (record.refund == Refund::due) return Outcome::payment_in_progress;
  if (record.quantity > available_) return {Outcome::not_enough, available_};
  Customer& customer = customers_[record.customer];
  correct(customer);
  if (const Units left = left_of_limit(customer); record.quantity > left) return {Outcome::limit_exceeded, left};
  sell_late(number, now);
  settle_after_command(now);
  return Outcome::done;
}

// --- another customer ---

Decided SaleLedger::transfer(ShortNumber number, std::string_view name, Instant now) {
  PackedReservation& record = reservations_[number];
  const bool held = record.state == ReservationState::held;
  if (!held && record.state != ReservationState::confirmed) return Outcome::not_transferable;
  if (customers_.text(record.customer) == name) return Outcome::unchanged;
  if (reservations_.claimed(number)) return Outcome::payment_in_progress;

  static constexpr Customer nobody{};
  const std::uint64_t hash = customers_.hash(name);
  CustomerId receiver = customers_.find(name, hash);
  if (receiver != CustomerId{}) correct(customers_[receiver]);
  const Customer& known = receiver == CustomerId{} ? nobody : customers_[receiver];
  if (const Units left = left_of_limit(known); record.quantity > left) return {Outcome::limit_exceeded, left};
  if (held && terms_.max_open && known.open >= *terms_.max_open) return Outcome::already_open;
  const auto later_of_giver = next_later(customers_[record.customer], number);
  const auto later_of_receiver = next_later(known, number);
  if (!later_of_giver || !later_of_receiver) return Outcome::not_transferable;

  if (receiver == CustomerId{}) {
    receiver = customers_.insert(name, hash);
    customers_[receiver].corrected = refused_upto();
  }
  Customer& from = customers_[record.customer];
  Customer& to = customers_[receiver];
  take_from_chain(from, number, *later_of_giver);
  put_into_chain(to, number, *later_of_receiver);
  from.units -= record.quantity;
  to.units += record.quantity;
  if (held) {
    --from.open;
    ++to.open;
  }
  record.customer = receiver;
  changed(number);
  if (held) {
    emit(EventType::hold_transferred, now, number);
  } else {
    emit(EventType::reservation_transferred, now, number, Units{record.quantity});
  }
  return Outcome::done;
}

}  // namespace firstcome::sale
