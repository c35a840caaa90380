#include "lock/core.hpp"

#include "lock/acquisition.hpp"
#include "lock/held_lease.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace firstcome::lock {

Core::Core(std::shared_ptr<LockBackend> backend, LockSettings settings, std::shared_ptr<Alarms> alarms)
    : settings_(std::move(settings)),
      observer_(settings_.observer ? settings_.observer.get() : &nobody_),
      backend_(std::move(backend)),
      alarms_(std::move(alarms)),
      seed_(settings_.seed) {
  if (settings_.observer) backend_->observe(settings_.observer);
}

std::uint64_t Core::next_seed() { return seed_.fetch_add(1, std::memory_order_relaxed) * 0x9E37'79B9'7F4A'7C15U; }

Core::Registered Core::add(const std::shared_ptr<Acquisition>& acquisition) {
  const std::lock_guard guard(mutex_);
  if (closing_) return Registered::closed;
  if (waiting_ >= settings_.waiting_limit) return Registered::full;
  acquisitions_.insert(acquisition);
  observer_->waiting(++waiting_);  // under the mutex, so that the last number told is the true one
  return Registered::yes;
}

void Core::stopped_waiting() {
  const std::lock_guard guard(mutex_);
  observer_->waiting(--waiting_);
}

void Core::lease_began() { tell_held(1); }

void Core::lease_ended() { tell_held(-1); }

void Core::tell_held(std::ptrdiff_t change) {
  if (observer_ == &nobody_) return;
  const std::lock_guard guard(mutex_);
  held_ += static_cast<std::size_t>(change);
  observer_->held(held_);
}

void Core::remove(const std::shared_ptr<Acquisition>& acquisition) {
  const std::lock_guard guard(mutex_);
  acquisitions_.erase(acquisition);
  if (closing_) less_.notify_all();
}

bool Core::add(const std::shared_ptr<HeldLease>& lease) {
  const std::lock_guard guard(mutex_);
  if (!closed_) leases_.insert(lease);
  return !closed_;
}

void Core::remove(const std::shared_ptr<HeldLease>& lease) {
  const std::lock_guard guard(mutex_);
  leases_.erase(lease);
  if (closing_) less_.notify_all();
}

void Core::close() {
  end_all_waits();
  drain();
  forget_all();
  backend_->close();
  // Leases may outlive this, and need neither: not even one whose answer the backend still keeps.
  backend_.reset();
  alarms_.reset();
}

void Core::end_all_waits() {
  std::vector<std::shared_ptr<Acquisition>> waits;
  {
    const std::lock_guard guard(mutex_);
    closing_ = true;
    waits.assign(acquisitions_.begin(), acquisitions_.end());
  }
  for (const auto& wait : waits) wait->give_up(NotAcquired::Why::closed);
}

/// Cancels and releases that are under way get some time; leases that are still held do not.
void Core::drain() {
  const auto held = [](const std::shared_ptr<HeldLease>& lease) { return !lease->in_the_background(); };
  std::unique_lock guard(mutex_);
  less_.wait_for(guard, settings_.drain_limit,
                 [&] { return acquisitions_.empty() && std::ranges::all_of(leases_, held); });
}

void Core::forget_all() {
  decltype(acquisitions_) acquisitions;
  decltype(leases_) leases;
  {
    const std::lock_guard guard(mutex_);
    closed_ = true;
    acquisitions.swap(acquisitions_);
    leases.swap(leases_);
  }
  for (const auto& acquisition : acquisitions) acquisition->close();
  for (const auto& lease : leases) lease->close(alarms_->now());
}

}  // namespace firstcome::lock
