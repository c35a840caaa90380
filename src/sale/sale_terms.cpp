// What the shop changes on a sale: stock, closing; and its record.
#include "sale/sale_ledger.hpp"

#include <cassert>

namespace firstcome::sale {

bool SaleLedger::created_as(const SaleTerms& terms) const {
  SaleTerms created = terms_;
  created.stock = stock_as_created_.value_or(terms_.stock);
  created.closes_at = closes_at_as_created_.value_or(terms_.closes_at);
  return created == terms;
}

Outcome SaleLedger::patch(const PatchSale& command, Instant now) {
  if (command.closes_at && closed_) return Outcome::sale_closed;
  if (command.stock && *command.stock < held_ + sold_) return Outcome::stock_in_use;
  const std::uint64_t events_before = events_;
  if (command.stock && *command.stock != terms_.stock) {
    assert(*command.stock <= limits::stock);
    if (!stock_as_created_) stock_as_created_ = terms_.stock;
    available_ += *command.stock - terms_.stock;
    terms_.stock = *command.stock;
    emit(EventType::stock_changed, now, 0, terms_.stock);
    assert_equation();
  }
  if (command.closes_at && *command.closes_at != terms_.closes_at) {
    if (!closes_at_as_created_) closes_at_as_created_ = terms_.closes_at;
    terms_.closes_at = *command.closes_at;
    emit(EventType::sale_changed, now);
  }
  const bool close_now = command.close == PatchSale::Close::now || (terms_.closes_at && when(*terms_.closes_at) <= now);
  if (close_now && !closed_) close(now);
  settle_after_command(now);
  return events_ == events_before ? Outcome::unchanged : Outcome::done;
}

bool SaleLedger::deletable() const { return closed_ && held_ == 0 && reservations_.claims() == 0 && refunds_due_ == 0; }

SaleRecord SaleLedger::record() const {
  return {.handle = handle_,
          .terms = terms_,
          .created_at = created_at_,
          .closed = closed_,
          .closed_at = closed_at_,
          .available = available_,
          .held = held_,
          .sold = sold_,
          .last_number = line_.last(),
          .serving = line_.serving(),
          .sold_out_upto = sold_out_upto_,
          .closed_upto = closed_upto_,
          .last_tick = static_cast<std::uint64_t>(last_tick_),
          .events = events_,
          .stock_as_created = stock_as_created_,
          .closes_at_as_created = closes_at_as_created_};
}

void SaleLedger::read_record(ShortNumber number, ReservationRecord& record) const {
  const PackedReservation& packed = reservations_[number];
  const auto payment = reservations_.payment(number);
  record.ref = ref(number);
  record.customer = customers_.text(packed.customer);
  record.quantity = packed.quantity;
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
