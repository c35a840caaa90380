// What the shop changes on a sale: stock, terms, pausing, closing; and its record.
#include "sale/sale_ledger.hpp"

#include <cassert>

namespace firstcome::sale {

bool SaleLedger::created_as(const SaleTerms& terms) const {
  SaleTerms created = terms_;
  created.stock = stock_as_created_.value_or(terms_.stock);
  created.closes_at = closes_at_as_created_.value_or(terms_.closes_at);
  if (opening_as_created_) set_opening_terms(created, *opening_as_created_);
  return created == terms;
}

Units SaleLedger::stock_after(const PatchSale& command) const {
  return command.stock.value_or(terms_.stock) + command.stock_by.value_or(0);
}

/// Returns what stands against a change; `done`: nothing.
Outcome SaleLedger::judge(const PatchSale& command, Instant now) const {
  if (command.if_revision && *command.if_revision != revision_) return Outcome::sale_changed;
  const bool pauses = command.state == PatchSale::State::open || command.state == PatchSale::State::paused;
  if (closed_ && (command.closes_at || pauses)) return Outcome::sale_closed;
  const bool opening = command.opens_at || command.limit_per_customer || command.max_open;
  // Where the clock went back a sale may be scheduled though it has reservations.
  const bool may_change = state(now) == SaleState::scheduled && line_.last() == 0;
  if (opening && !may_change) return Outcome::not_scheduled;
  const Units stock = stock_after(command);
  if (stock < held_ + sold_) return Outcome::stock_in_use;
  if (stock > limits::stock) return Outcome::stock_too_large;
  const auto opens_at = command.opens_at.value_or(terms_.opens_at);
  const auto closes_at = command.closes_at.value_or(terms_.closes_at);
  const bool moves = command.opens_at || command.closes_at;
  return moves && opens_at && closes_at && *closes_at <= *opens_at ? Outcome::contradicting_terms : Outcome::done;
}

Outcome SaleLedger::patch(const PatchSale& command, Instant now) {
  if (const Outcome judged = judge(command, now); judged != Outcome::done) return judged;
  const std::uint64_t events_before = events_;
  set_stock(stock_after(command), now);
  change_terms(command, now);
  pause_or_resume(command.state, now);
  const bool close_now =
      command.state == PatchSale::State::closed || (terms_.closes_at && when(*terms_.closes_at) <= now);
  if (close_now && !closed_) close(now);
  const bool changed = events_ != events_before;
  if (changed) ++revision_;
  settle_after_command(now);
  return changed ? Outcome::done : Outcome::unchanged;
}

void SaleLedger::set_stock(Units stock, Instant now) {
  if (stock == terms_.stock) return;
  if (!stock_as_created_) stock_as_created_ = terms_.stock;
  available_ += stock - terms_.stock;
  terms_.stock = stock;
  emit(EventType::stock_changed, now, 0, terms_.stock);
  assert_equation();
}

void SaleLedger::change_terms(const PatchSale& command, Instant now) {
  const OpeningTerms before = opening_terms(terms_);
  const OpeningTerms after = opening_terms(terms_, command);
  const auto closes_at = command.closes_at.value_or(terms_.closes_at);
  if (after == before && closes_at == terms_.closes_at) return;
  if (after != before) {
    if (!opening_as_created_) opening_as_created_ = before;
    set_opening_terms(terms_, after);
    if (terms_.queue) last_tick_ = tick_index(now);  // ticks are counted from the opening
  }
  if (closes_at != terms_.closes_at) {
    if (!closes_at_as_created_) closes_at_as_created_ = terms_.closes_at;
    terms_.closes_at = closes_at;
  }
  emit(EventType::sale_changed, now);
}

void SaleLedger::pause_or_resume(PatchSale::State state, Instant now) {
  const bool pause = state == PatchSale::State::paused;
  if (pause == paused_ || (!pause && state != PatchSale::State::open)) return;
  paused_ = pause;
  emit(pause ? EventType::sale_paused : EventType::sale_resumed, now);
}

SaleRecord SaleLedger::record() const {
  return {.handle = handle_,
          .terms = terms_,
          .created_at = created_at_,
          .closed = closed_,
          .closed_at = closed_at_,
          .settled = settled(),
          .paused = paused_,
          .available = available_,
          .held = held_,
          .sold = sold_,
          .last_number = line_.last(),
          .serving = line_.serving(),
          .sold_out_upto = sold_out_upto_,
          .closed_upto = closed_upto_,
          .last_tick = static_cast<std::uint64_t>(last_tick_),
          .events = events_,
          .revision = revision_,
          .stock_as_created = stock_as_created_,
          .closes_at_as_created = closes_at_as_created_,
          .opening_as_created = opening_as_created_};
}

void SaleLedger::read_record(ShortNumber number, ReservationRecord& record) const {
  const PackedReservation& packed = reservations_[number];
  const auto payment = reservations_.payment(number);
  record.ref = ref(number);
  record.customer = customers_.text(packed.customer);
  record.quantity = packed.quantity;
  record.returned = reservations_.returned(number);
  record.extended = packed.extended;
  record.state = packed.state;
  record.reason = packed.reason;
  record.refund = packed.refund;
  record.created_at = packed.created_at;
  record.expires_at = packed.expires_at;
  record.claimed_at = reservations_.claimed(number) ? reservations_.claimed_at(number) : Instant{};
  record.position = packed.position;
  record.previous = packed.previous;
  record.key = packed.key;
  record.reference = reservations_.reference(number);
  record.payment_id = payment.id;
  record.account_number = payment.account_number;
}

}  // namespace firstcome::sale
