// The six scripts of the FIFO lock as commands, and their replies as values. No I/O.
//
// The texts are the .lua files beside this one, each with fifo_common.lua after its first line.
#pragma once

#include "net/redis/command.hpp"
#include "net/redis/reply.hpp"

#include <firstcome/types.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::lock {

/// How long things last, and how they relate: a claim is longer than a pulse, a margin and 300 ms together; a waiter's
/// lease covers three pulses.
struct FifoTimes {
  Milliseconds claim{1'500};         ///< of a grant to a waiter, until it is confirmed
  Milliseconds pulse{500};           ///< between two pulses of a process that waits for a lock; at most a second
  Milliseconds waiter_lease{2'000};  ///< a process that was not heard of for so long is passed over
  Milliseconds keep{3'600'000};      ///< the key outlives the last lease by about so long
  std::size_t most_waiters = 100'000;
};

/// Whether a message that nobody heard proves that the process is gone. A command that is sent again after a
/// redirection says no, whatever was given.
enum class Trust : std::uint8_t { no, yes };

struct FifoScripts {
  net::RedisScript acquire;
  net::RedisScript release;
  net::RedisScript renew;
  net::RedisScript cancel;
  net::RedisScript pulse;
  net::RedisScript inspect;

  static FifoScripts standard();
};

/// A lock on a server, and who asks.
struct FifoPlace {
  std::string key;      ///< firstcome:lock:{NAME}
  std::string process;  ///< 32 digits of hex
  std::string inbox;    ///< what stands before a process in the name of its channel; with the lock's tag in a cluster

  std::string channel() const { return inbox + process; }
};

enum class Channels : std::uint8_t {
  one_for_all,  ///< one inbox per process
  by_name,      ///< one per process and lock, in the lock's slot: a cluster's
};

FifoPlace fifo_place(std::string_view name, std::string process, Channels channels);

enum class Once : std::uint8_t { no, yes };      ///< yes: never queue
enum class Repeated : std::uint8_t { no, yes };  ///< yes: sent before, and not answered

struct AcquireRequest {
  std::uint64_t number = 0;
  Milliseconds lease{0};
  Once once = Once::no;
  Repeated repeated = Repeated::no;
};

net::RedisCommand acquire_command(const FifoScripts& scripts, const FifoPlace& place, const FifoTimes& times,
                                  const AcquireRequest& request, Trust trust);

/// One grant.
struct FifoGrantId {
  std::uint64_t number = 0;
  std::uint64_t token = 0;
};

net::RedisCommand release_command(const FifoScripts& scripts, const FifoPlace& place, FifoGrantId grant,
                                  Repeated repeated, Trust trust);
net::RedisCommand renew_command(const FifoScripts& scripts, const FifoPlace& place, const FifoTimes& times,
                                FifoGrantId grant, Milliseconds lease);
net::RedisCommand cancel_command(const FifoScripts& scripts, const FifoPlace& place, const FifoTimes& times,
                                 std::uint64_t number, Trust trust);
net::RedisCommand pulse_command(const FifoScripts& scripts, const FifoPlace& place, const FifoTimes& times,
                                Trust trust);
net::RedisCommand inspect_command(const FifoScripts& scripts, const FifoPlace& place);

/// A grant to a waiter, as a message or in a reply to its own process.
struct FifoGrant {
  std::uint64_t number = 0;
  std::uint64_t token = 0;
  Milliseconds length{0};
  std::uint64_t ticket = 0;

  bool operator==(const FifoGrant&) const = default;
};

struct AcquireReply {
  enum class Outcome : std::uint8_t { granted, queued, busy, refused, full };
  Outcome outcome = Outcome::busy;
  std::uint64_t token = 0;  ///< the last
  Milliseconds left{0};     ///< of the present grant
  std::uint64_t ticket = 0;
  std::uint64_t before = 0;  ///< tickets that wait before this one
  bool sure = true;          ///< of `granted`: false for a claim
  std::optional<FifoGrant> grant = {};
};

struct ReleaseReply {
  enum class Outcome : std::uint8_t { released, lost, unknown };
  Outcome outcome = Outcome::unknown;
  std::uint64_t token = 0;
  std::optional<FifoGrant> grant = {};
};

struct RenewReply {
  Milliseconds length{0};  ///< 0: lost
  std::uint64_t token = 0;
};

struct CancelReply {
  std::uint64_t token = 0;
  std::optional<FifoGrant> grant = {};
};

struct PulseReply {
  bool known = false;
  std::uint64_t token = 0;
  Milliseconds left{0};
  std::string owner = {};
  bool sure = true;
  std::uint64_t waiting = 0;
  std::uint64_t ticket = 0;  ///< of the latest grant
  std::optional<FifoGrant> grant = {};
};

struct InspectReply {
  std::string owner = {};  ///< empty: nobody
  std::uint64_t token = 0;
  Milliseconds left{0};
  std::uint64_t head = 0;
  std::uint64_t tail = 0;
  std::uint64_t lapse = 0;
  bool sure = true;
};

// Nothing: that is no reply of this script.
std::optional<AcquireReply> read_acquire(const net::RedisReply& reply);
std::optional<ReleaseReply> read_release(const net::RedisReply& reply);
std::optional<RenewReply> read_renew(const net::RedisReply& reply);
std::optional<CancelReply> read_cancel(const net::RedisReply& reply);
std::optional<PulseReply> read_pulse(const net::RedisReply& reply);
std::optional<InspectReply> read_inspect(const net::RedisReply& reply);
/// "N TOKEN CLAIM_MS TICKET", nothing else.
std::optional<FifoGrant> read_message(std::string_view text);
/// The number of an owner "PROCESS:NUMBER"; nothing: not of this process.
std::optional<std::uint64_t> number_of(std::string_view owner, std::string_view process);

}  // namespace firstcome::lock
