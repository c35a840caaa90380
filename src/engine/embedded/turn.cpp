// One turn: everything that waits is decided, committed together, then answered together.
#include "engine/embedded/embedded_impl.hpp"

#include <firstcome/limits.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cassert>
#include <type_traits>
#include <utility>

namespace firstcome::engine {
namespace {

constexpr std::uint64_t removed_at_once = 4096;

/// An answer may view text of its sale until it is completed, so a sale goes first in a turn or not at all.
bool starts_a_turn(const Operation& operation) { return std::holds_alternative<DeleteSale>(operation.command); }

template <class C>
concept NeedsARead = std::is_same_v<C, AuditSale> || std::is_same_v<C, ReadEvents> || std::is_same_v<C, ReadOutbox>;

}  // namespace

std::optional<EmbeddedEngine::Impl::SteadyTime> EmbeddedEngine::Impl::turn() {
  if (owner.load(std::memory_order_relaxed) == std::thread::id{}) owner = std::this_thread::get_id();
  assert(owner.load(std::memory_order_relaxed) == std::this_thread::get_id());
  counted.turns.fetch_add(1, std::memory_order_relaxed);
  complete_rejected();
  complete_finished_reads();
  if (condition == Condition::serving) return serve();
  return refuse_and_probe();
}

std::optional<EmbeddedEngine::Impl::SteadyTime> EmbeddedEngine::Impl::serve() {
  // Here and not after the answers were completed: the owner has yet to send those when its turn ends.
  fold_log_if_full();

  const Instant now = present();
  const auto due = ledger.advance(now, limits::turn_due);
  if (due == sale::Ledger::Due::more) {  // the batch waits until all is done that should have been done before it
    if (!commit(now)) return refuse_and_probe();
    return std::chrono::steady_clock::now();
  }
  locks.advance(now);
  queue.take(batch, options.turn_operations, starts_a_turn);
  apply_batch(now);
  collect_lock_waiters();
  const bool committed = commit(now);
  if (!committed) fail_batch();
  if (committed) tell_of_locks();
  complete_batch();
  start_reads();
  if (committed) remove_deleted();
  if (condition != Condition::serving) return refuse_and_probe();
  return next_turn();
}

Instant EmbeddedEngine::Impl::present() {
  last_now = std::max(last_now, options.clock() + clock_shift);
  return last_now;
}

void EmbeddedEngine::Impl::apply_batch(Instant now) {
  const auto prefetch = [this](std::size_t at, sale::Ledger::Ahead ahead) {
    if (at >= batch.size()) return;
    if (const auto* reserve = std::get_if<Reserve>(&batch[at]->command)) ledger.prefetch(*reserve, ahead);
  };
  for (std::size_t at = 0; at < batch.size(); ++at) {
    prefetch(at + 16, sale::Ledger::Ahead::far);
    prefetch(at + 8, sale::Ledger::Ahead::near);
    Operation*& operation = batch[at];
    const Applied applied = apply(*operation, now);
    if (applied == Applied::answered) continue;
    if (applied == Applied::needs_a_read) reads.push_back(operation);
    operation = nullptr;  // not this batch's to complete
  }
  counted.operations.fetch_add(batch.size(), std::memory_order_relaxed);
}

EmbeddedEngine::Impl::Applied EmbeddedEngine::Impl::apply(Operation& operation, Instant now) {
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
        if constexpr (NeedsARead<C>) {
          return Applied::needs_a_read;
        } else if constexpr (std::is_same_v<typename C::Answer, LockAnswer>) {
          return apply_to_locks(operation, now);
        } else if constexpr (std::is_same_v<C, DeleteSale>) {
          operation.answer = apply_to_sale(command, now);
        } else if constexpr (std::is_same_v<C, FindUndelivered>) {
          operation.answer = find_undelivered();
        } else if constexpr (std::is_same_v<C, DeliverEvents>) {
          operation.answer = apply_to_outbox(command);
        } else {
          operation.answer = ledger.apply(command, now);
        }
        return Applied::answered;
      },
      operation.command);
}

bool EmbeddedEngine::Impl::commit(Instant now) {
  const sale::Changes& changes = ledger.changes();
  const bool made_payment_work = changes.payment_work;  // not among what is stored, so it may come alone
  if (changes.empty() && locks.changed().empty() && delivering == 0) {
    ledger.clear_changes();
    if (made_payment_work) payment_work();
    return true;
  }
  const Written written = store.write(ledger, changes, locks, std::exchange(delivering, 0), now);
  if (written.fate != Fate::committed) {
    handle_failed_write(written);
    return false;
  }
  counted.commits.fetch_add(1, std::memory_order_relaxed);
  counted.reservations.fetch_add(changes.inserted.size(), std::memory_order_relaxed);
  counted.log_bytes.store(store.log_bytes(), std::memory_order_relaxed);
  counted.undelivered.store(store.outbox().undelivered(), std::memory_order_relaxed);
  if (!changes.events.empty()) events_written(whole_store);
  for (const SaleHandle sale : changes.deleted) removals.push_back({sale, 1, 0});
  ledger.clear_changes();
  locks.clear_changed();
  checkpointer.committed(store.log_frames());
  if (made_payment_work) payment_work();
  return true;
}

void EmbeddedEngine::Impl::fail_batch() {
  batch.insert(batch.end(), reads.begin(), reads.end());
  reads.clear();
  const Failure failure{batch_failure, readiness().reason};
  for (Operation* operation : batch)
    if (operation != nullptr) operation->answer = std::unexpected(failure);
}

void EmbeddedEngine::Impl::complete_batch() {
  // A completion may submit its operation again at once, which changes the queue but not this list.
  for (Operation* operation : batch)
    if (operation != nullptr) operation->completed();
  batch.clear();
}

void EmbeddedEngine::Impl::start_reads() {
  for (Operation* operation : reads) {
    if (!std::holds_alternative<AuditSale>(operation->command)) {
      event_reader.submit(*operation);
    } else if (auditor.running() == 0) {
      auditor.submit(*operation);
    } else {
      AuditAnswer answer;
      answer.outcome = Outcome::audit_running;
      operation->answer = std::move(answer);
      operation->completed();
    }
  }
  reads.clear();
}

void EmbeddedEngine::Impl::complete_rejected() {
  queue.take_rejected(rejected);
  counted.overloaded.fetch_add(rejected.size(), std::memory_order_relaxed);
  for (Operation* operation : rejected) {
    operation->answer = std::unexpected(Failure{FailureCode::overloaded, "too many operations wait"});
    operation->completed();
  }
  rejected.clear();
}

void EmbeddedEngine::Impl::complete_finished_reads() {
  std::vector<Operation*> finished;
  auditor.take_finished(finished);
  event_reader.take_finished(finished);
  for (Operation* operation : finished) operation->completed();
}

void EmbeddedEngine::Impl::fold_log_if_full() {
  if (store.log_frames() < Checkpointer::full_frames) return;
  if (checkpointer.writer_folds()) checkpointer.writer_folded(store.checkpoint());
}

void EmbeddedEngine::Impl::remove_deleted() {
  if (removals.empty()) return;
  Removal& removal = removals.front();
  if (removal.last == 0) {
    const auto last = store.last_number(removal.sale);
    removal.last = last.value_or(0);
  }
  const bool more = removal.next <= removal.last;
  const Written written = more ? store.remove_reservations(removal.sale, removal.next, removed_at_once)
                               : store.finish_removal(removal.sale);
  if (written.fate != Fate::committed) return handle_failed_write(written);
  checkpointer.committed(store.log_frames());
  if (more) {
    removal.next += removed_at_once;
  } else {
    removals.pop_front();
  }
}

std::optional<EmbeddedEngine::Impl::SteadyTime> EmbeddedEngine::Impl::next_turn() const {
  if (!queue.idle() || !removals.empty()) return std::chrono::steady_clock::now();
  auto deadline = ledger.next_deadline();
  if (const auto end = locks.next_deadline(); end && (!deadline || *end < *deadline)) deadline = end;
  if (!deadline) return std::nullopt;
  // Deadlines years away must not overflow the steady clock.
  const Milliseconds wait = std::clamp<Milliseconds>(*deadline - last_now, Milliseconds{0}, std::chrono::hours{24});
  return std::chrono::steady_clock::now() + wait;
}

}  // namespace firstcome::engine
