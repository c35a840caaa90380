// Locks that are one key in Redis with their owner in it, whoever wrote it: what all of them share.
//
// Mechanism: every request is one command, sent once. Each acquisition has an owner of its own, so release, renewal and
// undoing touch that grant and no other, however often or late they are carried out. Giving up waits for the answer to
// the attempt that is under way, because a command that overtakes it would find nothing yet; and where no answer came,
// it looks again a few times (late_arrivals.hpp).
//
// Where releases are published, who finds the lock taken subscribes first and then tries again, so that no release
// falls in between; after that it is woken, or looks again at the end of the holder's lease, at least every second.
#pragma once

#include "lock/backend.hpp"
#include "net/redis/client.hpp"

#include <chrono>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace firstcome::lock {

struct RedisLockOptions {
  net::RedisOptions redis = {};
  Milliseconds request_limit{3'000};  ///< for each command; an answer that comes later is none
};

/// How one kind of lock is written. Immutable; used from one thread.
class OwnedKey {
 public:
  /// What an acquire came to.
  struct Mine {
    enum class Since : std::uint8_t {
      now,      ///< for the whole length from this request on
      earlier,  ///< from an earlier request of the same owner, whose answer was lost
    } since = Since::now;
  };
  struct Taken {
    std::optional<Milliseconds> ends_in = {};  ///< where it is known
  };
  using AcquireReply = std::variant<Mine, Taken>;

  virtual ~OwnedKey() = default;
  virtual const LockTraits& traits() const = 0;
  /// A new owner. `number` is new each time.
  virtual std::string owner(std::uint64_t number) const = 0;
  /// Where releases are published; empty: nowhere.
  virtual std::string channel(std::string_view name) const = 0;

  virtual net::RedisCommand acquire(std::string_view name, std::string_view owner, Milliseconds lease) const = 0;
  virtual AcquireReply read(const net::RedisReply& reply, std::string_view owner) const = 0;
  /// Replies 1, or 0 where that owner does not have it.
  virtual net::RedisCommand renew(std::string_view name, std::string_view owner, Milliseconds length) const = 0;
  /// Likewise. `publish` is the command that publishes.
  virtual net::RedisCommand release(std::string_view name, std::string_view owner, std::string_view publish) const = 0;
  /// Replies {owner or nil, PTTL}.
  virtual net::RedisCommand inspect(std::string_view name) const = 0;
};

/// The backend. The error: the URL is none for one client, or its TLS files cannot be read.
std::expected<std::shared_ptr<LockBackend>, std::string> make_owned_key_locks(const net::RedisUrl& url,
                                                                              std::unique_ptr<OwnedKey> how,
                                                                              RedisLockOptions options);

}  // namespace firstcome::lock
