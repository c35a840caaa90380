// What time brings: ends of holds (sale_holds.cpp), opening and closing, ticks; and who is served next.
#include "sale/next_hold.hpp"
#include "sale/sale_ledger.hpp"

#include <algorithm>
#include <cassert>
#include <limits>

namespace firstcome::sale {

// In the order in which those of one instant are done.
enum class SaleLedger::DueKind : std::uint8_t { hold, opening, closing, tick, nothing };

struct SaleLedger::NextDue {
  DueKind kind = DueKind::nothing;
  Instant at = never;

  void offer(DueKind other, Instant when) {
    if (when < at) *this = {.kind = other, .at = when};
  }
};

std::int64_t SaleLedger::tick_index(Instant now) const {
  const Instant base = first_tick();
  return now < base ? 0 : (now - base) / terms_.queue->tick;
}

Instant SaleLedger::tick_start(std::int64_t index) const { return first_tick() + index * terms_.queue->tick; }

/// What is to be done next of all that is due at `now`. Of ticks only the latest counts.
SaleLedger::NextDue SaleLedger::next_due(Instant now) const {
  NextDue next;
  next.offer(DueKind::hold, next_hold().at);
  if (terms_.opens_at && !opened_) next.offer(DueKind::opening, when(*terms_.opens_at));
  if (terms_.closes_at && !closed_) next.offer(DueKind::closing, when(*terms_.closes_at));
  if (terms_.queue && !closed_) {
    if (const std::int64_t index = tick_index(now); index > last_tick_) next.offer(DueKind::tick, tick_start(index));
  }
  return next.at <= now ? next : NextDue{};
}

SaleLedger::Due SaleLedger::run_due(Instant now, std::size_t& steps) {
  if (now < wake_ && !unfinished()) return Due::none;
  Due left = finish_what_was_begun(now, steps);
  while (left == Due::none) {
    const NextDue next = next_due(now);
    if (next.kind == DueKind::nothing) break;
    if (steps == 0) {
      left = Due::more;
      break;
    }
    --steps;
    begin_due(next.kind, now);
    left = finish_what_was_begun(now, steps);
  }
  plan();
  return left;
}

void SaleLedger::run_due(Instant now) {
  std::size_t all = std::numeric_limits<std::size_t>::max();
  run_due(now, all);
}

void SaleLedger::follow_wall(Instant now) {
  if (closed_ || (!terms_.opens_at && !terms_.closes_at)) return;
  opened_ = false;  // it is noticed again
  // Where the clock went back the ticks go on from where it is, and do not wait until it has come here again.
  if (terms_.queue) last_tick_ = std::min(last_tick_, tick_index(now));
  plan();
}

void SaleLedger::begin_due(DueKind kind, Instant now) {
  switch (kind) {
    case DueKind::hold:
      return end_hold(next_hold(), now);
    case DueKind::opening:
      opened_ = true;
      return;
    case DueKind::closing:
      return close(now);
    case DueKind::tick:
      last_tick_ = tick_index(now);
      tick_grants_left_ = terms_.queue->admit_per_tick;
      return;
    case DueKind::nothing:
      return;
  }
}

/// Serves and refuses whom the last movement of units or the last tick allows to, as far as `steps` go.
SaleLedger::Due SaleLedger::finish_what_was_begun(Instant now, std::size_t& steps) {
  if (settle(now, steps) == Due::more) return Due::more;
  while (tick_grants_left_ > 0) {
    if (paused_ || line_.empty() || reservations_[line_.head()].quantity > available_) break;
    if (steps == 0) return Due::more;
    --steps;
    --tick_grants_left_;
    serve_head(now);
    if (settle(now, steps) == Due::more) return Due::more;  // heads that cannot be served go, and do not count
  }
  tick_grants_left_ = 0;  // what nobody was there to take is not saved up
  return Due::none;
}

/// Grants the head of the line. REQUIRES: its units are available.
void SaleLedger::serve_head(Instant now) {
  const ShortNumber head = line_.head();
  line_.leave(head);
  rate_.count(now);  // of the line alone: units that were simply there tell nothing of how long others wait
  grant(head, now);
}

void SaleLedger::refuse_head(Instant now) {
  const ShortNumber head = line_.head();
  leave_line(head, ReservationState::refused, Reason::sold_out);
  emit(EventType::reservation_refused, now, head);
}

/// Whether the head of the line can be served without a tick, or can never be served. A paused sale leaves its line as
/// it is.
bool SaleLedger::head_moves() const {
  if (paused_ || line_.empty()) return false;
  const Units wanted = reservations_[line_.head()].quantity;
  return wanted > available_ + held_ || (!terms_.queue && wanted <= available_);
}

/// Follows anything that moved units: refuses whom no unit can reach any more; without a queue, serves the line. Where
/// `steps` do not suffice the rest is due at once.
SaleLedger::Due SaleLedger::settle(Instant now, std::size_t& steps) {
  while (head_moves()) {
    if (available_ + held_ == 0) {
      refuse_all_waiting(now);
      break;
    }
    if (steps == 0) {
      unsettled_ = true;
      return Due::more;
    }
    --steps;
    if (reservations_[line_.head()].quantity <= available_) {
      serve_head(now);
    } else {
      refuse_head(now);
    }
  }
  unsettled_ = false;
  return Due::none;
}

/// One command may free a unit for each of a million who wait: it does as much as its turn may, `run_due` the rest.
void SaleLedger::settle_after_command(Instant now) {
  settle(now, context_.steps);
  plan();
}

void SaleLedger::close(Instant now) {
  assert(!closed_);
  closed_ = true;
  closed_at_ = now;
  closed_upto_ = line_.last();
  line_.leave_all();
  tick_grants_left_ = 0;
  emit(EventType::sale_closed, now, closed_upto_);
}

/// Finds again when it must be woken. To be called after everything that may move that.
void SaleLedger::plan() {
  if (unfinished()) {
    wake_ = deadline_ = Instant::min();
    return;
  }
  Instant wake = next_hold().at;
  if (terms_.opens_at && !opened_) wake = std::min(wake, when(*terms_.opens_at));
  if (terms_.closes_at && !closed_) wake = std::min(wake, when(*terms_.closes_at));
  Instant noticed = wake;
  if (terms_.queue && !closed_) {
    const Instant next_tick = tick_start(last_tick_ + 1);
    wake = std::min(wake, next_tick);
    if (!paused_ && !line_.empty() && available_ > 0) noticed = std::min(noticed, next_tick);
  }
  wake_ = wake;
  deadline_ = noticed;
}

}  // namespace firstcome::sale
