// One redis-server for tests of locks, and short ways to get leases there.
#pragma once

#include "lock/lock_contract.hpp"
#include "lock/redis/owned_key.hpp"
#include "support/redis_server.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

namespace firstcome::lock::test {

inline net::RedisUrl url_of_port(std::uint16_t port) {
  return net::parse_redis_url("redis://127.0.0.1:" + std::to_string(port)).value();
}

using BackendAt = std::function<std::expected<std::shared_ptr<LockBackend>, std::string>(const net::RedisUrl& url)>;

inline std::unique_ptr<LockSpace> space_at(const BackendAt& make, std::uint16_t port, LockSettings settings = {}) {
  auto backend = make(url_of_port(port));
  if (!backend) throw std::runtime_error(backend.error());
  return make_lock_space(std::move(*backend), std::move(settings));
}

class RedisHarness final : public LockHarness {
 public:
  RedisHarness(BackendAt make, std::string key_prefix) : make_(std::move(make)), key_prefix_(std::move(key_prefix)) {}

  /// Nothing where there is no redis-server, having said so.
  static std::unique_ptr<LockHarness> make(const BackendAt& how, const std::string& key_prefix) {
    if (firstcome::testing::redis_is_installed()) return std::make_unique<RedisHarness>(how, key_prefix);
    if (firstcome::testing::all_is_required()) ADD_FAILURE() << "redis-server is missing; ./run deps installs it";
    return nullptr;
  }

  std::unique_ptr<LockSpace> make_space(const LockSettings& settings) override {
    return space_at(make_, server_.port(), settings);
  }
  bool take_away(const std::string& name) override {
    return server_.text({"DEL", key_prefix_.empty() ? name : key_prefix_ + "{" + name + "}"}) == "1";
  }

 private:
  BackendAt make_;
  std::string key_prefix_;
  firstcome::testing::RedisServer server_;
};

inline Box<Acquired> ask(LockSpace& from, const std::string& name, AcquireOptions options) {
  Box<Acquired> box;
  from.lock(name)->acquire(std::move(options), box.setter());
  return box;
}

inline Lease get(LockSpace& from, const std::string& name, std::optional<Milliseconds> lease = {}) {
  Acquired acquired = ask(from, name, {.wait = patience, .lease = lease}).take();
  if (!acquired) {
    throw std::runtime_error(std::string(text_of(acquired.error().why)) + ": " + acquired.error().detail);
  }
  return std::move(*acquired);
}

}  // namespace firstcome::lock::test
