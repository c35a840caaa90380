#include "engine/guarded/guarded_engine.hpp"

#include "engine/guarded/guard.hpp"
#include "engine/guarded/guarded_clerk.hpp"
#include "engine/guarded/redis/redis_inventory.hpp"
#include "engine/guarded/sql/sql_inventory.hpp"
#include "engine/guarded/waiting_line.hpp"

#include <condition_variable>
#include <latch>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

namespace firstcome::engine {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds unready_after_failure{1};
/// How often somebody looks for holds that have ended, and commits to be written down.
constexpr std::chrono::milliseconds care_every{100};

Failure overloaded() { return {FailureCode::overloaded, "too many requests wait for a worker"}; }
/// Of a request to buy: there was nothing to buy.
bool found_nothing(const GuardedClerk::Result& result) {
  const auto* const answer = result ? std::get_if<ReserveAnswer>(&*result) : nullptr;
  return answer != nullptr && answer->outcome == Outcome::sold_out;
}

Failure stopping() { return {FailureCode::stopping, "the engine stops"}; }

}  // namespace

struct GuardedEngine::Impl {
  explicit Impl(GuardedOptions given) : options(std::move(given)), waiting(options.admit_per_tick, options.tick) {}
  /// Whom it would wake may have gone already.
  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      wake = nullptr;
    }
    stop();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::expected<void, Failure> open();
  /// `stop`: as in NodeParts.
  GuardedClerk make_clerk(std::stop_token stop = {});
  void work(GuardedClerk clerk);
  void take_care(GuardedClerk clerk, const std::stop_token& stop);
  Operation* next();
  void finish(Operation& operation, GuardedClerk::Result result);
  void look_at(const GuardedClerk::Result& result);
  void stop();

  const GuardedOptions options;
  GuardWaits waits;
  std::stop_source waits_end;    ///< of those who wait for a lock
  std::unique_ptr<Guard> guard;  ///< null: it is the inventory's own
  std::timed_mutex writer;
  CommitTimes commits;
  std::shared_ptr<RedisCaller> redis;
  StoreSecret secret{};
  KnownSales sales;
  std::vector<std::thread> workers;
  std::jthread caretaker;

  mutable std::mutex mutex;  ///< protects what follows
  std::condition_variable arrived;
  WaitingLine waiting;
  std::vector<Operation*> done;
  bool stopped = false;
  std::function<void()> wake;
  std::string trouble;
  SteadyClock::time_point trouble_until{};
  std::uint64_t decided = 0;
  std::size_t working = 0;

  std::vector<Operation*> completing;  ///< the turn's alone
};

std::expected<std::unique_ptr<GuardedEngine>, Failure> GuardedEngine::open(GuardedOptions options) {
  if (auto problem = problem_of(options)) {
    return std::unexpected(Failure{FailureCode::not_supported, std::move(*problem)});
  }
  auto impl = std::make_unique<Impl>(std::move(options));
  try {
    if (auto opened = impl->open(); !opened) return std::unexpected(opened.error());
  } catch (const InventoryFailure& failure) {
    return std::unexpected(Failure{FailureCode::store_unavailable, failure.sentence});
  }
  return std::unique_ptr<GuardedEngine>(new GuardedEngine(std::move(impl)));
}

GuardedEngine::GuardedEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

GuardedEngine::~GuardedEngine() = default;

std::expected<void, Failure> GuardedEngine::Impl::open() {
  if (stands_beside(options.guard)) {
    auto made = make_guard(options, waits, waits_end.get_token());
    if (!made) return std::unexpected(Failure{FailureCode::store_unavailable, made.error()});
    guard = std::move(*made);
  }
  if (const auto* url = std::get_if<net::RedisUrl>(&options.inventory)) redis = std::make_shared<RedisCaller>(*url);
  GuardedClerk first = make_clerk();
  secret = first.open();
  workers.emplace_back([this, clerk = std::move(first)]() mutable { work(std::move(clerk)); });
  // All sessions are opened before anybody buys, so that nobody waits for one, and what a sale costs is the sale's.
  const auto opened = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(options.workers) - 1);
  while (workers.size() < options.workers) {
    workers.emplace_back([this, opened, clerk = make_clerk()]() mutable {
      clerk.try_to_open();
      opened->count_down();
      work(std::move(clerk));
    });
  }
  opened->wait();
  caretaker = std::jthread([this, clerk = make_clerk(waits_end.get_token())](const std::stop_token& stop) mutable {
    take_care(std::move(clerk), stop);
  });
  return {};
}

GuardedClerk GuardedEngine::Impl::make_clerk(std::stop_token stop) {
  const NodeParts parts{.options = options,
                        .guard = guard.get(),
                        .waits = waits,
                        .writer = &writer,
                        .stop = std::move(stop),
                        .commits = &commits};
  return {redis ? make_redis_inventory(parts, redis) : make_sql_inventory(parts), parts, sales};
}

void GuardedEngine::Impl::work(GuardedClerk clerk) {
  while (Operation* const operation = next()) finish(*operation, clerk.answer(operation->command));
}

void GuardedEngine::Impl::take_care(GuardedClerk clerk, const std::stop_token& stop) {
  std::mutex nobody;
  std::condition_variable_any stopped_caring;
  std::unique_lock lock(nobody);
  while (!stop.stop_requested()) {
    clerk.take_care();
    stopped_caring.wait_for(lock, stop, care_every, [] { return false; });
  }
}

/// Null: the engine stops.
Operation* GuardedEngine::Impl::next() {
  std::unique_lock lock(mutex);
  for (;;) {
    if (stopped) return nullptr;
    if (Operation* const operation = waiting.next(SteadyClock::now())) {
      ++working;
      return operation;
    }
    if (const auto tick = waiting.next_tick()) {
      arrived.wait_until(lock, *tick);
    } else {
      arrived.wait(lock);
    }
  }
}

void GuardedEngine::Impl::finish(Operation& operation, GuardedClerk::Result result) {
  operation.answer = std::move(result);
  std::function<void()> rung;
  {
    const std::lock_guard lock(mutex);
    --working;
    ++decided;
    if (found_nothing(operation.answer)) {
      waiting.found_nothing();
      arrived.notify_one();
    }
    look_at(operation.answer);
    if (done.empty()) rung = wake;
    done.push_back(&operation);
  }
  if (rung) rung();
}

/// REQUIRES: the mutex.
void GuardedEngine::Impl::look_at(const GuardedClerk::Result& result) {
  if (result || result.error().code == FailureCode::not_supported) {
    trouble_until = {};
    return;
  }
  trouble = result.error().detail;
  trouble_until = SteadyClock::now() + unready_after_failure;
}

void GuardedEngine::Impl::stop() {
  std::function<void()> rung;
  {
    const std::lock_guard lock(mutex);
    stopped = true;
    for (Operation* const operation : waiting.disband()) {
      operation->answer = std::unexpected(stopping());
      done.push_back(operation);
    }
    if (!done.empty()) rung = wake;
  }
  if (rung) rung();
  arrived.notify_all();
  waits_end.request_stop();
  for (std::thread& worker : workers) worker.join();
  workers.clear();
  if (caretaker.joinable()) {
    caretaker.request_stop();
    caretaker.join();
  }
}

void GuardedEngine::submit(Operation& operation) {
  Impl& impl = *impl_;
  std::function<void()> rung;
  {
    const std::lock_guard lock(impl.mutex);
    const bool full = impl.waiting.waiting_with(operation) >= impl.options.queue_operations;
    if (!full && !impl.stopped) {
      impl.waiting.join(operation);
    } else {
      operation.answer = std::unexpected(impl.stopped ? stopping() : overloaded());
      if (impl.done.empty()) rung = impl.wake;
      impl.done.push_back(&operation);
    }
  }
  impl.arrived.notify_one();
  if (rung) rung();
}

Readiness GuardedEngine::readiness() const {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->stopped) return {false, "the engine stops"};
  if (SteadyClock::now() < impl_->trouble_until) return {false, impl_->trouble};
  return {};
}

void GuardedEngine::on_ready(std::function<void()> wake) {
  const std::lock_guard lock(impl_->mutex);
  impl_->wake = std::move(wake);
}

std::optional<SteadyClock::time_point> GuardedEngine::turn() noexcept {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->completing.swap(impl_->done);
  }
  for (Operation* const operation : impl_->completing) operation->completed();
  impl_->completing.clear();
  return std::nullopt;
}

void GuardedEngine::stop() { impl_->stop(); }

const StoreSecret& GuardedEngine::secret() const { return impl_->secret; }

std::vector<EngineFigure> GuardedEngine::figures() const {
  using enum EngineFigure::Kind;
  const Impl* const impl = impl_.get();
  const auto read = [impl](auto figure) {
    return [impl, figure] {
      const std::lock_guard lock(impl->mutex);
      return static_cast<double>(figure(*impl));
    };
  };
  return {
      {counter, "firstcome_engine_operations_total", "Operations decided",
       read([](const Impl& from) { return from.decided; })},
      {gauge, "firstcome_engine_waiting", "Operations that wait for a worker",
       read([](const Impl& from) { return from.waiting.size(); })},
      {gauge, "firstcome_engine_working", "Operations that a worker is at",
       read([](const Impl& from) { return from.working; })},
      {counter, "firstcome_guard_waits_total", "Times a guard was asked for",
       read([](const Impl& from) { return from.waits.waits.load(std::memory_order_relaxed); })},
      {counter, "firstcome_guard_wait_seconds_total", "Time spent until a guard was had, or not",
       read([](const Impl& from) {
         return static_cast<double>(from.waits.nanoseconds.load(std::memory_order_relaxed)) / 1e9;
       })},
  };
}

}  // namespace firstcome::engine
