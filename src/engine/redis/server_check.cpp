#include "engine/redis/server_check.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <charconv>
#include <memory>
#include <string_view>
#include <utility>

namespace firstcome::engine {
namespace {

constexpr int oldest_version = 7;

/// The value of NAME:VALUE among the lines of INFO.
std::string info_value(std::string_view info, std::string_view name) {
  const std::string line = "\n" + std::string(name) + ":";
  const std::size_t at = info.find(line);
  if (at == std::string_view::npos) return {};
  const std::string_view value = info.substr(at + line.size());
  return std::string(value.substr(0, value.find_first_of("\r\n")));
}

void take_config(const net::RedisReply& reply, ServerSettings& settings) {
  for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    const std::string& name = reply.at(i).text;
    const std::string& value = reply.at(i + 1).text;
    if (name == "maxmemory-policy") settings.maxmemory_policy = value;
    if (name == "appendonly") settings.appendonly = value;
    if (name == "appendfsync") settings.appendfsync = value;
    if (name == "no-appendfsync-on-rewrite") settings.no_appendfsync_on_rewrite = value;
  }
}

bool is_old(const std::string& version) {
  int major = oldest_version;
  std::from_chars(version.data(), version.data() + version.size(), major);
  return major < oldest_version;
}

std::string needs_newer(const std::string& version) {
  return "the Redis engine needs Redis 7 or newer; this server is " + (version.empty() ? "older" : version);
}

/// One question to a server: INFO, then CONFIG GET for what INFO does not tell.
struct Check : std::enable_shared_from_this<Check> {
  Check(net::RedisClient& asked, ServerQuestion what,
        std::move_only_function<void(std::expected<void, std::string>)> tell)
      : client(asked), question(std::move(what)), done(std::move(tell)) {}

  void ask_info();
  void ask_config();
  void judge();
  void note_refusal(const net::RedisFailure& failure, std::string_view command);

  net::RedisClient& client;
  ServerQuestion question;
  std::move_only_function<void(std::expected<void, std::string>)> done;
  ServerSettings settings = {};
  std::string refusals = {};  // why something is not known
};

void Check::note_refusal(const net::RedisFailure& failure, std::string_view command) {
  refusals += fmt::format("{}{}: {}", refusals.empty() ? "" : "; ", command, failure.detail);
}

void Check::ask_info() {
  net::RedisCommand info("INFO", std::string_view{"server"}, std::string_view{"memory"},
                         std::string_view{"persistence"}, std::string_view{"replication"});
  client.execute(question.key, std::move(info), question.deadline,
                 [self = shared_from_this()](net::RedisResult result) {
                   if (result) {
                     self->settings = read_info(result->text);
                     return self->ask_config();
                   }
                   const net::RedisFailure& failure = result.error();
                   // Several sections in one question are new in Redis 7.
                   if (failure.detail.find("syntax error") != std::string::npos)
                     return self->done(std::unexpected(needs_newer({})));
                   if (failure.kind != net::RedisFailure::Kind::refused) {
                     return self->done(std::unexpected("Redis does not answer INFO: " + failure.detail));
                   }
                   self->note_refusal(failure, "INFO");
                   self->ask_config();
                 });
}

void Check::ask_config() {
  if (is_old(settings.version)) return done(std::unexpected(needs_newer(settings.version)));
  net::RedisCommand ask("CONFIG", std::string_view{"GET"}, std::string_view{"maxmemory-policy"},
                        std::string_view{"append*"}, std::string_view{"no-appendfsync-on-rewrite"});
  client.execute(question.key, std::move(ask), question.deadline, [self = shared_from_this()](net::RedisResult result) {
    if (result) {
      take_config(*result, self->settings);
    } else if (result.error().kind == net::RedisFailure::Kind::refused) {
      self->note_refusal(result.error(), "CONFIG GET");
    } else {
      return self->done(std::unexpected("Redis does not answer CONFIG GET: " + result.error().detail));
    }
    self->judge();
  });
}

void Check::judge() {
  const JudgedSettings judged = judge_settings(settings, question.durability);
  if (!judged.wrong.empty()) return done(std::unexpected(judged.wrong));
  if (judged.unknown.empty()) return done({});
  const std::string names = fmt::format("{}", fmt::join(judged.unknown, ", "));
  if (question.unknown == UnknownSettings::trusted) {
    spdlog::warn("Redis does not tell {}; whether that keeps answers safe was not checked", names);
    return done({});
  }
  done(std::unexpected(fmt::format(
      "Redis does not tell {} ({}). Give the user +info and +config|get; or, where the service has no such command, "
      "check it by hand and start with --redis-unchecked",
      names, refusals)));
}

}  // namespace

ServerSettings read_info(std::string_view text) {
  const std::string info = "\n" + std::string(text);
  ServerSettings settings;
  settings.version = info_value(info, "redis_version");
  settings.maxmemory_policy = info_value(info, "maxmemory_policy");
  settings.connected_replicas = info_value(info, "connected_slaves");
  const std::string aof = info_value(info, "aof_enabled");
  if (!aof.empty()) settings.appendonly = aof == "1" ? "yes" : "no";
  return settings;
}

JudgedSettings judge_settings(const ServerSettings& settings, Durability durability) {
  JudgedSettings judged;
  const auto need = [&](const std::string& value, std::string_view name, std::string_view wanted) {
    if (value.empty()) judged.unknown.emplace_back(name);
    return value.empty() || value == wanted;
  };
  if (!need(settings.maxmemory_policy, "maxmemory-policy", "noeviction")) {
    judged.wrong = "Redis may evict keys (maxmemory-policy is " + settings.maxmemory_policy +
                   "), and with them a sale; set maxmemory-policy noeviction";
  } else if (durability == Durability::aof) {
    const bool logs = need(settings.appendonly, "appendonly", "yes");
    const bool syncs = need(settings.appendfsync, "appendfsync", "always");
    if (!logs || !syncs) {
      judged.wrong = fmt::format("--durability aof needs appendonly yes and appendfsync always; they are {} and {}",
                                 settings.appendonly, settings.appendfsync);
    } else if (!need(settings.no_appendfsync_on_rewrite, "no-appendfsync-on-rewrite", "no")) {
      judged.wrong = "--durability aof needs no-appendfsync-on-rewrite no";
    }
  } else if (durability == Durability::replicated) {
    if (settings.connected_replicas.empty()) judged.unknown.emplace_back("connected_slaves");
    if (settings.connected_replicas == "0") {
      judged.wrong = "--durability replicated needs a replica, and none is connected";
    }
  }
  return judged;
}

void check_server(net::RedisClient& client, ServerQuestion question,
                  std::move_only_function<void(std::expected<void, std::string>)> done) {
  std::make_shared<Check>(client, std::move(question), std::move(done))->ask_info();
}

}  // namespace firstcome::engine
