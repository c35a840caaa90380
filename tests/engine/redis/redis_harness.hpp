// Redis engines that tests drive: on a real server, with a clock that stands still unless it is told to pass.
#pragma once

#include "engine/asking.hpp"
#include "engine/redis/redis_engine.hpp"
#include "support/redis_server.hpp"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

namespace firstcome::test {

/// One node.
class RedisNode {
 public:
  explicit RedisNode(engine::RedisEngineOptions options) {
    auto opened = engine::RedisEngine::open(std::move(options));
    if (!opened) throw std::runtime_error(opened.error().detail);
    engine_ = std::move(*opened);
  }

  engine::RedisEngine& engine() { return *engine_; }

  /// Takes turns until it is done.
  void finish(const Asked& asked) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (!asked.done) {
      engine_->turn();
      if (!asked.done) std::this_thread::yield();
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("an operation was never completed");
    }
  }

  template <class C>
  std::expected<typename C::Answer, Failure> ask(C command) {
    Asked asked;
    asked.command = std::move(command);
    engine_->submit(asked);
    finish(asked);
    if (!asked.answer) return std::unexpected(asked.answer.error());
    return std::get<typename C::Answer>(std::move(*asked.answer));
  }
  std::expected<ReserveAnswer, Failure> reserve(std::string_view customer, KeyHash key = {}) {
    return ask(Reserve{"s", customer, 1, {}, key});
  }

 private:
  std::unique_ptr<engine::RedisEngine> engine_;
};

/// With patience for a machine that others use as well. Tests of what happens without an answer set their own.
inline engine::RedisEngineOptions options_for(const std::string& url) {
  engine::RedisEngineOptions options;
  options.patience = std::chrono::seconds{30};
  options.url = net::parse_redis_url(url).value();
  return options;
}

/// A server, a node, and the clock of all sales.
class RedisHarness {
 public:
  static constexpr bool has_feed = false;

  RedisHarness() : RedisHarness(testing::RedisServerOptions{}) {}
  explicit RedisHarness(testing::RedisServerOptions server) : server_(std::move(server)) { reopen(); }

  engine::RedisEngine& engine() { return node_->engine(); }
  RedisNode& node() { return *node_; }
  testing::RedisServer& server() { return server_; }
  std::string url() const { return "redis://" + server_.address(); }
  Instant now() const { return now_; }

  void finish(const Asked& asked) {
    node_->finish(asked);
    if (std::holds_alternative<CreateSale>(asked.command)) stop_clocks();
  }
  void advance(Milliseconds by) {
    now_ += by;
    set_clocks();
  }
  void set_clock(Instant at) {
    now_ = at;
    set_clocks();
  }
  /// With an empty server.
  void begin_again() {
    node_.reset();
    server_.command({"FLUSHALL"});
    reopen();
  }
  void reopen() {
    node_.reset();
    node_ = std::make_unique<RedisNode>(options_for(url()));
  }

  /// Stops the clocks of all sales at the server's time, or where they stand.
  void stop_clocks() {
    const testing::RedisAnswer time = server_.command({"TIME"});
    const std::int64_t ms = std::stoll(time.elements.at(0).text) * 1'000 + std::stoll(time.elements.at(1).text) / 1'000;
    now_ = std::max(now_, Instant{Milliseconds{ms}});
    set_clocks();
  }

 private:
  void set_clocks() {
    for (const testing::RedisAnswer& key : server_.command({"KEYS", "firstcome:{sale-*}:sale"}).elements) {
      server_.command({"HSET", key.text, "clock", std::to_string(now_.time_since_epoch().count())});
    }
  }

  testing::RedisServer server_;
  std::unique_ptr<RedisNode> node_;
  Instant now_{};
};

}  // namespace firstcome::test
