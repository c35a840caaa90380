// The embedded engine: one owner thread, a ledger in memory, one SQLite commit per turn.
//
// Mechanism. Whoever owns the thread calls `turn()` when something is ready. A turn takes every operation that waits
// (a few thousand at most), reads the clock once, applies all of them to the ledger, writes what changed in ONE
// transaction (WAL, synchronous=FULL), and only then completes them, all together. While it commits, the next turn's
// operations gather by themselves; a turn is never held back to grow.
//
// Invariants
//   - nothing is completed with an outcome unless everything it depends on is on disk: refusals and reads wait for the
//     commit of the turn they were decided in
//   - a commit whose fate is unknown (a failed sync) poisons the engine: its operations get `outcome_unknown`, all
//   later
//     ones `store_unavailable`, until the process is started again
//   - a commit that surely did not happen (no space) is rolled back, the ledger is built again from the file, its
//     operations get `store_unavailable`, and the engine serves again when a probe write succeeds
//   - a turn does a bounded number of things that time brings (ends of holds, grants, refusals) and answers a bounded
//     length of lists; operations of a sale that has more due wait for a later turn, those of other sales do not
//   - the reservations of sales that were closed long ago are not in memory (rest.cpp)
//   - nobody but the turn writes the file
//   - every start is a new incarnation, so ids are not given twice though the file may be a backup (past.cpp)
#pragma once

#include "engine/driven_engine.hpp"

#include <firstcome/engine.hpp>
#include <firstcome/lock_space.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace firstcome::engine {

/// Where the present instant comes from; tests give their own.
using Clock = std::function<Instant()>;

/// Wall clock at construction plus steady time since: never runs back, and a stepped clock ends no hold.
Clock steady_wall_clock();
/// The wall clock as it is, steps and all.
Clock wall_clock();

struct EmbeddedOptions {
  std::filesystem::path data;         ///< made if missing; holds `lock` and `firstcome.db`
  Clock clock = steady_wall_clock();  ///< of holds, keys and ticks
  Clock wall_clock;                   ///< of opening hours (docs/time.md); none: `clock`
  std::size_t queue_operations;       ///< limits::queue_operations
  std::size_t turn_operations;        ///< limits::turn_operations
  std::string vfs;                    ///< a registered SQLite VFS; empty: the default one
  std::uint64_t outbox_keep;          ///< delivered events that stay for the feed; limits::outbox_keep
  std::uint64_t outbox_limit = 0;     ///< undelivered events, from which on nothing is sold; 0: no limit
  Deliveries deliveries = Deliveries::none;
  /// While another program has the file's write lock: from when on new operations are refused. What was decided before
  /// waits five times as long for its commit.
  std::chrono::milliseconds patience{1'000};
  std::shared_ptr<LockObserver> lock_observer;  ///< of the lock service, told after the commit; may be none

  EmbeddedOptions();
};

struct EmbeddedCounters {
  std::uint64_t turns = 0;
  std::uint64_t commits = 0;
  std::uint64_t operations = 0;
  std::uint64_t overloaded = 0;
  std::uint64_t failed_commits = 0;
  std::uint64_t reservations = 0;  ///< stored
  std::uint64_t waiting = 0;       ///< operations not decided yet
  std::uint64_t wal_bytes = 0;
  std::uint64_t locks_held = 0;
  std::uint64_t locks_waiting = 0;
  std::uint64_t undelivered = 0;  ///< events
  std::uint64_t clock_steps = 0;  ///< of the wall clock, a second or more
  std::int64_t wall_ahead_ms = 0;
  std::uint64_t losses = 0;  ///< of the past, that nobody has settled
  std::uint64_t sales_in_memory = 0;
  std::uint64_t sales_at_rest = 0;
  std::uint64_t sales_brought_back = 0;
  std::uint64_t failed_returns = 0;  ///< of sales that could not be read
  std::uint64_t loaded = 0;          ///< reservations read from the file, at the start and since
};

/// Thread safety: `submit`, `readiness`, `counters`, `name` from any thread; `turn` from the owner only, which is the
/// thread of the first `turn`. Operations submitted by the owner are decided in its next turn.
class EmbeddedEngine final : public DrivenEngine {
 public:
  /// Opens the store, or makes it. Fails, with the file untouched, when it is another server's, not ours, of a later
  /// schema, or damaged: `Failure::detail` says which and what to do.
  static std::expected<std::unique_ptr<EmbeddedEngine>, Failure> open(EmbeddedOptions options);
  ~EmbeddedEngine() override;

  void submit(Operation& operation) override;
  Readiness readiness() const override;
  std::string_view name() const override { return "embedded"; }
  void on_payment_work(std::function<void()> notify) override;

  /// `wake` is called from the submitting thread, when operations wait that the owner may not know of.
  void on_ready(std::function<void()> wake) override;

  /// One turn; see above. Returns when the next is due even if nothing is submitted.
  std::optional<std::chrono::steady_clock::time_point> turn() noexcept override;

  EmbeddedCounters counters() const;
  const StoreSecret& secret() const override;
  std::shared_ptr<const StoreIdentity> identity() const override;
  std::vector<EngineFigure> figures() const override;
  void on_events(std::function<void(SaleHandle)> notify) override;

 private:
  struct Impl;
  explicit EmbeddedEngine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace firstcome::engine
