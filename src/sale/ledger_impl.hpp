// What the ledger knows: its sales, and when each is due.
#pragma once

#include "sale/context.hpp"
#include "sale/hash.hpp"
#include "sale/ledger.hpp"
#include "sale/sale_ledger.hpp"

#include <algorithm>
#include <cassert>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace firstcome::sale {

struct Ledger::Impl {
  explicit Impl(const LedgerOptions& options) : context(options.hash_seed), most_brought_back(options.brought_back) {}

  struct Entry {
    std::unique_ptr<SaleLedger> sale;
    // As it stands in deadlines, where it is not never.
    Instant planned = never;
    std::uint64_t turn = 0;
    Instant rests = never;           // as it stands in rests
    std::uint64_t brought_back = 0;  // what it weighs of what was brought back
  };
  /// When a sale is due; among those that are overdue, who had its turn longest ago comes first.
  struct Deadline {
    Instant at;
    std::uint64_t turn = 0;
    std::uint64_t handle = 0;

    auto operator<=>(const Deadline&) const = default;
  };

  Context context;
  std::unordered_map<std::uint64_t, Entry> by_handle;
  std::map<std::string, Entry*, std::less<>> by_id;
  // Keys are views of the sales' own ids.
  std::unordered_map<std::string_view, Entry*> lookup;
  std::set<Deadline> deadlines;
  std::set<std::pair<Instant, std::uint64_t>> rests;  // when a sale's reservations may leave memory, and its handle
  const std::uint64_t most_brought_back;
  std::size_t at_rest = 0;                           // sales
  std::uint64_t brought_back = 0;                    // the sum of the entries'
  std::uint64_t turns = 0;                           // of sales that had more due than they could do in one
  std::vector<std::unique_ptr<SaleLedger>> removed;  // answers may view their text until the next turn
  Entry* recent = nullptr;                           // most requests of a batch ask for the same sale
  std::uint64_t last_handle = 0;
  Instant latest = Instant::min();
  Instant advanced = Instant::min();  ///< when `advance` last did what was due

  void begin(Instant now) {
    assert(now >= latest);
    latest = now;
  }

  Entry* find(std::string_view id) {
    if (recent != nullptr && equal_texts(recent->sale->terms().id, id)) return recent;
    const auto found = lookup.find(id);
    if (found == lookup.end()) return nullptr;
    recent = found->second;
    return recent;
  }
  Entry* find(SaleHandle handle) {
    const auto found = by_handle.find(value(handle));
    return found == by_handle.end() ? nullptr : &found->second;
  }

  Entry& add(std::unique_ptr<SaleLedger> sale) {
    const std::uint64_t handle = value(sale->handle());
    Entry& entry = by_handle[handle];
    entry.sale = std::move(sale);
    lookup.emplace(entry.sale->terms().id, &entry);
    by_id.emplace(entry.sale->terms().id, &entry);
    last_handle = std::max(last_handle, handle);
    return entry;
  }

  /// To be called after everything that was done to the sale.
  void plan(Entry& entry) {
    plan_rest(entry);
    const Instant deadline = std::max(entry.sale->deadline(), latest);
    if (deadline == entry.planned && (deadline > latest || deadline == never)) return;
    forget_deadline(entry);
    if (deadline == never) return;
    entry.planned = deadline;
    entry.turn = deadline > latest ? 0 : ++turns;
    deadlines.insert({entry.planned, entry.turn, value(entry.sale->handle())});
  }
  void forget_deadline(Entry& entry) {
    if (entry.planned != never) deadlines.erase({entry.planned, entry.turn, value(entry.sale->handle())});
    entry.planned = never;
  }
  bool behind() const { return !deadlines.empty() && deadlines.begin()->at <= latest; }

  void plan_rest(Entry& entry) {
    const Instant at = entry.sale->rests_at();
    if (at == entry.rests) return;
    forget_rest(entry);
    entry.rests = at;
    if (at != never) rests.emplace(at, value(entry.sale->handle()));
  }
  void forget_rest(Entry& entry) {
    if (entry.rests != never) rests.erase({entry.rests, value(entry.sale->handle())});
    entry.rests = never;
  }

  // --- see ledger_rest.cpp ---
  void let_go(Entry& entry);
  void make_room(std::uint64_t weight, Instant now);
  /// To be called before a sale is taken out.
  void count_out(Entry& entry);

  void remove(Entry& entry);
  bool take_charges(std::vector<PaymentTask>& tasks, std::size_t limit, Instant now);

  /// Finds the reservation, does what is due in its sale, lets `decide` decide, and shows what came of it.
  template <class Decide>
  ReservationAnswer decide(ReservationRef ref, Instant now, Decide decide) {
    begin(now);
    ReservationAnswer answer;
    Entry* entry = find(ref.sale);
    if (entry == nullptr || !entry->sale->knows(ref.number)) return answer;
    const auto number = static_cast<ShortNumber>(value(ref.number));
    entry->sale->run_due(now);
    entry->sale->use(now);
    const Decided decided = decide(*entry->sale, number);
    answer.outcome = decided.outcome;
    answer.left = decided.left;
    answer.reservation = entry->sale->view(number, now);
    plan(*entry);
    return answer;
  }

  const SaleLedger& known(SaleHandle handle) {
    Entry* entry = find(handle);
    assert(entry != nullptr);
    return *entry->sale;
  }
};

}  // namespace firstcome::sale
