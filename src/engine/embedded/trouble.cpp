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
  if (!queue.idle()) return now;
  switch (condition) {
    case Condition::serving:
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

void EmbeddedEngine::Impl::refuse_all(FailureCode code) {
  // Those that are there now, and not those that their completions submit.
  const std::string reason = code == FailureCode::stopping ? "the server stops" : readiness().reason;
  complete_rejected();
  fail_lock_waiters({code, reason});
  queue.take(batch, options.queue_operations, [](const Operation&) { return false; });
  for (Operation* operation : batch) {
    operation->answer = std::unexpected(Failure{code, reason});
    operation->completed();
  }
  batch.clear();
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
  restore_locks(*found);
  counted.reservations = found->reservations;
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
