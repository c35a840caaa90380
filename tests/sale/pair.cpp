#include "sale/pair.hpp"

#include <firstcome/limits.hpp>

#include <set>

namespace firstcome::sale {

void Pair::compare() {
  model_.pass(now_);
  const SaleView sale = ledger_.apply(GetSale{"s"}, now_).sale;
  EXPECT_EQ(sale.available, model_.available());
  EXPECT_EQ(sale.held, model_.held());
  EXPECT_EQ(sale.sold, model_.sold());
  EXPECT_EQ(sale.queued, model_.queued());
  EXPECT_EQ(static_cast<int>(sale.state), static_cast<int>(model_.state()));
  EXPECT_EQ(sale.revision, model_.revision());
  EXPECT_EQ(sale.terms, model_.terms());
  for (std::size_t number = 1; number <= model_.count(); ++number) compare_one(number);
  EXPECT_EQ(ledger_.apply(GetReservation{ref(model_.count() + 1)}, now_).outcome, Outcome::reservation_not_found);
  store();
  check_events();
  check_promises();
}

void Pair::compare_one(std::size_t number) {
  const ModelReservation& mine = model_.at(number);
  const ReservationView its = ledger_.apply(GetReservation{ref(number)}, now_).reservation;
  EXPECT_EQ(static_cast<int>(mine.state), static_cast<int>(its.state)) << "number " << number;
  EXPECT_EQ(static_cast<int>(mine.reason), static_cast<int>(its.reason)) << "number " << number;
  EXPECT_EQ(mine.customer, its.customer);
  EXPECT_EQ(mine.quantity, its.quantity);
  EXPECT_EQ(mine.reference, its.reference);
  EXPECT_EQ(mine.quantity * model_.terms().unit_price, its.amount);
  EXPECT_EQ((mine.quantity + mine.returned) * model_.terms().unit_price, its.charged);
  EXPECT_EQ(mine.created_at, its.created_at);
  EXPECT_EQ(mine.expires_at, its.expires_at.value_or(Instant{})) << "number " << number;
  EXPECT_EQ(mine.payment_id, its.payment ? its.payment->id : "") << "number " << number;
  if (mine.state == ReservationState::queued) {
    EXPECT_EQ(model_.position(number), its.position.value_or(0)) << "number " << number;
    if (its.eta) {
      EXPECT_GE(*its.eta, 0ms);
    }
  } else {
    EXPECT_EQ(its.position, std::nullopt);
  }
  if (mine.state == ReservationState::held) {
    if (!mine.claimed) {
      EXPECT_GT(its.expires_in.value_or(0ms), 0ms);
    }
    EXPECT_EQ(its.expires_in.value_or(-1ms), std::max(mine.expires_at - now_, 0ms));
  }
}

// The promises of DESIGN.md in their own words, from what is stored, without the model.
void Pair::check_promises() {
  const SaleRecord& sale = sale_record();
  EXPECT_EQ(sale.available + sale.held + sale.sold, sale.terms.stock);
  EXPECT_TRUE(sale.available >= 0 && sale.held >= 0 && sale.sold >= 0);
  std::map<std::string, Units> units;
  Units head = 0;
  for (const auto& [name, record] : stored_.reservations) {
    const bool waits =
        record.state == ReservationState::queued && value(name.number) > std::max(sale.sold_out_upto, sale.closed_upto);
    if (waits && head == 0) head = record.quantity;
    const bool counts = waits || record.state == ReservationState::held || record.state == ReservationState::confirmed;
    if (counts) units[record.customer] += record.quantity;
    if (record.state == ReservationState::held) {
      const Milliseconds grace = record.claimed_at == Instant{} ? 0ms : limits::payment_grace;
      EXPECT_GT(record.expires_at + grace, now_) << "6: a hold outlived its end";
    }
  }
  for (const auto& [customer, owned] : units) {
    if (sale.terms.limit_per_customer) {
      EXPECT_LE(owned, *sale.terms.limit_per_customer) << "2: " << customer;
    }
  }
  if (head == 0 || sale.paused) return;
  EXPECT_LE(head, sale.available + sale.held) << "5: a head that can never be served";
  if (!sale.terms.queue) {
    EXPECT_GT(head, sale.available) << "1: a unit was not offered to the next in line";
  }
}

void Pair::check_events() {
  std::set<std::uint64_t> ended_before;  // and were paid later: those are no grants in the order of the line
  for (std::size_t index = 0; index < stored_.events.size(); ++index) {
    const EventRecord& event = stored_.events[index];
    EXPECT_EQ(event.sale_sequence, index + 1) << "events without gaps";
    const std::uint64_t number = value(event.number);
    if (event.type == EventType::reservation_expired || event.type == EventType::reservation_cancelled) {
      ended_before.insert(number);
    }
    if (index < events_seen_) continue;
    const bool granted = event.type == EventType::reservation_held ||
                         (event.type == EventType::reservation_confirmed && model_.terms().hold == 0ms);
    if (!granted || ended_before.contains(number)) continue;
    EXPECT_GT(number, last_granted_) << "5: units go out in number order";
    last_granted_ = number;
  }
  events_seen_ = stored_.events.size();
}

}  // namespace firstcome::sale
