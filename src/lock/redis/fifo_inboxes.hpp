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
  explicit FifoInboxes(net::RedisClient& client) : client_(&client) {}

  bool hears(const std::string& channel) const;
  /// Calls back when what is sent to the channel from then on arrives. The first time it is tried: a user who may not
  /// publish there would find every message lost, silently, inside the scripts.
  void hear(const std::string& channel, BootTime deadline, Heard done);
  /// Messages do not come, though the connection lives.
  void renew(const std::string& channel);
  /// Nobody waits there any more; in a cluster it is given up a minute later.
  void idle(const std::string& channel, BootTime now);

  // What the client tells.
  void deaf();
  void subscribed();
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
  std::map<std::string, Inbox> inboxes_;
  bool tried_ = false;
};

}  // namespace firstcome::lock
