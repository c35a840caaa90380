// Whether a Redis server's settings keep what the engine promises. Asked once, when the engine is opened.
#pragma once

#include "engine/redis/sale_desk.hpp"
#include "net/redis/client.hpp"

#include <expected>
#include <functional>
#include <string>

namespace firstcome::engine {

/// Calls `done` with nothing wrong, or with a sentence: which setting, what it is, what it must be. Asks the server
/// that has `key`.
void check_server(net::RedisClient& client, const std::string& key, Durability durability,
                  std::chrono::steady_clock::time_point deadline,
                  std::move_only_function<void(std::expected<void, std::string>)> done);

/// The same of settings as the server gave them: name and value. Pure.
struct ServerSettings {
  std::string maxmemory_policy;
  std::string appendonly;
  std::string appendfsync;
  std::string no_appendfsync_on_rewrite;
  long connected_replicas = 0;
};
std::expected<void, std::string> judge_settings(const ServerSettings& settings, Durability durability);

}  // namespace firstcome::engine
