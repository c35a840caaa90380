// The options of `firstcome serve`, from the command line, the environment (FIRSTCOME_...) or a TOML file.
#pragma once

#include "cli/command.hpp"
#include "cli/redis_connection.hpp"

#include <firstcome/limits.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace firstcome::cli {

struct ServeOptions {
  std::string listen = "127.0.0.1:8080";
  std::filesystem::path data = "firstcome-data";
  std::string sales;                  ///< a file of sales to create at start; empty: none
  bool sales_strict = false;          ///< other terms in that file than in the store are an error
  std::string engine = "embedded";    ///< or guarded, or the URL of a Redis
  std::string durability = "memory";  ///< on Redis: memory, aof or replicated
  std::int64_t wait_for_ms = 0;       ///< for the servers that it needs, at start; 0: not
  RedisConnectionOptions redis;       ///< of every Redis that a URL names
  bool redis_unchecked = false;       ///< settings that it does not tell are trusted
  std::string simulate_payment;       ///< as SimulatedGateway reads it; empty: never fails
  std::string gateway;                ///< http[s]://host[:port][/path] of a payment provider; empty: simulated
  std::string gateway_credentials;    ///< file whose first line is sent as Authorization; empty: none
  std::string gateway_ca;             ///< PEM, for https; empty: what the system trusts
  std::string locks;  ///< embedded, or the URL of a Redis; empty: where the sales are. Guarded: where the guard's are
  std::string lock_kind = "fifo";
  std::string events = "none";              ///< or the URL of a Kafka
  std::string kafka_prefix = "firstcome.";  ///< of the topics
  std::string kafka_ca;                     ///< PEM, for kafkas://
  std::string orders;  ///< none, or the URL of a database; empty: beside the sales, unless Kafka has the events
  std::string log_level = "info";

  // Of --engine guarded:
  std::string inventory;  ///< the URL of where the stock is
  std::string guard;      ///< as engine::GuardKind says
  std::string release = "after-commit";
  std::string pay = "inside";
  std::string fencing = "off";
  std::string node = "node";
  std::int64_t guard_lease_ms = 3'000;
  std::int64_t guard_wait_ms = 10'000;
  std::int64_t commit_after_ms = 0;
  std::uint32_t admit_per_tick = 0;
  std::int64_t tick_ms = 100;
  std::size_t guard_workers = 16;

  std::uint64_t outbox_limit = limits::outbox_undelivered;  ///< 0: none
  std::size_t queue_limit = limits::queue_operations;
  std::size_t turn_limit = limits::turn_operations;
  std::size_t connections = limits::connections;
  std::size_t body_limit = limits::body_bytes;
  std::int64_t header_timeout_ms = std::chrono::milliseconds{limits::header_deadline}.count();
  std::int64_t body_timeout_ms = std::chrono::milliseconds{limits::body_deadline}.count();
  std::int64_t idle_timeout_ms = std::chrono::milliseconds{limits::idle_deadline}.count();
  std::int64_t write_timeout_ms = std::chrono::milliseconds{limits::write_deadline}.count();
  std::int64_t drain_timeout_ms = std::chrono::milliseconds{limits::drain_deadline}.count();
  std::int64_t gateway_timeout_ms = 5'000;
  std::int64_t redis_timeout_ms = 2'000;
};

struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
};

/// Reads `HOST:PORT`. Throws CLI::ValidationError, naming the rule, where it is not one or not on loopback.
ListenAddress parse_listen(const std::string& text);

/// Adds `serve`; when chosen, `run` serves until SIGTERM or SIGINT.
void add_serve_command(CLI::App& app, Run& run);

}  // namespace firstcome::cli
