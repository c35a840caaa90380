// The client of a Redis Cluster: one connection per master for commands, one for the channels that live there.
//
// Mechanism: a command goes to the master of its key's slot. What surely did not run goes where the cluster says
// (MOVED, ASK), or waits, and is tried again until its deadline. Whenever something is wrong with the map of slots, it
// is read anew from any node that answers. All waiting (for the map, for a node, for a slot that moves) is looked after
// by one timer that runs only while something waits.
//
// Channels are sharded ones. Each belongs to the master of its slot; when the slot moves, the server ends the
// subscription, and it is made again at the new master.
#pragma once

#include "net/redis/client.hpp"

#include <memory>

namespace firstcome::net {

class RedisClusterState;

class RedisClusterClient final : public RedisClient {
 public:
  /// REQUIRES: a URL of a cluster.
  RedisClusterClient(IoExecutor executor, const RedisUrl& url, RedisClientEvents events, const RedisOptions& options);
  ~RedisClusterClient() override;

  using RedisClient::execute;
  void execute(std::string_view key, RedisCommand command, std::chrono::steady_clock::time_point deadline,
               RedisDone done) override;
  void subscribe(std::string channel, std::chrono::steady_clock::time_point deadline, RedisSubscribed done) override;
  void unsubscribe(const std::string& channel) override;
  void reconnect_channel(const std::string& channel, const std::string& reason) override;
  std::chrono::steady_clock::time_point settled_since(std::string_view key) const override;
  std::string_view publish_command() const override { return "SPUBLISH"; }
  RedisCounters counters() const override;

 private:
  std::shared_ptr<RedisClusterState> state_;
};

}  // namespace firstcome::net
