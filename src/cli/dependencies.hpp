// The servers that a long-running subcommand needs, and waiting for them when it starts.
#pragma once

#include "engine/sql/database_url.hpp"
#include "net/kafka/url.hpp"
#include "net/redis/options.hpp"
#include "net/redis/url.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <vector>

namespace firstcome::cli {

/// Why a server was not reached.
struct Unreached {
  enum class Why : std::uint8_t {
    away,     ///< it may come
    refused,  ///< it does not accept this user, password or database: waiting does not help
  };
  Why why = Why::away;
  std::string sentence;
};

struct Dependency {
  std::string name;  ///< for the log, without a password
  /// Tries once, and blocks for about this long at most.
  std::function<std::expected<void, Unreached>(std::chrono::milliseconds)> reach;
};

Dependency kafka_dependency(const net::KafkaUrl& url);
/// REQUIRES: not SQLite, which is a file.
Dependency database_dependency(const engine::DatabaseUrl& url);
Dependency redis_dependency(const net::RedisUrl& url, const net::RedisOptions& options);

/// Tries each of them until all were reached once, in turn, for `limit` at most; once where `limit` is 0. Returns
/// `exit_unavailable` where one refuses us, at once, and where one was not reached within a `limit` that is not 0. Says
/// in the log what is waited for and what is wrong. One that is away where `limit` is 0 is left to who uses it.
int await_dependencies(const std::vector<Dependency>& dependencies, std::chrono::milliseconds limit);

}  // namespace firstcome::cli
