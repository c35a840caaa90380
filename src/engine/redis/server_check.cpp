#include "engine/redis/server_check.hpp"

#include <charconv>
#include <string_view>
#include <utility>

namespace firstcome::engine {
namespace {

/// The value of NAME:VALUE among the lines of INFO.
long info_number(std::string_view info, std::string_view name) {
  const std::size_t at = info.find(std::string(name) + ":");
  if (at == std::string_view::npos) return 0;
  long value = 0;
  std::from_chars(info.data() + at + name.size() + 1, info.data() + info.size(), value);
  return value;
}

ServerSettings settings_of(const net::RedisReply& reply) {
  ServerSettings settings;
  for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    const std::string& name = reply.at(i).text;
    const std::string& value = reply.at(i + 1).text;
    if (name == "maxmemory-policy") settings.maxmemory_policy = value;
    if (name == "appendonly") settings.appendonly = value;
    if (name == "appendfsync") settings.appendfsync = value;
    if (name == "no-appendfsync-on-rewrite") settings.no_appendfsync_on_rewrite = value;
  }
  return settings;
}

std::string told(const net::RedisFailure& failure, std::string_view command) {
  std::string sentence = "Redis does not answer " + std::string(command) + ": " + failure.detail;
  if (failure.is_refused("NOPERM")) sentence += " (the user needs +config|get, +info and +wait)";
  return sentence;
}

}  // namespace

std::expected<void, std::string> judge_settings(const ServerSettings& settings, Durability durability) {
  if (settings.maxmemory_policy != "noeviction") {
    return std::unexpected("Redis may evict keys (maxmemory-policy is " + settings.maxmemory_policy +
                           "), and with them a sale; set maxmemory-policy noeviction");
  }
  if (durability == Durability::aof) {
    if (settings.appendonly != "yes" || settings.appendfsync != "always") {
      return std::unexpected("--durability aof needs appendonly yes and appendfsync always; they are " +
                             settings.appendonly + " and " + settings.appendfsync);
    }
    if (settings.no_appendfsync_on_rewrite != "no") {
      return std::unexpected("--durability aof needs no-appendfsync-on-rewrite no");
    }
  }
  if (durability == Durability::replicated && settings.connected_replicas < 1) {
    return std::unexpected("--durability replicated needs a replica, and none is connected");
  }
  return {};
}

void check_server(net::RedisClient& client, const std::string& key, Durability durability,
                  std::chrono::steady_clock::time_point deadline,
                  std::move_only_function<void(std::expected<void, std::string>)> done) {
  net::RedisCommand ask("CONFIG", std::string_view{"GET"}, std::string_view{"maxmemory-policy"},
                        std::string_view{"append*"}, std::string_view{"no-appendfsync-on-rewrite"});
  client.execute(key, std::move(ask), deadline,
                 [&client, key, durability, deadline, done = std::move(done)](net::RedisResult result) mutable {
                   if (!result) return done(std::unexpected(told(result.error(), "CONFIG GET")));
                   client.execute(key, net::RedisCommand("INFO", std::string_view{"replication"}), deadline,
                                  [settings = settings_of(*result), durability,
                                   done = std::move(done)](net::RedisResult info) mutable {
                                    if (!info) return done(std::unexpected(told(info.error(), "INFO replication")));
                                    settings.connected_replicas = info_number(info->text, "connected_slaves");
                                    done(judge_settings(settings, durability));
                                  });
                 });
}

}  // namespace firstcome::engine
