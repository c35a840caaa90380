// Whether a Redis server's settings keep what the engine promises. Asked once, when the engine is opened.
#pragma once

#include "engine/redis/sale_desk.hpp"
#include "net/redis/client.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <vector>

namespace firstcome::engine {

/// What is made of a setting that the server does not tell (CONFIG and INFO may be forbidden, or not there).
enum class UnknownSettings : std::uint8_t {
  refused,
  trusted,  ///< somebody has checked them by hand; a warning is logged
};

struct ServerQuestion {
  std::string key;  ///< the server that has it is asked
  Durability durability = Durability::memory;
  UnknownSettings unknown = UnknownSettings::refused;
  std::chrono::steady_clock::time_point deadline;
};

/// Calls `done` with nothing wrong, or with a sentence: which setting, what it is, what it must be. Logs a warning for
/// each setting that is trusted.
void check_server(net::RedisClient& client, ServerQuestion question,
                  std::move_only_function<void(std::expected<void, std::string>)> done);

/// Settings as the server gave them; empty: it does not tell. Of Redis before 7 nothing else is of interest.
struct ServerSettings {
  std::string version;
  std::string maxmemory_policy;
  std::string appendonly;
  std::string appendfsync;
  std::string no_appendfsync_on_rewrite;
  std::string connected_replicas;
};

struct JudgedSettings {
  std::string wrong;                 ///< a sentence; empty: nothing is
  std::vector<std::string> unknown;  ///< names of settings that matter and are not told
};
/// Pure.
JudgedSettings judge_settings(const ServerSettings& settings, Durability durability);

/// Reads the answer to INFO. Pure.
ServerSettings read_info(std::string_view info);

}  // namespace firstcome::engine
