// Reserve: the order of answers is replay or reuse, hours, limits, stock (API.md).
#include "sale/next_hold.hpp"
#include "sale/sale_ledger.hpp"

#include <algorithm>
#include <cassert>

namespace firstcome::sale {

/// A Reserve with what is looked up once.
struct SaleLedger::Asking {
  const Reserve& command;
  std::uint64_t customer_hash = 0;
  std::uint64_t key_hash = 0;
  CustomerId customer{};  ///< 0: asks for the first time
};

void SaleLedger::prefetch_indexes(const Reserve& command) const {
  customers_.prefetch(customers_.hash(command.customer));
  if (!command.key) return;
  const std::uint64_t hash = reservations_.hash(command.key);
  reservations_.prefetch(hash);
  context_.refusals.prefetch(hash);
}

void SaleLedger::prefetch_customer(const Reserve& command) const {
  customers_.prefetch_text(customers_.hash(command.customer));
}

void SaleLedger::reserve(const Reserve& command, ReserveAnswer& answer, Instant now) {
  assert(command.quantity >= 1 && command.quantity <= limits::quantity);
  Asking asking{.command = command, .customer_hash = customers_.hash(command.customer)};
  customers_.prefetch(asking.customer_hash);
  if (command.key) {
    asking.key_hash = reservations_.hash(command.key);
    reservations_.prefetch(asking.key_hash);
    context_.refusals.prefetch(asking.key_hash);
  }
  // Whoever asks has looked at the price before, of another sale of this id that is gone.
  if (terms_.unit_price * command.quantity > limits::amount) return;
  run_due(now);
  answer.currency = terms_.currency;
  if (command.key && replay(asking, answer, now)) return;
  asking.customer = customers_.find(command.customer, asking.customer_hash);
  answer.outcome = judge(asking, answer, now);
  if (answer.outcome == Outcome::done || answer.outcome == Outcome::waiting) {
    accept(asking, answer, now);
  } else if (command.key && is_final_refusal(answer.outcome)) {
    context_.refusals.remember(asking.key_hash, refusal_of(command, context_.seed, handle_, answer, now));
  }
}

/// Answers a key that was answered before. Returns whether it was.
bool SaleLedger::replay(const Asking& asking, ReserveAnswer& answer, Instant now) const {
  const Reserve& command = asking.command;
  if (const ShortNumber number = reservations_.find(command.key, asking.key_hash, now)) {
    const Units reserved = reservations_[number].quantity + reservations_.returned(number);
    const bool same = reserved == command.quantity && reservations_.reference(number) == command.reference;
    if (same) fill_as_decided(answer, number);
    answer.outcome = same ? Outcome::unchanged : Outcome::idempotency_key_reused;
    return true;
  }
  const RememberedRefusal* refusal = context_.refusals.find(handle_, command.key, asking.key_hash, now);
  if (refusal == nullptr) return false;
  tell_again(*refusal, command, context_.seed, answer);
  return true;
}

/// The first answer again, from what the decision fixed.
void SaleLedger::fill_as_decided(ReserveAnswer& answer, ShortNumber number) const {
  const PackedReservation& record = reservations_[number];
  answer.ref = ref(number);
  answer.created_at = record.created_at;
  answer.position = record.position;
  if (record.position > 0) {
    answer.state = ReservationState::queued;
    answer.retry_after = ask_again_after();
  } else {
    answer.state = terms_.hold == Milliseconds{0} ? ReservationState::confirmed : ReservationState::held;
  }
  answer.hold = terms_.hold;
  answer.amount = amount_of(record) + terms_.unit_price * reservations_.returned(number);
}

/// Decides; fills what goes with a refusal.
Outcome SaleLedger::judge(const Asking& asking, ReserveAnswer& answer, Instant now) {
  if (closed_) return Outcome::sale_closed;
  if (terms_.opens_at && now < when(*terms_.opens_at)) {
    answer.retry_after = when(*terms_.opens_at) - now;
    return Outcome::sale_not_open;
  }
  if (paused_) return Outcome::sale_paused;
  if (asking.customer != CustomerId{}) correct(customers_[asking.customer]);
  const Outcome outcome = judge_limits(asking, answer);
  return outcome == Outcome::done ? judge_stock(asking.command.quantity, answer, now) : outcome;
}

Outcome SaleLedger::judge_limits(const Asking& asking, ReserveAnswer& answer) const {
  static constexpr Customer nobody{};
  const Customer& customer = asking.customer == CustomerId{} ? nobody : customers_[asking.customer];
  if (const Units left = left_of_limit(customer); asking.command.quantity > left) {
    answer.left = left;
    const bool alone = asking.command.quantity > *terms_.limit_per_customer;
    if (!alone && customer.latest != 0) answer.ref = ref(customer.latest);
    return Outcome::limit_exceeded;
  }
  if (terms_.max_open && customer.open >= *terms_.max_open) {
    answer.ref = ref(latest_open(customer));
    return Outcome::already_open;
  }
  return Outcome::done;
}

Outcome SaleLedger::judge_stock(Units quantity, ReserveAnswer& answer, Instant now) const {
  const Units unsold = available_ + held_;
  if (unsold == 0) return Outcome::sold_out;
  if (unsold < quantity) {
    answer.left = available_;
    return Outcome::not_enough;
  }
  if (!terms_.queue && line_.empty() && available_ >= quantity) return Outcome::done;
  if (terms_.queue || terms_.standby == Standby::yes) return Outcome::waiting;
  answer.left = held_;
  answer.retry_after = next_hold().at - now;
  return Outcome::sold_out_holds_pending;
}

void SaleLedger::accept(const Asking& asking, ReserveAnswer& answer, Instant now) {
  const Reserve& command = asking.command;
  touch();
  CustomerId id = asking.customer;
  if (id == CustomerId{}) {
    id = customers_.insert(command.customer, asking.customer_hash);
    customers_[id].corrected = refused_upto();
  }
  Customer& customer = customers_[id];
  const bool waits = answer.outcome == Outcome::waiting;
  const ShortNumber number = waits ? line_.join() : line_.pass();
  PackedReservation& record = reservations_.add(command.quantity);  // filled in place: this is hot
  assert(reservations_.count() == number);
  record.key = command.key;
  record.created_at = now;
  record.customer = id;
  record.position = waits ? static_cast<std::uint32_t>(line_.waiting()) : 0;
  reservations_.set_reference(number, command.reference);
  context_.changes.inserted.push_back(ref(number));
  if (command.key) reservations_.remember(number, asking.key_hash, now);
  append_to_chain(customer, number);
  customer.units += command.quantity;
  ++customer.open;
  if (waits) {
    emit(EventType::reservation_queued, now, number);
  } else {
    grant(number, now);
  }
  fill_as_decided(answer, number);
  plan();
}

/// How often one who waits should ask.
Milliseconds SaleLedger::ask_again_after() const {
  constexpr Milliseconds shortest{1'000};
  constexpr Milliseconds longest{10'000};
  return terms_.queue ? std::clamp(terms_.queue->tick, shortest, longest) : shortest;
}

}  // namespace firstcome::sale
