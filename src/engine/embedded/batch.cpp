// What one turn decides, and what it leaves for the next.
//
// A turn has steps for so many ends of holds, grants and refusals (Ledger::advance). A sale that has more due is
// behind, and what is asked of it waits, in order, until it has caught up; other sales are served meanwhile. The same
// is true of locks that end, all together, and of sales that are not in memory (rest.cpp). Lists wait too once a turn
// has answered a certain length of them.
#include "engine/embedded/embedded_impl.hpp"

#include <firstcome/limits.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace firstcome::engine {
namespace {

template <class C>
concept NeedsARead = std::is_same_v<C, AuditSale> || std::is_same_v<C, ReadEvents> || std::is_same_v<C, ReadOutbox>;

/// The sale at rest that must be in memory first, where there is one.
template <class C>
std::optional<SaleHandle> missing_sale(const sale::Ledger& ledger, const C& command) {
  if constexpr (std::is_same_v<C, ListReservations>) {
    return ledger.at_rest(std::string_view(command.sale));
  } else if constexpr (requires { ReservationRef{command.ref}; }) {
    return ledger.at_rest(command.ref);
  } else {
    return std::nullopt;
  }
}

template <class C>
concept IsAList = std::is_same_v<C, ListSales> || std::is_same_v<C, ListReservations>;

/// About what an answer weighs, in memory and as JSON.
std::size_t bytes_of(const std::vector<SaleView>& items) { return items.size() * (sizeof(SaleView) + 200); }
std::size_t bytes_of(const std::vector<ReservationView>& items) {
  std::size_t total = 0;
  for (const ReservationView& item : items) total += sizeof item + item.customer.size() + item.reference.size();
  return total;
}

bool never(const Operation&) { return false; }

}  // namespace

void EmbeddedEngine::Impl::take_batch() {
  listed_bytes = 0;
  batch.swap(held_back);
  // Those of one sale must not keep the others out, nor grow without a bound.
  const std::size_t room = options.queue_operations - std::min(options.queue_operations, batch.size());
  queue.take(batch, std::min(options.turn_operations, room), never);
}

/// A row's id has room for so many sales.
std::expected<Answer, Failure> EmbeddedEngine::Impl::create_sale(const CreateSale& command, Instant now) {
  const bool full = value(ledger.last_handle()) >= last_sale_handle;
  if (!full || ledger.apply(GetSale{command.terms.id}, now).outcome == Outcome::done) return ledger.apply(command, now);
  return std::unexpected(Failure{FailureCode::not_supported,
                                 "This store has held as many sales as it can number. Begin a new one, in another "
                                 "folder."});
}

bool EmbeddedEngine::Impl::must_wait(const Operation& operation) const {
  return std::visit(
      [&]<class C>(const C& command) {
        if constexpr (NeedsARead<C>) {
          return false;
        } else if constexpr (std::is_same_v<C, CreateSale>) {
          return ledger.behind(command.terms.id);
        } else if constexpr (requires { command.sale; }) {
          return ledger.behind(command.sale);
        } else if constexpr (requires { command.ref; }) {
          return ledger.behind(command.ref.sale);
        } else {
          return false;
        }
      },
      operation.command);
}

void EmbeddedEngine::Impl::apply_batch(Instant now) {
  const auto prefetch = [this](std::size_t at, sale::Ledger::Ahead ahead) {
    if (at >= batch.size()) return;
    if (const auto* reserve = std::get_if<Reserve>(&batch[at]->command)) ledger.prefetch(*reserve, ahead);
  };
  std::size_t not_decided = 0;
  for (std::size_t at = 0; at < batch.size(); ++at) {
    prefetch(at + 16, sale::Ledger::Ahead::far);
    prefetch(at + 8, sale::Ledger::Ahead::near);
    Operation*& operation = batch[at];
    const Applied applied = apply(*operation, now);
    if (applied == Applied::answered) continue;
    if (applied == Applied::needs_a_read) reads.push_back(operation);
    if (applied == Applied::waits_for_a_turn) held_back.push_back(operation);
    if (applied == Applied::waits_for_a_turn || applied == Applied::waits_for_its_sale) ++not_decided;
    operation = nullptr;  // not this batch's to complete
  }
  counted.operations.fetch_add(batch.size() - not_decided, std::memory_order_relaxed);
}

EmbeddedEngine::Impl::Applied EmbeddedEngine::Impl::apply(Operation& operation, Instant now) {
  if (ledger.behind() && must_wait(operation)) return Applied::waits_for_a_turn;
  if (const auto* reserve = std::get_if<Reserve>(&operation.command)) {  // the hot one
    if (outbox_full()) {
      operation.answer = std::unexpected(Failure{FailureCode::outbox_full, "too many events wait to be delivered"});
    } else {
      operation.answer = ledger.apply(*reserve, now);
    }
    return Applied::answered;
  }
  return std::visit(
      [&]<class C>(const C& command) {
        if (const auto sale = missing_sale(ledger, command)) return wait_for(*sale, operation);
        if constexpr (NeedsARead<C>) {
          return Applied::needs_a_read;
        } else if constexpr (std::is_same_v<typename C::Answer, LockAnswer>) {
          // While more is due, the book would hold what has lapsed.
          return locks_behind ? Applied::waits_for_a_turn : apply_to_locks(operation, now);
        } else if constexpr (std::is_same_v<C, DeleteSale>) {
          // What its row says must be stored before it can say that the sale leaves.
          if (ledger.has_changed(command.sale)) return Applied::waits_for_a_turn;
          operation.answer = apply_to_sale(command, now);
        } else if constexpr (std::is_same_v<C, CreateSale>) {
          operation.answer = create_sale(command, now);
        } else if constexpr (IsAList<C>) {
          if (listed_bytes >= limits::turn_list_bytes) return Applied::waits_for_a_turn;
          auto answer = ledger.apply(command, now);
          listed_bytes += bytes_of(answer.items);
          operation.answer = std::move(answer);
        } else if constexpr (std::is_same_v<C, FindUndelivered>) {
          operation.answer = find_undelivered();
        } else if constexpr (std::is_same_v<C, DeliverEvents>) {
          operation.answer = apply_to_outbox(command);
        } else if constexpr (std::is_same_v<typename C::Answer, LossesAnswer>) {
          operation.answer = apply_to_past(command);
        } else {
          operation.answer = ledger.apply(command, now);
        }
        return Applied::answered;
      },
      operation.command);
}

}  // namespace firstcome::engine
