// What time brings: ends of holds, opening and closing, ticks; and who is served next.
#include "sale/sale_ledger.hpp"

#include <algorithm>
#include <cassert>
#include <limits>

namespace firstcome::sale {

namespace {

// In the order in which those of one instant are done.
enum class DueKind : std::uint8_t { hold, opening, closing, tick, nothing };

}  // namespace

struct SaleLedger::NextDue {
  DueKind kind = DueKind::nothing;
  Instant at = never;

  void offer(DueKind other, Instant when) {
    if (when < at) *this = {.kind = other, .at = when};
  }
};

std::int64_t SaleLedger::tick_index(Instant now) const {
  const Instant base = terms_.opens_at.value_or(created_at_);
  return now < base ? 0 : (now - base) / terms_.queue->tick;
}

Instant SaleLedger::tick_start(std::int64_t index) const {
  return terms_.opens_at.value_or(created_at_) + index * terms_.queue->tick;
}

/// The first number that is held; 0: none. Holds end in the order of their numbers.
ShortNumber SaleLedger::next_to_expire() const {
  if (held_ == 0) return 0;
  while (reservations_[expiring_].state != ReservationState::held) ++expiring_;
  assert(expiring_ <= line_.serving());
  return expiring_;
}

/// What is to be done next of all that is due at `now`. Of ticks only the latest counts.
SaleLedger::NextDue SaleLedger::next_due(Instant now) const {
  NextDue next;
  if (const ShortNumber number = next_to_expire()) next.offer(DueKind::hold, reservations_[number].expires_at);
  if (terms_.opens_at && !opened_) next.offer(DueKind::opening, *terms_.opens_at);
  if (terms_.closes_at && !closed_) next.offer(DueKind::closing, *terms_.closes_at);
  if (terms_.queue && !closed_) {
    if (const std::int64_t index = tick_index(now); index > last_tick_) next.offer(DueKind::tick, tick_start(index));
  }
  return next.at <= now ? next : NextDue{};
}

SaleLedger::Due SaleLedger::run_due(Instant now, std::size_t& budget) {
  if (now < wake_) return Due::none;
  Due left = Due::none;
  for (NextDue next = next_due(now); next.kind != DueKind::nothing; next = next_due(now)) {
    if (next.kind == DueKind::hold) {
      if (budget == 0) {
        left = Due::more;
        break;
      }
      --budget;
      expire(next_to_expire(), now);
    } else if (next.kind == DueKind::opening) {
      opened_ = true;
    } else if (next.kind == DueKind::closing) {
      close(now);
    } else {
      last_tick_ = tick_index(now);
      tick(now);
    }
    settle(now);
  }
  plan();
  return left;
}

void SaleLedger::run_due(Instant now) {
  std::size_t all = std::numeric_limits<std::size_t>::max();
  run_due(now, all);
}

void SaleLedger::expire(ShortNumber number, Instant now) {
  leave_hold(number, ReservationState::expired, Reason::none);
  emit(EventType::reservation_expired, now, number);
}

void SaleLedger::tick(Instant now) {
  for (std::uint32_t granted = 0; granted < terms_.queue->admit_per_tick; ++granted) {
    settle(now);  // heads that cannot be served go first, and do not count
    if (line_.empty() || !serve_head(now)) return;
  }
}

/// Grants the head of the line if its units are available.
bool SaleLedger::serve_head(Instant now) {
  const ShortNumber head = line_.head();
  if (reservations_[head].quantity > available_) return false;
  line_.leave(head);
  grant(head, now);
  return true;
}

/// After anything that moved units: refuses whom no unit can reach any more; without a queue, serves the line.
void SaleLedger::settle(Instant now) {
  while (!line_.empty()) {
    if (available_ + held_ == 0) return refuse_all_waiting(now);
    const ShortNumber head = line_.head();
    if (reservations_[head].quantity > available_ + held_) {
      leave_line(head, ReservationState::refused, Reason::sold_out);
      emit(EventType::reservation_refused, now, head);
    } else if (terms_.queue || !serve_head(now)) {
      return;
    }
  }
}

void SaleLedger::close(Instant now) {
  assert(!closed_);
  closed_ = true;
  closed_at_ = now;
  closed_upto_ = line_.last();
  line_.leave_all();
  emit(EventType::sale_closed, now, closed_upto_);
}

/// Finds again when it must be woken. To be called after everything that may move that.
void SaleLedger::plan() {
  Instant wake = never;
  if (const ShortNumber number = next_to_expire()) wake = reservations_[number].expires_at;
  if (terms_.opens_at && !opened_) wake = std::min(wake, *terms_.opens_at);
  if (terms_.closes_at && !closed_) wake = std::min(wake, *terms_.closes_at);
  Instant noticed = wake;
  if (terms_.queue && !closed_) {
    const Instant next_tick = tick_start(last_tick_ + 1);
    wake = std::min(wake, next_tick);
    if (!line_.empty() && available_ > 0) noticed = std::min(noticed, next_tick);
  }
  wake_ = wake;
  deadline_ = noticed;
}

}  // namespace firstcome::sale
