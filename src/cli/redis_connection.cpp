#include "cli/redis_connection.hpp"

#include "engine/redis/server_check.hpp"
#include "lock/event_loop.hpp"
#include "net/redis/client.hpp"

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <future>
#include <memory>
#include <utility>
#include <vector>

namespace firstcome::cli {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds check_limit{2};

std::string first_line(const std::string& option, const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  if (line.ends_with('\r')) line.pop_back();
  if (line.empty()) throw CLI::ValidationError(option, "the first line of " + path + " must be the password");
  return line;
}

std::string from_environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string{} : std::string(value);
}

void fill(std::string& target, const std::string& value) {
  if (target.empty()) target = value;
}

void fill_password(std::string& password, const std::string& option, const std::string& file, const char* variable) {
  if (!password.empty()) return;
  password = file.empty() ? from_environment(variable) : first_line(option, file);
}

/// Clients of all servers of a URL, each asked once.
std::vector<std::string> policies_of(const net::RedisUrl& url) {
  std::vector<net::RedisUrl> servers;
  if (url.topology == net::RedisUrl::Topology::redlock) {
    for (const net::RedisAddress& host : url.hosts) {
      net::RedisUrl& one = servers.emplace_back(url);
      one.topology = net::RedisUrl::Topology::single;
      one.hosts = {host};
    }
  } else {
    servers.push_back(url);
  }
  lock::EventLoop loop;
  std::vector<std::unique_ptr<net::RedisClient>> clients;
  std::vector<std::promise<std::string>> answers(servers.size());
  loop.start();
  loop.post([&] {
    for (std::size_t i = 0; i < servers.size(); ++i) {
      auto client = net::make_redis_client(loop.executor(), servers[i]);
      if (!client) {
        answers[i].set_value({});
        continue;
      }
      const auto answered = [&answer = answers[i]](const net::RedisResult& result) {
        answer.set_value(result ? engine::read_info(result->text).maxmemory_policy : std::string{});
      };
      clients.push_back(std::move(*client));
      clients.back()->execute("firstcome", net::RedisCommand("INFO", std::string_view{"memory"}),
                              steady_clock::now() + check_limit, answered);
    }
  });
  std::vector<std::string> policies;
  for (std::promise<std::string>& answer : answers) policies.push_back(answer.get_future().get());
  loop.close([&] { clients.clear(); });
  return policies;
}

}  // namespace

void add_redis_options(CLI::App& command, RedisConnectionOptions& options) {
  const std::string group = "Redis";
  const auto option = [&](const std::string& name, std::string& target, const std::string& text) {
    return command.add_option(name, target, text)->group(group);
  };
  const auto file = [&](const std::string& name, std::string& target, const std::string& text) {
    option(name, target, text)->check(CLI::ExistingFile);
  };
  file("--redis-ca", options.ca, "PEM file of who signs the certificate of a rediss:// server");
  file("--redis-cert", options.certificate, "PEM file of our own certificate, where the server asks for one");
  file("--redis-key", options.key, "PEM file of that certificate's key");
  file("--redis-password-file", options.password_file,
       "File with the password of Redis, which a URL shows to everybody who lists processes; or in the environment, "
       "FIRSTCOME_REDIS_PASSWORD");
  option("--redis-sentinel-user", options.sentinel_user, "User at the sentinels, if they have other users than Redis");
  file("--redis-sentinel-password-file", options.sentinel_password_file,
       "File with the password of the sentinels, if it is not that of Redis; or FIRSTCOME_REDIS_SENTINEL_PASSWORD");
}

std::string complete_redis_url(const std::string& option, const std::string& text,
                               const RedisConnectionOptions& options) {
  if (!net::is_redis_url(text)) return text;
  auto url = net::parse_redis_url(text);
  if (!url) throw CLI::ValidationError(option, url.error());
  if (url->transport == net::RedisTransport::tls) {
    fill(url->tls.ca_file, options.ca);
    fill(url->tls.certificate_file, options.certificate);
    fill(url->tls.key_file, options.key);
    if (url->tls.certificate_file.empty() != url->tls.key_file.empty()) {
      throw CLI::ValidationError("--redis-cert", "needs --redis-key, and the other way round");
    }
  }
  fill_password(url->password, "--redis-password-file", options.password_file, "FIRSTCOME_REDIS_PASSWORD");
  if (url->topology == net::RedisUrl::Topology::sentinel) {
    fill(url->sentinel_user, options.sentinel_user);
    fill_password(url->sentinel_password, "--redis-sentinel-password-file", options.sentinel_password_file,
                  "FIRSTCOME_REDIS_SENTINEL_PASSWORD");
  }
  return net::write_redis_url(*url);
}

std::optional<std::string> eviction_warning(const std::string& text) {
  const auto url = net::parse_redis_url(text);
  if (!url) return std::nullopt;
  for (const std::string& policy : policies_of(*url)) {
    if (policy.empty() || policy == "noeviction") continue;
    return "the Redis of the locks may evict keys (maxmemory-policy is " + policy +
           "): a lock that is evicted is given to a second holder at once; set maxmemory-policy noeviction";
  }
  return std::nullopt;
}

}  // namespace firstcome::cli
