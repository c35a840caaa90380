// What can be asked of an engine's lock service, and what each command answers. As command.hpp says; all own their
// text.
#pragma once

#include <firstcome/outcome.hpp>
#include <firstcome/types.hpp>

#include <cstdint>
#include <string>

namespace firstcome {

struct LockAnswer {
  Outcome outcome = Outcome::lease_lost;
  bool held = false;           ///< inspected: whether anybody holds it
  std::uint64_t token = 0;     ///< of the grant; rises with every grant. 0: none
  Milliseconds expires_in{};   ///< of the grant, from the decision on
  std::uint64_t waiting = 0;   ///< inspected: how many wait
  Milliseconds retry_after{};  ///< locked: until the present grant ends at the latest
};

/// Outcomes: done (also where that lease has the lock already), locked (when the wait is over).
struct AcquireLock {
  using Answer = LockAnswer;
  std::string name;           ///< 1-512 bytes, no `{` and `}` (checked by the caller)
  std::string lease;          ///< names the holder: 16-64 characters of the client's choosing (checked by the caller)
  Milliseconds length{};      ///< more than 0
  Milliseconds wait{};        ///< 0: does not wait
  std::uint64_t request = 0;  ///< tells requests of one lease apart, for `LeaveLock`; 0: it is not told apart
};

/// Prolongs by the length that was acquired. Outcomes: done, lease_lost.
struct RenewLock {
  using Answer = LockAnswer;
  std::string name, lease;
};

/// Outcomes: done, lease_lost.
struct ReleaseLock {
  using Answer = LockAnswer;
  std::string name, lease;
};

/// Ends the wait of that request of that lease, whose AcquireLock then is `locked`. A grant stays, and so does the wait
/// of a later request of the same lease. Outcome: done.
struct LeaveLock {
  using Answer = LockAnswer;
  std::string name, lease;
  std::uint64_t request = 0;  ///< as in the AcquireLock; 0: whichever waits
};

/// Ends the grant with this token, whoever holds it. For administrators.
/// Outcomes: done, lease_lost (nobody holds the lock by a grant with this token).
struct FreeLock {
  using Answer = LockAnswer;
  std::string name;
  std::uint64_t token = 0;
};

/// Outcome: done.
struct InspectLock {
  using Answer = LockAnswer;
  std::string name;
};

}  // namespace firstcome
