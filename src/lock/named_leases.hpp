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
  /// As Lock::acquire; where that lease has the lock already, that is its grant, unchanged. While it waits here and is
  /// granted the lock elsewhere, that is found by the next heartbeat, or by a look at the end of the wait. `broken`: it
  /// may have the lock, or may get it late (also where too few replicas have the grant, see LockSettings::replicas, or
  /// where that look was not answered); the same again finds out. `stopped`, without a doubt: nothing was looked for.
  /// So it may have the lock by a request elsewhere. REQUIRES: `options` has a lease.
  /// Cost: the answer may come later than the end of the wait: by up to 1 s, for the look; by up to 4 s where a request
  /// was not answered, which is taken back first; and where replicas are wanted, by as long as they are waited for.
  /// Without a wait, the attempt itself may take 3 s before that.
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
