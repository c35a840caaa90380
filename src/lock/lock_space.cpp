// A LockSpace over any backend: the checks of what comes in, and the end.
#include "lock/acquire_state.hpp"
#include "lock/acquisition.hpp"
#include "lock/core.hpp"
#include "lock/identity.hpp"
#include "lock/in_order.hpp"

#include <firstcome/limits.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace firstcome::lock {

namespace {

using Why = NotAcquired::Why;

std::optional<NotAcquired> refusal_of(const std::string& name) {
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

/// In a child that was forked: what is here belongs to its parent, which goes on with it.
LockFailure of_a_parent() {
  return {LockFailure::Kind::closed, "the LockSpace is of the process that this one was forked from"};
}

std::optional<NotAcquired> refusal_of(std::optional<Milliseconds> lease) {
  if (!lease || (*lease > Milliseconds{0} && *lease <= limits::lock_lease)) return {};
  return NotAcquired{Why::bad_lease, "a lease of " + std::to_string(lease->count()) + " ms; 1 to " +
                                         std::to_string(limits::lock_lease.count()) + " are possible"};
}

class NamedLock final : public Lock {
 public:
  NamedLock(std::shared_ptr<Core> core, std::string name) : core_(std::move(core)), name_(std::move(name)) {}

  const std::string& name() const override { return name_; }

  void acquire(AcquireOptions options, std::move_only_function<void(Acquired)> done) override {
    std::optional<NotAcquired> refused = refusal_of(name_);
    if (!refused && core_->is_of_a_parent()) refused = not_acquired(of_a_parent());
    if (!refused) refused = refusal_of(options.lease);
    if (refused) {
      complete([done = std::move(done), reason = std::move(*refused)]() mutable {
        done(std::unexpected(std::move(reason)));
      });
    } else {
      Acquisition::begin(core_, name_, std::move(options), std::move(done));
    }
  }

 private:
  const std::shared_ptr<Core> core_;
  const std::string name_;
};

class BackedSpace final : public LockSpace {
 public:
  explicit BackedSpace(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  ~BackedSpace() override { core_->is_of_a_parent() ? leave_to_the_parent(core_) : core_->close(); }

  std::unique_ptr<Lock> lock(std::string name) override { return std::make_unique<NamedLock>(core_, std::move(name)); }

  void inspect(std::string name, std::move_only_function<void(std::expected<LockView, LockFailure>)> done) override {
    using View = std::expected<LockView, LockFailure>;
    if (refusal_of(name)) {
      complete([done = std::move(done)]() mutable { done(LockView{}); });  // nobody can have such a lock
      return;
    }
    if (core_->is_of_a_parent()) {
      complete([done = std::move(done)]() mutable { done(std::unexpected(of_a_parent())); });
      return;
    }
    core_->backend().inspect(name, [done = std::move(done)](View view) mutable {
      complete([done = std::move(done), view = std::move(view)]() mutable { done(std::move(view)); });
    });
  }

  const LockTraits& traits() const override { return core_->backend().traits(); }

 private:
  const std::shared_ptr<Core> core_;
};

}  // namespace

std::unique_ptr<LockSpace> make_lock_space(std::shared_ptr<LockBackend> backend, LockSettings settings,
                                           std::shared_ptr<Alarms> alarms) {
  assert(settings.watchdog_lease > Milliseconds{0} && settings.watchdog_lease <= limits::lock_lease);
  if (settings.seed == 0) settings.seed = random_number();
  if (!alarms) alarms = make_thread_alarms();
  return std::make_unique<BackedSpace>(
      std::make_shared<Core>(std::move(backend), std::move(settings), std::move(alarms)));
}

}  // namespace firstcome::lock
