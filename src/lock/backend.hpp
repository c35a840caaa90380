// The seam that every lock backend implements: single requests, and what is pushed. The waiting, the deadlines, the
// watchdog and the giving up are written once, above it (acquire_state.hpp, lease_state.hpp).
//
//   make_lock_space(std::make_shared<YourBackend>(...), settings) is a LockSpace.
//
// Rules for an implementation:
//  * Every call may come from any thread, and must not block. Calls of one Contender never come at the same time, but
//    may come while an earlier one is unanswered; they are made in the order of their effects.
//  * Every Answer is called exactly once, from any thread, also within the call itself, and never while a mutex is held
//    that a call needs. An implementation has a time limit of its own for each request and answers `broken` after it.
//  * Times are the BootClock's. `base` and `sent` are when the request was SENT, never when its answer came; whoever
//    does not know takes the time of the call.
#pragma once

#include <firstcome/lock_shares.hpp>
#include <firstcome/lock_space.hpp>

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace firstcome::lock {

template <typename T>
using Answer = std::move_only_function<void(T)>;

/// Whether this request was sent before, and its answer never came: `again` must find the effect of the first.
enum class Try : std::uint8_t { first, again };

struct Grant {
  enum class Kind : std::uint8_t {
    lease,
    claim,   ///< shorter than asked for, until a first renewal; it is sent soon if the lock is still held by then
    unsure,  ///< likewise, and the holder must not begin before that renewal
  };
  std::optional<std::uint64_t> token;
  BootTime base;           ///< granted surely not before this
  Milliseconds length{0};  ///< from `base` on, no margin taken off
  Kind kind = Kind::lease;
};

/// Somebody else has the lock; this contender neither has it nor waits at the backend.
struct Busy {
  /// Try again after that at the latest; `worth_trying` may come earlier. None: the space's backoff.
  std::optional<Milliseconds> retry_in = {};
};

/// This contender waits at the backend, which will push the grant, or say `worth_trying` when the place is lost.
struct Queued {};

/// As many wait as may.
struct Full {};

/// This can never be granted, whatever the others do; this contender does not wait.
struct Impossible {
  NotAcquired reason;
};

using AttemptAnswer = std::variant<Grant, Busy, Queued, Full, Impossible, LockFailure>;

struct Attempt {
  Try repeat = Try::first;
  enum class Mode : std::uint8_t { once, wait } mode = Mode::once;  ///< once: never queue
  BootTime until;  ///< the end of the wait (BootTime::max(): none); a backend that waits in the request itself obeys it
};

struct Renewed {
  BootTime sent;
  Milliseconds length{0};  ///< from `sent` on
};
struct Lost {};
using RenewAnswer = std::variant<Renewed, Lost, LockFailure>;

using ReleaseAnswer = std::expected<ReleaseOutcome, LockFailure>;
using ShrinkAnswer = std::expected<ShrinkOutcome, LockFailure>;
using CancelAnswer = std::expected<void, LockFailure>;
/// The grant that a holder has, or nothing if it does not have the lock.
using HolderAnswer = std::expected<std::optional<Grant>, LockFailure>;

/// What the backend pushes to one contender. Any thread, any number of times, also when it is no longer of interest.
class ContenderEvents {
 public:
  virtual ~ContenderEvents() = default;
  /// The lock was handed to this contender. Also right when the same grant is the answer to an attempt.
  virtual void granted(Grant grant) = 0;
  /// A new attempt may succeed, or the place in the queue is gone: `attempt` will be called (with `again` where the
  /// last was queued).
  virtual void worth_trying() = 0;
};

/// One acquisition, from its first attempt until its release or cancellation has been answered. Keeps whatever the
/// backend needs for it (a number, a connection). Destroyed afterwards, from any thread; also earlier, when the space
/// ends. Must not keep its ContenderEvents alive.
class Contender {
 public:
  virtual ~Contender() = default;

  /// Unique in the whole world, never changing.
  virtual const std::string& owner() const = 0;

  /// Asks for the lock for `Contention::lease`. Not called again before it was answered; after a grant only when a
  /// renewal has said that it is lost.
  virtual void attempt(const Attempt& attempt, Answer<AttemptAnswer> done) = 0;

  /// Given up: when this is answered, the contender neither has the lock nor waits for it nor ever will, whatever of an
  /// attempt or of a pushed grant is still under way (so it is called while an attempt is). Repeated after a failure.
  virtual void cancel(Try repeat, Answer<CancelAnswer> done) = 0;

  /// Prolongs to `length` from the moment it is carried out. `useless_after`: the lease is over then; do not send it
  /// later. Only while held, not called again before it was answered; makes a lease of a claim.
  virtual void renew(Milliseconds length, BootTime useless_after, Answer<RenewAnswer> done) = 0;

  /// The lease was handed out. `doubtful` may be kept, and called any number of times from any thread: what keeps the
  /// lock may have forgotten it, as after a failover, so the lease is renewed at once.
  virtual void held(std::function<void()> /*doubtful*/) {}

  /// Ends this very grant, no other. Nothing else is called afterwards but `release` again, after a failure.
  virtual void release(Try repeat, Answer<ReleaseAnswer> done) = 0;

  /// Gives back all but `weight` of what is held; the same again changes nothing. Only of shares.
  virtual void shrink(std::uint32_t /*weight*/, Answer<ShrinkAnswer> done) {
    done(std::unexpected(LockFailure{LockFailure::Kind::wrong_type, "no part of a lock can be given back"}));
  }
};

/// What is asked for: a lock, or a part of something that several may hold at a time. The name of one kind says
/// nothing of another's.
struct Share {
  enum class Of : std::uint8_t { lock, read_write, semaphore } of = Of::lock;
  std::uint32_t capacity = 1;  ///< as the caller knows it
  std::uint32_t weight = 1;    ///< of this acquisition; at most the capacity
};

struct Contention {
  std::string name;                                                        ///< has passed the checks
  Milliseconds lease;                                                      ///< to ask for
  enum class Watchdog : std::uint8_t { no, yes } watchdog = Watchdog::no;  ///< whether it will be renewed at each third
  Share share = {};                                                        ///< of a lock, unless `LockTraits::shares`
  /// Not empty, only where `LockTraits::named_leases`: who has the lock once it is granted, in place of this
  /// acquisition (see NamedLeases). What is granted to this acquisition alone is `unsure`, and its renewal passes it
  /// on. What the holder has already counts as granted. Nothing is released then.
  std::string holder = {};
};

/// What has a capacity, by its name.
struct ShareName {
  Share::Of of = Share::Of::lock;
  std::string name;

  bool operator==(const ShareName&) const = default;
};

class LockBackend {
 public:
  virtual ~LockBackend() = default;
  virtual const LockTraits& traits() const = 0;
  /// Whether an attempt that waits is answered `Queued` or `Busy` at once. A silent server can then be told apart from
  /// a lock that somebody else has. No: the answer may take as long as the wait.
  enum class Answers : std::uint8_t { at_once, after_the_wait };
  virtual Answers answers() const { return Answers::at_once; }
  /// Sends nothing yet, calls nobody. `events` may be gone when something is to be pushed; a grant for nobody is to be
  /// given back.
  virtual std::shared_ptr<Contender> contend(Contention contention, std::weak_ptr<ContenderEvents> events) = 0;
  virtual void inspect(const std::string& name, Answer<std::expected<LockView, LockFailure>> done) = 0;
  /// Only called where `LockTraits::frees`. See LockSpace::force_release.
  virtual void force_release(const std::string& /*name*/, std::uint64_t /*token*/,
                             Answer<std::expected<FreeOutcome, LockFailure>> done) {
    done(FreeOutcome::not_offered);
  }
  // Only called where `LockTraits::named_leases`; see Contention::holder.
  /// Somebody waits for the answer beyond the end of a wait: it comes within a second, except if replicas are asked.
  virtual void find_holder(const std::string& /*name*/, const std::string& /*holder*/, Answer<HolderAnswer> done) {
    done(std::nullopt);
  }
  /// Prolongs what it has to the length that it was granted for. An answer `broken`: may have been done.
  virtual void renew_holder(const std::string& /*name*/, const std::string& /*holder*/, Answer<HolderAnswer> done) {
    done(std::nullopt);
  }
  /// Ends the grant that it has now, no later one, however late this is carried out.
  virtual void release_holder(const std::string& /*name*/, const std::string& /*holder*/, Answer<ReleaseAnswer> done) {
    done(ReleaseOutcome::lost);
  }
  /// Called at most once, before any other member: what happens to its connections is told to `observer`.
  virtual void observe(std::shared_ptr<LockObserver> /*observer*/) {}
  // Only called where `LockTraits::shares`.
  virtual void inspect_shares(const ShareName& /*name*/, Answer<std::expected<SharesView, LockFailure>> done) {
    done(std::unexpected(LockFailure{LockFailure::Kind::wrong_type, {}}));
  }
  virtual void set_capacity(const ShareName& /*name*/, std::uint32_t /*capacity*/,
                            Answer<std::expected<void, LockFailure>> done) {
    done(std::unexpected(LockFailure{LockFailure::Kind::wrong_type, {}}));
  }
  /// The space ends: answers everything that is under way, with `closed` where no answer is known, and ends the
  /// backend's threads. From the thread that destroys the space; may block for a short while. Contenders may still be
  /// called afterwards, and answer `closed`.
  virtual void close() = 0;
};

class Alarms;

/// A space over a backend. `alarms`: the clock and timers, for tests; none: a thread of its own on the BootClock.
std::unique_ptr<LockSpace> make_lock_space(std::shared_ptr<LockBackend> backend, LockSettings settings,
                                           std::shared_ptr<Alarms> alarms = {});

}  // namespace firstcome::lock
