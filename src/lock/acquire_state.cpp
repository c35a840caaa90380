#include "lock/acquire_state.hpp"

#include "lock/lease_state.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace firstcome::lock {

using std::chrono::milliseconds;
using Kind = LockFailure::Kind;
using Why = NotAcquired::Why;

namespace {

constexpr milliseconds enough_to_start{300};
constexpr LockBackoff of_failures{milliseconds{20}, milliseconds{500}};
constexpr milliseconds a_bit_more{1'000};
/// A server that has not answered an attempt for so long is silent.
constexpr milliseconds silence{500};

/// Enough must be left to do something with it; else it is renewed first.
constexpr Milliseconds needed_of(Milliseconds length) { return std::min(enough_to_start, length / 3); }

/// Where even a renewal could not bring that much, the caller gets what was asked for: a lease that is lost at once.
bool can_start(BootTime now, const Grant& grant, Milliseconds asked) {
  return deadline_of(grant.base, grant.length) - now >= needed_of(grant.length) ||
         asked - margin_of(asked) <= needed_of(asked);
}

BootTime later_by(BootTime now, Milliseconds wait) {
  constexpr Milliseconds longest = std::chrono::days{3'650};
  return wait > longest ? BootTime::max() : now + wait;
}

}  // namespace

NotAcquired not_acquired(const LockFailure& failure) {
  const auto first = static_cast<unsigned>(Why::unavailable);
  static_assert(static_cast<unsigned>(Why::closed) - static_cast<unsigned>(Why::unavailable) ==
                static_cast<unsigned>(Kind::closed));
  return {static_cast<Why>(first + static_cast<unsigned>(failure.kind)), failure.detail};
}

AcquireState::AcquireState(AcquireTerms terms) : terms_(terms), random_(static_cast<std::uint32_t>(terms.seed)) {
  assert(terms_.lease > Milliseconds{0});
}

AcquireSteps AcquireState::start(BootTime now) {
  // Tried once: what keeps the lock has its own time limit, this one is for one that does not obey it.
  mode_ = terms_.wait > Milliseconds{0} ? Attempt::Mode::wait : Attempt::Mode::once;
  until_ = later_by(now, mode_ == Attempt::Mode::wait ? terms_.wait : terms_.outage_limit);
  AcquireSteps steps;
  ask(now, steps);
  return steps;
}

std::optional<BootTime> AcquireState::wake() const {
  if (ended()) return {};
  if (phase_ == Phase::leaving) return cancelling_ ? surely_over_ : std::min(again_at_, surely_over_);
  return phase_ == Phase::pausing ? std::min(again_at_, until_) : until_;
}

void AcquireState::ask(BootTime now, AcquireSteps& steps) {
  if (grant_) {
    phase_ = Phase::confirming;
    steps.confirm = AcquireSteps::Confirmation{terms_.lease, grant_->base + grant_->length};
    return;
  }
  phase_ = Phase::asking;
  asked_at_ = now;
  nudged_ = false;
  steps.attempt = Attempt{repeat_, mode_, until_};
  maybe_there_ = true;
}

AcquireSteps AcquireState::attempt_answered(BootTime now, const AttemptAnswer& answer) {
  AcquireSteps steps;
  if (phase_ != Phase::asking) return steps;  // given up, or the push of the grant was quicker
  if (const auto* failure = std::get_if<LockFailure>(&answer)) {
    failed(now, *failure, steps);
    return steps;
  }
  was_there_ = true;
  failing_since_.reset();
  if (const auto* grant = std::get_if<Grant>(&answer)) {
    take(now, *grant, steps);
  } else if (const auto* taken = std::get_if<Busy>(&answer)) {
    busy(now, *taken, steps);
  } else if (std::holds_alternative<Full>(answer)) {
    maybe_there_ = false;
    leave(now, {Why::full, {}}, steps);
  } else if (const auto* impossible = std::get_if<Impossible>(&answer)) {
    maybe_there_ = false;
    leave(now, impossible->reason, steps);
  } else if (nudged_) {
    repeat_ = Try::again;
    ask(now, steps);
  } else {
    repeat_ = Try::again;
    phase_ = Phase::queued;
    if (now >= until_) time_is_up(now, steps);
  }
  return steps;
}

void AcquireState::busy(BootTime now, const Busy& busy, AcquireSteps& steps) {
  maybe_there_ = false;
  repeat_ = Try::first;
  if (mode_ == Attempt::Mode::once || now >= until_) {
    leave(now, {Why::timed_out, {}}, steps);
  } else if (nudged_) {
    ask(now, steps);
  } else {
    pause(now, busy.retry_in ? *busy.retry_in : next_pause(terms_.backoff), Phase::pausing);
  }
}

void AcquireState::failed(BootTime now, const LockFailure& failure, AcquireSteps& steps) {
  failure_ = failure;
  if (!failing_since_) {
    failing_since_ = now;
    last_pause_ = Milliseconds{0};
  }
  if (failure.kind == Kind::broken) {
    repeat_ = Try::again;
  } else if (repeat_ == Try::first && !grant_) {
    maybe_there_ = false;
  }
  // Down, or refused at the door: say so at once. What worked before may work again.
  const bool down = failure.kind == Kind::unavailable || failure.kind == Kind::read_only;
  const bool for_good = failure.kind != Kind::broken && !(down && (was_there_ || repeat_ == Try::again));
  const bool too_long = mode_ == Attempt::Mode::once || now >= until_ || now - *failing_since_ >= terms_.outage_limit;
  if (for_good || too_long) {
    leave(now, not_acquired(failure), steps);
  } else {
    pause(now, next_pause(of_failures), Phase::pausing);
  }
}

AcquireSteps AcquireState::granted(BootTime now, const Grant& grant) {
  AcquireSteps steps;
  if (waits() && phase_ != Phase::confirming) take(now, grant, steps);
  return steps;
}

void AcquireState::take(BootTime now, const Grant& grant, AcquireSteps& steps) {
  maybe_there_ = true;
  was_there_ = true;
  if (grant.kind != Grant::Kind::unsure && can_start(now, grant, terms_.lease)) {
    phase_ = Phase::held;
    steps.hold = grant;
  } else {
    grant_ = grant;
    ask(now, steps);
  }
}

AcquireSteps AcquireState::confirmed(BootTime now, const RenewAnswer& answer) {
  AcquireSteps steps;
  if (phase_ != Phase::confirming) return steps;
  assert(grant_);
  if (const auto* failure = std::get_if<LockFailure>(&answer)) {
    failed(now, *failure, steps);
  } else if (const auto* renewed = std::get_if<Renewed>(&answer)) {
    failing_since_.reset();
    const std::optional<std::uint64_t> token = std::exchange(grant_, std::nullopt)->token;
    take(now, Grant{token, renewed->sent, renewed->length, Grant::Kind::lease}, steps);
  } else {
    failing_since_.reset();
    grant_.reset();
    repeat_ = Try::first;
    ask(now, steps);
  }
  return steps;
}

AcquireSteps AcquireState::worth_trying(BootTime now) {
  AcquireSteps steps;
  if (phase_ == Phase::asking) {
    nudged_ = true;
  } else if ((phase_ == Phase::queued || phase_ == Phase::pausing) && now < until_) {
    ask(now, steps);
  }
  return steps;
}

AcquireSteps AcquireState::pass(BootTime now) {
  AcquireSteps steps;
  if (phase_ == Phase::leaving) {
    if (now >= surely_over_) {
      phase_ = Phase::gone;
    } else if (!cancelling_ && now >= again_at_) {
      cancelling_ = true;
      steps.cancel = cancel_repeat_;
    }
  } else if (waits() && now >= until_) {
    time_is_up(now, steps);
  } else if (phase_ == Phase::pausing && now >= again_at_) {
    ask(now, steps);
  }
  return steps;
}

void AcquireState::time_is_up(BootTime now, AcquireSteps& steps) {
  if (failing_since_) {
    leave(now, not_acquired(failure_), steps);
  } else if (mode_ == Attempt::Mode::once) {
    leave(now, {Why::broken, "no answer in time"}, steps);
  } else if (hears_nothing(now)) {
    leave(now, {Why::unavailable, "no answer before the wait was over"}, steps);
  } else {
    leave(now, {Why::timed_out, {}}, steps);
  }
}

/// The present attempt has no answer, though the server answers at once where it lives.
bool AcquireState::hears_nothing(BootTime now) const {
  return phase_ == Phase::asking && terms_.answers == LockBackend::Answers::at_once && now - asked_at_ >= silence;
}

AcquireSteps AcquireState::give_up(BootTime now, NotAcquired::Why why) {
  AcquireSteps steps;
  if (waits()) leave(now, {why, {}}, steps);
  return steps;
}

void AcquireState::leave(BootTime now, NotAcquired reason, AcquireSteps& steps) {
  steps.give_up = std::move(reason);
  if (!maybe_there_) {
    phase_ = Phase::gone;
    return;
  }
  phase_ = Phase::leaving;
  surely_over_ = now + std::max(terms_.lease, terms_.outage_limit) + a_bit_more;
  last_pause_ = Milliseconds{0};
  cancelling_ = true;
  steps.cancel = cancel_repeat_;
}

AcquireSteps AcquireState::cancelled(BootTime now, const CancelAnswer& answer) {
  if (phase_ != Phase::leaving) return {};
  cancelling_ = false;
  if (answer || answer.error().kind == Kind::closed || answer.error().kind == Kind::wrong_type) {
    phase_ = Phase::gone;
    return {};
  }
  if (answer.error().kind == Kind::broken) cancel_repeat_ = Try::again;
  pause(now, next_pause(of_failures), Phase::leaving);
  return pass(now);
}

void AcquireState::pause(BootTime now, Milliseconds length, Phase phase) {
  phase_ = phase;
  again_at_ = now + std::max(length, Milliseconds{1});
}

Milliseconds AcquireState::next_pause(const LockBackoff& backoff) {
  const Milliseconds first = std::max(backoff.first, Milliseconds{1});
  const Milliseconds most = std::max(first, std::min(3 * std::max(last_pause_, first), backoff.longest));
  last_pause_ = Milliseconds{std::uniform_int_distribution<Milliseconds::rep>(first.count(), most.count())(random_)};
  return last_pause_;
}

}  // namespace firstcome::lock
