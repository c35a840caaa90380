// The Lock port: a name held by at most one lease at a time, whoever keeps the books (this process, Redis, SQL).
//
// What a lease promises: while `lost()` is false, and the process runs, nobody else has the lock. A holder that was
// stopped for longer than its lease cannot know it; only the resource can refuse it, by the fencing token (fence.hpp).
//
// Thread safety: every member of Lock may be called from any thread. A Lease is like a unique_ptr: one object for one
// thread at a time, while other objects of the same lease (`again`) may be used by others.
#pragma once

#include <firstcome/types.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace firstcome {

/// A steady clock that goes on while the machine is suspended, as leases do.
struct BootClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;
  static time_point now() noexcept;
};
using BootTime = BootClock::time_point;

/// Why there is no lease. The text that users see is the enumerator with `-` for `_`.
struct NotAcquired {
  enum class Why : std::uint8_t {
    // Answers:
    timed_out,  ///< somebody else had the lock until the wait was over
    stopped,    ///< the stop_token of the wait was asked to stop
    full,       ///< as many wait already as may
    // Refused before anything was sent:
    bad_name,      ///< empty, over 512 bytes, or with `{` or `}`
    bad_lease,     ///< no lease lasts 0 ms or less, or more than a year
    bad_weight,    ///< 0, or more permits than the semaphore has (lock_shares.hpp); the server may say so as well
    bad_capacity,  ///< no semaphore has 0 permits, or more than 2^20
    not_offered,   ///< this kind of lock has no read-write locks and semaphores (`LockTraits::shares`)
    // An answer that only another program can change:
    other_capacity,  ///< the semaphore has another number of permits than this caller says
    // Failures of what keeps the lock; see LockFailure:
    unavailable,
    denied,
    wrong_type,
    read_only,
    broken,
    closed,
  };
  Why why = Why::timed_out;
  std::string detail;  ///< for a log; may be empty
};

std::string_view text_of(NotAcquired::Why why);

/// Whether the lock could not be asked, rather than had by others.
constexpr bool is_failure(NotAcquired::Why why) { return why >= NotAcquired::Why::unavailable; }

/// Why what keeps the locks cannot answer.
struct LockFailure {
  enum class Kind : std::uint8_t {
    unavailable,  ///< it cannot be reached; surely nothing was done
    denied,       ///< it knows no such user, or a wrong password; nothing was done
    wrong_type,   ///< something that is no lock has this name; it was left as it is
    read_only,    ///< it takes no writes, as a replica does; nothing was done
    broken,       ///< the connection broke, or no answer came in time: may have been done
    closed,       ///< the LockSpace has ended
  };
  Kind kind = Kind::broken;
  std::string detail;  ///< for a log
};

enum class ReleaseOutcome : std::uint8_t {
  released,  ///< nobody else had the lock until now. For all but the last object of a lease: this share was given back
  lost,      ///< the lease had ended before; somebody else may have had the lock since
  unknown,   ///< no answer in time: what keeps the lock releases it at the end of the lease at the latest
};

/// Of giving back a part (lock_shares.hpp).
enum class ShrinkOutcome : std::uint8_t {
  shrunk,
  lost,     ///< the lease has ended before
  unknown,  ///< no answer in time; the same again does no harm
};

enum class RenewOutcome : std::uint8_t {
  renewed,
  lost,     ///< the lease has ended, for ever; `stop_token` has been asked to stop
  unknown,  ///< no answer in time; the deadline is what it was
};

std::string_view text_of(ReleaseOutcome outcome);
std::string_view text_of(RenewOutcome outcome);
std::string_view text_of(ShrinkOutcome outcome);

namespace lock {
class HeldLease;
}

/// The lock, held. Destroying the last object of a lease releases it in the background; that never blocks.
class Lease {
 public:
  Lease() noexcept = default;  ///< empty, like one that was moved from or released
  Lease(Lease&& other) noexcept = default;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease();

  /// Whether this is a lease at all. A lost one still is.
  explicit operator bool() const noexcept { return held_ != nullptr; }

  // The others REQUIRE that it is not empty.

  /// Whether the deadline has passed or a renewal was refused. Once true, it stays true.
  bool lost() const;
  /// Is asked to stop when `lost()` becomes true, from a thread of the LockSpace's, before anybody else can have the
  /// lock; on a machine so busy that this thread runs late by more than the margin (1 % of the lease + 2 ms), later.
  /// `lost()` itself reads the clock. Callbacks registered on it must not block.
  std::stop_token stop_token() const;
  /// When the lease ends unless it is renewed, less a margin for clocks; moves forward with each renewal.
  ///
  /// A `fifo` lock on Redis that was waited for begins as a claim of at most 1.5 s, which is confirmed to the length of
  /// the lease in the background: at once where AcquireOptions::lease gave one, else after 0.25 s. `renew`, waited
  /// for, confirms it before the work begins.
  BootTime deadline() const;
  /// Grows with every grant of this name, within 53 bits. None where the backend has none (`LockTraits::tokens`).
  std::optional<std::uint64_t> token() const;
  /// Names this acquisition, in the whole world.
  const std::string& owner() const;

  /// Another object of the same lease: reentry, made visible. The lock is released when the last one goes.
  Lease again() const;

  /// Prolongs the lease to at least `length` from now; never shortens it. `done` is called once, as in Lock::acquire.
  /// REQUIRES: 0 < length <= 1 year.
  void renew(Milliseconds length, std::move_only_function<void(RenewOutcome)> done);

  /// Gives back all but `weight`: a writer of a read-write lock becomes a reader with 1, without letting go in between;
  /// who holds permits keeps so many. Whoever is next in line gets what is free now. Holds for all objects of the
  /// lease; the token stays. There is no way back up: two who waited for each other would wait for ever. `done` as in
  /// Lock::acquire. REQUIRES: a lease of lock_shares.hpp; weight > 0. More than is held is no change.
  void shrink(std::uint32_t weight, std::move_only_function<void(ShrinkOutcome)> done);

  /// Gives the lock back; the object is empty afterwards. `done`, if any, is called once, as in Lock::acquire, within
  /// `LockSettings::release_limit`.
  void release(std::move_only_function<void(ReleaseOutcome)> done = {});

 private:
  friend class lock::HeldLease;
  explicit Lease(std::shared_ptr<lock::HeldLease> held) noexcept : held_(std::move(held)) {}

  std::shared_ptr<lock::HeldLease> held_;
};

/// A lease, or why there is none.
using Acquired = std::expected<Lease, NotAcquired>;

inline constexpr Milliseconds wait_for_ever = Milliseconds::max();

struct AcquireOptions {
  /// How long to wait for the lock at most. 0 or less: it is tried once and never queued.
  Milliseconds wait{0};
  /// How long to hold it at most, unless renewed by hand. None: a watchdog renews it at each third of
  /// `LockSettings::watchdog_lease`, until it is released or lost.
  std::optional<Milliseconds> lease = {};
  /// Ends the wait. The lease, once there, knows it no more.
  std::stop_token stop = {};
};

/// One name. Made by a LockSpace (lock_space.hpp), which must outlive it.
class Lock {
 public:
  Lock() = default;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  virtual ~Lock() = default;

  /// Waits for the lock. `done` is called exactly once: on the calling thread before this returns where the answer is
  /// known at once, else from another thread, which may be one that releases. It must not block, and must not need a
  /// mutex that is held while this library is called. Calls from one thread never nest, however often `done` acquires
  /// and releases.
  ///
  /// A wait that ends without a lease leaves the queue, also where the backend does not answer: then that goes on in
  /// the background, and a lock that was granted meanwhile is given back.
  virtual void acquire(AcquireOptions options, std::move_only_function<void(Acquired)> done) = 0;

  virtual const std::string& name() const = 0;
};

}  // namespace firstcome
