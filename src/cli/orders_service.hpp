// `firstcome orders`: takes events from Kafka and writes orders, until SIGTERM or SIGINT.
#pragma once

#include "api/metrics.hpp"
#include "cli/command.hpp"
#include "cli/serve_options.hpp"
#include "engine/sql/database_url.hpp"
#include "events/order_service.hpp"
#include "net/kafka/url.hpp"

#include <cstdint>
#include <string>

namespace firstcome::cli {

struct OrdersRequest {
  net::KafkaUrl kafka;
  std::string kafka_prefix;
  std::string group;
  engine::DatabaseUrl database;
  std::uint32_t max_rate = 0;    ///< events a second; 0: as many as the database takes
  std::int64_t wait_for_ms = 0;  ///< for Kafka and the database, at start; 0: not
  ListenAddress listen;          ///< of /metrics, /healthz, /readyz
  std::string log_level;
};

/// Prints one line `taking orders ...; http://HOST:PORT/metrics` when it is ready. An exit code.
int serve_orders(const OrdersRequest& request);

/// Of any order service, its counters; both must live as long as the other.
void add_order_metrics(api::Metrics& metrics, const events::OrderService& service);

/// Adds the service's options to `orders`; it is what runs where none of its subcommands is chosen.
void add_orders_service(CLI::App& orders, Run& run);

}  // namespace firstcome::cli
