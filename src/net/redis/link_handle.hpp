// What users hold of a link, whatever it is for: where it leads, and its end.
#pragma once

#include "net/redis/options.hpp"
#include "net/redis/reply.hpp"
#include "net/redis/url.hpp"

#include <memory>
#include <string>

namespace firstcome::net {

class RedisLink;

/// Base of RedisConnection and RedisSubscriber; not thread-safe, as they. Its end closes the link, at any time, also
/// from the link's own callbacks.
class RedisLinkHandle {
 public:
  RedisLinkHandle(RedisLinkHandle&&) noexcept = default;
  RedisLinkHandle& operator=(RedisLinkHandle&& other) noexcept;

  const RedisEndpoint& endpoint() const;
  RedisCounters counters() const;

  /// The server is elsewhere from now on. What was sent and not answered is unknown.
  void move_to(const RedisAddress& address);
  /// Of a link that was made without a host, and waits for `move_to`: it was looked for in vain. What waits for a
  /// connection fails, unless it waits until its deadline.
  void give_up(const RedisFailure& why);

  /// Cuts the connection, as if the network had; it is made again.
  void reconnect(const std::string& reason);

 protected:
  /// Starts it.
  explicit RedisLinkHandle(std::shared_ptr<RedisLink> link);
  ~RedisLinkHandle();

  RedisLink& link() const { return *link_; }

 private:
  std::shared_ptr<RedisLink> link_;
};

}  // namespace firstcome::net
