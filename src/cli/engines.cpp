#include "cli/engines.hpp"

#include "engine/embedded/embedded_engine.hpp"
#include "engine/guarded/guarded_engine.hpp"
#include "engine/redis/redis_engine.hpp"
#include "payment/blocking_gateway.hpp"

#include <spdlog/spdlog.h>

#include <chrono>
#include <string_view>
#include <utility>

namespace firstcome::cli {
namespace {

using Opened = std::expected<std::unique_ptr<engine::DrivenEngine>, Failure>;

CLI::ValidationError wrong(const std::string& option, const std::string& rule) {
  return CLI::ValidationError(option, rule);
}

engine::GuardedOptions guarded_options(const ServeOptions& options) {
  engine::GuardedOptions guarded;
  if (options.inventory.empty()) {
    throw wrong("--inventory",
                "is needed by --engine guarded: sqlite:///PATH, postgresql://..., mysql://... or "
                "redis://...");
  }
  auto inventory = engine::parse_inventory_url(options.inventory);
  if (!inventory) throw wrong("--inventory", inventory.error());
  guarded.inventory = std::move(*inventory);
  const auto guard = engine::guard_kind_of(options.guard);
  if (!guard) throw wrong("--guard", "must be one of " + engine::guard_words());
  guarded.guard = *guard;
  using enum engine::ReleaseTime;
  guarded.release = options.release == "before-commit" ? before_commit : after_commit;
  guarded.pay = options.pay == "after" ? engine::PayTime::after : engine::PayTime::inside;
  guarded.fencing = options.fencing == "on" ? engine::Fencing::on : engine::Fencing::off;
  guarded.locks = options.locks;
  guarded.lease = Milliseconds{options.guard_lease_ms};
  guarded.wait = Milliseconds{options.guard_wait_ms};
  guarded.commit_after = Milliseconds{options.commit_after_ms};
  guarded.admit_per_tick = options.admit_per_tick;
  guarded.tick = Milliseconds{options.tick_ms};
  guarded.workers = options.guard_workers;
  guarded.queue_operations = options.queue_limit;
  guarded.node = options.node;
  if (auto problem = engine::problem_of(guarded)) throw wrong("--engine guarded", *problem);
  return guarded;
}

/// What only a guarded engine has is not given to another in vain.
void expect_no_guard(const ServeOptions& options) {
  if (!options.inventory.empty()) throw wrong("--inventory", "is for --engine guarded");
  if (!options.guard.empty()) throw wrong("--guard", "is for --engine guarded");
}

engine::Durability durability_of(const ServeOptions& options) {
  if (options.durability == "aof") return engine::Durability::aof;
  return options.durability == "replicated" ? engine::Durability::replicated : engine::Durability::memory;
}

std::string_view survives(engine::Durability durability) {
  switch (durability) {
    case engine::Durability::memory:
      return "an answer may be lost when Redis crashes, is restarted or fails over";
    case engine::Durability::aof:
      return "an answer survives a crash of Redis and of its machine's power, but not a failover";
    case engine::Durability::replicated:
      break;
  }
  return "an answer survives the loss of the primary; of two machines at once it does not";
}

Opened open_embedded(const ServeOptions& options, EngineParts& parts) {
  engine::EmbeddedOptions embedded;
  embedded.wall_clock = engine::wall_clock();
  embedded.data = options.data;
  embedded.queue_operations = options.queue_limit;
  embedded.turn_operations = options.turn_limit;
  embedded.lock_observer = std::move(parts.observer);
  embedded.outbox_limit = options.outbox_limit;
  embedded.deliveries = parts.deliveries;
  return engine::EmbeddedEngine::open(embedded);
}

Opened open_redis(const ServeOptions& options, const net::RedisUrl& url, const EngineParts& parts) {
  engine::RedisEngineOptions redis;
  redis.url = url;
  if (options.redis_unchecked) redis.unknown_settings = engine::UnknownSettings::trusted;
  redis.durability = durability_of(options);
  redis.queue_operations = options.queue_limit;
  redis.outbox_limit = options.outbox_limit;
  redis.deliveries = parts.deliveries;
  redis.patience = std::chrono::milliseconds{options.redis_timeout_ms};
  auto engine = engine::RedisEngine::open(redis);
  if (engine) spdlog::info("durability {}: {}", options.durability, survives(redis.durability));
  return engine;
}

Opened open_guarded(engine::GuardedOptions guarded, const EngineParts& parts) {
  const auto gateway = std::make_shared<payment::BlockingGateway>(parts.gateway);
  guarded.charge = [gateway](const ChargeRequest& request) { return gateway->charge(request); };
  guarded.refund = [gateway](const std::string& key) { gateway->refund(key); };
  spdlog::info("guard {}: an answer survives what the inventory survives", text_of(guarded.guard));
  return engine::GuardedEngine::open(std::move(guarded));
}

}  // namespace

EngineChoice choose_engine(const ServeOptions& options) {
  if (options.engine == "guarded") return guarded_options(options);
  expect_no_guard(options);
  if (options.engine == "embedded") return EmbeddedChoice{};
  auto url = net::parse_redis_url(options.engine);
  if (!url) throw wrong("--engine", "must be embedded, guarded or the URL of a Redis: " + url.error());
  if (url->topology == net::RedisUrl::Topology::redlock) {
    throw wrong("--engine", "redlock:// is for locks: a sale needs one store");
  }
  return *url;
}

Opened open_engine(const ServeOptions& options, const EngineChoice& choice, EngineParts parts) {
  if (const auto* redis = std::get_if<net::RedisUrl>(&choice)) return open_redis(options, *redis, parts);
  if (const auto* guarded = std::get_if<engine::GuardedOptions>(&choice)) return open_guarded(*guarded, parts);
  return open_embedded(options, parts);
}

}  // namespace firstcome::cli
