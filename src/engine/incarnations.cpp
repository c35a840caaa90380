#include "engine/incarnations.hpp"

#include <ranges>
#include <utility>

namespace firstcome::engine {

void Incarnations::begin(Incarnation incarnation, SaleHandle first) { made_[first] = incarnation; }

void Incarnations::begin(const Era& era) {
  std::vector<Era>& eras = eras_[value(era.sale)];
  const bool same_place =
      !eras.empty() && eras.back().after_number == era.after_number && eras.back().after_sequence == era.after_sequence;
  if (same_place) {
    eras.back() = era;
  } else {
    eras.push_back(era);
  }
}

void Incarnations::set(SaleHandle sale, std::vector<Era> eras) {
  if (eras.empty()) {
    eras_.erase(value(sale));
  } else {
    eras_[value(sale)] = std::move(eras);
  }
}

Incarnation Incarnations::made_in(SaleHandle sale) const {
  const auto behind = made_.upper_bound(sale);
  return behind == made_.begin() ? no_incarnation : std::prev(behind)->second;
}

/// What holds for a count of the sale, which lies behind `after` of its era and is raised by `added`; null: no era
/// does.
const Era* Incarnations::era_of(SaleHandle sale, std::uint64_t count, std::uint64_t Era::* after) const {
  const auto found = eras_.find(value(sale));
  if (found == eras_.end()) return nullptr;
  for (const Era& era : found->second | std::views::reverse) {
    if (count > era.*after) return &era;
  }
  return nullptr;
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
  if (const auto found = eras_.find(value(sale)); found != eras_.end()) {
    for (const Era& era : found->second) {
      if (told > era.*added && era.*added != 0) counts.push_back(told - era.*added);
    }
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
  if (const auto found = eras_.find(value(sale)); found != eras_.end()) return found->second.back();
  return {.sale = sale, .incarnation = made_in(sale)};
}

}  // namespace firstcome::engine
