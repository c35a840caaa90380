// Where the master is, as the sentinels say.
//
// Asks one sentinel after the other, with pauses between the rounds, until one knows. Besides, listens at each sentinel
// for +switch-master. Both are hints only: whoever connects checks with ROLE, and looks again where it was no master.
#pragma once

#include "net/redis/inquiry.hpp"
#include "net/redis/subscriber.hpp"
#include "net/redis/url.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::net {

/// The master that a message of +switch-master names, "NAME OLD-HOST OLD-PORT HOST PORT", if it is `name`'s.
std::optional<RedisAddress> read_switch(std::string_view message, std::string_view name);
/// The master that a sentinel's answer names; nothing where it knows none.
std::optional<RedisAddress> read_master(const RedisReply& reply);

/// On the executor's thread only. May be destroyed at any time, also from its own callbacks.
class RedisMasterFinder {
 public:
  struct Events {
    std::move_only_function<void(const RedisAddress& address)> found = {};
    /// No sentinel knew; it goes on looking.
    std::move_only_function<void(const RedisFailure& why)> in_vain = {};
  };

  RedisMasterFinder(IoExecutor executor, const RedisUrl& url, const RedisOptions& options, Events events);
  ~RedisMasterFinder();
  RedisMasterFinder(const RedisMasterFinder&) = delete;
  RedisMasterFinder& operator=(const RedisMasterFinder&) = delete;

  /// Looks until it is found, once more where it looks already.
  void look();
  std::uint64_t rounds() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace firstcome::net
