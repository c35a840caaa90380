// The client of one server at a time: a connection for commands, and one for channels from the first subscription on.
// Where sentinels say which server that is, both move with the master.
#pragma once

#include "net/redis/client.hpp"

#include <memory>

namespace firstcome::net {

class RedisSingleClient final : public RedisClient {
 public:
  RedisSingleClient(IoExecutor executor, const RedisEndpoint& endpoint, RedisClientEvents events,
                    const RedisOptions& options);
  /// REQUIRES: a URL of sentinels.
  RedisSingleClient(IoExecutor executor, const RedisUrl& sentinels, RedisClientEvents events,
                    const RedisOptions& options);
  ~RedisSingleClient() override;

  using RedisClient::execute;
  void execute(std::string_view key, RedisCommand command, std::chrono::steady_clock::time_point deadline,
               RedisDone done) override;
  void subscribe(std::string channel, std::chrono::steady_clock::time_point deadline, RedisSubscribed done) override;
  void unsubscribe(const std::string& channel) override;
  void reconnect_channel(const std::string& channel, const std::string& reason) override;
  std::chrono::steady_clock::time_point settled_since(std::string_view key) const override;
  std::string_view publish_command() const override { return "PUBLISH"; }
  RedisCounters counters() const override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace firstcome::net
