// One turn: everything that waits is decided, committed together, then answered together.
#include "engine/embedded/embedded_impl.hpp"

#include <firstcome/limits.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace firstcome::engine {
namespace {

// Rows of deleted sales that go in one transaction: many in a turn that nobody waits for, and under load a few from
// time to time, since each has a sync of its own.
constexpr std::uint64_t removed_when_idle = 4096;
constexpr std::uint64_t removed_under_load = 256;
constexpr std::chrono::milliseconds removal_pause{200};

constexpr std::size_t pages_at_once = 2;  // of the feed, completed in one turn

}  // namespace

std::optional<EmbeddedEngine::Impl::SteadyTime> EmbeddedEngine::Impl::turn() {
  if (owner.load(std::memory_order_relaxed) == std::thread::id{}) owner = std::this_thread::get_id();
  assert(owner.load(std::memory_order_relaxed) == std::this_thread::get_id());
  counted.turns.fetch_add(1, std::memory_order_relaxed);
  complete_rejected();
  complete_finished_reads();
  if (condition == Condition::serving) return serve();
  if (condition == Condition::locked_out) return try_again();
  return refuse_and_probe();
}

std::optional<EmbeddedEngine::Impl::SteadyTime> EmbeddedEngine::Impl::serve() {
  // Here and not after the answers were completed: the owner has yet to send those when its turn ends.
  fold_log_if_full();
  remove_deleted();
  if (condition != Condition::serving) return refuse_and_probe();

  const Instant now = present();
  static_cast<void>(ledger.advance(now, limits::turn_steps));
  locks_behind = locks.advance(now, limits::turn_steps) == lock::LockBook::Due::more;
  let_sales_rest();
  take_batch();
  apply_batch(now);
  collect_lock_waiters();
  return finish_turn();
}

std::optional<EmbeddedEngine::Impl::SteadyTime> EmbeddedEngine::Impl::finish_turn() {
  const Committed committed = commit(last_now);
  if (committed == Committed::not_yet) return next_probe;
  if (committed == Committed::no) fail_batch();
  if (committed == Committed::yes) tell_of_locks();
  complete_batch();
  start_reads();
  if (condition != Condition::serving) return refuse_and_probe();
  return next_turn();
}

EmbeddedEngine::Impl::Committed EmbeddedEngine::Impl::commit(Instant now) {
  const sale::Changes& changes = ledger.changes();
  const bool made_payment_work = changes.payment_work;  // not among what is stored, so it may come alone
  if (!changes.empty() || !locks.changed().empty() || delivering != 0) {
    const Written written = store.write(ledger, changes, locks, delivering, now);
    if (written.fate == Fate::locked_out) {
      stay_locked_out();
      return Committed::not_yet;
    }
    delivering = 0;
    if (written.fate != Fate::committed) {
      handle_failed_write(written);
      return Committed::no;
    }
    note_commit(changes);
  }
  ledger.clear_changes();
  locks.clear_changed();
  count_sales();
  if (made_payment_work) payment_work();
  return Committed::yes;
}

void EmbeddedEngine::Impl::note_commit(const sale::Changes& changes) {
  counted.commits.fetch_add(1, std::memory_order_relaxed);
  counted.reservations.fetch_add(changes.inserted.size(), std::memory_order_relaxed);
  counted.log_bytes.store(store.log_bytes(), std::memory_order_relaxed);
  counted.undelivered.store(store.outbox().undelivered(), std::memory_order_relaxed);
  if (!changes.events.empty()) events_written(whole_store);
  for (const SaleHandle sale : changes.deleted) {
    removals.push_back({sale, 1, 0});
    if (unreadable.erase(value(sale)) != 0) note_losses();
  }
  if (!changes.deleted.empty()) next_removal = std::chrono::steady_clock::now() + removal_pause;
  checkpointer.committed(store.log_frames());
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
    if (std::holds_alternative<ReadOutbox>(operation->command)) {
      relay_reader.submit(*operation);
    } else if (std::holds_alternative<ReadEvents>(operation->command)) {
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
  auditor.take_finished(finished, ReaderThread::all);
  relay_reader.take_finished(finished, ReaderThread::all);
  more_finished_reads = event_reader.take_finished(finished, pages_at_once);
  for (Operation* operation : finished) operation->completed();
}

void EmbeddedEngine::Impl::fold_log_if_full() {
  if (store.log_frames() < Checkpointer::full_frames) return;
  if (checkpointer.writer_folds()) checkpointer.writer_folded(store.checkpoint());
}

void EmbeddedEngine::Impl::remove_deleted() {
  if (removals.empty()) return;
  const auto now = std::chrono::steady_clock::now();
  const bool idle = queue.idle() && held_back.empty();
  if (now < next_removal && (!idle || removal_locked_out)) return;
  Removal& removal = removals.front();
  if (removal.last == 0) {
    const auto last = store.last_number(removal.sale);
    if (!last) return handle_failed_write({Fate::not_committed, last.error()});
    removal.last = *last;
  }
  const bool more = removal.next <= removal.last;
  const std::uint64_t count = idle ? removed_when_idle : removed_under_load;
  const Written written =
      more ? store.remove_reservations(removal.sale, removal.next, count) : store.finish_removal(removal.sale);
  next_removal = now + removal_pause;
  removal_locked_out = written.fate == Fate::locked_out;
  if (removal_locked_out) return;
  if (written.fate != Fate::committed) return handle_failed_write(written);
  checkpointer.committed(store.log_frames());
  if (more) {
    removal.next += count;
  } else {
    removals.pop_front();
  }
}

std::optional<EmbeddedEngine::Impl::SteadyTime> EmbeddedEngine::Impl::next_turn() const {
  const auto now = std::chrono::steady_clock::now();
  if (!queue.idle() || !held_back.empty() || more_finished_reads) return now;
  if (!removals.empty() && !removal_locked_out) return now;
  if (!returning.empty() || !asked_back.empty()) return now;
  auto deadline = ledger.next_deadline();
  if (const auto end = locks.next_deadline(); end && (!deadline || *end < *deadline)) deadline = end;
  auto other = removals.empty() ? std::nullopt : std::optional(std::max(now, next_removal));
  if (const auto rest = ledger.next_rest()) {
    const SteadyTime at = now + std::max(*rest - last_now, Milliseconds{0});
    other = other ? std::min(*other, at) : at;
  }
  if (!deadline) return other;
  if (*deadline <= last_now) return now;
  // A look at the clocks every second: the wall clock may be moved, and the machine may sleep, which the steady clock
  // of whoever waits does not see.
  const SteadyTime look = now + std::min<Milliseconds>(*deadline - last_now, limits::clock_look);
  return other ? std::min(look, *other) : look;
}

}  // namespace firstcome::engine
