#include "rush/verdict.hpp"

#include "api/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace firstcome::rush {
namespace {

using Clicks = std::vector<const Told*>;

bool counts(ReservationState state) { return state == ReservationState::held || state == ReservationState::confirmed; }

bool is_final(ReservationState state) { return state != ReservationState::queued && state != ReservationState::held; }

/// One reservation that somebody was told of: the last that any of the customer's clicks heard.
struct Promise {
  const Told* told = nullptr;
  Moment sent_at{};
  Moment answered_at{};
};

/// A store that has forgotten reservations gives their ids once more, to others.
struct Whose {
  std::string_view reservation;
  std::uint32_t customer = 0;

  bool operator==(const Whose&) const = default;
};

struct HashWhose {
  std::size_t operator()(const Whose& whose) const {
    return std::hash<std::string_view>{}(whose.reservation) ^ whose.customer * std::size_t{0x9e3779b97f4a7c15};
  }
};

/// What was told, by reservation and by customer.
struct Heard {
  std::unordered_map<Whose, Promise, HashWhose> promises;
  std::unordered_map<std::uint32_t, std::uint64_t> unsure;  // reservations by customer that nobody may have told of
  std::unordered_set<std::uint32_t> refused;                // customers told no

  explicit Heard(std::span<const Told> told) {
    std::unordered_set<std::uint32_t> explained;
    for (const Told& click : told) {
      if (click.word == Word::no) refused.insert(click.customer);
      if (click.reservation.empty()) continue;
      add(click);
      if (click.keyed == Keyed::yes) explained.insert(click.request);
    }
    for (const Told& click : told) {
      if (click.unsure == 0 || (click.keyed == Keyed::yes && !explained.insert(click.request).second)) continue;
      unsure[click.customer] += click.unsure;
    }
  }

 private:
  void add(const Told& click) {
    auto [place, fresh] =
        promises.try_emplace({click.reservation, click.customer}, Promise{&click, click.sent_at, click.answered_at});
    Promise& promise = place->second;
    if (fresh) return;
    promise.sent_at = std::min(promise.sent_at, click.sent_at);
    promise.answered_at = std::min(promise.answered_at, click.answered_at);
    if (progress(click) > progress(*promise.told)) promise.told = &click;
  }

  static int progress(const Told& click) { return is_final(click.state) ? 2 : click.state == ReservationState::held; }
};

std::string shown(const TrueReservation& reservation) {
  return fmt::format("{} (number {}, {}, {} units)", reservation.id, reservation.number, api::word(reservation.state),
                     reservation.quantity);
}

// --- told and has --------------------------------------------------------------------------------------------------

/// Whether what the customer last heard may have become what is there now.
bool may_become(const Told& told, ReservationState now) {
  if (told.state == now || told.state == ReservationState::queued) return true;
  if (told.state == ReservationState::held) return now != ReservationState::queued && now != ReservationState::refused;
  if (told.state == ReservationState::confirmed) return now == ReservationState::returned;
  // A charge that ended after its hold takes the unit again, or is paid back.
  return told.state == ReservationState::expired && told.charge_open &&
         (now == ReservationState::confirmed || now == ReservationState::paid_unfulfilled ||
          now == ReservationState::returned);
}

void compare_promise(const Promise& promise, const TrueReservation& has, Verdict& verdict) {
  const Told& told = *promise.told;
  bool yes = !is_final(told.state) || told.state == ReservationState::confirmed;
  bool there = counts(has.state) || has.state == ReservationState::queued;
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
  if (told.number != has.number) verdict.out_of_order.add(fmt::format("{}: told number {}", shown(has), told.number));
}

void compare_untold(const TrueReservation& has, Heard& heard, Verdict& verdict) {
  auto unsure = heard.unsure.find(*has.customer);
  if (unsure != heard.unsure.end() && unsure->second > 0) {
    --unsure->second;
    return;
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
    if (promise != heard.promises.end())
      compare_promise(promise->second, has, verdict);
    else
      compare_untold(has, heard, verdict);
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

// --- units ---------------------------------------------------------------------------------------------------------

Units units_told(const Heard& heard, const Truth& truth) {
  Units units = 0;
  std::unordered_map<Whose, ReservationState, HashWhose> now;
  for (const TrueReservation& has : truth.reservations) {
    const bool told = has.customer && heard.promises.contains({has.id, *has.customer});
    if (has.customer) now.emplace(Whose{has.id, *has.customer}, has.state);
    if (!told && counts(has.state)) units += has.quantity;
  }
  for (const auto& [whose, promise] : heard.promises) {
    if (!counts(promise.told->state)) continue;
    auto place = now.find(whose);
    bool over = place != now.end() && !counts(place->second) && may_become(*promise.told, place->second);
    if (!over) units += promise.told->quantity;
  }
  return units;
}

void count_oversold(const Heard& heard, const Truth& truth, Verdict& verdict) {
  const SaleSeen& sale = truth.after;
  Units listed = 0;
  for (const TrueReservation& has : truth.reservations)
    if (counts(has.state)) listed += has.quantity;
  const std::array<std::pair<Units, const char*>, 3> sums{{
      {sale.held + sale.sold, "the sale says that {} of {} units are held or sold"},
      {listed, "its reservations hold or have {} of {} units"},
      {units_told(heard, truth), "customers were told that they have {} of {} units"},
  }};
  Units most = 0;
  for (const auto& [units, text] : sums) {
    if (units <= sale.stock) continue;
    most = std::max(most, units - sale.stock);
    verdict.oversold.add(fmt::format(fmt::runtime(text), units, sale.stock), 0);
  }
  verdict.oversold.count = static_cast<std::uint64_t>(most);
}

/// Units that are left and that this click's customer would still have taken.
Units left_for(const Told& click, const Truth& truth, bool stock_as_told, bool still_waits) {
  bool sold_out = click.code == "sold-out" &&
                  (click.word == Word::no || (click.word == Word::yes && click.state == ReservationState::refused));
  if (sold_out) return stock_as_told ? truth.after.available : 0;
  if (click.word == Word::waiting) return still_waits ? truth.after.available : 0;
  // They went home; what came back only afterwards was not withheld from them.
  if (click.word == Word::again) return std::min(truth.left.available, truth.after.available);
  return 0;
}

void count_undersold(std::span<const Told> told, const Truth& truth, Verdict& verdict) {
  if (truth.after.state == "closed") return;
  std::unordered_set<std::string_view> waiting;
  // Units that were returned, or put on sale later, prove nothing against a "sold out" of before.
  bool stock_as_told = truth.before.stock == truth.after.stock;
  for (const TrueReservation& has : truth.reservations) {
    if (has.state == ReservationState::returned) stock_as_told = false;
    if (has.state == ReservationState::queued) waiting.insert(has.id);
  }
  Units given = 0;
  for (const Told& click : told) {
    bool still_waits = truth.settled && waiting.contains(click.reservation);
    if (left_for(click, truth, stock_as_told, still_waits) - given < click.quantity) continue;
    given += click.quantity;
    verdict.undersold.add(
        fmt::format("customer {} was told {} and wants {}; {} units are available", click.customer,
                    click.word == Word::waiting ? "to wait" : click.code, click.quantity, truth.after.available),
        static_cast<std::uint64_t>(click.quantity));
  }
}

void count_over_limit(const Truth& truth, Verdict& verdict) {
  if (truth.after.limit_per_customer) {
    std::map<std::uint32_t, Units> units;
    for (const TrueReservation& has : truth.reservations)
      if (has.customer && (counts(has.state) || has.state == ReservationState::queued))
        units[*has.customer] += has.quantity;
    for (const auto& [customer, has] : units)
      if (has > *truth.after.limit_per_customer)
        verdict.over_limit.add(
            fmt::format("customer {} has {} of {} units", customer, has, *truth.after.limit_per_customer));
  }
  if (truth.audit.customers_over_limit > verdict.over_limit.count)
    verdict.over_limit.add(fmt::format("the audit counts {} customers", truth.audit.customers_over_limit),
                           truth.audit.customers_over_limit - verdict.over_limit.count);
}

// --- order ---------------------------------------------------------------------------------------------------------

// Goes through the requests in the order in which they were sent, and knows at each the highest number that had been
// told before it was sent.
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
    bool granted = has->expires_at_ms.has_value() || counts(has->state);
    if (truth.settled && granted && waiting != nullptr)
      verdict.out_of_order.add(fmt::format("{} was granted while {} waits", shown(*has), shown(*waiting)));
    if (has->state == ReservationState::queued && waiting == nullptr) waiting = has;
    if (!has->expires_at_ms) continue;
    // All holds of a sale last equally long, so their ends stand in the order of the grants.
    if (last != nullptr && *has->expires_at_ms < *last->expires_at_ms)
      verdict.out_of_order.add(fmt::format("{} was granted before {}", shown(*has), shown(*last)));
    if (last == nullptr || *has->expires_at_ms > *last->expires_at_ms) last = has;
  }
}

}  // namespace

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
        &Verdict::over_limit, &Verdict::equation, &Verdict::audit, &Verdict::no_order})
    (this->*member).add(other.*member);
}

bool Verdict::kept() const {
  return oversold.count + undersold.count + lost.count + duplicated.count + out_of_order.count + over_limit.count +
             equation.count + audit.count + no_order.count ==
         0;
}

Verdict judge(std::span<const Told> told, const Truth& truth) {
  Verdict verdict;
  Heard heard(told);
  compare(heard, truth, verdict);
  compare_clicks(told, verdict);
  count_oversold(heard, truth, verdict);
  count_undersold(told, truth, verdict);
  count_over_limit(truth, verdict);
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
  if (!truth.audit.ok && truth.audit.mismatches.empty()) verdict.audit.add("the server's audit is not ok");
  return verdict;
}

}  // namespace firstcome::rush
