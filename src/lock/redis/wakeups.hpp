// Who in this process waits for which lock, and the channels that tell that one was released.
//
// One message wakes one of those who wait here, as Redisson does it: whoever gets the lock publishes again when it
// releases. So a wake-up must not be lost with someone who no longer wants it: it is passed on.
#pragma once

#include "lock/backend.hpp"
#include "net/redis/client.hpp"
#include "net/redis/wire.hpp"

#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace firstcome::lock {

/// Not thread-safe: use on the client's thread only.
class Wakeups {
 public:
  /// Someone who waits, or may.
  struct Seat {
    std::string channel;
    std::weak_ptr<ContenderEvents> events;
    std::list<std::shared_ptr<Seat>>::iterator place = {};  ///< where it is seated
    bool seated = false;
    bool woken = false;     ///< and has not asked since
    bool asking = false;    ///< an attempt is under way
    bool covering = false;  ///< which began after the wake-up that it is meant for
  };

  /// REQUIRES: the client lives as long, or until `close`.
  Wakeups(net::IoExecutor executor, net::RedisClient& client);
  Wakeups(const Wakeups&) = delete;
  Wakeups& operator=(const Wakeups&) = delete;

  /// Whether each message of this channel is heard, as far as is known.
  bool hears(const std::string& channel) const;
  /// Makes it so. `done` is called once, later: whether it is.
  void hear(const std::string& channel, std::chrono::steady_clock::time_point deadline,
            std::move_only_function<void(bool)> done);

  /// From now on it may be woken. Nothing where it is seated.
  void sit(const std::shared_ptr<Seat>& seat);
  /// It waits no longer. A wake-up that it was given and did not use goes to another.
  void leave(const std::shared_ptr<Seat>& seat);

  // An attempt of a seat's begins, and ends.
  static void begins(Seat& seat);
  enum class Ended : std::uint8_t { taken, busy, failed };
  static void ends(Seat& seat, Ended how);

  // What the client tells.
  void message(std::string_view channel, std::string_view payload);
  void subscribed();
  void deaf();

  void close();

 private:
  struct Room {
    bool heard = false;
    std::list<std::shared_ptr<Seat>> seats;
    std::chrono::steady_clock::time_point empty_since = {};
  };
  using Rooms = std::map<std::string, Room, std::less<>>;

  Room& room(const std::string& channel);
  void wake_one(Room& room);
  void wake_all(Room& room);
  void tidy_up_later();
  void tidy_up();

  net::RedisClient* client_;
  Rooms rooms_;
  net::RedisTimer timer_;
  std::shared_ptr<Wakeups*> self_;  ///< for callbacks, which may come after the end
  bool tidying_ = false;            ///< the timer runs
};

}  // namespace firstcome::lock
