#include "lock/named_lock.hpp"

#include "lock/acquire_state.hpp"
#include "lock/acquisition.hpp"
#include "lock/in_order.hpp"

#include <firstcome/limits.hpp>

#include <utility>

namespace firstcome::lock {

namespace {

using Why = NotAcquired::Why;

std::optional<NotAcquired> refusal_of_share(const Share& share, const LockTraits& traits) {
  if (share.of == Share::Of::lock) return {};
  if (!traits.shares) {
    return NotAcquired{Why::not_offered,
                       "locks of the kind " + std::string(traits.kind) + " have no read-write locks and semaphores"};
  }
  if (share.capacity == 0 || share.capacity > limits::lock_permits) {
    return NotAcquired{Why::bad_capacity, "a semaphore of " + std::to_string(share.capacity) + " permits; 1 to " +
                                              std::to_string(limits::lock_permits) + " are possible"};
  }
  if (share.weight == 0) return NotAcquired{Why::bad_weight, "0 permits are wanted"};
  return {};  // more than there are: what counts is how many there are, which the server knows
}

class NamedLock final : public Lock {
 public:
  NamedLock(std::shared_ptr<Core> core, std::string name, Share share)
      : core_(std::move(core)), name_(std::move(name)), share_(share) {}

  const std::string& name() const override { return name_; }

  void acquire(AcquireOptions options, std::move_only_function<void(Acquired)> done) override {
    std::optional<NotAcquired> refused = refusal_of_name(name_);
    if (!refused && core_->is_of_a_parent()) refused = not_acquired(of_a_parent());
    if (!refused) refused = refusal_of_lease(options.lease);
    if (!refused) refused = refusal_of_share(share_, core_->backend().traits());
    if (refused) {
      complete([done = std::move(done), reason = std::move(*refused)]() mutable {
        done(std::unexpected(std::move(reason)));
      });
    } else {
      begin_lease({core_, name_, share_, std::move(options)}, std::move(done));
    }
  }

 private:
  const std::shared_ptr<Core> core_;
  const std::string name_;
  const Share share_;
};

}  // namespace

LockFailure of_a_parent() {
  return {LockFailure::Kind::closed, "the LockSpace is of the process that this one was forked from"};
}

std::optional<NotAcquired> refusal_of_name(const std::string& name) {
  if (name.empty()) return NotAcquired{Why::bad_name, "the name of a lock is empty"};
  if (name.size() > limits::lock_name_bytes) {
    return NotAcquired{Why::bad_name, "the name of a lock has " + std::to_string(name.size()) + " bytes, more than " +
                                          std::to_string(limits::lock_name_bytes)};
  }
  if (name.find_first_of("{}") != std::string::npos) {
    return NotAcquired{Why::bad_name, "the name of a lock has '{' or '}' in it"};
  }
  return {};
}

std::optional<NotAcquired> refusal_of_lease(std::optional<Milliseconds> lease) {
  if (!lease || (*lease > Milliseconds{0} && *lease <= limits::lock_lease)) return {};
  return NotAcquired{Why::bad_lease, "a lease of " + std::to_string(lease->count()) + " ms; 1 to " +
                                         std::to_string(limits::lock_lease.count()) + " are possible"};
}

std::unique_ptr<Lock> make_named_lock(std::shared_ptr<Core> core, std::string name, Share share) {
  return std::make_unique<NamedLock>(std::move(core), std::move(name), share);
}

}  // namespace firstcome::lock
