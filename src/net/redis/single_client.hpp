// The client of one server: a connection for commands, and one for channels from the first subscription on.
#pragma once

#include "net/redis/client.hpp"

#include <optional>

namespace firstcome::net {

class RedisSingleClient final : public RedisClient {
 public:
  RedisSingleClient(IoExecutor executor, RedisEndpoint endpoint, RedisClientEvents events, RedisOptions options);

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
  /// Shared with the callbacks, which must not reach into a client that has gone.
  struct State {
    RedisClientEvents events;
    std::chrono::steady_clock::time_point commands_since = std::chrono::steady_clock::time_point::max();
    std::chrono::steady_clock::time_point channels_since = std::chrono::steady_clock::time_point::max();
  };

  void start_channels();

  IoExecutor executor_;
  RedisOptions options_;
  std::shared_ptr<State> state_;
  RedisConnection commands_;
  std::optional<RedisSubscriber> channels_;
};

}  // namespace firstcome::net
