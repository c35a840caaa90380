// What `--events` and `--orders` of `firstcome serve` mean: who brings the events of the outbox where, and where orders
// are looked up.
//
//   --events   --orders      the relay brings events    orders are written by
//   none       none          nowhere                    nobody
//   none       a database    to the database            the relay itself
//   kafka://   none          to Kafka                   `firstcome orders`, elsewhere
//   kafka://   a database    to Kafka                   an order service in this process
#pragma once

#include "api/metrics.hpp"
#include "cli/serve_options.hpp"
#include "engine/driven_engine.hpp"
#include "engine/sql/database_url.hpp"
#include "events/order_lookup.hpp"
#include "net/kafka/url.hpp"
#include "net/redis/url.hpp"

#include <firstcome/lock_space.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace firstcome::cli {

struct DeliveryPlan {
  std::optional<net::KafkaUrl> kafka;
  std::string kafka_prefix;
  bool has_events = true;  ///< false: the engine makes none (guarded)
  std::optional<engine::DatabaseUrl> orders;

  bool delivers() const { return kafka || orders; }
};

/// Throws CLI::ValidationError, naming the option, where something is wrong with it.
DeliveryPlan plan_delivery(const ServeOptions& options);

/// Thread safety: one thread.
class Delivery {
 public:
  /// Sets DrivenEngine::on_events, so make it before the first submit. `engine` must outlive it. `locks` keep the
  /// relays of several servers apart; null where there is one.
  Delivery(engine::DrivenEngine& engine, const DeliveryPlan& plan, std::unique_ptr<LockSpace> locks);
  /// REQUIRES: stopped, if it was started.
  ~Delivery();

  /// For ApiHooks; null: there are none.
  events::OrderLookup* orders();
  void add_metrics(api::Metrics& metrics);

  /// What keeps events or orders from arriving, a sentence; empty: nothing. Any thread.
  std::string trouble() const;

  /// Asks whoever was told before whether the store still knows all of it; before `start`. `meanwhile` drives the
  /// engine. Who cannot be asked now is asked before the first delivery.
  void check_past(const std::function<void()>& meanwhile);
  void start();
  /// Has all threads give up what they do, without waiting for it.
  void request_stop();
  /// Ends all threads, within two seconds after `request_stop` whatever Kafka and the database do. `meanwhile` drives
  /// the engine.
  void stop(const std::function<void()>& meanwhile);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The wall clock, in milliseconds.
Instant wall_clock();

/// A store of orders that its user may open again and again; it gives up when the token is asked to stop.
std::function<std::expected<std::unique_ptr<events::OrderStore>, std::string>(std::stop_token)> opener_of(
    const engine::DatabaseUrl& database);

}  // namespace firstcome::cli
