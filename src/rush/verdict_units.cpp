#include "rush/verdict_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace firstcome::rush {
namespace {

/// Returns the units that customers were told of in the end, and those of reservations that nobody was told of.
Units units_told(const Heard& heard, const Truth& truth) {
  Units units = 0;
  std::unordered_map<Whose, ReservationState, HashWhose> now;
  for (const TrueReservation& has : truth.reservations) {
    const bool told = has.customer && heard.promises.contains({has.id, *has.customer});
    if (has.customer) now.emplace(Whose{has.id, *has.customer}, has.state);
    if (!told && has_units(has.state)) units += has.quantity;
  }
  for (const auto& [whose, promise] : heard.promises) {
    if (!has_units(promise.told->state)) continue;
    auto place = now.find(whose);
    bool over = place != now.end() && !has_units(place->second) && may_become(*promise.told, place->second);
    if (!over) units += promise.told->quantity;
  }
  return units;
}

/// A change of the units that customers surely have, at one moment.
struct Change {
  Moment at{};
  Units units = 0;
};

/// Appends when the units of this reservation surely were the customer's. From the answer that told of the hold they
/// are, until the hold may end or its payment may fail; and for good from the answer that told that it is confirmed.
void append_changes(const Told& told, std::vector<Change>& changes) {
  if (told.held_from && told.held_until > *told.held_from) {
    changes.push_back({*told.held_from, told.quantity});
    changes.push_back({told.held_until, -told.quantity});
  }
  if (told.state != ReservationState::confirmed || !told.confirmed_at) return;
  Moment from = *told.confirmed_at;
  if (told.held_from) from = std::max(from, told.held_until);
  changes.push_back({from, told.quantity});
}

std::unordered_set<std::string_view> returned_in(const Truth& truth) {
  std::unordered_set<std::string_view> returned;
  for (const TrueReservation& has : truth.reservations)
    if (has.state == ReservationState::returned) returned.insert(has.id);
  return returned;
}

Units most_of(std::vector<Change>& changes) {
  // What ends at a moment ends before what begins then.
  std::ranges::sort(changes, {}, [](const Change& change) { return std::pair(change.at, change.units); });
  Units now = 0;
  Units most = 0;
  for (const Change& change : changes) most = std::max(most, now += change.units);
  return most;
}

/// Returns the most units that customers surely had at one moment. Cost: O(n log n).
Units most_at_once(const Heard& heard, const Truth& truth) {
  const auto returned = returned_in(truth);
  std::vector<Change> changes;
  for (const auto& [whose, promise] : heard.promises)
    if (!returned.contains(whose.reservation)) append_changes(*promise.told, changes);
  return most_of(changes);
}

/// The same of each customer. Cost: O(n log n).
std::map<std::uint32_t, Units> most_of_each(const Heard& heard, const Truth& truth) {
  const auto returned = returned_in(truth);
  std::map<std::uint32_t, std::vector<Change>> changes;
  for (const auto& [whose, promise] : heard.promises)
    if (!returned.contains(whose.reservation)) append_changes(*promise.told, changes[whose.customer]);
  std::map<std::uint32_t, Units> most;
  for (auto& [customer, of_one] : changes) most.emplace(customer, most_of(of_one));
  return most;
}

/// Returns whether the click was told finally that nothing, or too little, was left.
bool was_told_too_few(const Told& click) {
  return (click.code == "sold-out" || click.code == "not-enough") &&
         (click.word == Word::no || (click.word == Word::yes && click.state == ReservationState::refused));
}

/// Returns the units that are left and that this click's customer would still have taken.
Units left_for(const Told& click, const Truth& truth, bool stock_as_told, bool still_waits) {
  if (was_told_too_few(click)) return stock_as_told ? truth.after.available : 0;
  // Whoever waits, or comes again, gets nothing of a sale that has closed.
  if (truth.after.state == "closed") return 0;
  if (click.word == Word::waiting) return still_waits ? truth.after.available : 0;
  // A customer whose patience was over went home. What came back only afterwards was not withheld from the others.
  if (click.word == Word::again && !truth.sent_home) return std::min(truth.left.available, truth.after.available);
  return 0;
}

/// Units of all reservations that a customer ever had; nothing of who never had one.
struct EverHad {
  Units units = 0;
  bool has_returned = false;  ///< some: what they were before is not known
};

/// Returns why the refusal contradicts the sale, as the end of a sentence; nothing where it does not.
std::optional<std::string_view> contradiction(const Told& click, const Truth& truth, const EverHad* had) {
  const auto& limit = truth.after.limit_per_customer;
  if (click.code == "limit-exceeded") {
    if (!limit) return "the sale has no limit";
    if (had == nullptr && click.quantity <= *limit) return "had no reservation";
    if (had != nullptr && !had->has_returned && had->units + click.quantity <= *limit) return "had room for it";
  }
  if (click.code == "already-open" && had == nullptr) return "had no reservation";
  if (click.code == "sale-closed" && truth.after.state != "closed") return "the sale never closed";
  const bool was_open = truth.before.state == "open" || truth.before.state == "sold_out";
  if (click.code == "sale-not-open" && was_open) return "the sale was open before anybody came";
  return std::nullopt;
}

}  // namespace

void count_oversold(const Heard& heard, const Truth& truth, Verdict& verdict) {
  const SaleSeen& sale = truth.after;
  Units listed = 0;
  for (const TrueReservation& has : truth.reservations)
    if (has_units(has.state)) listed += has.quantity;
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
  const Units stock = std::max({truth.before.stock, truth.left.stock, sale.stock});
  if (const Units at_once = most_at_once(heard, truth); at_once > stock) {
    most = std::max(most, at_once - stock);
    verdict.oversold.add(fmt::format("customers were told that they have {} of {} units at one moment", at_once, stock),
                         0);
  }
  verdict.oversold.count = static_cast<std::uint64_t>(most);
}

void count_undersold(std::span<const Told> told, const Truth& truth, Verdict& verdict) {
  std::unordered_set<std::string_view> waiting;
  std::unordered_set<std::string_view> refused;
  // Units that were returned, or put on sale later, prove nothing against a "sold out" of before.
  bool stock_as_told = truth.before.stock == truth.after.stock;
  for (const TrueReservation& has : truth.reservations) {
    if (has.state == ReservationState::returned) stock_as_told = false;
    if (has.state == ReservationState::queued) waiting.insert(has.id);
    if (has.state == ReservationState::refused) refused.insert(has.id);
  }
  Units given = 0;
  std::unordered_set<std::uint32_t> counted;  // requests: both clicks of a double click are one
  for (const Told& click : told) {
    const bool in_vain = stock_as_told && refused.contains(click.reservation);  // since it last looked
    const bool still_waits = truth.settled && (waiting.contains(click.reservation) || in_vain);
    if (left_for(click, truth, stock_as_told, still_waits) - given < click.quantity) continue;
    if (!counted.insert(click.request).second) continue;
    given += click.quantity;
    verdict.undersold.add(
        fmt::format("customer {} was told {} and wants {}; {} units are available", click.customer,
                    click.word == Word::waiting ? "to wait" : click.code, click.quantity, truth.after.available),
        static_cast<std::uint64_t>(click.quantity));
  }
}

void count_refused_wrongly(std::span<const Told> told, const Truth& truth, Verdict& verdict) {
  std::unordered_map<std::uint32_t, EverHad> had;
  for (const TrueReservation& has : truth.reservations) {
    if (!has.customer) continue;
    EverHad& one = had[*has.customer];
    one.units += has.quantity;
    one.has_returned = one.has_returned || has.state == ReservationState::returned;
  }
  std::unordered_set<std::uint32_t> counted;  // requests
  for (const Told& click : told) {
    if (click.word != Word::no && click.word != Word::again) continue;
    const auto place = had.find(click.customer);
    const auto why = contradiction(click, truth, place == had.end() ? nullptr : &place->second);
    if (why && counted.insert(click.request).second)
      verdict.refused_wrongly.add(fmt::format("customer {} was told {}; {}", click.customer, click.code, *why));
  }
}

void count_never_ending(const Heard& heard, const Truth& truth, Verdict& verdict) {
  if (!truth.settled || truth.before.hold.count() == 0) return;
  for (const TrueReservation& has : truth.reservations)
    if (has.state == ReservationState::held && has.customer && heard.promises.contains({has.id, *has.customer}))
      verdict.undersold.add(fmt::format("{}: its hold never ended", shown(has)),
                            static_cast<std::uint64_t>(has.quantity));
}

void count_over_limit(const Heard& heard, const Truth& truth, Verdict& verdict) {
  if (truth.after.limit_per_customer) {
    // Who had too many at one moment had them, whatever has ended since.
    std::map<std::uint32_t, Units> units;
    if (truth.before.limit_per_customer == truth.after.limit_per_customer) units = most_of_each(heard, truth);
    std::map<std::uint32_t, Units> in_the_end;
    for (const TrueReservation& has : truth.reservations)
      if (has.customer && (has_units(has.state) || has.state == ReservationState::queued))
        in_the_end[*has.customer] += has.quantity;
    for (const auto& [customer, has] : in_the_end) units[customer] = std::max(units[customer], has);
    for (const auto& [customer, has] : units)
      if (has > *truth.after.limit_per_customer)
        verdict.over_limit.add(
            fmt::format("customer {} has {} of {} units", customer, has, *truth.after.limit_per_customer));
  }
  if (truth.audit.customers_over_limit > verdict.over_limit.count)
    verdict.over_limit.add(fmt::format("the audit counts {} customers", truth.audit.customers_over_limit),
                           truth.audit.customers_over_limit - verdict.over_limit.count);
}

}  // namespace firstcome::rush
