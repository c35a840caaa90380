#include "rush/verdict.hpp"

#include "api/words.hpp"
#include "rush/verdict_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace firstcome::rush {
namespace {

constexpr Moment rounding = std::chrono::milliseconds{1};  // of `expires_in_ms`

void compare_amount(const TrueReservation& has, const SaleSeen& sale, Verdict& verdict) {
  Units costs = 0;
  const bool too_much = __builtin_mul_overflow(has.quantity, sale.unit_price, &costs);
  if (has.amount && (too_much || *has.amount != costs))
    verdict.altered.add(fmt::format("{}: costs {}, a unit costs {}", shown(has), *has.amount, sale.unit_price));
}

/// Counts where the reservation is not the one that was asked for and told of.
void compare_terms(const Told& told, const TrueReservation& has, const SaleSeen& sale, Verdict& verdict) {
  if (told.quantity_told && *told.quantity_told != told.quantity)
    verdict.altered.add(fmt::format("{}: asked for {} units, told {}", shown(has), told.quantity, *told.quantity_told));
  if (has.quantity != told.quantity && has.state != ReservationState::returned)
    verdict.altered.add(fmt::format("{}: asked for {} units", shown(has), told.quantity));
  compare_amount(has, sale, verdict);
  const bool is_paid = has.state == ReservationState::confirmed || has.state == ReservationState::paid_unfulfilled;
  if (told.state == ReservationState::held && is_paid && sale.payment == "client" && !told.paid)
    verdict.altered.add(fmt::format("{}: nobody has paid for it", shown(has)));
  if (told.named_another) verdict.altered.add(fmt::format("{}: told as another customer's", shown(has)));
}

void compare_promise(const Promise& promise, const TrueReservation& has, Verdict& verdict) {
  const Told& told = *promise.told;
  bool yes = !is_final(told.state) || told.state == ReservationState::confirmed;
  bool there = has_units(has.state) || has.state == ReservationState::queued;
  if (may_become(told, has.state)) {
    verdict.told_yes_has_it += yes && there ? 1 : 0;
    verdict.told_yes_let_go += yes && !there ? 1 : 0;
  } else if (yes) {
    ++verdict.told_yes_has_none;
    verdict.lost.add(fmt::format("{}: told {}", shown(has), api::word(told.state)));
  } else if (there) {
    ++verdict.told_no_has_it;
    verdict.duplicated.add(fmt::format("{}: told {}", shown(has), api::word(told.state)));
  } else {
    verdict.audit.add(fmt::format("{}: told {}", shown(has), api::word(told.state)));
  }
  if (told.ended_at && told.promised_until && *told.ended_at + rounding < *told.promised_until)
    verdict.lost.add(fmt::format("{}: its hold ended {} ms before its time", shown(has),
                                 std::chrono::ceil<Milliseconds>(*told.promised_until - *told.ended_at).count()));
  if (told.number != has.number) verdict.out_of_order.add(fmt::format("{}: told number {}", shown(has), told.number));
}

void compare_untold(const TrueReservation& has, const SaleSeen& sale, Heard& heard, Verdict& verdict) {
  auto unsure = heard.unsure.find(*has.customer);
  if (unsure != heard.unsure.end() && unsure->second.reservations > 0) {
    --unsure->second.reservations;
    if (has.quantity != unsure->second.quantity && has.state != ReservationState::returned)
      verdict.altered.add(fmt::format("{}: asked for {} units", shown(has), unsure->second.quantity));
    return compare_amount(has, sale, verdict);
  }
  bool refused = heard.refused.contains(*has.customer);
  verdict.told_no_has_it += refused ? 1 : 0;
  verdict.duplicated.add(
      fmt::format("{}: customer {} was {}", shown(has), *has.customer, refused ? "told no" : "not told of it"));
}

void compare(Heard& heard, const Truth& truth, Verdict& verdict) {
  std::unordered_set<std::string_view> ids;
  std::unordered_set<Whose, HashWhose> there;
  ids.reserve(truth.reservations.size());
  for (const TrueReservation& has : truth.reservations) {
    if (!ids.insert(has.id).second) verdict.duplicated.add(fmt::format("{}: listed twice", shown(has)));
    if (!has.customer) continue;
    there.insert({has.id, *has.customer});
    auto promise = heard.promises.find({has.id, *has.customer});
    if (promise == heard.promises.end()) {
      compare_untold(has, truth.after, heard, verdict);
      continue;
    }
    compare_promise(promise->second, has, verdict);
    compare_terms(*promise->second.told, has, truth.after, verdict);
  }
  for (const auto& [whose, promise] : heard.promises) {
    if (there.contains(whose)) continue;
    ++verdict.told_yes_has_none;
    verdict.lost.add(fmt::format("{} (number {}): told {}, {}", whose.reservation, promise.told->number,
                                 api::word(promise.told->state),
                                 ids.contains(whose.reservation) ? "is another customer's" : "not in the sale"));
  }
}

// One request, with one key, is one reservation, however often it is sent.
void compare_clicks(std::span<const Told> told, Verdict& verdict) {
  std::unordered_map<std::uint32_t, std::string_view> first;
  for (const Told& click : told) {
    if (click.word == Word::nothing || click.unsure > 0) ++verdict.unknown;
    if (click.reservation.empty() || click.keyed == Keyed::no) continue;
    auto [place, fresh] = first.try_emplace(click.request, click.reservation);
    if (!fresh && place->second != click.reservation)
      verdict.duplicated.add(fmt::format("{} and {}: customer {} asked once, with one key", place->second,
                                         click.reservation, click.customer));
  }
}

}  // namespace

std::string shown(const TrueReservation& reservation) {
  return fmt::format("{} (number {}, {}, {} units)", reservation.id, reservation.number, api::word(reservation.state),
                     reservation.quantity);
}

void Finding::add(std::string what, std::uint64_t times) {
  count += times;
  if (first.size() < named_most) first.push_back(std::move(what));
}

void Finding::add(const Finding& other) {
  count += other.count;
  for (const std::string& what : other.first)
    if (first.size() < named_most) first.push_back(what);
}

void Verdict::add(const Verdict& other) {
  for (std::uint64_t Verdict::* const member :
       {&Verdict::told_yes_has_it, &Verdict::told_yes_let_go, &Verdict::told_yes_has_none, &Verdict::told_no_has_it,
        &Verdict::unknown})
    this->*member += other.*member;
  for (Finding Verdict::* const member :
       {&Verdict::oversold, &Verdict::undersold, &Verdict::lost, &Verdict::duplicated, &Verdict::out_of_order,
        &Verdict::altered, &Verdict::refused_wrongly, &Verdict::over_limit, &Verdict::equation, &Verdict::audit,
        &Verdict::no_order})
    (this->*member).add(other.*member);
}

bool Verdict::kept() const {
  return oversold.count + undersold.count + lost.count + duplicated.count + out_of_order.count + altered.count +
             refused_wrongly.count + over_limit.count + equation.count + audit.count + no_order.count ==
         0;
}

Verdict judge(std::span<const Told> told, const Truth& truth) {
  Verdict verdict;
  Heard heard(told);
  compare(heard, truth, verdict);
  compare_clicks(told, verdict);
  count_oversold(heard, truth, verdict);
  count_undersold(told, truth, verdict);
  count_never_ending(heard, truth, verdict);
  count_refused_wrongly(told, truth, verdict);
  count_refused_too_soon(told, heard, truth, verdict);
  count_over_limit(heard, truth, verdict);
  count_overtaken(heard, verdict);
  count_granted_out_of_order(truth, verdict);
  if (truth.audit.number_inversions > 0)
    verdict.out_of_order.add(fmt::format("the audit counts {}", truth.audit.number_inversions),
                             truth.audit.number_inversions);
  for (const std::string& sentence : truth.unequal) verdict.equation.add(sentence);
  for (const std::string& sentence : truth.audit.mismatches) verdict.audit.add(sentence);
  if (truth.audit.orders_pending > 0)
    verdict.no_order.add(fmt::format("there are {} orders", truth.audit.orders.value_or(0)),
                         truth.audit.orders_pending);
  // Customers over their limit are a finding of their own.
  const bool is_told = !truth.audit.mismatches.empty() || truth.audit.customers_over_limit > 0;
  if (!truth.audit.ok && !is_told) verdict.audit.add("the server's audit is not ok");
  return verdict;
}

}  // namespace firstcome::rush
