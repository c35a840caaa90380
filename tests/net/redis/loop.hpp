// An io_context that runs only while a test waits for something, and short ways to ask Redis.
#pragma once

#include "net/redis/client.hpp"
#include "net/redis/connection.hpp"
#include "net/redis/subscriber.hpp"
#include "support/redis_server.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::net::testing {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

inline steady_clock::time_point in(std::chrono::milliseconds time) { return steady_clock::now() + time; }

class Loop {
 public:
  IoExecutor executor() { return io_.get_executor(); }

  /// Runs until it holds; false when `patience` is over.
  bool run_until(const std::function<bool()>& holds, std::chrono::milliseconds patience = 20s) {
    const steady_clock::time_point deadline = in(patience);
    while (!holds()) {
      if (steady_clock::now() > deadline) return false;
      io_.restart();
      io_.run_one_for(10ms);
    }
    return true;
  }

  RedisResult ask(RedisConnection& connection, RedisCommand command, std::chrono::milliseconds time = 10s) {
    std::optional<RedisResult> result;
    connection.execute(std::move(command), in(time), [&result](RedisResult given) { result = std::move(given); });
    return waited(result);
  }

  RedisResult ask(RedisClient& client, std::string_view key, RedisCommand command,
                  std::chrono::milliseconds time = 10s) {
    std::optional<RedisResult> result;
    client.execute(key, std::move(command), in(time), [&result](RedisResult given) { result = std::move(given); });
    return waited(result);
  }

  /// What a subscription came to; "" where it was confirmed.
  template <typename Subscribe>
  std::string subscribed(Subscribe subscribe) {
    std::optional<std::string> result;
    subscribe([&result](std::expected<void, RedisFailure> given) { result = given ? "" : given.error().detail; });
    if (!run_until([&result] { return result.has_value(); })) return "never completed";
    return *result;
  }

  boost::asio::io_context& io() { return io_; }

 private:
  RedisResult waited(std::optional<RedisResult>& result) {
    if (!run_until([&result] { return result.has_value(); }, 60s)) std::abort();  // it must always complete
    return std::move(*result);
  }

  boost::asio::io_context io_{1};
};

inline RedisEndpoint at_port(std::uint16_t port) { return {.address = {.host = "127.0.0.1", .port = port}}; }

/// "OK", "17", "(nil)", or of a failure "unknown: lost the connection ...".
inline std::string text_of(const RedisResult& result) {
  if (!result) return std::string(to_string(result.error().kind)) + ": " + result.error().detail;
  if (result->is_nil()) return "(nil)";
  if (result->is_integer()) return std::to_string(result->integer);
  return result->text;
}

}  // namespace firstcome::net::testing
