#include "engine/guarded/guard.hpp"

#include "engine/guarded/inventory.hpp"
#include "lock/backend.hpp"
#include "lock/redis/fifo.hpp"
#include "lock/redis/redisson.hpp"
#include "lock/redis/redlock.hpp"
#include "lock/redis/setnx.hpp"

#include <firstcome/lock_mutex.hpp>

#include <fmt/format.h>

#include <mutex>
#include <unordered_map>
#include <utility>

namespace firstcome::engine {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// Lets everybody in.
class NoGuard final : public Guard {
 public:
  std::unique_ptr<Held> enter(const std::string& /*sale*/) override { return std::make_unique<Inside>(); }

 private:
  struct Inside final : Held {
    void let_go() override {}
  };
};

/// Keeps the workers of one process apart, and nobody else.
class MutexGuard final : public Guard {
 public:
  explicit MutexGuard(Milliseconds wait) : wait_(wait) {}

  std::unique_ptr<Held> enter(const std::string& sale) override {
    std::unique_lock lock(mutex_of(sale), std::defer_lock);
    if (!lock.try_lock_for(wait_)) return nullptr;
    return std::make_unique<Inside>(std::move(lock));
  }

 private:
  struct Inside final : Held {
    explicit Inside(std::unique_lock<std::timed_mutex> held) : lock(std::move(held)) {}
    void let_go() override { lock.unlock(); }
    std::unique_lock<std::timed_mutex> lock;
  };

  /// One for each sale, for ever: a map's elements stay where they are.
  std::timed_mutex& mutex_of(const std::string& sale) {
    const std::lock_guard guard(mutex_);
    return mutexes_[sale];
  }

  const Milliseconds wait_;
  std::mutex mutex_;  ///< protects the map
  std::unordered_map<std::string, std::timed_mutex> mutexes_;
};

/// A lock of our library, named as the sale. Nobody renews its lease: a holder that is too slow loses it.
class LeaseGuard final : public Guard {
 public:
  LeaseGuard(std::unique_ptr<LockSpace> space, Milliseconds wait, Milliseconds lease, std::stop_token stop)
      : space_(std::move(space)), wait_(wait), lease_(lease), stop_(std::move(stop)) {}

  std::unique_ptr<Held> enter(const std::string& sale) override {
    // A Lock costs nothing, and what is held does not need it.
    const std::unique_ptr<Lock> lock = space_->lock("firstcome-sale-" + sale);
    Acquired acquired = acquire_blocking(*lock, {.wait = wait_, .lease = lease_, .stop = stop_});
    if (acquired) return std::make_unique<Inside>(std::move(*acquired));
    if (!is_failure(acquired.error().why)) return nullptr;
    throw InventoryFailure{
        InventoryFailure::Kind::unavailable,
        fmt::format("the lock cannot be had: {} {}", text_of(acquired.error().why), acquired.error().detail)};
  }

 private:
  struct Inside final : Held {
    explicit Inside(Lease held) : lease(std::move(held)) {}
    std::optional<std::uint64_t> token() const override { return lease.token(); }
    /// A lease that was lost meanwhile is not told of: the plain service that this is did not look either.
    void let_go() override { release_blocking(std::move(lease)); }
    Lease lease;
  };

  const std::unique_ptr<LockSpace> space_;
  const Milliseconds wait_;
  const Milliseconds lease_;
  const std::stop_token stop_;
};

/// Counts how long it takes to get in.
class ObservedGuard final : public Guard {
 public:
  ObservedGuard(std::unique_ptr<Guard> guard, GuardWaits& waits) : guard_(std::move(guard)), waits_(waits) {}

  std::unique_ptr<Held> enter(const std::string& sale) override {
    const auto began = SteadyClock::now();
    std::unique_ptr<Held> held = guard_->enter(sale);
    waits_.add(SteadyClock::now() - began);
    return held;
  }

 private:
  const std::unique_ptr<Guard> guard_;
  GuardWaits& waits_;
};

std::expected<std::shared_ptr<lock::LockBackend>, std::string> make_backend(GuardKind guard, const net::RedisUrl& url) {
  switch (guard) {
    case GuardKind::setnx_try:
      return lock::make_setnx_locks(url, lock::SetnxWait::tried_once);
    case GuardKind::setnx_spin:
      return lock::make_setnx_locks(url, lock::SetnxWait::spinning);
    case GuardKind::redisson:
      return lock::make_redisson_locks(url);
    case GuardKind::redlock:
      return lock::make_redlock_locks(url);
    default:
      return lock::make_fifo_locks(url);
  }
}

/// Where the locks are: as said, else beside the stock.
std::expected<net::RedisUrl, std::string> lock_servers(const GuardedOptions& options) {
  if (!options.locks.empty()) return net::parse_redis_url(options.locks);
  if (const auto* redis = std::get_if<net::RedisUrl>(&options.inventory)) return *redis;
  return std::unexpected("there is no URL");
}

std::expected<std::unique_ptr<Guard>, std::string> make_lease_guard(const GuardedOptions& options,
                                                                    std::stop_token stop) {
  const auto url = lock_servers(options);
  if (!url) return std::unexpected(url.error());
  auto backend = make_backend(options.guard, *url);
  if (!backend) return std::unexpected(std::move(backend.error()));
  const LockSettings settings{.outage_limit = Milliseconds{2'000}};
  const Milliseconds wait = options.guard == GuardKind::setnx_try ? Milliseconds{0} : options.wait;
  return std::make_unique<LeaseGuard>(lock::make_lock_space(std::move(*backend), settings), wait, options.lease,
                                      std::move(stop));
}

}  // namespace

std::expected<std::unique_ptr<Guard>, std::string> make_guard(const GuardedOptions& options, GuardWaits& waits,
                                                              std::stop_token stop) {
  if (options.guard == GuardKind::none) return std::make_unique<NoGuard>();
  if (options.guard == GuardKind::mutex) {
    return std::make_unique<ObservedGuard>(std::make_unique<MutexGuard>(options.wait), waits);
  }
  auto guard = make_lease_guard(options, std::move(stop));
  if (!guard) return guard;
  return std::make_unique<ObservedGuard>(std::move(*guard), waits);
}

}  // namespace firstcome::engine
