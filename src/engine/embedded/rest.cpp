// Closed sales that leave memory, and come back when somebody names one of their reservations.
//
// What a sale at rest is, and what is answered without its reservations, says sale/sale_rest.cpp. Its rows cannot
// change while it is at rest, so they are read a few at a time, over as many turns as that takes, in turn with those of
// other sales; operations that need them wait, all others are decided. A sale that cannot be read stays at rest:
// whoever waits for it is refused, and an operator is told.
#include "engine/embedded/embedded_impl.hpp"

#include <firstcome/limits.hpp>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace firstcome::engine {
namespace {

constexpr std::size_t rest_in_a_turn = 16;          // sales; a large one takes a while to leave
constexpr std::size_t rows_that_a_look_costs = 16;  // to find a sale's first row, in time

}  // namespace

EmbeddedEngine::Impl::Applied EmbeddedEngine::Impl::wait_for(SaleHandle sale, Operation& operation) {
  if (waiting_for_sales >= limits::wait_for_a_sale) {
    counted.overloaded.fetch_add(1, std::memory_order_relaxed);
    operation.answer =
        std::unexpected(Failure{FailureCode::overloaded, "too many operations wait for sales that are not in memory"});
    return Applied::answered;
  }
  ++waiting_for_sales;
  std::vector<Operation*>& waiters = sale_waiters[value(sale)];
  if (waiters.empty()) asked_back.push_back(sale);
  waiters.push_back(&operation);
  return Applied::waits_for_its_sale;
}

void EmbeddedEngine::Impl::let_sales_rest() {
  ledger.rest(last_now, rest_in_a_turn);
  bring_sales_back();
}

void EmbeddedEngine::Impl::count_sales() {
  const sale::Ledger::Memory memory = ledger.memory();
  counted.sales_in_memory.store(memory.sales, std::memory_order_relaxed);
  counted.sales_at_rest.store(memory.at_rest, std::memory_order_relaxed);
}

void EmbeddedEngine::Impl::bring_sales_back() {
  for (std::size_t rows = limits::turn_rows; rows > 0;) {
    begin_to_bring_back();
    if (returning.empty()) return;
    Returning sale = returning.front();
    returning.pop_front();
    const std::size_t count = ledger.knows(sale.handle) ? std::min<std::uint64_t>(rows, sale.last + 1 - sale.next) : 0;
    rows -= std::min(rows, count + rows_that_a_look_costs);
    if (auto problem = read_some(sale, count)) {
      refuse_waiters(sale.handle, std::move(*problem));
    } else if (ledger.knows(sale.handle) && sale.next <= sale.last) {
      returning.push_back(sale);
    }
  }
}

/// Begins with those that are asked for, as far as there is room for them.
void EmbeddedEngine::Impl::begin_to_bring_back() {
  while (!asked_back.empty() && returning.size() < limits::sales_brought_back_at_once) {
    const SaleHandle sale = asked_back.front();
    // One that was deleted meanwhile needs no room.
    if (ledger.knows(sale) && !ledger.begin_to_bring_back(sale, last_now)) return;
    asked_back.pop_front();
    returning.push_back({sale, 1, ledger.knows(sale) ? ledger.record_of(sale).last_number : 0});
  }
}

/// Reads the next of its rows; after the last the sale is there, and who waited for it is decided in this turn. Returns
/// what is wrong with them.
std::optional<std::string> EmbeddedEngine::Impl::read_some(Returning& sale, std::uint64_t count) {
  if (!ledger.knows(sale.handle)) {  // it was deleted, as those who wait are told now
    release_waiters(sale.handle);
    return std::nullopt;
  }
  auto read = store.read_reservations({sale.handle, Number{sale.next}}, count, rows_read);
  if (!read) return fmt::format("{} (SQLite error {})", read.error().text, read.error().code);
  for (const sale::ReservationRecord& record : rows_read)
    if (auto wrong = ledger.restore(record, last_now)) return wrong;
  sale.next += count;
  counted.loaded.fetch_add(count, std::memory_order_relaxed);
  if (sale.next <= sale.last) return std::nullopt;
  if (auto wrong = ledger.finish_bringing_back(sale.handle, last_now)) return wrong;
  counted.sales_brought_back.fetch_add(1, std::memory_order_relaxed);
  if (unreadable.erase(value(sale.handle)) != 0) note_losses();
  release_waiters(sale.handle);
  return std::nullopt;
}

std::vector<Operation*> EmbeddedEngine::Impl::take_waiters(SaleHandle sale) {
  const auto found = sale_waiters.find(value(sale));
  std::vector<Operation*> waiters = std::move(found->second);
  sale_waiters.erase(found);
  waiting_for_sales -= waiters.size();
  return waiters;
}

void EmbeddedEngine::Impl::release_waiters(SaleHandle sale) {
  const std::vector<Operation*> waiters = take_waiters(sale);
  held_back.insert(held_back.end(), waiters.begin(), waiters.end());
}

void EmbeddedEngine::Impl::refuse_waiters(SaleHandle sale, std::string problem) {
  ledger.give_up_bringing_back(sale);
  counted.failed_returns.fetch_add(1, std::memory_order_relaxed);
  const std::string reason = fmt::format("sale {} cannot be read: {}. Restore a backup, or look at the disk",
                                         ledger.record_of(sale).terms.id, problem);
  spdlog::error("{}", reason);
  unreadable[value(sale)] = reason;
  note_losses();
  std::vector<Operation*> waiters = take_waiters(sale);
  refuse(waiters, {FailureCode::store_unavailable, reason});
}

/// REQUIRES: the ledger is given up, or nothing is decided until later; then whoever asks again begins anew.
void EmbeddedEngine::Impl::refuse_all_waiters(const Failure& failure) {
  std::vector<Operation*> refused;
  for (auto& [sale, waiters] : sale_waiters) refused.insert(refused.end(), waiters.begin(), waiters.end());
  sale_waiters.clear();
  waiting_for_sales = 0;
  asked_back.clear();
  for (const Returning& sale : std::exchange(returning, {}))
    if (ledger.knows(sale.handle)) ledger.give_up_bringing_back(sale.handle);
  refuse(refused, failure);
}

}  // namespace firstcome::engine
