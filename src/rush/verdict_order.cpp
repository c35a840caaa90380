#include "rush/verdict_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <unordered_set>
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

namespace {

/// Returns whether units that were set aside or sold may have become available again, or the stock has changed.
bool may_have_come_back(std::span<const Told> told, const Truth& truth) {
  const auto gave_back = [](const TrueReservation& has) {
    return !has_units(has.state) && has.state != ReservationState::queued && has.state != ReservationState::refused;
  };
  // Of a payment that failed within the request, no reservation need be left.
  const auto failed = [](const Told& click) { return click.code == "payment-failed"; };
  return truth.before.stock != truth.after.stock || std::ranges::any_of(truth.reservations, gave_back) ||
         std::ranges::any_of(told, failed);
}

}  // namespace

// Visits the refusals from the last to the first, and keeps the largest request that was sent after each and got all.
void count_refused_too_soon(std::span<const Told> told, const Heard& heard, const Truth& truth, Verdict& verdict) {
  if (may_have_come_back(told, truth)) return;
  std::vector<const Promise*> sent;
  for (const auto& [whose, promise] : heard.promises)
    if (has_units(promise.told->state)) sent.push_back(&promise);
  std::vector<const Told*> refused;
  for (const Told& click : told)
    if (click.word == Word::no && (click.code == "sold-out" || click.code == "not-enough")) refused.push_back(&click);
  std::ranges::sort(sent, std::greater{}, &Promise::sent_at);
  std::ranges::sort(refused, std::greater{}, &Told::refused_at);
  std::unordered_set<std::uint32_t> counted;  // requests
  const Told* largest = nullptr;
  std::size_t next = 0;
  for (const Told* click : refused) {
    for (; next < sent.size() && sent[next]->sent_at > click->refused_at; ++next)
      if (largest == nullptr || sent[next]->told->quantity > largest->quantity) largest = sent[next]->told;
    const Units too_many = click->code == "sold-out" ? 1 : click->quantity;
    if (largest != nullptr && largest->quantity >= too_many && counted.insert(click->request).second)
      verdict.refused_wrongly.add(fmt::format("customer {} was told {}; customer {} asked after that for {} and got {}",
                                              click->customer, click->code, largest->customer, largest->quantity,
                                              largest->reservation));
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
