// The Redis engine: many nodes sell one stock together. Everything is decided in Redis, by one script per sale and
// call; nodes hold no state that matters, and any of them may die at any time.
//
// Mechanism. Operations are handed to a thread that talks to Redis. There each sale has a desk (sale_desk.hpp), which
// gathers what waits for it into one call at a time. What is answered comes back in the program's turn. Time's work
// (ends of holds, ticks) is done by whichever call comes first: each node polls each sale, so no node is special.
//
// What an answer means is chosen by `Durability`; open refuses a server whose settings do not keep it.
#pragma once

#include "engine/driven_engine.hpp"
#include "engine/redis/sale_desk.hpp"
#include "engine/redis/server_check.hpp"
#include "net/redis/options.hpp"
#include "net/redis/url.hpp"

#include <firstcome/limits.hpp>

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>

namespace firstcome::engine {

struct RedisEngineOptions {
  net::RedisUrl url;  ///< not redlock://
  net::RedisOptions redis = {};
  Durability durability = Durability::memory;
  std::size_t queue_operations = limits::queue_operations;
  /// How long a request waits for Redis before it is answered without an outcome.
  std::chrono::milliseconds patience{2'000};
  UnknownSettings unknown_settings = UnknownSettings::refused;  ///< of a server that does not tell them
  std::uint64_t outbox_keep =
      limits::outbox_keep;         ///< delivered events of each sale that stay at least; 1 where it is 0
  std::uint64_t outbox_limit = 0;  ///< undelivered events of a sale, from which on it accepts nobody; 0: no limit
  Deliveries deliveries = Deliveries::none;
};

/// Thread safety: as Engine; `turn` from one thread.
class RedisEngine final : public DrivenEngine {
 public:
  /// Connects, checks the server's settings, and finds the store or makes it. Blocks, at most about ten seconds.
  /// Failures: store_unavailable, with a sentence that says what is wrong and what to do.
  static std::expected<std::unique_ptr<RedisEngine>, Failure> open(RedisEngineOptions options);
  ~RedisEngine() override;

  void submit(Operation& operation) override;
  Readiness readiness() const override;
  std::string_view name() const override { return "redis"; }
  void on_payment_work(std::function<void()> notify) override;

  void on_ready(std::function<void()> wake) override;
  std::optional<std::chrono::steady_clock::time_point> turn() noexcept override;
  const StoreSecret& secret() const override;
  std::shared_ptr<const StoreIdentity> identity() const override;
  std::vector<EngineFigure> figures() const override;
  void on_events(std::function<void(SaleHandle)> notify) override;

 private:
  struct Impl;
  explicit RedisEngine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace firstcome::engine
