// The clock of the locks, and calls at a later time. Injected, so that tests step it.
#pragma once

#include <firstcome/lock.hpp>

#include <cstdint>
#include <functional>
#include <memory>

namespace firstcome::lock {

/// Thread safety: every member may be called from any thread.
class Alarms {
 public:
  /// Names a call that was asked for; 0 names none.
  enum class Id : std::uint64_t { none = 0 };

  virtual ~Alarms() = default;
  virtual BootTime now() const = 0;
  /// Calls `action` once, at `at` or soon after, never within this call. It must not block or throw.
  virtual Id call_at(BootTime at, std::move_only_function<void()> action) = 0;
  /// Not called any more, unless the call has begun; does not wait for it. An unknown or `none` is ignored.
  virtual void cancel(Id id) = 0;
};

/// One thread over a timer that counts suspend. Its end waits for a call that has begun (unless it comes from within
/// one); what is left is not called.
std::shared_ptr<Alarms> make_thread_alarms();

}  // namespace firstcome::lock
