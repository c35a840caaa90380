// What users hold: a Lease is one share of a HeldLease.
#include "lock/held_lease.hpp"

#include <cassert>
#include <ctime>
#include <utility>

namespace firstcome {

BootClock::time_point BootClock::now() noexcept {
  timespec time{};
  [[maybe_unused]] const int result = clock_gettime(CLOCK_BOOTTIME, &time);
  assert(result == 0);
  return time_point(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    const std::shared_ptr<lock::HeldLease> before = std::exchange(held_, std::move(other.held_));
    if (before) before->give_back({});
  }
  return *this;
}

Lease::~Lease() {
  if (held_) std::exchange(held_, nullptr)->give_back({});
}

bool Lease::lost() const {
  assert(held_);
  return held_->lost();
}

std::stop_token Lease::stop_token() const {
  assert(held_);
  return held_->stop_token();
}

BootTime Lease::deadline() const {
  assert(held_);
  return held_->deadline();
}

std::optional<std::uint64_t> Lease::token() const {
  assert(held_);
  return held_->token();
}

const std::string& Lease::owner() const {
  assert(held_);
  return held_->owner();
}

Lease Lease::again() const {
  assert(held_);
  return held_->again();
}

void Lease::renew(Milliseconds length, std::move_only_function<void(RenewOutcome)> done) {
  assert(held_);
  held_->renew(length, std::move(done));
}

void Lease::shrink(std::uint32_t weight, std::move_only_function<void(ShrinkOutcome)> done) {
  assert(held_ && weight > 0);
  held_->shrink(weight, std::move(done));
}

void Lease::release(std::move_only_function<void(ReleaseOutcome)> done) {
  assert(held_);
  std::exchange(held_, nullptr)->give_back(std::move(done));
}

}  // namespace firstcome
