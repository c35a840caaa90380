#include "engine/incarnations.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace firstcome::engine {

void Incarnations::begin(Incarnation incarnation, SaleHandle first) { made_[first] = incarnation; }

void Incarnations::begin(const Era& era) {
  Eras eras = eras_of(era.sale);
  const bool same_place =
      !eras.empty() && eras.back().after_number == era.after_number && eras.back().after_sequence == era.after_sequence;
  if (same_place) {
    eras.back() = era;
  } else {
    eras.push_back(era);
  }
  set(era.sale, std::move(eras));
}

void Incarnations::set(SaleHandle sale, Eras eras) {
  if (eras.empty() && eras_of(sale).empty()) return;
  std::shared_ptr<const Shelf>& place = shelves_[value(sale) % shelf_count];
  auto shelf = place ? std::make_shared<Shelf>(*place) : std::make_shared<Shelf>();
  if (eras.empty()) {
    sales_ -= shelf->erase(value(sale));
  } else {
    const auto [at, is_new] = shelf->insert_or_assign(value(sale), std::make_shared<const Eras>(std::move(eras)));
    if (is_new) ++sales_;
  }
  place = std::move(shelf);
}

const Incarnations::Eras& Incarnations::eras_of(SaleHandle sale) const {
  static const Eras none;
  const auto& shelf = shelves_[value(sale) % shelf_count];
  if (!shelf) return none;
  const auto found = shelf->find(value(sale));
  return found == shelf->end() ? none : *found->second;
}

Incarnation Incarnations::made_in(SaleHandle sale) const {
  const auto behind = made_.upper_bound(sale);
  return behind == made_.begin() ? no_incarnation : std::prev(behind)->second;
}

/// What holds for a count of the sale, which lies behind `after` of its era and is raised by `added`; null: no era
/// does.
const Era* Incarnations::era_of(SaleHandle sale, std::uint64_t count, std::uint64_t Era::* after) const {
  const Eras& eras = eras_of(sale);  // each begins at the same place as the one before it, or behind
  const auto behind = std::ranges::lower_bound(eras, count, {}, after);
  return behind == eras.begin() ? nullptr : &*std::prev(behind);
}

ToldNumber Incarnations::told(ReservationRef ref) const {
  const std::uint64_t number = value(ref.number);
  const Era* const era = era_of(ref.sale, number, &Era::after_number);
  if (era == nullptr) return {made_in(ref.sale), number};
  return {era->incarnation, number + era->added_to_number};
}

ToldSequence Incarnations::told_sequence(SaleHandle sale, std::uint64_t sequence) const {
  const Era* const era = era_of(sale, sequence, &Era::after_sequence);
  if (era == nullptr) return {made_in(sale), sequence};
  return {era->incarnation, sequence + era->added_to_sequence};
}

/// The counts that may have been told as `told`: one for each thing that was ever added.
std::vector<std::uint64_t> Incarnations::candidates(SaleHandle sale, std::uint64_t told,
                                                    std::uint64_t Era::* added) const {
  std::vector<std::uint64_t> counts{told};
  std::uint64_t last = 0;
  for (const Era& era : eras_of(sale)) {
    if (era.*added == last) continue;
    last = era.*added;
    if (told > last) counts.push_back(told - last);
  }
  return counts;
}

std::optional<ReservationRef> Incarnations::find(SaleHandle sale, ToldNumber wanted) const {
  for (const std::uint64_t number : candidates(sale, wanted.number, &Era::added_to_number)) {
    const ReservationRef ref{sale, Number{number}};
    if (told(ref) == wanted) return ref;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> Incarnations::find_sequence(SaleHandle sale, ToldSequence wanted) const {
  for (const std::uint64_t sequence : candidates(sale, wanted.sequence, &Era::added_to_sequence)) {
    if (told_sequence(sale, sequence) == wanted) return sequence;
  }
  return std::nullopt;
}

std::optional<SaleHandle> Incarnations::last_beginning() const {
  if (made_.empty()) return std::nullopt;
  return made_.rbegin()->first;
}

Era Incarnations::last_of(SaleHandle sale) const {
  if (const Eras& eras = eras_of(sale); !eras.empty()) return eras.back();
  return {.sale = sale, .incarnation = made_in(sale)};
}

}  // namespace firstcome::engine
