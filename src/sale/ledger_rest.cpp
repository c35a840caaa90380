// Which sales are at rest (see sale_rest.cpp), and how many may be brought back at once.
#include "sale/ledger_impl.hpp"

#include <firstcome/limits.hpp>

#include <cassert>
#include <utility>

namespace firstcome::sale {
namespace {

constexpr std::uint64_t weight_of_a_sale = 64;  // in reservations: what a small one costs

std::uint64_t weight_of(const SaleLedger& sale) { return weight_of_a_sale + sale.last_number(); }

}  // namespace

void Ledger::Impl::let_go(Entry& entry) {
  brought_back -= std::exchange(entry.brought_back, 0);
  if (entry.sale->rest()) ++at_rest;
}

void Ledger::Impl::count_out(Entry& entry) {
  brought_back -= std::exchange(entry.brought_back, 0);
  if (entry.sale->at_rest()) --at_rest;
}

/// Lets sales go that were brought back, the longest idle first, until there is room for one that weighs so much.
void Ledger::Impl::make_room(std::uint64_t weight, Instant now) {
  const Instant end = now + limits::idle_sale_in_memory;  // those behind it are in use, or not closed for long
  for (auto at = rests.begin(); at != rests.end() && at->first < end && brought_back + weight > most_brought_back;) {
    Entry& entry = *find(SaleHandle{(at++)->second});
    if (entry.brought_back == 0 || !entry.sale->may_make_way(now)) continue;
    let_go(entry);
    plan_rest(entry);
  }
}

void Ledger::rest(Instant now, std::size_t limit) {
  for (; limit > 0 && !impl_->rests.empty() && impl_->rests.begin()->first <= now; --limit) {
    Impl::Entry& entry = *impl_->find(SaleHandle{impl_->rests.begin()->second});
    if (!entry.sale->needs_to_be_marked() && !entry.sale->touched()) {
      impl_->let_go(entry);
    } else {
      entry.sale->mark_as_settled(now);
    }
    impl_->plan_rest(entry);
  }
}

std::optional<Instant> Ledger::next_rest() const {
  if (impl_->rests.empty()) return std::nullopt;
  return impl_->rests.begin()->first;
}

std::optional<SaleHandle> Ledger::at_rest(ReservationRef ref) const {
  const Impl::Entry* entry = impl_->at_rest == 0 ? nullptr : impl_->find(ref.sale);
  const std::uint64_t number = value(ref.number);
  const bool needed = entry != nullptr && entry->sale->at_rest() && number >= 1 && number <= entry->sale->last_number();
  return needed ? std::optional(ref.sale) : std::nullopt;
}

std::optional<SaleHandle> Ledger::at_rest(std::string_view sale) const {
  const Impl::Entry* entry = impl_->at_rest == 0 ? nullptr : impl_->find(sale);
  return entry != nullptr && entry->sale->at_rest() ? std::optional(entry->sale->handle()) : std::nullopt;
}

Ledger::Memory Ledger::memory() const {
  return {.sales = impl_->by_handle.size() - impl_->at_rest,
          .at_rest = impl_->at_rest,
          .brought_back = impl_->brought_back};
}

bool Ledger::begin_to_bring_back(SaleHandle sale, Instant now) {
  Impl::Entry& entry = *impl_->find(sale);
  assert(entry.sale->at_rest());
  const std::uint64_t weight = weight_of(*entry.sale);
  impl_->make_room(weight, now);
  if (impl_->brought_back != 0 && impl_->brought_back + weight > impl_->most_brought_back) return false;
  impl_->brought_back += entry.brought_back = weight;
  entry.sale->begin_to_bring_back();
  return true;
}

std::optional<std::string> Ledger::finish_bringing_back(SaleHandle sale, Instant now) {
  Impl::Entry& entry = *impl_->find(sale);
  assert(entry.sale->at_rest());
  if (auto problem = entry.sale->finish_restore()) return problem;
  --impl_->at_rest;
  entry.sale->use(now);
  impl_->plan(entry);
  return std::nullopt;
}

void Ledger::give_up_bringing_back(SaleHandle sale) {
  Impl::Entry& entry = *impl_->find(sale);
  assert(entry.sale->at_rest());
  impl_->let_go(entry);
}

std::optional<std::string> Ledger::restore_at_rest(const SaleRecord& record) {
  if (auto wrong = restore(record)) return wrong;
  if (auto wrong = impl_->find(record.handle)->sale->restore_at_rest()) return wrong;
  ++impl_->at_rest;
  return std::nullopt;
}

}  // namespace firstcome::sale
