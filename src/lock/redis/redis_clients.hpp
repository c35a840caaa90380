// The Redis clients of one backend, and their end: commands that run get a moment to be answered.
#pragma once

#include "lock/backend.hpp"
#include "net/redis/client.hpp"
#include "net/redis/wire.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace firstcome::lock {

/// Not thread-safe: use on the executor's thread only, `add` before it runs. Must live until that thread has ended.
class RedisClients {
 public:
  explicit RedisClients(net::IoExecutor executor) : executor_(executor) {}

  net::RedisClient& add(std::unique_ptr<net::RedisClient> client);
  std::size_t size() const { return clients_.size(); }
  net::RedisClient& at(std::size_t index) { return *clients_[index]; }
  bool closed() const { return closed_; }

  /// As RedisClient::execute; `done` is called within the call where all are closed.
  void execute(std::size_t index, std::string_view key, net::RedisCommand command, BootTime deadline,
               net::RedisDone done);

  /// Destroys the clients when nothing is under way any more, or soon.
  void close();

 private:
  void shut();

  const net::IoExecutor executor_;
  std::vector<std::unique_ptr<net::RedisClient>> clients_;
  std::size_t under_way_ = 0;
  std::optional<net::RedisTimer> closing_;
  bool closed_ = false;
};

}  // namespace firstcome::lock
