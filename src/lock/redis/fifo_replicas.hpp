// Grants that count only when replicas have them: a connection of its own for acquires and their WAITs.
//
// WAIT blocks the connection that it is sent over, for as long as replicas are away. So nothing goes over this one but
// what makes a grant; renewals, heartbeats and releases are not held up. Those who ask while a WAIT is under way share
// the next one: it covers all that was written before it.
#pragma once

#include "lock/backend.hpp"
#include "net/redis/client.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::lock {

/// Not thread-safe: use on the client's thread only. Held by a shared pointer: its commands may complete late.
class FifoReplicas : public std::enable_shared_from_this<FifoReplicas> {
 public:
  /// Nothing; or why it is not known that the replicas have it.
  using Known = std::move_only_function<void(std::optional<LockFailure>)>;
  /// Sends a command over the client, as RedisClient::execute does.
  using Execute = std::function<void(net::RedisClient& client, const std::string& key, net::RedisCommand command,
                                     net::RedisDone done)>;

  FifoReplicas(std::unique_ptr<net::RedisClient> client, std::size_t wanted, Execute execute)
      : client_(std::move(client)), wanted_(wanted), execute_(std::move(execute)) {}

  /// Null after `close`.
  net::RedisClient* client() { return client_.get(); }
  /// What waits completes later, as closed.
  void close() { client_.reset(); }
  /// Calls it when enough replicas have what was written to `key` over `client`. REQUIRES: the last write was answered
  /// just now, so that this follows it on its connection. While a slot is on its way from one node of a cluster to
  /// another that may be another connection: then it says too much.
  void when_replicated(const std::string& key, Known done);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Waiter {
    std::string key;
    TimePoint settled;  ///< since when its connection had been there
    Known done;
  };
  struct Gathered {
    bool asking = false;
    std::vector<Waiter> next = {};
  };

  void ask(const std::string& connection);
  void ask_again(const std::string& connection);
  std::optional<LockFailure> failure_of(const Waiter& waiter, const net::RedisResult& result) const;

  std::unique_ptr<net::RedisClient> client_;
  const std::size_t wanted_;
  const Execute execute_;
  std::map<std::string, Gathered> gathered_;  ///< by connection: in a cluster by key, else one
};

}  // namespace firstcome::lock
