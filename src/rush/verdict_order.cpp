#include "rush/verdict_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace firstcome::rush {

// Visits the requests in the order in which they were sent, and keeps the highest number that was told before each.
void count_overtaken(const Heard& heard, Verdict& verdict) {
  std::vector<const Promise*> sent;
  sent.reserve(heard.promises.size());
  for (const auto& [whose, promise] : heard.promises) sent.push_back(&promise);
  std::vector<const Promise*> answered = sent;
  std::ranges::sort(sent, {}, &Promise::sent_at);
  std::ranges::sort(answered, {}, &Promise::answered_at);
  const Promise* highest = nullptr;
  std::size_t next = 0;
  for (const Promise* later : sent) {
    for (; next < answered.size() && answered[next]->answered_at < later->sent_at; ++next)
      if (highest == nullptr || answered[next]->told->number > highest->told->number) highest = answered[next];
    if (highest != nullptr && highest->told->number > later->told->number)
      verdict.out_of_order.add(fmt::format("{} has number {} and was answered before {}, with number {}, was sent",
                                           highest->told->reservation, highest->told->number, later->told->reservation,
                                           later->told->number));
  }
}

void count_granted_out_of_order(const Truth& truth, Verdict& verdict) {
  std::vector<const TrueReservation*> by_number;
  by_number.reserve(truth.reservations.size());
  for (const TrueReservation& has : truth.reservations) by_number.push_back(&has);
  std::ranges::sort(by_number, {}, &TrueReservation::number);
  const TrueReservation* last = nullptr;     // granted, of those before
  const TrueReservation* waiting = nullptr;  // the first that still waits
  std::uint64_t number = 0;
  for (const TrueReservation* has : by_number) {
    if (has->number == number) verdict.out_of_order.add(fmt::format("{}: its number was given twice", shown(*has)));
    number = has->number;
    bool granted = has->expires_at_ms.has_value() || has_units(has->state);
    if (truth.settled && granted && waiting != nullptr)
      verdict.out_of_order.add(fmt::format("{} was granted while {} waits", shown(*has), shown(*waiting)));
    if (has->state == ReservationState::queued && waiting == nullptr) waiting = has;
    if (!has->expires_at_ms) continue;
    // All holds of a sale last equally long, so their ends stand in the order of the grants; unless somebody has
    // prolonged them, by at most what the sale allows.
    if (last != nullptr && *has->expires_at_ms + truth.after.extend.count() < *last->expires_at_ms)
      verdict.out_of_order.add(fmt::format("{} was granted before {}", shown(*has), shown(*last)));
    if (last == nullptr || *has->expires_at_ms > *last->expires_at_ms) last = has;
  }
}

}  // namespace firstcome::rush
