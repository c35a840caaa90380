// Redis for code that blocks: the workers of a node share one connection, on which all that they ask goes pipelined.
#pragma once

#include "lock/event_loop.hpp"
#include "net/redis/client.hpp"

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace firstcome::engine {

/// Thread-safe, but for the destructor.
class RedisCaller {
 public:
  /// Connects in the background. Throws InventoryFailure where the URL is of no such client.
  explicit RedisCaller(const net::RedisUrl& url);
  /// REQUIRES: nobody asks.
  ~RedisCaller();
  RedisCaller(const RedisCaller&) = delete;
  RedisCaller& operator=(const RedisCaller&) = delete;

  /// What a failure leaves: of `reading` always `unavailable`, of `writing` also `unknown`.
  enum class Effect : std::uint8_t { reading, writing };

  /// Sends them together, in order, and blocks until all are answered. `key` says which server of a cluster it is.
  /// Throws InventoryFailure.
  /// Cost: one round trip.
  std::vector<net::RedisReply> ask(std::string_view key, std::vector<net::RedisCommand> commands, Effect effect);
  net::RedisReply ask(std::string_view key, net::RedisCommand command, Effect effect);

 private:
  struct Batch;

  lock::EventLoop loop_;
  std::unique_ptr<net::RedisClient> client_;  ///< used on the loop
};

}  // namespace firstcome::engine
