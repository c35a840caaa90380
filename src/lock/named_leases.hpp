// Leases that clients name: whoever knows the name finds, renews and releases the lease, through any space over the
// same server, also when the space that acquired it has gone.
//
// The owner at the server is a digest of the name instead of an acquisition of this process. So nothing of a grant is
// kept here: no deadline is watched, nothing is renewed without being asked for, and metrics know of a grant and of
// renewals but not of its end.
#pragma once

#include "lock/backend.hpp"
#include "lock/core.hpp"

#include <firstcome/lock.hpp>

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace firstcome::lock {

struct NamedGrant {
  std::uint64_t token = 0;
  BootTime deadline;  ///< less a margin for clocks, as Lease::deadline
};

/// Thread safety: every member may be called from any thread. Each `done` is called once, as in Lock::acquire. What is
/// asked for ends with the space, as closed.
class NamedLeases {
 public:
  /// REQUIRES: the backend is that of the core.
  NamedLeases(std::shared_ptr<Core> core, std::shared_ptr<LockBackend> backend)
      : core_(std::move(core)), backend_(std::move(backend)) {}

  using Acquired = std::expected<NamedGrant, NotAcquired>;
  /// Acquires the lock for this lease, like Lock::acquire. If the lease has the lock already, its grant is returned
  /// unchanged. If it waits here and is granted the lock through another space, the next heartbeat or a look at the end
  /// of the wait finds that grant.
  /// Outcomes: `broken` means that the lease may have the lock, or may still get it (also if too few replicas have the
  /// grant, see LockSettings::replicas, or if that look was not answered); the same call again finds out. `stopped`
  /// means that nothing was looked for: the lease may have the lock through another space.
  /// REQUIRES: `options` has a lease.
  /// Cost: the answer may come after the end of the wait: by up to 1 s for the look, by up to 4 s if a request was not
  /// answered and is taken back first, and if replicas are wanted by as long as they are waited for. Without a wait,
  /// the attempt itself may take 3 s before that.
  void acquire(std::string name, std::string_view lease, AcquireOptions options,
               std::move_only_function<void(Acquired)> done);

  /// Nothing: that lease has not got the lock.
  using Found = std::expected<std::optional<NamedGrant>, LockFailure>;
  /// Prolongs it to its length, from now on. `broken`: may have been done; the same again does no harm.
  void renew(std::string name, std::string_view lease, std::move_only_function<void(Found)> done);

  /// Gives the lock to the next in line. `broken`: may have been done; the same again does no harm, and is `lost` if
  /// it was. However late it is carried out, it ends no grant but the one that the lease has when this is called.
  void release(std::string name, std::string_view lease, std::move_only_function<void(ReleaseAnswer)> done);

 private:
  const std::shared_ptr<Core> core_;
  const std::shared_ptr<LockBackend> backend_;  ///< may be asked when the core has let go of it, and is closed then
};

}  // namespace firstcome::lock
