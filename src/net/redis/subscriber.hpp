// Channels of one Redis server, on a connection of their own.
//
// A subscription is ready when the server has confirmed it. After the connection was lost all of them are made again;
// what was published meanwhile is lost, which `ready` tells. A PING every second finds a connection that is dead
// without saying so.
#pragma once

#include "net/redis/connection.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace firstcome::net {

using RedisSubscribed = std::move_only_function<void(std::expected<void, RedisFailure>)>;

/// Called on the executor's thread. A message's views live as long as the call.
struct RedisSubscriberEvents {
  std::move_only_function<void(std::string_view channel, std::string_view payload)> message = {};
  /// A connection is made and all subscriptions wanted at that time are confirmed; with 1, 2, 3...
  std::move_only_function<void(std::uint64_t nth)> ready = {};
  /// The connection was lost, or an attempt failed: nothing is heard until `ready`.
  std::move_only_function<void(const std::string& reason)> lost = {};
  /// The server ended one subscription (its slot has moved) or refused to make it again; it is forgotten.
  std::move_only_function<void(const std::string& channel, const RedisFailure& why)> dropped = {};
};

enum class RedisChannelKind : std::uint8_t {
  plain,    ///< SUBSCRIBE
  sharded,  ///< SSUBSCRIBE: lives in the slot of its name
};

/// Not thread-safe: use on the executor's thread only. May be destroyed at any time, also from its own callbacks.
class RedisSubscriber : public RedisLinkHandle {
 public:
  RedisSubscriber(IoExecutor executor, RedisEndpoint endpoint, RedisSubscriberEvents events, RedisOptions options = {},
                  RedisRole role = RedisRole::any);

  /// `done` is called once, from the executor: the server has confirmed it, so a message published from now on comes;
  /// or why not, and then the channel is not subscribed. One that is subscribed already is confirmed at once. A channel
  /// that was confirmed once stays wanted until `unsubscribe`, or `dropped`: a later call that fails does not end it.
  void subscribe(std::string channel, RedisChannelKind kind, std::chrono::steady_clock::time_point deadline,
                 RedisSubscribed done);
  /// Messages of the channel are no longer told of.
  void unsubscribe(const std::string& channel);

  /// Connected, and every subscription is confirmed.
  bool is_ready() const;
  std::size_t channels() const;

 private:
  class Impl;
  Impl& impl() const;
};

}  // namespace firstcome::net
