#include "rush/totals.hpp"

#include "rush/reply.hpp"

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <unordered_map>

namespace firstcome::rush {
namespace {

constexpr double undecided_most = 0.1;  // of the requests

// The click of a request that heard the most.
int heard(const Told& click) {
  if (click.reservation.empty()) return click.word == Word::nothing ? 0 : 1;
  if (click.state == ReservationState::queued) return 2;
  return click.state == ReservationState::held ? 3 : 4;
}

using States = std::unordered_map<std::string_view, ReservationState>;

void count_reserved(const Told& click, const States& now, Totals& totals) {
  ++totals.served;
  ReservationState state = click.state;
  // What was still open when the customer left has ended since.
  if (state == ReservationState::queued || state == ReservationState::held)
    if (auto place = now.find(click.reservation); place != now.end()) state = place->second;
  const bool ended_undecided = state == ReservationState::held || state == ReservationState::expired;
  totals.payments_undecided += ended_undecided && click.charge_open ? 1 : 0;
  switch (state) {
    case ReservationState::queued:
      ++totals.still_waiting;
      return;
    case ReservationState::held:
      ++totals.still_held;
      return;
    case ReservationState::confirmed:
    case ReservationState::returned:
      ++totals.sold;
      totals.units += click.quantity;
      return;
    case ReservationState::cancelled:
      ++totals.payments_failed;
      return;
    case ReservationState::expired:
      ++totals.expired;
      return;
    case ReservationState::refused:
      ++totals.refused["queued, then " + (click.code.empty() ? "refused" : click.code)];
      return;
    case ReservationState::paid_unfulfilled:
      ++totals.paid_unfulfilled;
      return;
  }
}

void count_unserved(const Told& click, bool sent_home, Totals& totals) {
  totals.undecided += is_decision(click.code) ? 0 : 1;
  if (click.word == Word::no) {
    ++totals.refused[click.code];
  } else if (click.word == Word::again) {
    ++totals.still_waiting;
    totals.went_home += sent_home ? 1 : 0;
  } else {
    ++totals.unanswered;
  }
}

std::uint64_t count_served_twice(const Truth& truth) {
  std::unordered_map<std::uint32_t, std::uint64_t> reservations;
  for (const TrueReservation& has : truth.reservations)
    if (has.customer && has.state != ReservationState::refused) ++reservations[*has.customer];
  std::uint64_t twice = 0;
  for (const auto& [customer, times] : reservations) twice += times > 1 ? 1 : 0;
  return twice;
}

}  // namespace

void Totals::add(const Totals& other) {
  for (std::uint64_t Totals::* const member :
       {&Totals::customers, &Totals::asked, &Totals::queued, &Totals::sold, &Totals::payments_failed, &Totals::expired,
        &Totals::paid_unfulfilled, &Totals::still_held, &Totals::still_waiting, &Totals::unanswered,
        &Totals::served_twice, &Totals::served, &Totals::undecided, &Totals::payments_undecided, &Totals::went_home})
    this->*member += other.*member;
  units += other.units;
  for (const auto& [reason, times] : other.refused) refused[reason] += times;
}

std::optional<std::string> problem_of(const Totals& totals) {
  if (totals.served == 0)
    return fmt::format("nobody was served: of {} requests {} were refused, {} never got a decision", totals.asked,
                       totals.asked - totals.undecided, totals.undecided);
  if (static_cast<double>(totals.undecided) > undecided_most * static_cast<double>(totals.asked))
    return fmt::format("{} of {} requests never got a decision", totals.undecided, totals.asked);
  if (static_cast<double>(totals.payments_undecided) > undecided_most * static_cast<double>(totals.served))
    return fmt::format("{} of {} payments never got a decision", totals.payments_undecided, totals.served);
  return std::nullopt;
}

Totals count(std::span<const Told> told, const Truth& truth) {
  States now;
  now.reserve(truth.reservations.size());
  for (const TrueReservation& has : truth.reservations) now.emplace(has.id, has.state);
  Totals totals;
  totals.served_twice = count_served_twice(truth);
  std::optional<std::uint32_t> customer;  // the last one counted
  // Clicks of one request stand side by side, and so do requests of one customer.
  for (std::size_t i = 0; i < told.size();) {
    const Told* best = &told[i];
    bool waited = false;
    for (std::size_t request = told[i].request; i < told.size() && told[i].request == request; ++i) {
      if (heard(told[i]) > heard(*best)) best = &told[i];
      waited = waited || told[i].waited;
    }
    if (best->word == Word::nothing && best->unsure == 0) continue;
    ++totals.asked;
    totals.customers += customer == best->customer ? 0 : 1;
    customer = best->customer;
    totals.queued += waited ? 1 : 0;
    if (!best->reservation.empty())
      count_reserved(*best, now, totals);
    else
      count_unserved(*best, truth.sent_home, totals);
  }
  return totals;
}

}  // namespace firstcome::rush
