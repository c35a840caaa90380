#include "lock/in_order.hpp"

#include <firstcome/lock_mutex.hpp>

#include <cassert>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace firstcome {

namespace {

/// A value from another thread, waited for.
template <typename T>
class Answered {
 public:
  void set(T value) {
    // Told while the mutex is held: whoever waits may destroy this as soon as it is free.
    const std::lock_guard guard(mutex_);
    value_ = std::move(value);
    there_.notify_one();
  }
  T wait() {
    assert(!lock::completing() && "this thread is what would call the completion");
    std::unique_lock guard(mutex_);
    there_.wait(guard, [this] { return value_.has_value(); });
    return std::move(*value_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable there_;
  std::optional<T> value_;
};

std::string text_for(const NotAcquired& reason) {
  std::string text = "lock: ";
  text += text_of(reason.why);
  if (!reason.detail.empty()) text += ": " + reason.detail;
  return text;
}

}  // namespace

Acquired acquire_blocking(Lock& lock, AcquireOptions options) {
  Answered<Acquired> answer;
  lock.acquire(std::move(options), [&answer](Acquired acquired) { answer.set(std::move(acquired)); });
  return answer.wait();
}

ReleaseOutcome release_blocking(Lease lease) {
  Answered<ReleaseOutcome> answer;
  lease.release([&answer](ReleaseOutcome outcome) { answer.set(outcome); });
  return answer.wait();
}

RenewOutcome renew_blocking(Lease& lease, Milliseconds length) {
  Answered<RenewOutcome> answer;
  lease.renew(length, [&answer](RenewOutcome outcome) { answer.set(outcome); });
  return answer.wait();
}

ShrinkOutcome shrink_blocking(Lease& lease, std::uint32_t weight) {
  Answered<ShrinkOutcome> answer;
  lease.shrink(weight, [&answer](ShrinkOutcome outcome) { answer.set(outcome); });
  return answer.wait();
}

std::expected<FreeOutcome, LockFailure> force_release_blocking(LockSpace& space, std::string name,
                                                               std::uint64_t token) {
  Answered<std::expected<FreeOutcome, LockFailure>> answer;
  space.force_release(std::move(name), token, [&answer](auto outcome) { answer.set(std::move(outcome)); });
  return answer.wait();
}

LockError::LockError(const NotAcquired& reason) : std::runtime_error(text_for(reason)), why_(reason.why) {}

/// By thread: when a lease is lost, the next thread may have one while the first does not know it yet.
struct LockMutex::Leases {
  std::mutex mutex;
  std::map<std::thread::id, Lease> of;
};

LockMutex::LockMutex(LockSpace& space, std::string name, std::optional<Milliseconds> lease)
    : LockMutex(space.lock(std::move(name)), lease) {}

LockMutex::LockMutex(std::unique_ptr<Lock> lock, std::optional<Milliseconds> lease)
    : lock_(std::move(lock)), lease_(lease), leases_(std::make_unique<Leases>()) {}

LockMutex::~LockMutex() { assert(leases_->of.empty() && "destroyed while locked"); }

void LockMutex::lock() {
  const bool locked = lock_within(wait_for_ever);
  if (!locked) throw LockError({NotAcquired::Why::timed_out, {}});  // of a kind that does not wait
}

bool LockMutex::lock_within(Milliseconds wait) {
  Acquired acquired = acquire_blocking(*lock_, {.wait = wait, .lease = lease_, .stop = {}});
  if (!acquired) {
    if (acquired.error().why == NotAcquired::Why::timed_out) return false;
    throw LockError(acquired.error());
  }
  const std::lock_guard guard(leases_->mutex);
  const bool inserted = leases_->of.emplace(std::this_thread::get_id(), std::move(*acquired)).second;
  assert(inserted && "locked twice by one thread");
  return inserted;
}

void LockMutex::unlock() {
  Lease lease;  // goes without the mutex
  const std::lock_guard guard(leases_->mutex);
  const auto found = leases_->of.find(std::this_thread::get_id());
  assert(found != leases_->of.end() && "unlocked by a thread that has not locked it");
  lease = std::move(found->second);
  leases_->of.erase(found);
}

SharedLockMutex::SharedLockMutex(LockSpace& space, const std::string& name, std::optional<Milliseconds> lease)
    : writer_(space.read_write_lock(name)->writer(), lease), reader_(space.read_write_lock(name)->reader(), lease) {}

Lease& LockMutex::lease() {
  const std::lock_guard guard(leases_->mutex);
  const auto found = leases_->of.find(std::this_thread::get_id());
  assert(found != leases_->of.end() && "this thread has not locked it");
  return found->second;
}

}  // namespace firstcome
