// The parts of the embedded engine and what its owner knows. See embedded_engine.hpp for what it promises.
//
// The engine is in one of five conditions:
//
//   serving ──(a transaction surely failed)──> failing ──(a probe write succeeds)──> rebuilding ──> serving
//      ├──────(nobody knows whether it did)──> poisoned, for good
//      └──────(another program has locked the file)──> locked_out ──(the same write succeeds)──> serving
//
// While it is failing, rebuilding or poisoned, everything is answered with a Failure, reads too: the ledger in memory
// may hold what was never committed. A rebuild reads the file in a thread of its own, so the owner stays free to
// refuse.
//
// While it is locked out, the turn stays as it is, decided and not yet stored, and its write is tried again and again;
// what is submitted meanwhile waits, or is refused if that takes long.
#pragma once

#include "engine/embedded/checkpointer.hpp"
#include "engine/embedded/data_lock.hpp"
#include "engine/embedded/embedded_engine.hpp"
#include "engine/embedded/reader_thread.hpp"
#include "engine/embedded/recovery.hpp"
#include "engine/embedded/store.hpp"
#include "engine/operation_queue.hpp"
#include "lock/lock_book.hpp"
#include "sale/ledger.hpp"

#include <firstcome/limits.hpp>

#include <atomic>
#include <chrono>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

namespace firstcome::engine {

struct EmbeddedEngine::Impl {
  using SteadyTime = std::chrono::steady_clock::time_point;

  Impl(EmbeddedOptions given, DataLock taken, Recovered found, Store opened);
  ~Impl();

  // --- from any thread ---
  void submit(Operation& operation);
  void wake_owner();
  Readiness readiness() const;
  EmbeddedCounters counters() const;

  // --- the owner's: one turn (turn.cpp) ---
  std::optional<SteadyTime> turn();

  enum class Condition { serving, locked_out, failing, rebuilding, poisoned };

  // --- the owner's: time (engine_clock.cpp) ---
  void start_clock();
  Instant present();
  void watch_wall();

  void complete_rejected();
  void complete_finished_reads();
  std::optional<SteadyTime> serve();
  /// Commits what the batch has decided and answers it.
  std::optional<SteadyTime> finish_turn();
  enum class Committed { yes, not_yet, no };
  /// Unless `yes` the condition has changed.
  Committed commit(Instant now);
  void note_commit(const sale::Changes& changes);
  void fail_batch();
  void complete_batch();
  void start_reads();
  void fold_log_if_full();
  void remove_deleted();
  std::optional<SteadyTime> next_turn() const;

  // --- the owner's: what one turn decides (batch.cpp) ---
  void take_batch();
  void apply_batch(Instant now);
  enum class Applied { answered, needs_a_read, waits_for_a_lock, waits_for_a_turn, waits_for_its_sale };
  Applied apply(Operation& operation, Instant now);
  std::expected<Answer, Failure> create_sale(const CreateSale& command, Instant now);
  /// Whether it must not be decided in this turn.
  bool must_wait(const Operation& operation) const;

  // --- the owner's: sales at rest (rest.cpp) ---
  struct Returning {
    SaleHandle handle{};
    std::uint64_t next = 1;
    std::uint64_t last = 0;
  };
  /// REQUIRES: the operation needs the reservations of this sale, which is at rest.
  Applied wait_for(SaleHandle sale, Operation& operation);
  void let_sales_rest();
  void count_sales();
  void bring_sales_back();
  void begin_to_bring_back();
  std::optional<std::string> read_some(Returning& sale, std::uint64_t count);
  std::vector<Operation*> take_waiters(SaleHandle sale);
  void release_waiters(SaleHandle sale);
  void refuse_waiters(SaleHandle sale, std::string problem);
  void refuse_all_waiters(const Failure& failure);

  // --- the owner's: locks (lock_turn.cpp) ---
  void restore_locks(Recovered& found);
  /// REQUIRES: the operation's command is about a lock.
  Applied apply_to_locks(Operation& operation, Instant now);
  /// Puts those whose wait is over into the batch.
  void collect_lock_waiters();
  /// REQUIRES: what the book has done is committed.
  void tell_of_locks();
  void fail_lock_waiters(const Failure& failure);
  /// The same where the book stays: nobody waits in it any more, so nobody who has gone is given a lock.
  void drop_lock_waiters(const Failure& failure);

  // --- the owner's: deliveries (delivery.cpp) ---
  bool outbox_full() const;
  SaleAnswer apply_to_sale(const DeleteSale& command, Instant now);
  UndeliveredAnswer find_undelivered() const;
  DeliveredAnswer apply_to_outbox(const DeliverEvents& command);

  // --- the owner's: the past (past.cpp) ---
  std::expected<void, Failure> begin_incarnation();
  Written change_past(PastChanges changes);
  void note_losses();
  std::expected<Answer, Failure> apply_to_past(const ComparePast& command);
  std::expected<Answer, Failure> apply_to_past(const SettleLosses& command);
  std::expected<Answer, Failure> apply_to_past(const ListLosses& command) const;
  bool delivered_since_start() const;

  // --- the owner's: when the disk fails (trouble.cpp) ---
  void handle_failed_write(const Written& written);
  std::optional<SteadyTime> refuse_and_probe();
  std::optional<SteadyTime> try_again();
  void stay_locked_out();
  void refuse_all(FailureCode code);
  void refuse_submitted(const Failure& failure);
  void refuse(std::vector<Operation*>& operations, const Failure& failure);
  void probe();
  void start_rebuild();
  void finish_rebuild();
  void set_trouble(std::string reason);

  const EmbeddedOptions options;
  const std::filesystem::path path;
  DataLock lock;
  StoreMeta meta;
  Past past;  ///< the owner's
  const std::shared_ptr<StoreIdentity> identity;
  Store store;
  sale::Ledger ledger;
  OperationQueue queue;
  std::function<void()> payment_work = [] {};
  std::function<void()> wake = [] {};
  std::function<void(SaleHandle)> events_written = [](SaleHandle) {};
  std::atomic<std::thread::id> owner{};

  // --- the owner's ---
  Condition condition = Condition::serving;
  Instant started_at;  ///< by the clock
  Milliseconds
      clock_shift{};          ///< what was added to it then, so that it is not before the last commit of an earlier run
  Milliseconds wall_ahead{};  ///< as the ledger knows it
  Milliseconds shift_seen{};  ///< of the engine's time against its clock, when it was last looked at
  Milliseconds caught_up{};   ///< by how much the clock has caught up since the ledger was last told of the wall clock
  Instant last_now;
  std::vector<Operation*> batch;
  std::vector<Operation*> held_back;  ///< not decided yet: more is due for their sale, or for
                                      ///< locks, than a turn does, or lists are long
  std::size_t listed_bytes = 0;       ///< of this turn's lists
  bool more_finished_reads = false;
  std::vector<Operation*> rejected;
  std::uint64_t delivered_at_start = 0;
  std::uint64_t delivering = 0;   ///< the watermark that the next commit stores; 0: as it is
  std::vector<Operation*> reads;  ///< of this batch, to be read after its commit
  lock::LockBook locks{limits::locks_waiting, limits::locks_held};
  std::unordered_map<std::uint64_t, Operation*> lock_waiters;  ///< by lock::Waiting
  bool locks_behind = false;  ///< more locks end, or waits are over, than a turn does: no lock is asked for meanwhile
  std::unordered_map<std::uint64_t, std::vector<Operation*>> sale_waiters;  ///< by handle of a sale at rest
  std::size_t waiting_for_sales = 0;                                        ///< all of them
  std::deque<SaleHandle> asked_back;                                        ///< not begun to be read
  std::deque<Returning> returning;
  std::vector<sale::ReservationRecord> rows_read;   ///< kept for its strings
  std::map<std::uint64_t, std::string> unreadable;  ///< why, by handle
  struct Removal {
    SaleHandle sale{};
    std::uint64_t next = 1;
    std::uint64_t last = 0;
  };
  std::deque<Removal> removals;
  SteadyTime next_removal{};
  bool removal_locked_out = false;  ///< another program had the file's write lock when rows were last to be removed
  FailureCode batch_failure = FailureCode::store_unavailable;
  std::optional<SteadyTime> locked_out_since;
  SteadyTime next_probe{};
  std::chrono::milliseconds probe_pause{};
  std::future<std::expected<Recovered, Failure>> rebuilding;

  mutable std::mutex trouble_mutex;
  std::string trouble;  ///< empty: ready
  std::string notice;   ///< what an operator should see to, though it is ready

  struct {
    std::atomic<std::uint64_t> turns{0}, commits{0}, operations{0}, overloaded{0}, failed_commits{0}, reservations{0},
        log_bytes{0}, locks_held{0}, locks_waiting{0}, undelivered{0}, clock_steps{0}, losses{0}, sales_in_memory{0},
        sales_at_rest{0}, sales_brought_back{0}, failed_returns{0}, loaded{0};
    std::atomic<std::int64_t> wall_ahead_ms{0};
  } counted;

  // The threads last: they end before what they use.
  Checkpointer checkpointer;
  ReaderThread auditor;
  ReaderThread event_reader;
  ReaderThread relay_reader;  ///< the relay does not stand in line with those who read the feed
};

}  // namespace firstcome::engine
