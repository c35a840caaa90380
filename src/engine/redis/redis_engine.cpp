#include "engine/redis/redis_engine.hpp"

#include "engine/operation_queue.hpp"
#include "engine/redis/redis_core.hpp"
#include "lock/event_loop.hpp"

#include <atomic>
#include <cassert>
#include <future>
#include <mutex>
#include <utility>

namespace firstcome::engine {
namespace {

using std::chrono::seconds;
using SteadyClock = std::chrono::steady_clock;

constexpr seconds patience_at_start{5};

net::RedisOptions patient(net::RedisOptions options) {
  options.when_down = net::RedisOptions::WhenDown::wait;  // a desk answers for itself when that takes too long
  return options;
}

RedisCoreOptions core_options(const RedisEngineOptions& options) {
  const bool cluster = options.url.topology == net::RedisUrl::Topology::cluster;
  return {.durability = options.durability,
          .patience = options.patience,
          .unknown_settings = options.unknown_settings,
          .servers = cluster ? RedisCoreOptions::Servers::many : RedisCoreOptions::Servers::one,
          .outbox_keep = options.outbox_keep,
          .outbox_limit = options.outbox_limit,
          .deliveries = options.deliveries};
}

}  // namespace

struct RedisEngine::Impl {
  explicit Impl(RedisEngineOptions given) : options(std::move(given)), queue(options.queue_operations) {}

  std::expected<void, Failure> open();
  void take_submitted();
  void completed(Operation& operation);
  void flush();
  template <class... Arguments>
  void call(std::function<void(Arguments...)> Impl::* hook, Arguments... arguments);
  RedisCoreCounters counters();

  const RedisEngineOptions options;
  StoreSecret secret{};
  std::shared_ptr<StoreIdentity> identity;
  lock::EventLoop loop;
  OperationQueue queue;
  std::vector<Operation*> batch;  // on the loop

  // Made and destroyed on the loop.
  std::unique_ptr<net::RedisClient> client;
  std::unique_ptr<RedisCore> core;

  std::atomic<std::size_t> inside = 0;  // operations that were taken and not completed

  mutable std::mutex mutex;  // protects what follows
  std::vector<Operation*> done;
  std::vector<std::shared_ptr<const KnownSale>> let_go;  // of deleted sales; answers in `done` may view them
  Readiness ready;
  RedisCoreCounters told;
  std::function<void()> wake;
  std::function<void()> payment_work;
  std::function<void(SaleHandle)> events_written;

  std::vector<Operation*> completing;                    // the turn's alone
  std::vector<std::shared_ptr<const KnownSale>> ending;  // likewise
  std::vector<Operation*> fresh;                         // the loop's alone: done, and not flushed
};

std::expected<std::unique_ptr<RedisEngine>, Failure> RedisEngine::open(RedisEngineOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  impl->loop.start();
  // From here on it ends what it has begun, also where it cannot be opened.
  std::unique_ptr<RedisEngine> engine(new RedisEngine(std::move(impl)));
  if (auto opened = engine->impl_->open(); !opened) return std::unexpected(opened.error());
  return engine;
}

RedisEngine::RedisEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

RedisEngine::~RedisEngine() {
  impl_->loop.close([impl = impl_.get()] {
    impl->core.reset();
    impl->client.reset();
  });
}

std::expected<void, Failure> RedisEngine::Impl::open() {
  std::promise<std::expected<void, Failure>> opened;
  loop.post([&] {
    auto made = net::make_redis_client(loop.executor(), options.url, {}, patient(options.redis));
    if (!made) return opened.set_value(std::unexpected(Failure{FailureCode::store_unavailable, made.error()}));
    client = std::move(*made);
    RedisCoreEvents events;
    events.complete = [this](Operation& operation) { completed(operation); };
    events.flush = [this] { flush(); };
    events.payment_work = [this] { call(&Impl::payment_work); };
    events.events_written = [this](SaleHandle stream) { call(&Impl::events_written, stream); };
    events.readiness = [this](Readiness readiness) {
      const RedisCoreCounters now = core->counters();
      const std::lock_guard guard(mutex);
      ready = std::move(readiness);
      told = now;
    };
    events.let_go = [this](std::shared_ptr<const KnownSale> sale) {
      const std::lock_guard guard(mutex);
      let_go.push_back(std::move(sale));
    };
    core = std::make_unique<RedisCore>(*client, loop.executor(), core_options(options), std::move(events));
    core->open(SteadyClock::now() + patience_at_start, [this, &opened](std::expected<void, Failure> result) {
      if (result) secret = core->secret();
      if (result) identity = core->identity();
      opened.set_value(std::move(result));
    });
  });
  return opened.get_future().get();
}

void RedisEngine::submit(Operation& operation) {
  if (impl_->queue.push(operation) == OperationQueue::Pushed::behind) return;
  impl_->loop.post([impl = impl_.get()] { impl->take_submitted(); });
}

/// On the loop. What is submitted while this runs wakes it again.
void RedisEngine::Impl::take_submitted() {
  batch.clear();
  queue.take(batch, options.queue_operations, [](const Operation&) { return false; });
  std::vector<Operation*> rejected;
  queue.take_rejected(rejected);
  for (Operation* operation : batch) {
    if (inside >= options.queue_operations) {
      rejected.push_back(operation);
      continue;
    }
    ++inside;
    core->submit(*operation);
  }
  for (Operation* operation : rejected) {
    ++inside;
    operation->answer = std::unexpected(Failure{FailureCode::overloaded, "too many requests wait for Redis"});
    completed(*operation);
  }
  flush();
}

void RedisEngine::Impl::completed(Operation& operation) {
  assert(inside > 0);
  --inside;
  fresh.push_back(&operation);
}

void RedisEngine::Impl::flush() {
  if (fresh.empty()) return;
  bool first = false;
  {
    const std::lock_guard guard(mutex);
    first = done.empty();
    done.insert(done.end(), fresh.begin(), fresh.end());
  }
  fresh.clear();
  if (first) call(&Impl::wake);
}

/// What it wakes may come from another thread: it is copied, and called without the mutex.
template <class... Arguments>
void RedisEngine::Impl::call(std::function<void(Arguments...)> Impl::* hook, Arguments... arguments) {
  std::function<void(Arguments...)> present;
  {
    const std::lock_guard guard(mutex);
    present = this->*hook;
  }
  if (present) present(arguments...);
}

Readiness RedisEngine::readiness() const {
  const std::lock_guard guard(impl_->mutex);
  return impl_->ready;
}

void RedisEngine::on_payment_work(std::function<void()> notify) {
  const std::lock_guard guard(impl_->mutex);
  impl_->payment_work = std::move(notify);
}

void RedisEngine::on_events(std::function<void(SaleHandle)> notify) {
  const std::lock_guard guard(impl_->mutex);
  impl_->events_written = std::move(notify);
}

void RedisEngine::on_ready(std::function<void()> wake) {
  const std::lock_guard guard(impl_->mutex);
  impl_->wake = std::move(wake);
}

std::optional<SteadyClock::time_point> RedisEngine::turn() noexcept {
  {
    const std::lock_guard guard(impl_->mutex);
    impl_->completing.swap(impl_->done);
    impl_->ending.swap(impl_->let_go);
  }
  for (Operation* operation : impl_->completing) operation->completed();
  impl_->completing.clear();
  impl_->ending.clear();
  return std::nullopt;
}

const StoreSecret& RedisEngine::secret() const { return impl_->secret; }
std::shared_ptr<const StoreIdentity> RedisEngine::identity() const { return impl_->identity; }

RedisCoreCounters RedisEngine::Impl::counters() {
  const std::lock_guard guard(mutex);
  return told;
}

std::vector<EngineFigure> RedisEngine::figures() const {
  using enum EngineFigure::Kind;
  const auto read = [impl = impl_.get()](std::uint64_t RedisCoreCounters::* member) {
    return [impl, member] { return static_cast<double>(impl->counters().*member); };
  };
  return {
      {counter, "firstcome_engine_calls_total", "Calls of a sale's script", read(&RedisCoreCounters::calls)},
      {counter, "firstcome_engine_calls_repeated_total", "Calls that were made again, their fate being unknown",
       read(&RedisCoreCounters::calls_repeated)},
      {counter, "firstcome_engine_operations_total", "Operations decided", read(&RedisCoreCounters::commands)},
      {counter, "firstcome_engine_rollbacks_total", "Times the store had forgotten answers that were given",
       read(&RedisCoreCounters::rollbacks)},
      {counter, "firstcome_engine_overloaded_total", "Operations that waited too long, or would have, and were refused",
       read(&RedisCoreCounters::overloaded)},
      {gauge, "firstcome_engine_sales", "Sales that this node knows", read(&RedisCoreCounters::sales)},
      {gauge, "firstcome_outbox_undelivered", "Events that were not delivered yet",
       read(&RedisCoreCounters::undelivered)},
      {gauge, "firstcome_store_losses", "Parts of its past that the store has lost and nobody has settled",
       read(&RedisCoreCounters::losses)},
      {gauge, "firstcome_engine_waiting", "Operations that wait for Redis", read(&RedisCoreCounters::waiting)},
  };
}

}  // namespace firstcome::engine
