// Redis, whatever stands behind the URL: one server, a master that sentinels watch, or a cluster.
#pragma once

#include "net/redis/connection.hpp"
#include "net/redis/subscriber.hpp"
#include "net/redis/url.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace firstcome::net {

/// Called on the executor's thread.
struct RedisClientEvents {
  /// A channel's message.
  std::move_only_function<void(std::string_view channel, std::string_view payload)> message = {};
  /// Commands go over a new connection: the first, one after a loss, one to a new master. What an older reply said may
  /// no longer hold.
  std::move_only_function<void()> connected = {};
  /// Channels are heard (again): what was published before is lost. In a cluster also after a slot has moved.
  std::move_only_function<void()> subscribed = {};
  /// The server refused to make this subscription again: it has ended, as if `unsubscribe` had been called.
  std::move_only_function<void(const std::string& channel)> dropped = {};
  /// Channels are not heard for now, or no longer all of them.
  std::move_only_function<void(const std::string& reason)> deaf = {};
};

/// Not thread-safe: use on the executor's thread only. May be destroyed at any time, also from its own callbacks:
/// commands that run then complete as not_sent or unknown, from the executor.
class RedisClient {
 public:
  RedisClient() = default;
  RedisClient(const RedisClient&) = delete;
  RedisClient& operator=(const RedisClient&) = delete;
  virtual ~RedisClient() = default;

  /// Sends a command to the server that has `key` (a cluster's slot; elsewhere `key` only says what it is about).
  /// `done` is called once, from the executor, never from inside this call.
  ///
  /// A command is sent again only where it surely did not run, and before its deadline: an unknown script (all), MOVED,
  /// ASK, TRYAGAIN and CLUSTERDOWN, no connection to the node (cluster), no master yet (sentinel). Else the failure is
  /// the caller's. READONLY is a failure `refused`, and makes the client look for the master. Commands for one key
  /// reach the server in order as long as none is sent again.
  virtual void execute(std::string_view key, RedisCommand command, std::chrono::steady_clock::time_point deadline,
                       RedisDone done) = 0;

  /// The same for coroutines.
  Task<RedisResult> execute(std::string key, RedisCommand command, std::chrono::steady_clock::time_point deadline);

  /// See RedisSubscriber; in a cluster the channel is a sharded one, in the slot of its name (its hash tag).
  virtual void subscribe(std::string channel, std::chrono::steady_clock::time_point deadline, RedisSubscribed done) = 0;
  virtual void unsubscribe(const std::string& channel) = 0;
  /// Makes the connection of that channel anew, for a caller who has seen that messages do not come.
  virtual void reconnect_channel(const std::string& channel, const std::string& reason) = 0;

  /// Since when the way to `key` and its channels is undisturbed: the latest connect, redirection, move of its slot or
  /// new master. Others may be coming back just as well, so for a while after it the count that PUBLISH returns says
  /// little. time_point::max() while there is no way.
  virtual std::chrono::steady_clock::time_point settled_since(std::string_view key) const = 0;

  /// Which command publishes to channels that `subscribe` hears: PUBLISH, or SPUBLISH in a cluster.
  virtual std::string_view publish_command() const = 0;

  virtual RedisCounters counters() const = 0;
};

/// The client for a URL. Connects by itself. The error, in one sentence: a TLS file that cannot be read, or a
/// redlock:// URL, which is several independent servers: make one client for each of its `endpoints()`.
std::expected<std::unique_ptr<RedisClient>, std::string> make_redis_client(IoExecutor executor, const RedisUrl& url,
                                                                           RedisClientEvents events = {},
                                                                           RedisOptions options = {});

/// A client of one server.
std::unique_ptr<RedisClient> make_redis_client(IoExecutor executor, const RedisEndpoint& endpoint,
                                               RedisClientEvents events = {}, RedisOptions options = {});

}  // namespace firstcome::net
