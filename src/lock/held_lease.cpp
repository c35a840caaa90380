#include "lock/held_lease.hpp"

#include <firstcome/limits.hpp>

#include <cassert>
#include <utility>

namespace firstcome::lock {

HeldLease::HeldLease(Of of)
    : core_(std::move(of.core)),
      name_(std::move(of.name)),
      share_(of.share),
      token_(of.grant.token),
      owner_(of.contender->owner()),
      since_(of.now),
      state_(of.grant, of.terms, of.now),
      contender_(std::move(of.contender)) {}

Lease HeldLease::make(Of of) {
  const BootTime now = of.now;
  auto held = std::make_shared<HeldLease>(std::move(of));
  const std::shared_ptr<Contender> contender = held->contender_;  // which goes when the space ends
  if (held->core_->add(held)) {
    contender->held([weak = held->weak_from_this()] {
      if (const auto self = weak.lock()) self->on_doubt();
    });
    Guard guard(held->mutex_);
    held->carry_out(guard, held->closed_ ? LeaseSteps{} : held->state_.pass(now));
  } else {
    held->close(now);
  }
  return Lease(std::move(held));
}

bool HeldLease::lost() const {
  if (core_->is_of_a_parent()) return true;
  const Guard guard(mutex_);
  return stop_.stop_requested() || closed_ || state_.lost(core_->alarms().now());
}

BootTime HeldLease::deadline() const {
  if (core_->is_of_a_parent()) return since_;
  const Guard guard(mutex_);
  return state_.deadline();
}

Lease HeldLease::again() {
  if (core_->is_of_a_parent()) return Lease(shared_from_this());
  const Guard guard(mutex_);
  state_.share();
  return Lease(shared_from_this());
}

void HeldLease::renew(Milliseconds length, std::move_only_function<void(RenewOutcome)> done) {
  assert(length > Milliseconds{0} && length <= limits::lock_lease);
  if (core_->is_of_a_parent()) {
    complete([done = std::move(done)]() mutable { done(RenewOutcome::lost); });
    return;
  }
  Guard guard(mutex_);
  if (closed_) {
    guard.unlock();
    complete([done = std::move(done)]() mutable { done(RenewOutcome::lost); });
    return;
  }
  const std::uint64_t id = ++last_renewal_;
  renewals_.emplace(id, std::move(done));
  carry_out(guard, state_.want_renewal(core_->alarms().now(), id, length));
}

/// Sent once, and in the order of the other calls; what becomes of the lease does not depend on the answer.
void HeldLease::shrink(std::uint32_t weight, std::move_only_function<void(ShrinkOutcome)> done) {
  assert(share_.of != Share::Of::lock && "no part of a lock can be given back");
  if (core_->is_of_a_parent()) {
    complete([done = std::move(done)]() mutable { done(ShrinkOutcome::lost); });
    return;
  }
  Guard guard(mutex_);
  if (closed_ || state_.lost(core_->alarms().now())) {
    guard.unlock();
    complete([done = std::move(done)]() mutable { done(ShrinkOutcome::lost); });
    return;
  }
  actions_.add([contender = contender_, weight, done = std::move(done)]() mutable {
    contender->shrink(weight, [done = std::move(done)](const ShrinkAnswer& answer) mutable {
      const ShrinkOutcome outcome = answer ? *answer : ShrinkOutcome::unknown;
      complete([outcome, done = std::move(done)]() mutable { done(outcome); });
    });
  });
  actions_.run(guard);
}

void HeldLease::give_back(std::move_only_function<void(ReleaseOutcome)> done) {
  if (core_->is_of_a_parent()) {
    leave_to_the_parent(shared_from_this());
    if (done) complete([done = std::move(done)]() mutable { done(ReleaseOutcome::lost); });
    return;
  }
  Guard guard(mutex_);
  auto [outcome, steps] = state_.give_back(closed_ ? BootTime{} : core_->alarms().now());
  if (outcome) {
    if (done) {
      actions_.add([outcome = *outcome, done = std::move(done)]() mutable {
        complete([outcome, done = std::move(done)]() mutable { done(outcome); });
      });
    }
  } else {
    released_ = std::move(done);
    releasing_ = true;
    tell_of_the_end(closed_ ? since_ : core_->alarms().now());
  }
  carry_out(guard, std::move(steps));
}

void HeldLease::close(BootTime now) {
  Guard guard(mutex_);
  if (std::exchange(closed_, true)) return;
  tell_of_the_end(now);
  if (alarm_ != Alarms::Id::none) core_->alarms().cancel(alarm_);
  removed_ = true;  // whoever closes has forgotten us already
  carry_out(guard, state_.close());
  contender_.reset();
}

bool HeldLease::in_the_background() const {
  const Guard guard(mutex_);
  return releasing_;
}

/// Does what was decided, in order, and sees to the alarm. The guard is held before and after.
void HeldLease::carry_out(Guard& guard, LeaseSteps steps) {
  const std::shared_ptr<HeldLease> self = shared_from_this();  // what is done may let go of the last object
  add_actions(steps);
  if (state_.ended() && !std::exchange(removed_, true)) {
    if (alarm_ != Alarms::Id::none) core_->alarms().cancel(alarm_);
    closed_ = true;
    contender_.reset();
    actions_.add([self] { self->core_->remove(self); });
  }
  set_alarm();
  actions_.run(guard);
}

void HeldLease::add_actions(LeaseSteps& steps) {
  const auto self = shared_from_this();
  if (steps.lost) {
    actions_.add([self] { self->stop_.request_stop(); });
    tell_of_the_end(closed_ ? since_ : core_->alarms().now());
  }
  if ((steps.lost || steps.release_answered == ReleaseOutcome::lost) && !std::exchange(told_of_the_loss_, true)) {
    actions_.add([self] { self->core_->observer().lost(self->name_); });
  }
  if (steps.renewal_lag) {
    actions_.add([self, lag = *steps.renewal_lag] { self->core_->observer().renewed(self->name_, lag); });
  }
  if (steps.not_renewed) {
    actions_.add([self, why = *steps.not_renewed] { self->core_->observer().not_renewed(self->name_, why); });
  }
  for (const auto& [id, outcome] : steps.renewals_answered) {
    auto node = renewals_.extract(id);
    assert(!node.empty());
    actions_.add([outcome, done = std::move(node.mapped())]() mutable {
      complete([outcome, done = std::move(done)]() mutable { done(outcome); });
    });
  }
  if (steps.renew) {
    actions_.add([self, contender = contender_, renewal = *steps.renew] {
      contender->renew(renewal.length, renewal.useless_after,
                       [self](const RenewAnswer& answer) { self->on_renewal(answer); });
    });
  }
  if (steps.release) {
    actions_.add([self, contender = contender_, repeat = *steps.release] {
      contender->release(repeat, [self](const ReleaseAnswer& answer) { self->on_release(answer); });
    });
  }
  if (steps.release_answered && released_) {
    actions_.add([outcome = *steps.release_answered, done = std::exchange(released_, nullptr)]() mutable {
      complete([outcome, done = std::move(done)]() mutable { done(outcome); });
    });
  }
}

/// Once; what is closed was told of before.
void HeldLease::tell_of_the_end(BootTime now) {
  if (std::exchange(told_of_the_end_, true)) return;
  actions_.add([self = shared_from_this(), held = now - since_] {
    self->core_->observer().ended(self->name_, held);
    self->core_->lease_ended();
  });
}

void HeldLease::set_alarm() {
  if (closed_) return;
  const std::optional<BootTime> wake = state_.wake();
  if (!wake) return;
  // One that rings too early is set again then; that is cheaper than moving it at each event.
  if (alarm_ != Alarms::Id::none && *alarm_at_ <= *wake) return;
  core_->alarms().cancel(alarm_);
  alarm_at_ = wake;
  alarm_ = core_->alarms().call_at(*wake, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->on_alarm();
  });
}

void HeldLease::on_alarm() {
  Guard guard(mutex_);
  if (closed_) return;
  alarm_ = Alarms::Id::none;
  carry_out(guard, state_.pass(core_->alarms().now()));
}

void HeldLease::on_doubt() {
  Guard guard(mutex_);
  if (closed_) return;
  carry_out(guard, state_.doubted(core_->alarms().now()));
}

void HeldLease::on_renewal(const RenewAnswer& answer) {
  Guard guard(mutex_);
  if (closed_) return;
  carry_out(guard, state_.renewal_answered(core_->alarms().now(), answer));
}

void HeldLease::on_release(const ReleaseAnswer& answer) {
  Guard guard(mutex_);
  if (closed_) return;
  carry_out(guard, state_.release_answered(core_->alarms().now(), answer));
}

}  // namespace firstcome::lock
