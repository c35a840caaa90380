// A client of Redis whose server is the test: commands are kept until the test answers them.
#pragma once

#include "net/redis/client.hpp"

#include <deque>
#include <string>
#include <string_view>
#include <utility>

namespace firstcome::test {

/// Not thread-safe.
class ScriptedClient final : public net::RedisClient {
 public:
  struct Sent {
    std::string bytes;  ///< as they would leave
    std::chrono::steady_clock::time_point deadline;
    net::RedisDone done;
  };

  using net::RedisClient::execute;
  void execute(std::string_view, net::RedisCommand command, std::chrono::steady_clock::time_point deadline,
               net::RedisDone done) override {
    Sent& one = sent.emplace_back(Sent{{}, deadline, std::move(done)});
    command.append_to(one.bytes);
  }
  void subscribe(std::string, std::chrono::steady_clock::time_point, net::RedisSubscribed) override {}
  void unsubscribe(const std::string&) override {}
  void reconnect_channel(const std::string&, const std::string&) override {}
  std::chrono::steady_clock::time_point settled_since(std::string_view) const override {
    return std::chrono::steady_clock::time_point::min();
  }
  std::string_view publish_command() const override { return "PUBLISH"; }
  net::RedisCounters counters() const override { return {}; }

  /// REQUIRES: something was sent and not answered. Takes the oldest.
  Sent take() {
    Sent first = std::move(sent.front());
    sent.pop_front();
    return first;
  }

  std::deque<Sent> sent;
};

}  // namespace firstcome::test
