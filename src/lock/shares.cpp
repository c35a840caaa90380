#include "lock/shares.hpp"

#include "lock/in_order.hpp"
#include "lock/named_lock.hpp"

#include <firstcome/limits.hpp>

#include <atomic>
#include <cassert>
#include <utility>

namespace firstcome::lock {

namespace {

using Changed = std::expected<void, LockFailure>;

void inspect(const std::shared_ptr<Core>& core, const ShareName& name,
             std::move_only_function<void(SharesViewed)> done) {
  if (!core->backend().traits().shares || refusal_of_name(name.name)) {
    complete([done = std::move(done)]() mutable { done(SharesView{}); });  // nobody can have such a thing
    return;
  }
  if (core->is_of_a_parent()) {
    complete([done = std::move(done)]() mutable { done(std::unexpected(of_a_parent())); });
    return;
  }
  core->backend().inspect_shares(name, [done = std::move(done)](SharesViewed view) mutable {
    complete([done = std::move(done), view = std::move(view)]() mutable { done(std::move(view)); });
  });
}

class ReadersAndWriters final : public ReadWriteLock {
 public:
  ReadersAndWriters(std::shared_ptr<Core> core, std::string name)
      : core_(std::move(core)), name_{Share::Of::read_write, std::move(name)} {}

  std::unique_ptr<Lock> reader() override { return weighing(1); }
  std::unique_ptr<Lock> writer() override { return weighing(limits::lock_permits); }
  const std::string& name() const override { return name_.name; }
  void inspect(std::move_only_function<void(SharesViewed)> done) override {
    lock::inspect(core_, name_, std::move(done));
  }

 private:
  std::unique_ptr<Lock> weighing(std::uint32_t weight) const {
    return make_named_lock(core_, name_.name, {name_.of, limits::lock_permits, weight});
  }

  const std::shared_ptr<Core> core_;
  const ShareName name_;
};

class Permits final : public Semaphore {
 public:
  Permits(std::shared_ptr<Core> core, std::string name, std::uint32_t capacity)
      : core_(std::move(core)),
        name_{Share::Of::semaphore, std::move(name)},
        capacity_(std::make_shared<std::atomic<std::uint32_t>>(capacity)) {}

  std::unique_ptr<Lock> permits(std::uint32_t count) override {
    return make_named_lock(core_, name_.name, {name_.of, *capacity_, count});
  }

  void set_capacity(std::uint32_t capacity, std::move_only_function<void(Changed)> done) override {
    assert(capacity > 0 && capacity <= limits::lock_permits);
    assert(core_->backend().traits().shares);
    if (const auto refused = refusal_of_name(name_.name)) {
      complete([done = std::move(done), detail = refused->detail]() mutable {
        done(std::unexpected(LockFailure{LockFailure::Kind::wrong_type, detail}));
      });
      return;
    }
    if (core_->is_of_a_parent()) {
      complete([done = std::move(done)]() mutable { done(std::unexpected(of_a_parent())); });
      return;
    }
    core_->backend().set_capacity(
        name_, capacity, [known = capacity_, capacity, done = std::move(done)](Changed changed) mutable {
          if (changed) *known = capacity;
          complete([done = std::move(done), changed = std::move(changed)]() mutable { done(std::move(changed)); });
        });
  }

  const std::string& name() const override { return name_.name; }
  void inspect(std::move_only_function<void(SharesViewed)> done) override {
    lock::inspect(core_, name_, std::move(done));
  }

 private:
  const std::shared_ptr<Core> core_;
  const ShareName name_;
  const std::shared_ptr<std::atomic<std::uint32_t>> capacity_;  ///< for callbacks, which may come after this
};

}  // namespace

std::unique_ptr<ReadWriteLock> make_read_write_lock(std::shared_ptr<Core> core, std::string name) {
  return std::make_unique<ReadersAndWriters>(std::move(core), std::move(name));
}

std::unique_ptr<Semaphore> make_semaphore(std::shared_ptr<Core> core, std::string name, std::uint32_t capacity) {
  return std::make_unique<Permits>(std::move(core), std::move(name), capacity);
}

}  // namespace firstcome::lock
