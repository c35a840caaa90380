// The channels on which a process hears that it was granted a lock: one for all locks, in a cluster one for each.
#pragma once

#include "lock/backend.hpp"
#include "net/redis/client.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::lock {

/// Not thread-safe: use on the client's thread only.
class FifoInboxes {
 public:
  /// Nothing, or why the inbox cannot be heard.
  using Heard = std::move_only_function<void(std::optional<LockFailure>)>;

  /// The client must outlive it, or `close` be called before.
  /// `changed` is called whenever `deaf_ones` may have changed.
  explicit FifoInboxes(
      net::RedisClient& client, std::function<void()> changed = [] {})
      : client_(&client), changed_(std::move(changed)) {}

  /// Somebody is about to wait there: whether what is sent to the channel arrives. If not, `hear` is to be called.
  bool use(const std::string& channel);
  /// Calls back when what is sent to the channel from then on arrives. The first time it is tried: a user who may not
  /// publish there would find every message lost, silently, inside the scripts.
  void hear(const std::string& channel, BootTime deadline, Heard done);
  /// Messages do not come, though the connection lives: subscribes anew, over a new connection.
  void renew(const std::string& channel, BootTime deadline);
  /// Nobody waits there any more; in a cluster it is given up a minute later.
  void idle(const std::string& channel, BootTime now);

  /// How many are wanted and not subscribed now.
  std::size_t deaf_ones() const;

  // What the client tells.
  void deaf();
  /// Subscribes anew.
  void dropped(const std::string& channel, BootTime deadline);
  /// What is wanted and is not among the subscriptions of the client is subscribed anew.
  void subscribed(BootTime deadline);
  void close();

 private:
  struct Inbox {
    bool confirmed = false;  ///< at some time
    bool hears = false;
    bool asking = false;
    std::vector<Heard> waiting = {};
    std::optional<BootTime> idle_since = {};
  };

  void subscribe(const std::string& channel, BootTime deadline);
  void try_out(const std::string& channel, BootTime deadline);
  void answered(const std::string& channel, std::optional<LockFailure> failure);
  void sweep(BootTime now);

  net::RedisClient* client_;  ///< none at the end
  const std::function<void()> changed_;
  std::map<std::string, Inbox> inboxes_;
  bool tried_ = false;
};

}  // namespace firstcome::lock
