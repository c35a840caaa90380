#include "engine/embedded/embedded_engine.hpp"

#include "engine/embedded/audit.hpp"
#include "engine/embedded/embedded_impl.hpp"
#include "engine/embedded/read_events.hpp"

#include <firstcome/limits.hpp>

#include <fmt/format.h>
#include <openssl/rand.h>
#include <spdlog/spdlog.h>
#include <time.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace firstcome::engine {
namespace {

/// Steady, and goes on while the machine sleeps.
std::chrono::nanoseconds since_boot() {
  timespec time{};
  ::clock_gettime(CLOCK_BOOTTIME, &time);
  return std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
}

Failure refused(std::string why) { return {FailureCode::store_unavailable, std::move(why)}; }

template <class Answer>
std::expected<firstcome::Answer, Failure> answer_of(sqlite::Result<Answer> result) {
  if (result) return firstcome::Answer{std::move(*result)};
  return std::unexpected(refused(fmt::format("{} (SQLite error {})", result.error().text, result.error().code)));
}

std::expected<Answer, Failure> read(sqlite::Connection& connection, const Command& command) {
  if (const auto* sale = std::get_if<AuditSale>(&command)) return answer_of(audit(connection, *sale));
  if (const auto* outbox = std::get_if<ReadOutbox>(&command)) return answer_of(read_outbox(connection, *outbox));
  return answer_of(read_events(connection, std::get<ReadEvents>(command)));
}

std::expected<void, Failure> make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(folder, error);
  std::vector<std::filesystem::path> above;  // of each folder that is missing, whose entry it will be
  for (std::filesystem::path at = path; !error && !at.empty() && !std::filesystem::exists(at); at = at.parent_path())
    above.push_back(at.parent_path());
  if (!error) std::filesystem::create_directories(path, error);
  if (error) return std::unexpected(refused(fmt::format("cannot make {}: {}", folder.string(), error.message())));
  for (const std::filesystem::path& parent : above)
    if (auto synced = sync_path(parent); !synced) return std::unexpected(refused(synced.error().text));
  return {};
}

/// A new store, unless there is one. An empty file is what a program leaves that only tried to open it.
std::expected<void, Failure> create_if_missing(const EmbeddedOptions& options, const std::filesystem::path& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (!error && size > 0) return {};
  const std::filesystem::path log = path.string() + "-wal";
  if (const auto log_size = std::filesystem::file_size(log, error); !error && log_size > 0)
    return std::unexpected(
        refused(fmt::format("{} is missing, but its log {} is there: put the file back, or move the log away",
                            path.string(), log.string())));
  StoreMeta meta;
  if (RAND_bytes(meta.store_id.data(), static_cast<int>(meta.store_id.size())) != 1 ||
      RAND_bytes(meta.secret.data(), static_cast<int>(meta.secret.size())) != 1)
    return std::unexpected(refused("no random numbers are to be had for the store's secret"));
  meta.created_at = meta.now = options.clock();
  if (auto made = create_store(path, meta, options.vfs); !made)
    return std::unexpected(refused(fmt::format("cannot make {}: {}", path.string(), made.error().text)));
  return {};
}

}  // namespace

Clock steady_wall_clock() {
  const auto wall = std::chrono::system_clock::now();
  return [wall, start = since_boot()] { return std::chrono::floor<Milliseconds>(wall + (since_boot() - start)); };
}

Clock wall_clock() {
  return [] { return std::chrono::floor<Milliseconds>(std::chrono::system_clock::now()); };
}

EmbeddedOptions::EmbeddedOptions()
    : queue_operations(limits::queue_operations),
      turn_operations(limits::turn_operations),
      outbox_keep(limits::outbox_keep) {}

std::expected<std::unique_ptr<EmbeddedEngine>, Failure> EmbeddedEngine::open(EmbeddedOptions options) {
  if (auto made = make_folder(options.data); !made) return std::unexpected(std::move(made.error()));
  auto lock = DataLock::take(options.data);
  if (!lock) return std::unexpected(std::move(lock.error()));
  const std::filesystem::path path = options.data / "firstcome.db";
  if (auto made = create_if_missing(options, path); !made) return std::unexpected(std::move(made.error()));
  auto found = recover({path, options.vfs, options.clock()});
  if (!found) return std::unexpected(std::move(found.error()));
  auto store = Store::open(path, options.vfs, found->outbox, options.outbox_keep);
  if (!store)
    return std::unexpected(refused(fmt::format("{} cannot be written: {}", path.string(), store.error().text)));
  auto impl = std::make_unique<Impl>(std::move(options), std::move(*lock), std::move(*found), std::move(*store));
  if (auto begun = impl->begin_incarnation(); !begun) return std::unexpected(std::move(begun.error()));
  return std::unique_ptr<EmbeddedEngine>(new EmbeddedEngine(std::move(impl)));
}

EmbeddedEngine::EmbeddedEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EmbeddedEngine::~EmbeddedEngine() = default;

void EmbeddedEngine::submit(Operation& operation) { impl_->submit(operation); }
Readiness EmbeddedEngine::readiness() const { return impl_->readiness(); }
void EmbeddedEngine::on_payment_work(std::function<void()> notify) { impl_->payment_work = std::move(notify); }
void EmbeddedEngine::on_events(std::function<void(SaleHandle)> notify) { impl_->events_written = std::move(notify); }
void EmbeddedEngine::on_ready(std::function<void()> wake) { impl_->wake = std::move(wake); }
std::optional<std::chrono::steady_clock::time_point> EmbeddedEngine::turn() noexcept { return impl_->turn(); }
EmbeddedCounters EmbeddedEngine::counters() const { return impl_->counters(); }
const StoreSecret& EmbeddedEngine::secret() const { return impl_->meta.secret; }
std::shared_ptr<const StoreIdentity> EmbeddedEngine::identity() const { return impl_->identity; }

EmbeddedEngine::Impl::Impl(EmbeddedOptions given, DataLock taken, Recovered found, Store opened)
    : options(std::move(given)),
      path(options.data / "firstcome.db"),
      lock(std::move(taken)),
      meta(found.meta),
      past(std::move(found.past)),
      identity(std::make_shared<StoreIdentity>(meta.secret)),
      store(std::move(opened)),
      ledger(std::move(found.ledger)),
      queue(options.queue_operations),
      last_now(found.now),
      checkpointer(path, options.vfs),
      auditor(path, options.vfs, read, [this] { wake_owner(); }),
      event_reader(path, options.vfs, read, [this] { wake_owner(); }),
      relay_reader(
          path, options.vfs, read, [this] { wake_owner(); },
          options.deliveries == Deliveries::in_background ? ReaderThread::Priority::background
                                                          : ReaderThread::Priority::usual) {
  start_clock();
  restore_locks(found);
  counted.reservations = found.reservations;
  counted.loaded = found.loaded;
  count_sales();
  counted.undelivered = store.outbox().undelivered();
  delivered_at_start = store.outbox().delivered;
  for (const SaleHandle sale : found.leaving) removals.push_back({sale, 1, 0});
}

EmbeddedEngine::Impl::~Impl() {
  checkpointer.stop();
  auditor.stop();
  event_reader.stop();
  relay_reader.stop();
  complete_finished_reads();
  while (more_finished_reads) complete_finished_reads();
  refuse_all(FailureCode::stopping);  // what an earlier turn had gathered
  refuse_all(FailureCode::stopping);  // what was pushed since
  if (condition == Condition::poisoned) store.leave_as_it_is();
}

void EmbeddedEngine::Impl::submit(Operation& operation) {
  if (queue.push(operation) == OperationQueue::Pushed::first) wake_owner();
}

void EmbeddedEngine::Impl::wake_owner() {
  if (owner.load(std::memory_order_relaxed) != std::this_thread::get_id()) wake();
}

Readiness EmbeddedEngine::Impl::readiness() const {
  const std::lock_guard guard(trouble_mutex);
  if (!trouble.empty()) return {false, trouble};
  return {true, notice};
}

EmbeddedCounters EmbeddedEngine::Impl::counters() const {
  EmbeddedCounters counters;
  counters.turns = counted.turns;
  counters.commits = counted.commits;
  counters.operations = counted.operations;
  counters.overloaded = counted.overloaded;
  counters.failed_commits = counted.failed_commits;
  counters.reservations = counted.reservations;
  counters.waiting = queue.waiting();
  counters.wal_bytes = counted.log_bytes;
  counters.locks_held = counted.locks_held;
  counters.locks_waiting = counted.locks_waiting;
  counters.undelivered = counted.undelivered;
  counters.clock_steps = counted.clock_steps;
  counters.wall_ahead_ms = counted.wall_ahead_ms;
  counters.losses = counted.losses;
  counters.sales_in_memory = counted.sales_in_memory;
  counters.sales_at_rest = counted.sales_at_rest;
  counters.sales_brought_back = counted.sales_brought_back;
  counters.failed_returns = counted.failed_returns;
  counters.loaded = counted.loaded;
  return counters;
}

}  // namespace firstcome::engine
