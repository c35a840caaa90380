// How connections to Redis behave, what they count, and the pauses between attempts.
#pragma once

#include "net/host_lookup.hpp"
#include "net/redis/tls_options.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

namespace firstcome::net {

struct RedisOptions {
  /// What happens to commands while there is no connection. Either way they wait for an attempt that runs.
  enum class WhenDown : std::uint8_t {
    fail,  ///< when the attempt fails, and between attempts, commands fail at once as not_sent
    wait,  ///< they wait until their deadline
  };
  WhenDown when_down = WhenDown::fail;

  std::chrono::milliseconds connect_timeout{2'000};  ///< for name, TCP, TLS and AUTH together
  std::chrono::milliseconds first_pause{20};         ///< between attempts; doubles
  std::chrono::milliseconds longest_pause{1'000};
  std::size_t most_commands = 65'536;              ///< unanswered ones on one connection; more fail as not_sent
  std::size_t most_bytes = 64U << 20U;             ///< unsent ones on one connection; likewise
  std::size_t most_reply_bytes = 64U << 20U;       ///< of one reply; more breaks the connection
  std::chrono::milliseconds ping_interval{1'000};  ///< of subscribers; a silent connection is cut after two
  /// A connection for commands is cut when one of them is late and the server has said nothing for so long.
  std::chrono::milliseconds silence_limit{2'000};
  /// A connection for commands that nobody has used for so long is tried with a PING, so that one which the network has
  /// forgotten is made again before somebody needs it.
  std::chrono::milliseconds idle_ping{15'000};

  RedisTlsOptions tls = {};  ///< files that a URL names come before these
  LookUpHost look_up = {};   ///< for tests; empty: the system's resolver
  std::uint64_t seed = 0;    ///< for jitter; give each process its own, so that they do not all come back at once
};

/// Since the beginning; read them on the executor's thread.
struct RedisCounters {
  std::uint64_t commands = 0;  ///< taken, also those that failed
  std::uint64_t replies = 0;   ///< errors among them
  std::uint64_t refused = 0;   ///< errors that the server replied
  std::uint64_t not_sent = 0;
  std::uint64_t unknown = 0;
  std::uint64_t timed_out = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t connects = 0;  ///< connections that became ready; all but the first are reconnects
  std::uint64_t failed_connects = 0;
  std::uint64_t scripts_by_text = 0;  ///< scripts that the server did not know
  std::uint64_t redirects = 0;        ///< MOVED and ASK
  std::uint64_t refreshes = 0;        ///< of the slots, or of the master's address
  std::uint64_t messages = 0;         ///< of channels

  RedisCounters& operator+=(const RedisCounters& other);
};

/// Jittered, doubling pauses: each is between half and all of the present step.
class RedisBackoff {
 public:
  RedisBackoff(std::chrono::milliseconds first, std::chrono::milliseconds longest, std::uint64_t seed)
      : first_(first), longest_(longest), step_(first), random_(seed) {}

  std::chrono::microseconds next() {
    const std::chrono::microseconds step = step_;
    step_ = std::min(2 * step_, longest_);
    std::uniform_int_distribution<std::int64_t> within(step.count() / 2, step.count());
    return std::chrono::microseconds(within(random_));
  }

  void reset() { step_ = first_; }

 private:
  std::chrono::milliseconds first_;
  std::chrono::milliseconds longest_;
  std::chrono::milliseconds step_;
  std::minstd_rand random_;
};

}  // namespace firstcome::net
