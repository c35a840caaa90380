// The scripts of the FIFO lock, and those of permits, as commands, and their replies as values. No I/O.
//
// The texts are the .lua files beside this one: those of the lock with the parts of fifo_common.lua that they name,
// those of permits each with permits_common.lua after its first line.
// Both sets take the same arguments and answer alike, so that one client serves both; permits have a few more.
#pragma once

#include "lock/backend.hpp"
#include "net/redis/command.hpp"
#include "net/redis/reply.hpp"

#include <firstcome/types.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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
  net::RedisScript free = net::RedisScript("");  ///< permits have none

  static FifoScripts standard();
};

/// Of read-write locks and semaphores.
struct PermitScripts {
  FifoScripts same;  ///< as for the lock
  net::RedisScript capacity;

  static PermitScripts standard();
};

/// A lock on a server, and who asks.
struct FifoPlace {
  std::string key;      ///< firstcome:lock:{NAME}
  std::string process;  ///< 32 digits of hex
  std::string inbox;    ///< what stands before a process in the name of its channel; with the lock's tag in a cluster
  std::string holders = {};  ///< the second key of permits; empty: a lock

  std::string channel() const { return inbox + process; }
  bool has_permits() const { return !holders.empty(); }
};

enum class Channels : std::uint8_t {
  one_for_all,  ///< one inbox per process
  by_name,      ///< one per process and lock, in the lock's slot: a cluster's
};

/// Returns what stands in keys before the name in braces.
std::string_view fifo_key_prefix(Share::Of of);

FifoPlace fifo_place(const ShareName& name, std::string process, Channels channels);

enum class Once : std::uint8_t { no, yes };      ///< yes: never queue
enum class Repeated : std::uint8_t { no, yes };  ///< yes: sent before, and not answered

struct AcquireRequest {
  std::uint64_t number = 0;
  Milliseconds lease{0};
  Once once = Once::no;
  Repeated repeated = Repeated::no;
  Share share = {};         ///< weight and capacity, of permits
  std::string holder = {};  ///< of locks: the owner in place of the number, see Contention::holder; empty: none
};

net::RedisCommand acquire_command(const FifoScripts& scripts, const FifoPlace& place, const FifoTimes& times,
                                  const AcquireRequest& request, Trust trust);

/// One grant.
struct FifoGrantId {
  std::uint64_t number = 0;
  std::uint64_t token = 0;
};

/// Whether an acquire of the same number may still come to the server: it was sent over a connection that was given up,
/// and had no answer. The server then refuses it when it comes.
enum class LateCopy : std::uint8_t { no, possible };

struct ReleaseRequest {
  FifoGrantId grant;
  Repeated repeated = Repeated::no;
  LateCopy late_copy = LateCopy::no;
  std::uint32_t stays = 0;  ///< of permits: this weight is not given back
  std::string holder = {};  ///< of locks: the owner in place of the number; empty: none
};

net::RedisCommand release_command(const FifoScripts& scripts, const FifoPlace& place, const FifoTimes& times,
                                  const ReleaseRequest& request, Trust trust);
struct RenewRequest {
  FifoGrantId grant;        ///< token 0: whichever the holder has
  Milliseconds lease{0};    ///< 0: as long as before
  std::string holder = {};  ///< of locks: the owner in place of the number from now on; empty: none
};

net::RedisCommand renew_command(const FifoScripts& scripts, const FifoPlace& place, const FifoTimes& times,
                                const RenewRequest& request);
struct CancelRequest {
  std::uint64_t number = 0;
  LateCopy late_copy = LateCopy::no;
};

net::RedisCommand cancel_command(const FifoScripts& scripts, const FifoPlace& place, const FifoTimes& times,
                                 CancelRequest request, Trust trust);
/// `waiting`: the oldest numbers of the process that wait; of permits, where many may hold, only these are looked at.
net::RedisCommand pulse_command(const FifoScripts& scripts, const FifoPlace& place, const FifoTimes& times, Trust trust,
                                std::span<const std::uint64_t> waiting = {});
/// Ends the grant with this token. REQUIRES: the place of a lock.
net::RedisCommand free_command(const FifoScripts& scripts, const FifoPlace& place, std::uint64_t token, Trust trust);
net::RedisCommand inspect_command(const FifoScripts& scripts, const FifoPlace& place);
net::RedisCommand capacity_command(const PermitScripts& scripts, const FifoPlace& place, const FifoTimes& times,
                                   std::uint32_t capacity, Trust trust);

/// A grant to a waiter, as a message or in a reply to its own process.
struct FifoGrant {
  std::uint64_t number = 0;
  std::uint64_t token = 0;  ///< 0: no grant; it waits no longer and must ask again
  Milliseconds length{0};
  std::uint64_t ticket = 0;

  bool operator==(const FifoGrant&) const = default;
};

struct AcquireReply {
  /// Of permits only: `weight` is more than there are, `capacity` is another than the caller said.
  enum class Outcome : std::uint8_t { granted, queued, busy, refused, full, weight, capacity };
  Outcome outcome = Outcome::busy;
  std::uint64_t token = 0;   ///< the last
  Milliseconds left{0};      ///< of the present grant; of permits: of this one's, else of the next that ends
  std::uint64_t ticket = 0;  ///< 0: it was free, so nobody is to know
  std::uint64_t before = 0;  ///< how many wait before this one, at most
  bool sure = true;          ///< of `granted`: false for a claim. Of a holder's: whether the holder is the owner
  std::vector<FifoGrant> grants = {};
  std::uint64_t mine = 0;      ///< of `granted`: the token of that grant
  std::uint32_t capacity = 0;  ///< of permits
};

struct ReleaseReply {
  enum class Outcome : std::uint8_t { released, lost, unknown };
  Outcome outcome = Outcome::unknown;
  std::uint64_t token = 0;
  std::vector<FifoGrant> grants = {};
};

struct FreeReply {
  FreeOutcome outcome = FreeOutcome::not_held;
  std::uint64_t token = 0;
  std::vector<FifoGrant> grants = {};
};

struct RenewReply {
  Milliseconds length{0};  ///< 0: lost
  std::uint64_t token = 0;
};

/// Of a cancel, and of a new capacity.
struct CancelReply {
  std::uint64_t token = 0;
  std::vector<FifoGrant> grants = {};
};

/// What a pulse finds that one of this process has.
struct FifoFound {
  std::uint64_t number = 0;
  std::uint64_t token = 0;  ///< 0: it has nothing and does not wait
  Milliseconds left{0};
  bool sure = true;
};

struct PulseReply {
  bool known = false;
  std::uint64_t token = 0;
  Milliseconds left{0};
  std::string owner = {};  ///< of a lock; `sure` is of its grant
  bool sure = true;
  std::uint64_t waiting = 0;
  std::uint64_t ticket = 0;  ///< of the latest grant, or of the latest that was passed over
  std::uint64_t last_ticket = 0;
  std::vector<FifoGrant> grants = {};
  std::vector<FifoFound> found = {};  ///< of permits: of the numbers that were named, those that do not wait
};

struct InspectReply {
  std::string owner = {};  ///< empty: nobody
  std::uint64_t token = 0;
  Milliseconds left{0};
  std::uint64_t head = 0;
  std::uint64_t tail = 0;
  std::uint64_t lapse = 0;
  bool sure = true;
  std::uint64_t waiting = 0;
};

// Nothing: that is no reply of this script.
/// `lease`: what was asked for.
std::optional<AcquireReply> read_acquire(const net::RedisReply& reply, Milliseconds lease);
std::optional<ReleaseReply> read_release(const net::RedisReply& reply);
std::optional<FreeReply> read_free(const net::RedisReply& reply);
std::optional<RenewReply> read_renew(const net::RedisReply& reply);
std::optional<CancelReply> read_cancel(const net::RedisReply& reply);
std::optional<CancelReply> read_capacity(const net::RedisReply& reply);
std::optional<PulseReply> read_pulse(const net::RedisReply& reply);
std::optional<InspectReply> read_inspect(const net::RedisReply& reply);
std::optional<SharesView> read_shares(const net::RedisReply& reply);
/// "N TOKEN CLAIM_MS TICKET", nothing else.
std::optional<FifoGrant> read_message(std::string_view text);
/// The number of an owner "PROCESS:NUMBER"; nothing: not of this process.
std::optional<std::uint64_t> number_of(std::string_view owner, std::string_view process);

}  // namespace firstcome::lock
