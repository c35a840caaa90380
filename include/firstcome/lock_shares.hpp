// What several may hold at a time: read-write locks and semaphores, of a LockSpace (lock_space.hpp) that has them
// (`LockTraits::shares`). Strictly first come, first served: the head of the queue is granted as soon as it fits, and
// nobody passes it, so neither writers nor who wants much at once ever starve.
//
//   auto prices = space->read_write_lock("prices");
//   with_lock(*prices->reader(), {.wait = 10s}, read_them);          // lock_mutex.hpp
//   auto printers = space->semaphore("printers", 3);
//   with_lock(*printers->permits(2), {.wait = 10s}, print_twice);
//
// Readers, writers and permits are Locks: blocking code, coroutines and `with_lock` take them as any other, their
// leases are kept, lost and released as a lock's (lock.hpp). Tokens rise with every grant of a name. A writer's fences
// as a lock's does. Readers', and those of permits, order the grants; a resource that refuses lower ones would refuse
// holders that are in the right.
//
// Thread safety: every member may be called from any thread.
#pragma once

#include <firstcome/lock.hpp>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace firstcome {

/// A look, old as soon as it is seen.
struct SharesView {
  std::uint32_t capacity = 0;  ///< 0: nobody has acquired yet, or not for an hour
  std::uint32_t used = 0;      ///< more than `capacity` only after that was lowered. Of a writer: all of it
  std::size_t holders = 0;
  std::size_t waiting = 0;
  std::optional<std::uint64_t> token = {};      ///< of the latest grant
  std::optional<Milliseconds> expires_in = {};  ///< where somebody holds: until the next of them ends, unless renewed
};

using SharesViewed = std::expected<SharesView, LockFailure>;

/// Many readers or one writer. One name; made by a LockSpace, which must outlive it.
class ReadWriteLock {
 public:
  ReadWriteLock() = default;
  ReadWriteLock(const ReadWriteLock&) = delete;
  ReadWriteLock& operator=(const ReadWriteLock&) = delete;
  virtual ~ReadWriteLock() = default;

  /// All readers up to the next writer in the queue start together.
  virtual std::unique_ptr<Lock> reader() = 0;
  /// A writer's lease becomes a reader's by `shrink(1, ...)`; a reader's never a writer's: release it and wait.
  virtual std::unique_ptr<Lock> writer() = 0;

  virtual const std::string& name() const = 0;
  /// `done` is called as in Lock::acquire. A writer is there if `used` is the capacity.
  virtual void inspect(std::move_only_function<void(SharesViewed)> done) = 0;
};

/// A number of permits. One name; made by a LockSpace, which must outlive it.
///
/// The first caller who acquires fixes their number, until nobody has used the name for an hour. Who says another
/// number is refused (`other_capacity`), unless it is the one that `set_capacity` made it since: programs that
/// were started before and after a change work together.
class Semaphore {
 public:
  Semaphore() = default;
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;
  virtual ~Semaphore() = default;

  /// So many at once: all or none, and in turn. 0, or more than there are, is `bad_weight` of `acquire`. Some may be
  /// given back before the others by `Lease::shrink`.
  virtual std::unique_ptr<Lock> permits(std::uint32_t count) = 0;

  /// Changes the number of permits for everybody, 1 to 2^20, and grants what fits now. None is taken from who has it;
  /// where there are too many then, they go as they are given back. Who waits for more than there are is refused.
  /// The same again does no harm, so it may be repeated after a failure. `done` is called as in Lock::acquire.
  /// REQUIRES: 1 <= capacity <= 2^20; `LockTraits::shares`.
  virtual void set_capacity(std::uint32_t capacity,
                            std::move_only_function<void(std::expected<void, LockFailure>)> done) = 0;

  virtual const std::string& name() const = 0;
  /// `done` is called as in Lock::acquire.
  virtual void inspect(std::move_only_function<void(SharesViewed)> done) = 0;
};

}  // namespace firstcome
