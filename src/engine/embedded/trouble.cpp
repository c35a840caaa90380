// What the engine does when the disk fails: poison, or refuse, probe, rebuild and serve again.
#include "engine/embedded/embedded_impl.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace firstcome::engine {
namespace {

constexpr std::chrono::milliseconds first_pause{20};
constexpr std::chrono::milliseconds longest_pause{5000};
constexpr std::chrono::milliseconds first_pause_locked_out{1};
constexpr std::chrono::milliseconds longest_pause_locked_out{50};

}  // namespace

void EmbeddedEngine::Impl::handle_failed_write(const Written& written) {
  counted.failed_commits.fetch_add(1, std::memory_order_relaxed);
  const std::string error = fmt::format("{} (SQLite error {})", written.error.text, written.error.code);
  if (written.fate == Fate::unknown) {
    condition = Condition::poisoned;
    batch_failure = FailureCode::outcome_unknown;
    set_trouble(
        fmt::format("a commit failed and may or may not be on the disk: {}. Nothing is decided any more; "
                    "check the disk and start the server again",
                    error));
    store.leave_as_it_is();
    checkpointer.stop();
  } else {
    condition = Condition::failing;
    batch_failure = FailureCode::store_unavailable;
    probe_pause = first_pause;
    next_probe = std::chrono::steady_clock::now() + probe_pause;
    set_trouble(fmt::format("the store cannot be written: {}. It is tried again by itself", error));
  }
}

std::optional<EmbeddedEngine::Impl::SteadyTime> EmbeddedEngine::Impl::refuse_and_probe() {
  refuse_all(FailureCode::store_unavailable);
  const auto now = std::chrono::steady_clock::now();
  if (condition == Condition::failing && now >= next_probe) probe();
  if (condition == Condition::rebuilding) {
    if (rebuilding.wait_for(std::chrono::seconds{0}) == std::future_status::ready) finish_rebuild();
  }
  if (!queue.idle() || more_finished_reads) return now;
  switch (condition) {
    case Condition::serving:
    case Condition::locked_out:
      return now;
    case Condition::failing:
      return next_probe;
    case Condition::rebuilding:
      return now + first_pause;
    case Condition::poisoned:
      return std::nullopt;
  }
  return std::nullopt;
}

/// Nothing is lost and nothing failed: the turn stays in hand, and its write is tried again.
void EmbeddedEngine::Impl::stay_locked_out() {
  const auto now = std::chrono::steady_clock::now();
  condition = Condition::locked_out;
  if (!locked_out_since) {
    locked_out_since = now;
    probe_pause = first_pause_locked_out;
  } else {
    probe_pause = std::min(probe_pause * 2, longest_pause_locked_out);
  }
  next_probe = now + probe_pause;
}

std::optional<EmbeddedEngine::Impl::SteadyTime> EmbeddedEngine::Impl::try_again() {
  auto now = std::chrono::steady_clock::now();
  if (now >= next_probe) {
    condition = Condition::serving;
    const auto next = finish_turn();
    if (condition != Condition::locked_out) {
      locked_out_since.reset();
      if (condition == Condition::serving && !readiness().ready) {
        spdlog::info("the store can be written again");
        set_trouble({});
      }
      return next;
    }
    now = std::chrono::steady_clock::now();
  }
  const auto waited = now - *locked_out_since;
  if (waited >= options.patience) {
    if (readiness().ready)
      set_trouble("another program has locked the store for writing: end it, or wait until it has finished");
    const Failure failure{FailureCode::store_unavailable, readiness().reason};
    refuse(held_back, failure);
    refuse_all_waiters(failure);
    drop_lock_waiters(failure);
    refuse_submitted(failure);
  }
  if (waited >= 5 * options.patience) {  // decided, and committed as soon as that is possible: ask again
    batch_failure = FailureCode::outcome_unknown;
    fail_batch();
    complete_batch();
  }
  return next_probe;
}

void EmbeddedEngine::Impl::refuse_all(FailureCode code) {
  const Failure failure{code, code == FailureCode::stopping ? "the server stops" : readiness().reason};
  fail_lock_waiters(failure);
  refuse_all_waiters(failure);
  refuse(batch, failure);
  refuse(reads, failure);
  refuse(held_back, failure);
  refuse_submitted(failure);
}

/// Refuses those that are there now, and not those that their completions submit.
void EmbeddedEngine::Impl::refuse_submitted(const Failure& failure) {
  complete_rejected();
  std::vector<Operation*> submitted;
  queue.take(submitted, options.queue_operations, [](const Operation&) { return false; });
  refuse(submitted, failure);
}

void EmbeddedEngine::Impl::refuse(std::vector<Operation*>& operations, const Failure& failure) {
  for (Operation* operation : std::exchange(operations, {})) {
    if (operation == nullptr) continue;
    operation->answer = std::unexpected(failure);
    operation->completed();
  }
}

void EmbeddedEngine::Impl::probe() {
  auto opened = store.reopen();
  const Written written = opened ? store.probe(last_now) : Written{Fate::not_committed, std::move(opened.error())};
  if (written.fate == Fate::committed) return start_rebuild();
  if (written.fate == Fate::unknown) return handle_failed_write(written);
  probe_pause = std::min(probe_pause * 2, longest_pause);
  next_probe = std::chrono::steady_clock::now() + probe_pause;
}

void EmbeddedEngine::Impl::start_rebuild() {
  condition = Condition::rebuilding;
  ledger = sale::Ledger();  // its memory is needed for the new one
  rebuilding = std::async(std::launch::async,
                          [this, options = RecoveryOptions{path, options.vfs, last_now}] { return rebuild(options); });
}

void EmbeddedEngine::Impl::finish_rebuild() {
  auto found = rebuilding.get();
  if (!found) {
    condition = Condition::failing;
    probe_pause = longest_pause;
    next_probe = std::chrono::steady_clock::now() + probe_pause;
    set_trouble(found.error().detail);
    return;
  }
  ledger = std::move(found->ledger);
  ledger.set_wall_ahead(wall_ahead, last_now);
  restore_locks(*found);
  counted.reservations = found->reservations;
  counted.loaded.fetch_add(found->loaded, std::memory_order_relaxed);
  store.set_outbox(std::move(found->outbox));
  removals.clear();
  for (const SaleHandle sale : found->leaving) removals.push_back({sale, 1, 0});
  condition = Condition::serving;
  set_trouble({});
  spdlog::info("the store can be written again");
  payment_work();  // what had been handed out before is handed out again
}

void EmbeddedEngine::Impl::set_trouble(std::string reason) {
  if (!reason.empty()) spdlog::error("{}", reason);
  const std::lock_guard guard(trouble_mutex);
  trouble = std::move(reason);
}

}  // namespace firstcome::engine
