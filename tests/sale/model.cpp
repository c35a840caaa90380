#include "sale/model.hpp"

#include <firstcome/limits.hpp>

#include <algorithm>
#include <set>

namespace firstcome::sale {

using namespace std::chrono_literals;
using enum ReservationState;

Units Model::sum(ReservationState state) const {
  Units total = 0;
  for (const ModelReservation& one : all_) total += one.state == state ? one.quantity : 0;
  return total;
}

std::size_t Model::queued() const {
  return static_cast<std::size_t>(std::ranges::count(all_, ReservationState::queued, &ModelReservation::state));
}

std::uint64_t Model::position(std::size_t number) const {
  std::uint64_t ahead = 0;
  for (std::size_t other = 1; other <= number; ++other) ahead += at(other).state == ReservationState::queued ? 1 : 0;
  return ahead;
}

Units Model::units_of(const std::string& customer) const {
  Units total = 0;
  for (const ModelReservation& one : all_) {
    const bool counts =
        one.state == ReservationState::queued || one.state == ReservationState::held || one.state == confirmed;
    if (one.customer == customer && counts) total += one.quantity;
  }
  return total;
}

std::size_t Model::open_of(const std::string& customer) const {
  return static_cast<std::size_t>(std::ranges::count_if(all_, [&](const ModelReservation& one) {
    return one.customer == customer && (one.state == ReservationState::queued || one.state == ReservationState::held);
  }));
}

std::size_t Model::latest_of(const std::string& customer) const {
  for (std::size_t number = count(); number > 0; --number) {
    if (at(number).customer == customer) return number;
  }
  return 0;
}

std::size_t Model::latest_open_of(const std::string& customer) const {
  std::size_t latest = 0;
  for (std::size_t number = 1; number <= count(); ++number) {
    const bool open = at(number).state == ReservationState::queued || at(number).state == ReservationState::held;
    if (open && at(number).customer == customer) latest = number;
  }
  return latest;
}

std::size_t Model::head() const {
  for (std::size_t number = 1; number <= count(); ++number) {
    if (at(number).state == ReservationState::queued) return number;
  }
  return 0;
}

bool Model::is_tick(Instant at) const {
  const Instant base = terms_.opens_at.value_or(created_at_);
  return terms_.queue && at > base && (at - base) % terms_.queue->tick == 0ms;
}

void Model::grant(std::size_t number) {
  ModelReservation& one = get(number);
  one.state = terms_.hold == 0ms ? confirmed : ReservationState::held;
  if (terms_.hold != 0ms) one.expires_at = now_ + terms_.hold;
}

bool Model::grant_head() {
  if (head() == 0 || at(head()).quantity > available()) return false;
  grant(head());
  return true;
}

void Model::settle() {
  if (paused_) return;
  while (head() != 0) {
    const Units unsold = available() + held();
    if (at(head()).quantity > unsold || unsold == 0) {
      get(head()).reason = Reason::sold_out;
      get(head()).state = refused;
    } else if (terms_.queue || !grant_head()) {
      return;
    }
  }
}

void Model::close() {
  closed_ = true;
  for (ModelReservation& one : all_) {
    if (one.state != ReservationState::queued) continue;
    one.state = refused;
    one.reason = Reason::sale_closed;
  }
}

/// A hold that is being charged has a grace.
Instant Model::end_of(const ModelReservation& one) const {
  return one.claimed ? one.expires_at + limits::payment_grace : one.expires_at;
}

bool Model::within_limit(const std::string& customer, Units more) const {
  return !terms_.limit_per_customer || units_of(customer) + more <= *terms_.limit_per_customer;
}

void Model::pass(Instant now) {
  now_ = now;
  std::set<Instant> instants{now};  // at which something may happen: nothing granted on the way ends before now
  Instant last_tick{};
  if (terms_.queue) {
    last_tick = now;
    while (last_tick > clock_ && !is_tick(last_tick)) last_tick -= 1ms;
    instants.insert(last_tick);
  }
  for (const ModelReservation& one : all_) instants.insert(end_of(one));
  if (terms_.closes_at) instants.insert(*terms_.closes_at);
  for (const Instant at : instants) {
    if (at > now) break;
    for (ModelReservation& one : all_) {
      if (one.state != ReservationState::held || end_of(one) > at) continue;
      one.state = expired;
      settle();
    }
    if (!closed_ && terms_.closes_at && *terms_.closes_at <= at) close();
    if (at != last_tick || last_tick <= clock_ || closed_ || paused_) continue;
    for (std::uint32_t granted = 0; granted < terms_.queue->admit_per_tick && grant_head(); ++granted) settle();
  }
  clock_ = now;
}

ReserveAnswer Model::refuse(Outcome outcome, std::size_t number, Units left, Milliseconds retry) const {
  ReserveAnswer answer;
  answer.outcome = outcome;
  answer.ref.number = Number{number};
  answer.left = left;
  answer.retry_after = retry;
  return answer;
}

ReserveAnswer Model::answer_of(std::size_t number) const {
  ReserveAnswer answer;
  answer.ref.number = Number{number};
  answer.created_at = at(number).created_at;
  answer.position = at(number).position;
  answer.state = answer.position > 0  ? ReservationState::queued
                 : terms_.hold == 0ms ? confirmed
                                      : ReservationState::held;
  answer.hold = terms_.hold;
  answer.amount = (at(number).quantity + at(number).returned) * terms_.unit_price;
  return answer;
}

ReserveAnswer Model::reserve(const Reserve& command) {
  if (command.key) {
    for (std::size_t number = count(); number > 0; --number) {
      const ModelReservation& one = at(number);
      if (one.key != command.key || now_ - one.created_at >= 24h) continue;
      ReserveAnswer answer = answer_of(number);
      const bool same = one.quantity + one.returned == command.quantity && one.reference == command.reference;
      answer.outcome = same ? Outcome::unchanged : Outcome::idempotency_key_reused;
      return answer;
    }
    for (const Refusal& refusal : refusals_) {
      if (refusal.key != command.key || now_ - refusal.at >= 10min) continue;
      if (refusal.quantity != command.quantity || refusal.reference != command.reference) {
        return refuse(Outcome::idempotency_key_reused);
      }
      ReserveAnswer answer = refusal.answer;
      answer.replayed_refusal = true;
      return answer;
    }
  }
  const ReserveAnswer answer = decide(command);
  if (command.key && is_final_refusal(answer.outcome)) {
    refusals_.push_back({command.key, now_, command.quantity, std::string{command.reference}, answer});
  }
  return answer;
}

ReserveAnswer Model::decide(const Reserve& command) {
  const std::string customer{command.customer};
  if (closed_) return refuse(Outcome::sale_closed);
  if (terms_.opens_at && now_ < *terms_.opens_at) {
    return refuse(Outcome::sale_not_open, 0, 0, *terms_.opens_at - now_);
  }
  if (paused_) return refuse(Outcome::sale_paused);
  if (!within_limit(customer, command.quantity)) {
    const bool alone = command.quantity > *terms_.limit_per_customer;
    return refuse(Outcome::limit_exceeded, alone ? 0 : latest_of(customer),
                  *terms_.limit_per_customer - units_of(customer));
  }
  if (terms_.max_open && open_of(customer) >= *terms_.max_open) {
    return refuse(Outcome::already_open, latest_open_of(customer));
  }
  const Units unsold = available() + held();
  if (unsold == 0) return refuse(Outcome::sold_out);
  if (unsold < command.quantity) return refuse(Outcome::not_enough, 0, available());
  const bool at_once = !terms_.queue && queued() == 0 && available() >= command.quantity;
  if (!at_once && terms_.standby == Standby::no) {
    Instant next = Instant::max();
    for (const ModelReservation& one : all_) {
      if (one.state == ReservationState::held)
        next = std::min(next, one.expires_at > now_ ? one.expires_at : end_of(one));
    }
    return refuse(Outcome::sold_out_holds_pending, 0, held(), next - now_);
  }
  ModelReservation one;
  one.customer = customer;
  one.quantity = command.quantity;
  one.reference = command.reference;
  one.key = command.key;
  one.created_at = now_;
  one.position = at_once ? 0 : queued() + 1;
  all_.push_back(one);
  if (at_once) grant(count());
  ReserveAnswer answer = answer_of(count());
  answer.outcome = at_once ? Outcome::done : Outcome::waiting;
  return answer;
}

Outcome Model::begin_payment(std::size_t number, BeginPayment::By by) {
  ModelReservation& one = get(number);
  if (by == BeginPayment::By::client && terms_.payment == PaymentMode::automatic) return Outcome::not_client_payment;
  if ((one.state == ReservationState::held || one.state == expired) && one.claimed) return Outcome::request_in_progress;
  if (one.state == ReservationState::held) {
    one.claimed = true;
    return Outcome::done;
  }
  if (one.state == confirmed) return Outcome::unchanged;
  const bool declined = one.reason == Reason::payment_failed || one.reason == Reason::payment_refused;
  if (one.state == cancelled && declined) return Outcome::payment_failed;
  if (one.state == expired) return Outcome::hold_expired;
  if (one.state == paid_unfulfilled) return Outcome::paid_unfulfilled;
  return Outcome::not_held;
}

bool Model::take_again(std::size_t number) {
  ModelReservation& one = get(number);
  one.reason = Reason::none;
  if (closed_ || queued() > 0 || available() < one.quantity || !within_limit(one.customer, one.quantity)) {
    one.state = paid_unfulfilled;
    return false;
  }
  one.state = confirmed;
  return true;
}

Outcome Model::finish_payment(std::size_t number, Charge charge, const std::string& payment_id) {
  ModelReservation& one = get(number);
  if (!one.claimed) return Outcome::unchanged;
  one.claimed = false;
  const bool in_time = one.state == ReservationState::held;
  Outcome outcome = Outcome::done;
  if (charge == Charge::charged) {
    one.payment_id = payment_id;
    if (in_time) {
      one.state = confirmed;
    } else if (!take_again(number)) {
      one.refund = Refund::due;
      outcome = Outcome::paid_unfulfilled;
    }
  } else if (!in_time) {
    outcome = Outcome::hold_expired;
  } else if (charge == Charge::declined || charge == Charge::refused) {
    one.state = cancelled;
    one.reason = charge == Charge::declined ? Reason::payment_failed : Reason::payment_refused;
    outcome = Outcome::payment_failed;
  } else if (one.expires_at <= now_) {
    one.state = expired;
    outcome = Outcome::hold_expired;
  } else {
    outcome = Outcome::gateway_unavailable;
  }
  settle();
  return outcome;
}

Outcome Model::confirm(std::size_t number, const std::string& payment_id) {
  ModelReservation& one = get(number);
  if (terms_.payment == PaymentMode::automatic) return Outcome::not_client_payment;
  if (one.claimed) return Outcome::request_in_progress;
  if (one.state == confirmed) return one.payment_id == payment_id ? Outcome::unchanged : Outcome::already_confirmed;
  if (one.state == paid_unfulfilled) return Outcome::paid_unfulfilled;
  if (one.state != ReservationState::held && one.state != expired && one.state != cancelled) return Outcome::not_held;
  one.payment_id = payment_id;
  bool sold_now = true;
  if (one.state == ReservationState::held) {
    one.state = confirmed;
  } else {
    sold_now = take_again(number);
  }
  settle();
  return sold_now ? Outcome::done : Outcome::paid_unfulfilled;
}

Outcome Model::cancel(std::size_t number) {
  ModelReservation& one = get(number);
  if (one.state == ReservationState::held && one.claimed) return Outcome::payment_in_progress;
  if (one.state == confirmed) return Outcome::already_confirmed;
  if (one.state == cancelled) return Outcome::unchanged;
  if (one.state == expired) return Outcome::hold_expired;
  if (one.state == paid_unfulfilled) return Outcome::paid_unfulfilled;
  if (one.state != ReservationState::queued && one.state != ReservationState::held) return Outcome::not_held;
  one.state = cancelled;
  one.reason = Reason::by_customer;
  settle();
  return Outcome::done;
}

Outcome Model::give_back(std::size_t number, std::optional<Units> quantity, std::optional<Units> if_quantity) {
  ModelReservation& one = get(number);
  if (one.state == returned) return Outcome::unchanged;
  if (one.state != confirmed) return Outcome::not_confirmed;
  if (if_quantity && *if_quantity != one.quantity) return Outcome::reservation_changed;
  const Units back = quantity.value_or(one.quantity);
  if (back > one.quantity) return Outcome::not_enough;
  if (back == one.quantity) {
    one.state = returned;
  } else {
    one.quantity -= back;
    one.returned += back;
  }
  settle();
  return Outcome::done;
}

Outcome Model::extend(std::size_t number, Milliseconds by) {
  ModelReservation& one = get(number);
  const bool may = one.state == ReservationState::held && one.expires_at > now_ && !one.extended && by <= terms_.extend;
  if (!may) return Outcome::not_extendable;
  one.extended = true;
  one.expires_at += by;
  return Outcome::done;
}

Outcome Model::transfer(std::size_t number, const std::string& customer) {
  ModelReservation& one = get(number);
  const bool is_held = one.state == ReservationState::held;
  if (!is_held && one.state != confirmed) return Outcome::not_transferable;
  if (one.customer == customer) return Outcome::unchanged;
  if (one.claimed) return Outcome::payment_in_progress;
  if (!within_limit(customer, one.quantity)) return Outcome::limit_exceeded;
  if (is_held && terms_.max_open && open_of(customer) >= *terms_.max_open) return Outcome::already_open;
  one.customer = customer;
  return Outcome::done;
}

Outcome Model::fulfil(std::size_t number) {
  ModelReservation& one = get(number);
  if (one.state == confirmed) return Outcome::unchanged;
  if (one.state != paid_unfulfilled || one.refund == Refund::done) return Outcome::not_fulfillable;
  if (one.refund == Refund::due) return Outcome::payment_in_progress;
  if (one.quantity > available()) return Outcome::not_enough;
  if (!within_limit(one.customer, one.quantity)) return Outcome::limit_exceeded;
  one.state = confirmed;
  settle();
  return Outcome::done;
}

Outcome Model::finish_refund(std::size_t number) {
  if (at(number).refund != Refund::due) return Outcome::unchanged;
  get(number).refund = Refund::done;
  return Outcome::done;
}

SaleState Model::state() const {
  if (closed_) return SaleState::closed;
  if (terms_.opens_at && now_ < *terms_.opens_at) return SaleState::scheduled;
  if (paused_) return SaleState::paused;
  return available() + held() == 0 ? SaleState::sold_out : SaleState::open;
}

Outcome Model::judge(const PatchSale& command) const {
  using State = PatchSale::State;
  if (command.if_revision && *command.if_revision != revision_) return Outcome::sale_changed;
  const bool for_the_living = command.closes_at || command.state == State::open || command.state == State::paused;
  if (closed_ && for_the_living) return Outcome::sale_closed;
  const bool for_the_unborn = command.opens_at || command.limit_per_customer || command.max_open;
  if (for_the_unborn && state() != SaleState::scheduled) return Outcome::not_scheduled;
  const Units stock = command.stock.value_or(terms_.stock) + command.stock_by.value_or(0);
  if (stock < held() + sold()) return Outcome::stock_in_use;
  if (stock > limits::stock) return Outcome::stock_too_large;
  const auto opens = command.opens_at ? *command.opens_at : terms_.opens_at;
  const auto closes = command.closes_at ? *command.closes_at : terms_.closes_at;
  if ((command.opens_at || command.closes_at) && opens && closes && *closes <= *opens) {
    return Outcome::contradicting_terms;
  }
  return Outcome::done;
}

Outcome Model::patch(const PatchSale& command) {
  using State = PatchSale::State;
  if (const Outcome judged = judge(command); judged != Outcome::done) return judged;
  const SaleTerms before = terms_;
  const bool was_closed = closed_;
  const bool was_paused = paused_;
  terms_.stock = command.stock.value_or(terms_.stock) + command.stock_by.value_or(0);
  if (command.closes_at) terms_.closes_at = *command.closes_at;
  if (command.opens_at) terms_.opens_at = *command.opens_at;
  if (command.limit_per_customer) terms_.limit_per_customer = *command.limit_per_customer;
  if (command.max_open) terms_.max_open = *command.max_open;
  if (command.state == State::paused) paused_ = true;
  if (command.state == State::open) paused_ = false;
  const bool time_over = terms_.closes_at && *terms_.closes_at <= now_;
  if (!closed_ && (command.state == State::closed || time_over)) close();
  settle();
  if (before == terms_ && was_closed == closed_ && was_paused == paused_) return Outcome::unchanged;
  ++revision_;
  return Outcome::done;
}

}  // namespace firstcome::sale
