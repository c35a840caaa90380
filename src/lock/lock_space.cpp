// A LockSpace over any backend, and its end.
#include "lock/core.hpp"
#include "lock/identity.hpp"
#include "lock/in_order.hpp"
#include "lock/named_leases.hpp"
#include "lock/named_lock.hpp"
#include "lock/shares.hpp"

#include <firstcome/limits.hpp>

#include <cassert>
#include <utility>

namespace firstcome::lock {

namespace {

class BackedSpace final : public LockSpace {
 public:
  BackedSpace(std::shared_ptr<Core> core, std::shared_ptr<LockBackend> backend)
      : core_(std::move(core)), named_leases_(core_, std::move(backend)) {}
  ~BackedSpace() override { core_->is_of_a_parent() ? leave_to_the_parent(core_) : core_->close(); }

  std::unique_ptr<Lock> lock(std::string name) override { return make_named_lock(core_, std::move(name), {}); }

  std::unique_ptr<ReadWriteLock> read_write_lock(std::string name) override {
    return make_read_write_lock(core_, std::move(name));
  }

  std::unique_ptr<Semaphore> semaphore(std::string name, std::uint32_t capacity) override {
    return make_semaphore(core_, std::move(name), capacity);
  }

  void inspect(std::string name, std::move_only_function<void(std::expected<LockView, LockFailure>)> done) override {
    using View = std::expected<LockView, LockFailure>;
    if (refusal_of_name(name)) {
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

  void force_release(std::string name, std::uint64_t token,
                     std::move_only_function<void(std::expected<FreeOutcome, LockFailure>)> done) override {
    using Freed = std::expected<FreeOutcome, LockFailure>;
    const auto answer = [&done](Freed freed) {
      complete([done = std::move(done), freed = std::move(freed)]() mutable { done(std::move(freed)); });
    };
    if (!traits().frees) return answer(FreeOutcome::not_offered);
    if (refusal_of_name(name)) return answer(FreeOutcome::not_held);
    if (core_->is_of_a_parent()) return answer(std::unexpected(of_a_parent()));
    core_->backend().force_release(name, token, [done = std::move(done)](Freed freed) mutable {
      complete([done = std::move(done), freed = std::move(freed)]() mutable { done(std::move(freed)); });
    });
  }

  const LockTraits& traits() const override { return core_->backend().traits(); }

  NamedLeases* named_leases() override { return traits().named_leases ? &named_leases_ : nullptr; }

 private:
  const std::shared_ptr<Core> core_;
  NamedLeases named_leases_;
};

}  // namespace

std::unique_ptr<LockSpace> make_lock_space(std::shared_ptr<LockBackend> backend, LockSettings settings,
                                           std::shared_ptr<Alarms> alarms) {
  assert(settings.watchdog_lease > Milliseconds{0} && settings.watchdog_lease <= limits::lock_lease);
  if (settings.seed == 0) settings.seed = random_number();
  if (!alarms) alarms = make_thread_alarms();
  auto core = std::make_shared<Core>(backend, std::move(settings), std::move(alarms));
  return std::make_unique<BackedSpace>(std::move(core), std::move(backend));
}

}  // namespace firstcome::lock
