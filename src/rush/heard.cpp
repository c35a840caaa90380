#include "rush/heard.hpp"

#include <algorithm>

namespace firstcome::rush {
namespace {

int progress(const Told& click) { return is_final(click.state) ? 2 : click.state == ReservationState::held; }

}  // namespace

bool has_units(ReservationState state) {
  return state == ReservationState::held || state == ReservationState::confirmed;
}

bool is_final(ReservationState state) { return state != ReservationState::queued && state != ReservationState::held; }

bool may_become(const Told& told, ReservationState now) {
  if (told.state == now || told.state == ReservationState::queued) return true;
  if (told.state == ReservationState::held) return now != ReservationState::queued && now != ReservationState::refused;
  if (told.state == ReservationState::confirmed) return now == ReservationState::returned;
  // A charge that ends after its hold takes the unit again, or is paid back.
  return told.state == ReservationState::expired && told.charge_open &&
         (now == ReservationState::confirmed || now == ReservationState::paid_unfulfilled ||
          now == ReservationState::returned);
}

Heard::Heard(std::span<const Told> told) {
  std::unordered_set<std::uint32_t> explained;
  for (const Told& click : told) {
    if (click.word == Word::no) refused.insert(click.customer);
    if (click.reservation.empty()) continue;
    add(click);
    if (click.keyed == Keyed::yes) explained.insert(click.request);
  }
  for (const Told& click : told) {
    if (click.unsure == 0 || (click.keyed == Keyed::yes && !explained.insert(click.request).second)) continue;
    Unsure& unknown = unsure[click.customer];
    unknown.reservations += click.unsure;
    unknown.quantity = click.quantity;
  }
}

void Heard::add(const Told& click) {
  auto [place, fresh] =
      promises.try_emplace({click.reservation, click.customer}, Promise{&click, click.sent_at, click.answered_at});
  if (fresh) return;
  Promise& promise = place->second;
  promise.sent_at = std::min(promise.sent_at, click.sent_at);
  promise.answered_at = std::min(promise.answered_at, click.answered_at);
  if (progress(click) > progress(*promise.told)) promise.told = &click;
}

}  // namespace firstcome::rush
