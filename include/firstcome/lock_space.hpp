// Where locks live: one server, one database, or this process. And how leases there are kept.
#pragma once

#include <firstcome/lock.hpp>
#include <firstcome/lock_shares.hpp>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome {

namespace lock {
class NamedLeases;
}

/// Is told what happens, for metrics; LockMetrics (lock_metrics.hpp) is one. Every member may be called from any
/// thread, also from several at once, and must not block or call the library.
class LockObserver {
 public:
  virtual ~LockObserver() = default;
  /// A lease was granted after this wait.
  virtual void acquired(std::string_view /*name*/, std::chrono::nanoseconds /*waited*/) {}
  virtual void not_acquired(std::string_view /*name*/, NotAcquired::Why /*why*/, std::chrono::nanoseconds /*waited*/) {}
  /// A lease ended, released or lost, after this hold.
  virtual void ended(std::string_view /*name*/, std::chrono::nanoseconds /*held*/) {}
  /// A lease was lost before it was released, which may come to light at its release only. Once for a lease.
  virtual void lost(std::string_view /*name*/) {}
  /// A renewal succeeded, and was answered this long after it was due: after a third of the lease had passed since it
  /// was granted or renewed last, or when the holder asked for it if that was sooner.
  virtual void renewed(std::string_view /*name*/, std::chrono::nanoseconds /*lag*/) {}
  /// A renewal was refused (`lost`), or was not answered, or not in time (`unknown`).
  virtual void not_renewed(std::string_view /*name*/, RenewOutcome /*why*/) {}
  /// How many acquisitions of this space wait now, over all names. In order, never two calls at once.
  virtual void waiting(std::size_t /*acquisitions*/) {}
  /// How many leases of this space are held now: granted and not `ended`. In order, never two calls at once.
  virtual void held(std::size_t /*leases*/) {}

  // The following come from `fifo` locks on Redis only.

  /// The connection for commands was lost and made again.
  virtual void reconnected() {}
  /// The number of inboxes (channels for pushed grants) that are wanted and not subscribed now. While it is not 0, a
  /// grant is found by a heartbeat instead of a message, and others may be served first. In order.
  virtual void deaf(std::size_t /*inboxes*/) {}
  /// A heartbeat of those who wait had no answer in time.
  virtual void heartbeat_failed() {}
  /// The server had no place for this many acquisitions that wait: they asked again, behind the others.
  virtual void places_lost(std::size_t /*acquisitions*/) {}
};

/// Pauses between attempts where the backend does not say when to try again: each random between `first` and three
/// times the last, at most `longest`.
struct LockBackoff {
  Milliseconds first{2};
  Milliseconds longest{64};
};

struct LockSettings {
  Milliseconds watchdog_lease{30'000};  ///< of leases without a time of their own; renewed at each third
  Milliseconds release_limit{3'000};    ///< after which a release without an answer is `unknown`
  Milliseconds drain_limit{1'000};      ///< how long the end of a LockSpace waits for what goes on in the background
  Milliseconds outage_limit{10'000};    ///< a wait whose backend fails for so long ends with that failure
  LockBackoff backoff = {};
  /// So many replicas must have a grant before it counts (Redis, WAIT); fewer, and it is not given. It narrows what a
  /// failover can lose, at about half of the throughput, and does not close it. Each space has one connection more for
  /// it. `open_locks` refuses it but for `fifo`.
  std::size_t replicas = 0;
  std::size_t waiting_limit = 65'536;           ///< acquisitions that wait in one space; one more is `full`
  std::shared_ptr<LockObserver> observer = {};  ///< may be none
  std::uint64_t seed = 0;                       ///< of the pauses' randomness; 0: a new one
};

/// What a kind of lock promises beyond exclusion.
struct LockTraits {
  std::string_view kind;  ///< "in-process", "fifo", "redisson", ...
  bool tokens = false;    ///< leases have fencing tokens
  bool fifo = false;      ///< those who wait are served in the order of arrival
  bool waits = true;      ///< false: tried once, whatever the wait
  bool lapses = true;     ///< the backend itself ends a lease that is not renewed, at its end and not later
  bool shares = false;    ///< there are read-write locks and semaphores
  bool frees = false;     ///< an administrator can free a lock (LockSpace::force_release)
  /// A caller that knows a lease's name can find, renew and release that lease through any space over the same server.
  /// The lock service uses this.
  bool named_leases = false;
};

/// A look at one name, old as soon as it is seen.
struct LockView {
  bool held = false;
  std::optional<std::uint64_t> token = {};      ///< of the present, else of the last grant; where there are tokens
  std::optional<Milliseconds> expires_in = {};  ///< where it is held and the end is known
  std::optional<std::size_t> waiting = {};      ///< where the backend knows
  std::string owner = {};                       ///< where it is held and known
};

/// The answers to LockSpace::force_release.
enum class FreeOutcome : std::uint8_t {
  freed,        ///< the grant with this token has ended; whoever is next in line has the lock
  not_held,     ///< nobody holds the lock: that grant had ended before
  other_token,  ///< the lock is held by a grant with another token, which was left alone
  not_offered,  ///< this kind of lock cannot be freed (`LockTraits::frees`)
};

std::string_view text_of(FreeOutcome outcome);

/// Thread safety: every member may be called from any thread, but for the destructor.
///
/// Its end: waits complete with `closed`; leases that are held are lost, and end where they are kept by themselves,
/// since nobody knows when their holders stop; releases and cancels that are under way get `LockSettings::drain_limit`.
/// REQUIRES: not destroyed from within a completion. Leases may outlive it, Locks may not be used after it.
///
/// After fork() it is the parent's, as are its leases. In the child `acquire` and `inspect` answer `closed`, leases are
/// lost, and destroying them or the space does nothing; a child that wants locks makes a LockSpace of its own. Until
/// the child ends or calls exec, it keeps the parent's connections open: a parent that is killed is then noticed by the
/// end of its leases only.
class LockSpace {
 public:
  LockSpace() = default;
  LockSpace(const LockSpace&) = delete;
  LockSpace& operator=(const LockSpace&) = delete;
  virtual ~LockSpace() = default;

  /// Never fails and costs nothing: a bad name is the answer to `acquire`.
  virtual std::unique_ptr<Lock> lock(std::string name) = 0;

  /// Neither fails; where this kind has none (`LockTraits::shares`), `acquire` says `not_offered`. Names of locks, of
  /// read-write locks and of semaphores are three worlds.
  virtual std::unique_ptr<ReadWriteLock> read_write_lock(std::string name) = 0;
  /// `capacity`: how many permits there are, 1 to 2^20. The first who acquires fixes it, see Semaphore.
  virtual std::unique_ptr<Semaphore> semaphore(std::string name, std::uint32_t capacity) = 0;

  /// `done` is called as in Lock::acquire.
  virtual void inspect(std::string name, std::move_only_function<void(std::expected<LockView, LockFailure>)> done) = 0;

  /// Ends the grant with this token, whoever holds it: for an administrator who knows that its holder is gone, or must
  /// not go on. Take the token from `inspect`. The holder is not asked. It finds its lease lost at its next renewal, or
  /// at its deadline; until then only the fence (fence.hpp) stops it. The next in line has the lock at once, with a
  /// higher token. The same again does no harm: it is `not_held` or `other_token` then. A failure `broken` says that
  /// the lock may have been freed. `done` is called as in Lock::acquire.
  virtual void force_release(std::string name, std::uint64_t token,
                             std::move_only_function<void(std::expected<FreeOutcome, LockFailure>)> done) = 0;

  virtual const LockTraits& traits() const = 0;

  /// Returns what the lock service uses for leases that clients name, or null if this kind cannot do that
  /// (`LockTraits::named_leases`). It lives as long as this space.
  virtual lock::NamedLeases* named_leases() { return nullptr; }
};

/// Fair locks between the threads and coroutines of one process: strict FIFO, with tokens. Two spaces know nothing of
/// each other. Uncontended about 3 µs to acquire and release; a hand-over is done by the thread that releases.
std::unique_ptr<LockSpace> make_in_process_locks(LockSettings settings = {});

}  // namespace firstcome
