#include "sale/ledger_impl.hpp"

#include <algorithm>
#include <utility>

namespace firstcome::sale {

/// Takes the sale out, and what stands of it in the changes but its events.
void Ledger::Impl::remove(Entry& entry) {
  const SaleHandle handle = entry.sale->handle();
  const auto of_it = [&](const ReservationRef& ref) { return ref.sale == handle; };
  std::erase_if(context.changes.inserted, of_it);
  std::erase_if(context.changes.updated, of_it);
  std::erase(context.changes.sales, handle);
  context.changes.deleted.push_back(handle);
  forget_deadline(entry);
  forget_rest(entry);
  count_out(entry);
  recent = nullptr;
  lookup.erase(entry.sale->terms().id);
  by_id.erase(entry.sale->terms().id);
  removed.push_back(std::move(entry.sale));
  by_handle.erase(value(handle));
}

bool Ledger::Impl::take_charges(std::vector<PaymentTask>& tasks, std::size_t limit, Instant now) {
  auto& sales = context.work.to_charge;
  while (!sales.empty()) {
    Entry* entry = find(sales.front());
    if (entry != nullptr && !entry->sale->take_charges(tasks, limit, now)) return false;
    sales.pop_front();
  }
  return true;
}

Ledger::Ledger(LedgerOptions options) : impl_(std::make_unique<Impl>(options)) {}
Ledger::~Ledger() = default;
Ledger::Ledger(Ledger&&) noexcept = default;
Ledger& Ledger::operator=(Ledger&&) noexcept = default;

// --- reservations ---

void Ledger::prefetch(const Reserve& command, Ahead ahead) const {
  const Impl::Entry* entry = impl_->find(command.sale);
  if (entry == nullptr) return;
  if (ahead == Ahead::far) {
    entry->sale->prefetch_indexes(command);
  } else {
    entry->sale->prefetch_customer(command);
  }
}

ReserveAnswer Ledger::apply(const Reserve& command, Instant now) {
  impl_->begin(now);
  ReserveAnswer answer;
  if (Impl::Entry* entry = impl_->find(command.sale); entry != nullptr) {
    entry->sale->reserve(command, answer, now);
    impl_->plan(*entry);
  }
  return answer;
}

ReservationAnswer Ledger::apply(const GetReservation& command, Instant now) {
  return impl_->decide(command.ref, now, [](SaleLedger&, ShortNumber) { return Outcome::done; });
}

ReservationsAnswer Ledger::apply(const ListReservations& command, Instant now) {
  impl_->begin(now);
  Impl::Entry* entry = impl_->find(command.sale);
  if (entry == nullptr) return {};
  entry->sale->run_due(now);
  entry->sale->use(now);
  impl_->plan(*entry);
  return entry->sale->list(command, now);
}

ReservationAnswer Ledger::apply(const BeginPayment& command, Instant now) {
  return impl_->decide(command.ref, now, [&](SaleLedger& sale, ShortNumber number) {
    return sale.begin_payment(number, command.by, now);
  });
}

ReservationAnswer Ledger::apply(const FinishPayment& command, Instant now) {
  return impl_->decide(command.ref, now,
                       [&](SaleLedger& sale, ShortNumber number) { return sale.finish_payment(number, command, now); });
}

ReservationAnswer Ledger::apply(const Confirm& command, Instant now) {
  return impl_->decide(command.ref, now, [&](SaleLedger& sale, ShortNumber number) {
    return sale.confirm(number, command.payment_id, now);
  });
}

ReservationAnswer Ledger::apply(const Cancel& command, Instant now) {
  return impl_->decide(command.ref, now,
                       [&](SaleLedger& sale, ShortNumber number) { return sale.cancel(number, now); });
}

ReservationAnswer Ledger::apply(const Return& command, Instant now) {
  return impl_->decide(command.ref, now,
                       [&](SaleLedger& sale, ShortNumber number) { return sale.give_back(number, command, now); });
}

ReservationAnswer Ledger::apply(const Extend& command, Instant now) {
  return impl_->decide(command.ref, now,
                       [&](SaleLedger& sale, ShortNumber number) { return sale.extend(number, command.by, now); });
}

ReservationAnswer Ledger::apply(const Transfer& command, Instant now) {
  return impl_->decide(command.ref, now, [&](SaleLedger& sale, ShortNumber number) {
    return sale.transfer(number, command.customer, now);
  });
}

ReservationAnswer Ledger::apply(const Fulfil& command, Instant now) {
  return impl_->decide(command.ref, now,
                       [&](SaleLedger& sale, ShortNumber number) { return sale.fulfil(number, now); });
}

ReservationAnswer Ledger::apply(const FinishRefund& command, Instant now) {
  return impl_->decide(command.ref, now,
                       [&](SaleLedger& sale, ShortNumber number) { return sale.finish_refund(number, now); });
}

PaymentTasksAnswer Ledger::apply(const TakePaymentTasks& command, Instant now) {
  impl_->begin(now);
  PaymentTasksAnswer answer;
  auto& waiting = impl_->context.work.tasks;
  while (!waiting.empty() && answer.tasks.size() < command.limit) {
    const PaymentTask task = waiting.front();
    waiting.pop_front();
    // What was done meanwhile must not be done again: nobody may ask a gateway without a claim.
    const Impl::Entry* entry = impl_->find(task.ref.sale);
    if (entry != nullptr && entry->sale->is_due(task)) answer.tasks.push_back(task);
  }
  impl_->take_charges(answer.tasks, command.limit, now);
  return answer;
}

// --- sales ---

SaleAnswer Ledger::apply(const CreateSale& command, Instant now) {
  impl_->begin(now);
  SaleAnswer answer;
  Impl::Entry* entry = impl_->find(command.terms.id);
  if (entry != nullptr) {
    answer.outcome = entry->sale->created_as(command.terms) ? Outcome::unchanged : Outcome::sale_exists;
  } else {
    answer.outcome = Outcome::done;
    const SaleHandle handle{impl_->last_handle + 1};
    entry = &impl_->add(std::make_unique<SaleLedger>(command.terms, handle, now, impl_->context));
  }
  entry->sale->run_due(now);
  impl_->plan(*entry);
  answer.sale = entry->sale->view(now);
  return answer;
}

SaleAnswer Ledger::apply(const GetSale& command, Instant now) {
  impl_->begin(now);
  Impl::Entry* entry = impl_->find(command.sale);
  if (entry == nullptr) return {};
  entry->sale->run_due(now);
  impl_->plan(*entry);
  return {.outcome = Outcome::done, .sale = entry->sale->view(now)};
}

SalesAnswer Ledger::apply(const ListSales& command, Instant now) {
  impl_->begin(now);
  SalesAnswer answer;
  const std::size_t limit = std::max<std::uint32_t>(command.limit, 1);
  for (auto at = impl_->by_id.upper_bound(command.after); at != impl_->by_id.end(); ++at) {
    if (answer.items.size() == limit) {
      answer.next = answer.items.back().terms.id;
      break;
    }
    Impl::Entry& entry = *at->second;
    // A list does not wait for a sale that has more due than a turn does: it shows how far that has come. Nor does it
    // help: requests that wait for that sale must not be overtaken by those that come behind the list.
    const bool is_behind = impl_->advanced == now && entry.planned <= now;
    if (!is_behind) {
      entry.sale->run_due(now, impl_->context.steps);
      impl_->plan(entry);
    }
    answer.items.push_back(entry.sale->view(now));
  }
  return answer;
}

SaleAnswer Ledger::apply(const PatchSale& command, Instant now) {
  impl_->begin(now);
  Impl::Entry* entry = impl_->find(command.sale);
  if (entry == nullptr) return {};
  entry->sale->run_due(now);
  SaleAnswer answer;
  answer.outcome = entry->sale->patch(command, now);
  answer.sale = entry->sale->view(now);
  impl_->plan(*entry);
  return answer;
}

SaleAnswer Ledger::apply(const DeleteSale& command, Instant now) {
  impl_->begin(now);
  Impl::Entry* entry = impl_->find(command.sale);
  if (entry == nullptr) return {};
  entry->sale->run_due(now);
  SaleAnswer answer{.outcome = Outcome::sale_active, .sale = entry->sale->view(now)};
  impl_->plan(*entry);
  if (!entry->sale->settled()) return answer;
  answer.outcome = Outcome::done;
  impl_->remove(*entry);
  return answer;
}

// --- time ---

Ledger::Due Ledger::advance(Instant now, std::size_t limit) {
  impl_->begin(now);
  impl_->advanced = now;
  impl_->removed.clear();
  impl_->context.steps = limit;
  const std::size_t most_of_a_sale = std::max<std::size_t>(limit / 4, 1);
  for (std::size_t left = limit; impl_->behind();) {
    if (left == 0) return Due::more;
    Impl::Entry& entry = *impl_->find(SaleHandle{impl_->deadlines.begin()->handle});
    const std::size_t given = std::min(left, most_of_a_sale);
    std::size_t steps = given;
    entry.sale->run_due(now, steps);
    impl_->plan(entry);
    left -= std::max<std::size_t>(given - steps, 1);
  }
  return Due::none;
}

void Ledger::set_wall_ahead(Milliseconds ahead, Instant now) {
  impl_->begin(now);
  impl_->context.wall_ahead = ahead;
  for (const auto& [id, entry] : impl_->by_id) {
    entry->sale->follow_wall(now);
    impl_->plan(*entry);
  }
}

std::optional<Instant> Ledger::next_deadline() const {
  if (impl_->deadlines.empty()) return std::nullopt;
  return impl_->deadlines.begin()->at;
}

bool Ledger::behind() const { return impl_->behind(); }

bool Ledger::behind(std::string_view sale) const {
  const Impl::Entry* entry = impl_->behind() ? impl_->find(sale) : nullptr;
  return entry != nullptr && entry->planned <= impl_->latest;
}

bool Ledger::behind(SaleHandle sale) const {
  const Impl::Entry* entry = impl_->behind() ? impl_->find(sale) : nullptr;
  return entry != nullptr && entry->planned <= impl_->latest;
}

bool Ledger::has_changed(std::string_view sale) const {
  const Impl::Entry* entry = impl_->find(sale);
  return entry != nullptr && std::ranges::find(changes().sales, entry->sale->handle()) != changes().sales.end();
}

}  // namespace firstcome::sale
