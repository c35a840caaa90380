#include "payment/charge_lines.hpp"

#include <algorithm>
#include <cassert>

namespace firstcome::payment {

namespace {

std::chrono::milliseconds longer(std::chrono::milliseconds pause, const Backoff& backoff) {
  return pause.count() == 0 ? backoff.first : std::min(2 * pause, backoff.longest);
}

}  // namespace

void ChargeLines::add(ReservationRef ref) { push(lines_[ref.sale], ref.sale, {ref}); }

void ChargeLines::push(Line& line, SaleHandle sale, Hold hold) {
  line.ready.push_back(hold);
  if (line.healthy()) ++startable_;
  list(line, sale);
}

/// Lists a line from which something may be taken, now or after its rest.
void ChargeLines::list(Line& line, SaleHandle sale) {
  if (line.listed || line.ready.empty()) return;
  if (line.healthy()) {
    turns_.push_back(sale);
  } else if (line.under_way == 0) {
    resting_.emplace(line.rests_until, sale);
  } else {
    return;  // one at a time
  }
  line.listed = true;
}

void ChargeLines::wake(TimePoint now) {
  while (!later_.empty() && later_.begin()->first <= now) {
    const Hold hold = later_.begin()->second;
    later_.erase(later_.begin());
    Line& line = lines_.at(hold.ref.sale);
    --line.later;
    push(line, hold.ref.sale, hold);
  }
  while (!resting_.empty() && resting_.begin()->first <= now) {
    turns_.push_back(resting_.begin()->second);
    resting_.erase(resting_.begin());
  }
}

std::optional<ChargeLines::Hold> ChargeLines::next(TimePoint now) {
  wake(now);
  while (!turns_.empty()) {
    const SaleHandle sale = turns_.front();
    turns_.pop_front();
    Line& line = lines_.at(sale);
    line.listed = false;
    if (!line.healthy() && (line.under_way > 0 || now < line.rests_until)) {
      list(line, sale);  // it began to rest while it waited for its turn
      continue;
    }
    const Hold hold = line.ready.front();
    line.ready.pop_front();
    if (line.healthy()) --startable_;
    if (hold.pause.count() > 0) --waiting_;
    ++line.under_way;
    list(line, sale);
    return hold;
  }
  return std::nullopt;
}

/// Holds of the sale are tried one at a time from now on, after a pause.
void ChargeLines::rest(Line& line, TimePoint now) {
  if (line.healthy()) {
    startable_ -= line.ready.size();
  } else if (now < line.rests_until) {
    return;  // of an attempt that began before the last failure was known
  }
  line.pause = longer(line.pause, options_.of_sale);
  line.rests_until = now + line.pause;
}

void ChargeLines::heal(Line& line) {
  if (line.healthy()) return;
  line.pause = {};
  startable_ += line.ready.size();
}

void ChargeLines::give_back(Lines::iterator line) {
  assert(line->second.under_way > 0);
  --line->second.under_way;
  list(line->second, line->first);
}

void ChargeLines::forget_if_empty(Lines::iterator line) {
  const Line& empty = line->second;
  if (empty.under_way == 0 && empty.later == 0 && empty.ready.empty()) lines_.erase(line);
}

void ChargeLines::answered(SaleHandle sale) {
  const auto line = lines_.find(sale);
  heal(line->second);
  give_back(line);
  forget_if_empty(line);
}

void ChargeLines::unknown(SaleHandle sale, TimePoint now) {
  const auto line = lines_.find(sale);
  rest(line->second, now);
  give_back(line);
}

void ChargeLines::recovered(SaleHandle sale) {
  const auto line = lines_.find(sale);
  if (line == lines_.end()) return;
  const auto is_this = [&](const auto& one) { return one.second == sale; };
  if (!line->second.healthy() && std::erase_if(resting_, is_this) > 0) line->second.listed = false;
  heal(line->second);
  list(line->second, sale);
  forget_if_empty(line);
}

void ChargeLines::failed(Hold hold, TimePoint now) {
  const auto line = lines_.find(hold.ref.sale);
  hold.pause = longer(hold.pause, options_.of_hold);
  later_.emplace(now + hold.pause, hold);
  ++line->second.later;
  ++waiting_;
  rest(line->second, now);
  give_back(line);
}

void ChargeLines::ended(SaleHandle sale) {
  const auto line = lines_.find(sale);
  give_back(line);
  forget_if_empty(line);
}

std::optional<ChargeLines::TimePoint> ChargeLines::due() const {
  std::optional<TimePoint> due;
  if (!later_.empty()) due = later_.begin()->first;
  if (!resting_.empty()) due = std::min(due.value_or(TimePoint::max()), resting_.begin()->first);
  return due;
}

}  // namespace firstcome::payment
