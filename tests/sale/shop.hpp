// A ledger and an instant, with short words for what tests do to them.
#pragma once

#include "sale/ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::sale {

using namespace std::chrono_literals;

inline constexpr Instant day_one{std::chrono::days{20'000}};

/// A sale `s` with ten units, held for a minute.
inline SaleTerms plain_terms(Units stock = 10) {
  SaleTerms terms;
  terms.id = "s";
  terms.name = "s";
  terms.stock = stock;
  terms.unit_price = 100;
  terms.hold = 60s;
  return terms;
}

inline SaleTerms standby_terms(Units stock = 10) {
  SaleTerms terms = plain_terms(stock);
  terms.standby = Standby::yes;
  return terms;
}

/// Ticks of a second.
inline SaleTerms queue_terms(Units stock = 10, std::uint32_t admit_per_tick = 1) {
  SaleTerms terms = standby_terms(stock);
  terms.queue = QueueTerms{.admit_per_tick = admit_per_tick, .tick = 1s};
  return terms;
}

inline SaleTerms instant_terms(Units stock = 10) {
  SaleTerms terms = plain_terms(stock);
  terms.hold = 0ms;
  return terms;
}

/// What an engine stores: built from the changes alone.
struct Stored {
  std::map<SaleHandle, SaleRecord> sales;
  std::map<ReservationRef, ReservationRecord> reservations;
  std::vector<EventRecord> events;

  /// Also checks what every batch of changes promises.
  void take(Ledger& ledger) {
    const Changes& changes = ledger.changes();
    for (const SaleHandle handle : changes.sales) sales[handle] = ledger.record_of(handle);
    for (const ReservationRef ref : changes.inserted) {
      EXPECT_FALSE(reservations.contains(ref)) << "inserted twice";
      reservations[ref] = ledger.record_of(ref);
    }
    for (const ReservationRef ref : changes.updated) {
      EXPECT_TRUE(reservations.contains(ref)) << "updated, but never inserted";
      EXPECT_EQ(std::ranges::count(changes.inserted, ref), 0);
      EXPECT_EQ(std::ranges::count(changes.updated, ref), 1);
      reservations[ref] = ledger.record_of(ref);
    }
    for (const EventRecord& event : changes.events) events.push_back(event);
    for (const SaleHandle handle : changes.deleted) {
      sales.erase(handle);
      std::erase_if(reservations, [&](const auto& row) { return row.first.sale == handle; });
    }
    ledger.clear_changes();
  }

  /// The first complaint, if any.
  std::optional<std::string> rebuild(Ledger& ledger, Instant now) const {
    for (const auto& [handle, record] : sales) {
      if (auto problem = ledger.restore(record)) return problem;
    }
    for (const auto& [ref, record] : reservations) {
      if (auto problem = ledger.restore(record, now)) return problem;
    }
    return ledger.finish_restore();
  }
};

class Shop {
 public:
  Shop() = default;
  explicit Shop(SaleTerms terms) { create(std::move(terms)); }

  Ledger& ledger() { return ledger_; }
  Instant now() const { return now_; }
  void wait(Milliseconds time) { now_ += time; }
  /// As an engine does when a deadline comes, at each instant that the ledger asks for.
  void wait_awake(Milliseconds time) {
    const Instant until = now_ + time;
    for (auto next = ledger_.next_deadline(); next && *next <= until; next = ledger_.next_deadline()) {
      now_ = std::max(now_, *next);
      EXPECT_EQ(ledger_.advance(now_, 1'000'000), Ledger::Due::none);
    }
    now_ = until;
  }

  template <class C>
  typename C::Answer apply(const C& command) {
    return ledger_.apply(command, now_);
  }

  SaleAnswer create(SaleTerms terms) { return apply(CreateSale{std::move(terms)}); }
  ReserveAnswer reserve(std::string_view customer, Units quantity = 1, std::uint64_t key = 0,
                        std::string_view reference = {}) {
    return apply(Reserve{.sale = "s",
                         .customer = customer,
                         .quantity = quantity,
                         .reference = reference,
                         .key = {.high = key == 0 ? 0u : 7u, .low = key}});
  }
  /// REQUIRES: it is accepted.
  ReservationRef has(std::string_view customer, Units quantity = 1) {
    const ReserveAnswer answer = reserve(customer, quantity);
    EXPECT_TRUE(answer.outcome == Outcome::done || answer.outcome == Outcome::waiting);
    return answer.ref;
  }
  ReservationView get(ReservationRef ref) {
    const ReservationAnswer answer = apply(GetReservation{ref});
    EXPECT_EQ(answer.outcome, Outcome::done);
    return answer.reservation;
  }
  ReservationState state(ReservationRef ref) { return get(ref).state; }
  Reason reason(ReservationRef ref) { return get(ref).reason; }
  std::uint64_t position(ReservationRef ref) { return get(ref).position.value_or(0); }
  Outcome pay(ReservationRef ref, BeginPayment::By by = BeginPayment::By::client) {
    return apply(BeginPayment{.ref = ref, .by = by}).outcome;
  }
  Outcome finish(ReservationRef ref, Charge charge) {
    FinishPayment command{.ref = ref, .charge = charge, .payment = {}};
    if (charge == Charge::charged)
      command.payment = {.id = "paid-" + std::to_string(value(ref.number)), .account_number = "acc"};
    return apply(command).outcome;
  }
  Outcome buy(ReservationRef ref) {
    EXPECT_EQ(pay(ref), Outcome::done);
    return finish(ref, Charge::charged);
  }
  Outcome confirm(ReservationRef ref, std::string payment_id = "shop-1") {
    return apply(Confirm{.ref = ref, .payment_id = std::move(payment_id)}).outcome;
  }
  Outcome cancel(ReservationRef ref) { return apply(Cancel{ref}).outcome; }
  Outcome give_back(ReservationRef ref) { return apply(Return{ref}).outcome; }
  static Reserve request(std::string_view customer) {
    Reserve command;
    command.sale = "s";
    command.customer = customer;
    return command;
  }
  std::vector<ReservationView> reservations_of(const std::string& customer) {
    ListReservations command;
    command.sale = "s";
    command.customer = customer;
    return apply(command).items;
  }
  SaleView sale() {
    const SaleAnswer answer = apply(GetSale{"s"});
    EXPECT_EQ(answer.outcome, Outcome::done);
    EXPECT_EQ(answer.sale.available + answer.sale.held + answer.sale.sold, answer.sale.terms.stock);
    return answer.sale;
  }
  Outcome patch_stock(Units stock) {
    PatchSale command;
    command.sale = "s";
    command.stock = stock;
    return apply(command).outcome;
  }
  Outcome close() {
    PatchSale command;
    command.sale = "s";
    command.state = PatchSale::State::closed;
    return apply(command).outcome;
  }
  std::vector<PaymentTask> tasks(std::uint32_t limit = 256) { return apply(TakePaymentTasks{limit}).tasks; }

  /// The process dies and starts again with what was stored.
  void restart() {
    stored_.take(ledger_);
    Ledger fresh({.hash_seed = 99});
    EXPECT_EQ(stored_.rebuild(fresh, now_), std::nullopt);
    ledger_ = std::move(fresh);
  }
  Stored& stored() {
    stored_.take(ledger_);
    return stored_;
  }
  std::vector<EventType> new_events() {
    std::vector<EventType> types;
    for (const EventRecord& event : ledger_.changes().events) types.push_back(event.type);
    stored_.take(ledger_);
    return types;
  }

 private:
  Ledger ledger_{{.hash_seed = 5}};
  Instant now_ = day_one;
  Stored stored_;
};

}  // namespace firstcome::sale
