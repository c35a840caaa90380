// Locks for code that blocks: a mutex that std::unique_lock and std::scoped_lock take, one that std::shared_lock takes,
// and `with_lock` for one line.
//
// None of these may be used within a completion of this library, which must not block.
#pragma once

#include <firstcome/lock.hpp>
#include <firstcome/lock_space.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace firstcome {

/// Lock::acquire, waited for.
Acquired acquire_blocking(Lock& lock, AcquireOptions options);
/// Lease::release, waited for. REQUIRES: not empty.
ReleaseOutcome release_blocking(Lease lease);
/// Lease::renew, waited for.
RenewOutcome renew_blocking(Lease& lease, Milliseconds length);
/// LockSpace::force_release, waited for.
std::expected<FreeOutcome, LockFailure> force_release_blocking(LockSpace& space, std::string name, std::uint64_t token);
/// Lease::shrink, waited for.
ShrinkOutcome shrink_blocking(Lease& lease, std::uint32_t weight);

/// What LockMutex throws where the lock could not be asked (never because somebody else has it).
class LockError : public std::runtime_error {
 public:
  explicit LockError(const NotAcquired& reason);
  NotAcquired::Why why() const noexcept { return why_; }

 private:
  NotAcquired::Why why_;
};

/// Meets the standard's TimedLockable. One object may be shared by the threads of a process, like a std::timed_mutex;
/// each thread that locks gets a lease of its own, and unlocks what it locked. Not recursive: `lease().again()` is.
///
/// Unlike a std::mutex it can be lost while it is held. Long work asks `lease().lost()`, or gives
/// `lease().stop_token()` to what it calls, and hands `lease().token()` to what it writes to. `unlock` of a lost lease
/// is harmless.
class LockMutex {
 public:
  /// REQUIRES: the space outlives this. `lease`: as in AcquireOptions.
  LockMutex(LockSpace& space, std::string name, std::optional<Milliseconds> lease = {});
  /// Any lock, such as permits of a semaphore.
  explicit LockMutex(std::unique_ptr<Lock> lock, std::optional<Milliseconds> lease = {});
  LockMutex(const LockMutex&) = delete;
  LockMutex& operator=(const LockMutex&) = delete;
  ~LockMutex();  ///< REQUIRES: not locked

  /// Each of these REQUIRES that this thread does not have it. Throws LockError.
  void lock();
  bool try_lock() { return lock_within(Milliseconds{0}); }
  template <class Rep, class Period>
  bool try_lock_for(std::chrono::duration<Rep, Period> wait) {
    // More than a year is for ever; said before it is rounded, which could overflow.
    if (wait > std::chrono::days{366}) return lock_within(wait_for_ever);
    return lock_within(std::chrono::ceil<Milliseconds>(wait));
  }
  template <class Clock, class Duration>
  bool try_lock_until(std::chrono::time_point<Clock, Duration> until) {
    return try_lock_for(until - Clock::now());
  }

  /// Gives it back in the background. REQUIRES: this thread has it.
  void unlock();

  /// What this thread has; valid until it unlocks. REQUIRES: this thread has it.
  Lease& lease();

 private:
  bool lock_within(Milliseconds wait);

  struct Leases;
  const std::unique_ptr<Lock> lock_;
  const std::optional<Milliseconds> lease_;
  const std::unique_ptr<Leases> leases_;
};

/// Meets the standard's SharedTimedLockable, over a read-write lock: std::shared_lock reads, std::unique_lock writes.
/// All that LockMutex says holds for either side, by itself: a thread that reads must not write before it has unlocked.
class SharedLockMutex {
 public:
  /// REQUIRES: the space outlives this. `lease`: as in AcquireOptions.
  SharedLockMutex(LockSpace& space, const std::string& name, std::optional<Milliseconds> lease = {});

  void lock() { writer_.lock(); }
  bool try_lock() { return writer_.try_lock(); }
  template <class Rep, class Period>
  bool try_lock_for(std::chrono::duration<Rep, Period> wait) {
    return writer_.try_lock_for(wait);
  }
  template <class Clock, class Duration>
  bool try_lock_until(std::chrono::time_point<Clock, Duration> until) {
    return writer_.try_lock_until(until);
  }
  void unlock() { writer_.unlock(); }
  /// What this thread writes under.
  Lease& lease() { return writer_.lease(); }

  void lock_shared() { reader_.lock(); }
  bool try_lock_shared() { return reader_.try_lock(); }
  template <class Rep, class Period>
  bool try_lock_shared_for(std::chrono::duration<Rep, Period> wait) {
    return reader_.try_lock_for(wait);
  }
  template <class Clock, class Duration>
  bool try_lock_shared_until(std::chrono::time_point<Clock, Duration> until) {
    return reader_.try_lock_until(until);
  }
  void unlock_shared() { reader_.unlock(); }
  /// What this thread reads under.
  Lease& shared_lease() { return reader_.lease(); }

 private:
  LockMutex writer_;
  LockMutex reader_;
};

/// Runs `f(lease)`, or `f()`, while holding the lock, then gives it back, also when `f` throws. Returns what `f` does,
/// or why it was not run. `f` learns from its lease when it is lost; what it then does is its own decision.
///
/// `outcome`, where it is not null, is set to what came of the release when `f` has returned, and the release is waited
/// for. It is not `released` where somebody else may have had the lock while `f` ran: then its result may be wrong.
template <class F>
auto with_lock(Lock& lock, AcquireOptions options, F&& f, ReleaseOutcome* outcome = nullptr) {
  const auto run = [&f](Lease& lease) -> decltype(auto) {
    if constexpr (std::is_invocable_v<F, Lease&>) {
      return std::invoke(std::forward<F>(f), lease);
    } else {
      return std::invoke(std::forward<F>(f));
    }
  };
  using Result = std::expected<std::remove_cvref_t<decltype(run(std::declval<Lease&>()))>, NotAcquired>;
  Acquired acquired = acquire_blocking(lock, std::move(options));
  if (!acquired) return Result(std::unexpected(std::move(acquired.error())));
  Lease lease = std::move(*acquired);
  const auto give_back = [&] {
    if (outcome != nullptr) *outcome = release_blocking(std::move(lease));
  };
  if constexpr (std::is_void_v<typename Result::value_type>) {
    run(lease);
    give_back();
    return Result();
  } else {
    Result result(run(lease));
    give_back();
    return result;
  }
}

}  // namespace firstcome
