// `firstcome audit`: compares what a server sold with the events in Kafka and the orders in the database, one by one.
#pragma once

#include "cli/command.hpp"
#include "engine/sql/database_url.hpp"
#include "events/orders/order_store.hpp"
#include "net/http_client.hpp"
#include "net/kafka/url.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace firstcome::cli {

struct AuditRequest {
  enum class Repair : std::uint8_t { no, yes };
  /// What is thought of orders of sales of which the server knows no reservation.
  enum class UnknownSales : std::uint8_t {
    are_wrong,    ///< the server, or its store, is another one than that which sold them
    are_allowed,  ///< the sales were deleted on purpose, whose orders stay, or another server sold them
  };

  net::HttpOrigin engine;  ///< a server
  engine::DatabaseUrl database;
  std::optional<net::KafkaUrl> kafka;
  std::string kafka_prefix = "firstcome.";
  std::string sale;  ///< only this one; empty: all
  Repair repair = Repair::no;
  UnknownSales unknown_sales = UnknownSales::are_wrong;
  /// What the store has lost of its past is dealt with: who says so, and why.
  std::optional<events::Discard> settle;
  std::chrono::milliseconds wait{15'000};  ///< how long orders that are missing may be on their way
};

/// Prints the differences on standard output and where it is on standard error. Exit codes: fine, where there are none
/// (or all were repaired); promise_broken, where there are, or orders of unknown sales, or records in the topic that
/// cannot be read; unavailable.
int audit(const AuditRequest& request);

void add_audit_command(CLI::App& app, Run& run);

}  // namespace firstcome::cli
