// One question to all servers of a Redlock at once, and what their answers come to.
#pragma once

#include "net/redis/reply.hpp"
#include "net/redis/wire.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

namespace firstcome::lock {

/// The votes so far.
struct RedlockVotes {
  std::size_t servers = 0;
  std::size_t yes = 0;
  std::size_t no = 0;
  std::size_t failed = 0;       ///< among them those that did not answer in time
  bool maybe = false;           ///< one of those may have done it
  net::RedisFailure last = {};  ///< of them

  std::size_t majority() const { return servers / 2 + 1; }
  std::size_t pending() const { return servers - yes - no - failed; }
  bool most_said_yes() const { return yes >= majority(); }
  bool most_said_no() const { return no > servers - majority(); }
  /// Whatever comes, most will not have said yes.
  bool is_vain() const { return no + failed > servers - majority(); }
};

/// Not thread-safe. Held by the callbacks of its commands.
class RedlockRound : public std::enable_shared_from_this<RedlockRound> {
 public:
  enum class Until : std::uint8_t {
    decided,   ///< a majority said yes, or can no longer
    answered,  ///< all answered
  };
  using Done = std::move_only_function<void(const RedlockVotes& votes)>;

  RedlockRound(std::size_t servers, Until until, Done done) : until_(until), done_(std::move(done)) {
    votes_.servers = servers;
  }

  /// From now on, all that have not answered after this time have failed.
  void start(net::IoExecutor executor, std::chrono::milliseconds limit);

  void yes() { count(votes_.yes); }
  void no() { count(votes_.no); }
  void failed(const net::RedisFailure& failure);

 private:
  void count(std::size_t& votes);
  void time_is_up();
  void finish();

  const Until until_;
  RedlockVotes votes_;
  Done done_;  ///< empty: it is over
  std::optional<net::RedisTimer> timer_;
};

}  // namespace firstcome::lock
