// What one process knows of one FIFO lock, and what it makes of it; decided without I/O.
//
// Invariants:
//  * A pushed grant is dated by something that it must be younger than: the first asking of its number, or the latest
//    request whose reply showed a lower token. Never by its arrival.
//  * A grant is told of once. One that nobody here wants is given back; one that is being cancelled is left to that.
//  * While somebody waits, a pulse is due at most `FifoTimes::pulse` after the last.
//  * Whoever waits here without a place in the queue asks again after the next pulse.
#pragma once

#include "lock/backend.hpp"
#include "lock/redis/fifo_scripts.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::lock {

/// What an event makes necessary.
struct FifoSteps {
  std::vector<std::pair<std::uint64_t, Grant>> granted = {};  ///< these numbers have the lock
  std::vector<std::uint64_t> nudged = {};                     ///< these must ask again
  std::vector<FifoGrantId> strays = {};                       ///< nobody here wants these: release them
  std::size_t places_lost = 0;                                ///< of those: the server has no place for so many
  bool deaf = false;                                          ///< messages do not come: make the inbox anew
};

/// Not thread-safe.
class FifoLine {
 public:
  FifoLine(std::string process, FifoTimes times) : process_(std::move(process)), times_(times) {}

  // What those of this process do. A number is known from its first asking until `forget`.

  /// It is about to ask.
  void asks(BootTime now, std::uint64_t number);
  /// It gives the lock back or leaves the queue: what comes for it from now on is no news.
  void leaves(std::uint64_t number);
  /// The server has answered that, or nobody is interested any more: a grant to it is a stray.
  void forget(std::uint64_t number);

  // Replies and messages. `sent`: when the request was.

  FifoSteps acquire_answered(BootTime sent, BootTime now, std::uint64_t number, const AcquireReply& reply);
  /// Of a release, a renewal or a cancel.
  FifoSteps answered(BootTime sent, BootTime now, std::uint64_t token, const std::vector<FifoGrant>& grants);
  FifoSteps told(BootTime now, const FifoGrant& message);
  FifoSteps pulse_answered(BootTime sent, BootTime now, const PulseReply& reply);
  FifoSteps pulse_failed();

  // Connections.

  /// Commands go over a new connection, maybe to another server: what older replies showed says nothing any more, and
  /// every place in the queue is doubtful.
  FifoSteps reconnected(BootTime now);
  /// The inbox hears again; what was sent meanwhile is lost.
  void heard_again(BootTime now);

  // Pulses.

  /// The numbers that wait, up to 16 of them: a pulse asks what became of them.
  std::vector<std::uint64_t> oldest_waiting() const;
  /// When the next pulse is due; nothing: none, until another event.
  std::optional<BootTime> wake() const;
  void pulse_sent(BootTime now);

  bool is_empty() const { return seats_.empty(); }

 private:
  enum class Phase : std::uint8_t { asking, queued, held, leaving };
  struct Seat {
    BootTime first_asked;
    Phase phase = Phase::leaving;
    std::uint64_t token = 0;   ///< highest that it was granted
    std::uint64_t ticket = 0;  ///< its place while it is queued; 0: not known
  };
  struct Shown {
    std::uint64_t token;
    BootTime sent;
  };

  void note(BootTime sent, std::uint64_t token);
  BootTime base_of(const Seat& seat, std::uint64_t token) const;
  void take(const FifoGrant& grant, std::optional<BootTime> sent, FifoSteps& steps);
  void take_owner(BootTime sent, const PulseReply& reply, FifoSteps& steps);
  void take_found(BootTime sent, const FifoFound& one, FifoSteps& steps);
  void nudge_those_without_a_place(const PulseReply& reply, FifoSteps& steps) const;
  void nudge_all(FifoSteps& steps) const;
  void pulse_by(BootTime at);
  void set(Seat& seat, Phase phase);

  const std::string process_;
  const FifoTimes times_;
  std::map<std::uint64_t, Seat> seats_;  ///< by number
  std::size_t waiting_ = 0;              ///< of seats_: asking or queued
  std::deque<Shown> shown_;              ///< tokens and times rise; the latest request that showed this token
  std::optional<BootTime> pulse_at_;
  bool pulsing_ = false;    ///< one is under way
  unsigned overheard_ = 0;  ///< pulses since the last message that found grants, or lost places, no message told of
};

}  // namespace firstcome::lock
