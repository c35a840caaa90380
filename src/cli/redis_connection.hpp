// The options that describe how Redis is reached, whoever reaches it: the engine, the relay's leases and the locks of
// one server are given one description.
#pragma once

#include "cli/command.hpp"

#include <optional>
#include <string>

namespace firstcome::cli {

struct RedisConnectionOptions {
  std::string ca = {};                      ///< PEM; empty: what the system trusts
  std::string certificate = {};             ///< PEM, our own
  std::string key = {};                     ///< PEM, of that certificate
  std::string password_file = {};           ///< its first line is the password
  std::string sentinel_user = {};           ///< for the sentinels themselves
  std::string sentinel_password_file = {};  ///< likewise
};

/// Adds --redis-ca and its like.
void add_redis_options(CLI::App& command, RedisConnectionOptions& options);

/// Returns the URL with what the options and the environment (FIRSTCOME_REDIS_PASSWORD,
/// FIRSTCOME_REDIS_SENTINEL_PASSWORD) say and the URL itself does not; other text than a URL of Redis as it is. Throws
/// CLI::ValidationError where a file cannot be read or the URL is wrong; `option` is named then.
std::string complete_redis_url(const std::string& option, const std::string& url,
                               const RedisConnectionOptions& options);

/// Asks the servers of a URL, for two seconds at most, whether they may evict keys. Returns a sentence where one may;
/// nothing where none does or none answers.
std::optional<std::string> eviction_warning(const std::string& url);

}  // namespace firstcome::cli
