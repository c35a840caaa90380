// What the ledger's changes say, and how it is built again.
#include "sale/ledger_impl.hpp"

#include <algorithm>
#include <utility>

namespace firstcome::sale {

std::size_t Ledger::bytes() const {
  std::size_t total = 0;
  for (const auto& [handle, entry] : impl_->by_handle) total += entry.sale->bytes();
  return total;
}

const Changes& Ledger::changes() const { return impl_->context.changes; }

void Ledger::clear_changes() {
  Changes& changes = impl_->context.changes;
  for (const ReservationRef& ref : changes.updated) {
    impl_->find(ref.sale)->sale->forget_update(static_cast<ShortNumber>(value(ref.number)));
  }
  changes.inserted.clear();
  changes.updated.clear();
  changes.sales.clear();
  changes.deleted.clear();
  changes.events.clear();
  changes.payment_work = false;
  ++impl_->context.batch;
}

bool Ledger::knows(SaleHandle sale) const { return impl_->by_handle.contains(value(sale)); }

std::vector<SaleHandle> Ledger::sales() const {
  std::vector<SaleHandle> handles;
  for (const auto& [handle, entry] : impl_->by_handle) handles.push_back(SaleHandle{handle});
  std::ranges::sort(handles);
  return handles;
}

SaleRecord Ledger::record_of(SaleHandle sale) const { return impl_->known(sale).record(); }

ReservationRecord Ledger::record_of(ReservationRef ref) const {
  ReservationRecord record;
  read_record(ref, record);
  return record;
}

void Ledger::read_record(ReservationRef ref, ReservationRecord& record) const {
  const SaleLedger& sale = impl_->known(ref.sale);
  assert(sale.knows(ref.number));
  sale.read_record(static_cast<ShortNumber>(value(ref.number)), record);
}

std::optional<std::string> Ledger::restore(const SaleRecord& record) {
  if (impl_->find(record.handle) != nullptr || impl_->find(record.terms.id) != nullptr) {
    return "sale " + record.terms.id + ": there are two of it";
  }
  auto sale = SaleLedger::rebuild(record, impl_->context);
  if (!sale) return sale.error();
  impl_->add(std::move(*sale));
  return std::nullopt;
}

std::optional<std::string> Ledger::restore(const ReservationRecord& record, Instant now) {
  Impl::Entry* entry = impl_->find(record.ref.sale);
  if (entry == nullptr) {
    return "number " + std::to_string(value(record.ref.number)) + " of an unknown sale, handle " +
           std::to_string(value(record.ref.sale));
  }
  return entry->sale->restore(record, now);
}

void Ledger::restore_last_handle(SaleHandle last) { impl_->last_handle = std::max(impl_->last_handle, value(last)); }

SaleHandle Ledger::last_handle() const { return SaleHandle{impl_->last_handle}; }

std::optional<std::string> Ledger::finish_restore() {
  for (const auto& [id, entry] : impl_->by_id) {
    if (auto problem = entry->sale->finish_restore()) return problem;
    impl_->plan(*entry);
  }
  return std::nullopt;
}

}  // namespace firstcome::sale
