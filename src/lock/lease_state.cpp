#include "lock/lease_state.hpp"

#include <cassert>

namespace firstcome::lock {

using std::chrono::ceil;
using std::chrono::milliseconds;

namespace {

/// The watchdog confirms a claim after this: one that is held for less costs no confirmation.
constexpr milliseconds confirm_after{250};
constexpr milliseconds shortest_pause{10};
constexpr milliseconds longest_pause{1'000};

}  // namespace

LeaseState::LeaseState(const Grant& grant, LeaseTerms terms, BootTime now)
    : terms_(terms),
      deadline_(deadline_of(grant.base, grant.length)),
      surely_over_(now + grant.length),
      third_(grant.base + grant.length / 3) {
  assert(grant.length > Milliseconds{0} && terms.length > Milliseconds{0});
  if (grant.kind == Grant::Kind::claim) {
    // Whoever gave a length plans with it, so they have all of it as soon as possible.
    const bool at_once = terms_.watchdog == Contention::Watchdog::no && terms_.length > grant.length;
    renew_at_ = at_once ? now : std::min(now + confirm_after, now + (deadline_ - now) / 3);
    third_ = *renew_at_;
  } else if (terms_.watchdog == Contention::Watchdog::yes) {
    renew_at_ = grant.base + grant.length / 3;
  }
}

std::optional<BootTime> LeaseState::wake() const {
  if (phase_ == Phase::ended) return {};
  if (phase_ == Phase::releasing) {
    std::optional<BootTime> at = release_again_;
    if (!release_told_) at = at ? std::min(*at, release_due_) : release_due_;
    return at;
  }
  if (lost_) return {};
  return renew_at_ && !in_flight_ ? std::min(deadline_, *renew_at_) : deadline_;
}

LeaseSteps LeaseState::pass(BootTime now) {
  LeaseSteps steps;
  look_at_the_time(now, steps);
  return steps;
}

void LeaseState::look_at_the_time(BootTime now, LeaseSteps& steps) {
  if (phase_ == Phase::held) {
    if (!lost_ && now >= deadline_) lose(steps);
    renew_if_due(now, steps);
  } else if (phase_ == Phase::releasing) {
    if (!release_told_ && now >= release_due_) {
      answer_release(lost_ ? ReleaseOutcome::lost : ReleaseOutcome::unknown, steps);
    }
    if (release_again_ && now >= *release_again_) send_release(steps);
  }
}

void LeaseState::lose(LeaseSteps& steps) {
  lost_ = true;
  steps.lost = true;
  renew_at_.reset();
  if (in_flight_ && !steps.not_renewed) steps.not_renewed = RenewOutcome::unknown;
  answer_renewals(RenewOutcome::lost, steps);
}

void LeaseState::answer_renewals(RenewOutcome outcome, LeaseSteps& steps) {
  if (in_flight_) {
    for (const std::uint64_t id : in_flight_->for_whom) steps.renewals_answered.emplace_back(id, outcome);
    in_flight_->for_whom.clear();
  }
  for (const std::uint64_t id : wanted_) steps.renewals_answered.emplace_back(id, outcome);
  wanted_.clear();
}

/// A renewal must not take away what was granted: asks for at least what is left.
Milliseconds LeaseState::never_shorter(BootTime now, Milliseconds length) const {
  const auto left = (deadline_ - now + margin_of(Milliseconds{0})) / 99 * 100;
  return std::max(length, ceil<Milliseconds>(left) + Milliseconds{1});
}

LeaseSteps LeaseState::want_renewal(BootTime now, std::uint64_t id, Milliseconds length) {
  LeaseSteps steps;
  look_at_the_time(now, steps);
  if (phase_ != Phase::held || lost_) {
    steps.renewals_answered.emplace_back(id, RenewOutcome::lost);
    return steps;
  }
  wanted_length_ = wanted_.empty() ? length : std::max(wanted_length_, length);
  wanted_.push_back(id);
  renew_if_due(now, steps);
  return steps;
}

void LeaseState::renew_if_due(BootTime now, LeaseSteps& steps) {
  if (lost_ || in_flight_) return;
  const bool due = renew_at_ && now >= *renew_at_;
  if (!due && wanted_.empty() && !doubted_) return;
  // A claim, and what the watchdog keeps, is due some time anyway.
  const bool whole = due || (doubted_ && renew_at_);
  doubted_ = false;
  Milliseconds length = whole ? terms_.length : Milliseconds{0};
  if (!wanted_.empty()) length = std::max(length, wanted_length_);
  length = never_shorter(now, length);
  const BootTime due_at = due ? *renew_at_ : wanted_.empty() ? now : std::min(now, third_);
  in_flight_ = InFlight{due_at, length, std::exchange(wanted_, {})};
  steps.renew = LeaseSteps::Renewal{length, deadline_};
}

LeaseSteps LeaseState::doubted(BootTime now) {
  LeaseSteps steps;
  look_at_the_time(now, steps);
  if (phase_ != Phase::held || lost_) return steps;
  doubted_ = true;
  renew_if_due(now, steps);
  return steps;
}

LeaseSteps LeaseState::renewal_answered(BootTime now, const RenewAnswer& answer) {
  LeaseSteps steps;
  look_at_the_time(now, steps);  // first: an answer that comes after the deadline saves nothing
  if (phase_ != Phase::held || lost_) {
    in_flight_.reset();
    return steps;
  }
  assert(in_flight_);
  if (const auto* renewed = std::get_if<Renewed>(&answer)) {
    take_renewal(now, *renewed, steps);
  } else if (const auto* failure = std::get_if<LockFailure>(&answer);
             failure != nullptr && failure->kind != LockFailure::Kind::wrong_type) {
    renewal_failed(now, *failure, steps);
  } else {
    steps.not_renewed = RenewOutcome::lost;
    lose(steps);
    in_flight_.reset();
  }
  renew_if_due(now, steps);
  return steps;
}

void LeaseState::take_renewal(BootTime now, const Renewed& renewed, LeaseSteps& steps) {
  Milliseconds length = renewed.length;
  may_last_until(now + length);
  // An older, shorter one may still be carried out after this one.
  if (shortest_doubtful_) length = std::min(length, *shortest_doubtful_);
  deadline_ = std::max(deadline_, deadline_of(renewed.sent, length));
  renew_at_.reset();
  if (terms_.watchdog == Contention::Watchdog::yes) renew_at_ = renewed.sent + std::min(length, terms_.length) / 3;
  third_ = renewed.sent + length / 3;
  steps.renewal_lag = now - std::min(in_flight_->due, failing_since_.value_or(in_flight_->due));
  failing_since_.reset();
  for (const std::uint64_t id : in_flight_->for_whom) steps.renewals_answered.emplace_back(id, RenewOutcome::renewed);
  in_flight_.reset();
}

void LeaseState::renewal_failed(BootTime now, const LockFailure& failure, LeaseSteps& steps) {
  for (const std::uint64_t id : in_flight_->for_whom) steps.renewals_answered.emplace_back(id, RenewOutcome::unknown);
  if (failure.kind == LockFailure::Kind::broken) {
    shortest_doubtful_ = std::min(shortest_doubtful_.value_or(in_flight_->length), in_flight_->length);
    may_last_until(now + in_flight_->length);
  }
  steps.not_renewed = RenewOutcome::unknown;
  if (renew_at_ && !failing_since_) failing_since_ = in_flight_->due;
  in_flight_.reset();
  // Ever sooner as the end comes nearer.
  if (renew_at_) {
    const BootClock::duration pause = (deadline_ - now) / 4;
    renew_at_ = now + std::clamp<BootClock::duration>(pause, shortest_pause, longest_pause);
  }
}

std::pair<std::optional<ReleaseOutcome>, LeaseSteps> LeaseState::give_back(BootTime now) {
  assert(shares_ > 0);
  LeaseSteps steps;
  if (phase_ == Phase::held) look_at_the_time(now, steps);
  if (--shares_ > 0) return {lost_ ? ReleaseOutcome::lost : ReleaseOutcome::released, std::move(steps)};
  if (phase_ == Phase::ended) return {ReleaseOutcome::unknown, std::move(steps)};
  answer_renewals(RenewOutcome::lost, steps);
  phase_ = Phase::releasing;
  steps.renew.reset();  // decided just now, not sent
  renew_at_.reset();
  if (in_flight_) may_last_until(now + in_flight_->length);
  release_due_ = now + terms_.release_limit;
  send_release(steps);
  return {std::nullopt, std::move(steps)};
}

void LeaseState::send_release(LeaseSteps& steps) {
  release_again_.reset();
  steps.release = release_repeat_;
}

LeaseSteps LeaseState::release_answered(BootTime now, const ReleaseAnswer& answer) {
  LeaseSteps steps;
  if (phase_ != Phase::releasing) return steps;
  if (answer) {
    const bool certain = *answer != ReleaseOutcome::unknown || !lost_;
    answer_release(certain ? *answer : ReleaseOutcome::lost, steps);
    phase_ = Phase::ended;
    return steps;
  }
  const LockFailure::Kind kind = answer.error().kind;
  if (kind == LockFailure::Kind::broken) release_repeat_ = Try::again;
  if (now >= surely_over_ || kind == LockFailure::Kind::closed || kind == LockFailure::Kind::wrong_type) {
    answer_release(lost_ ? ReleaseOutcome::lost : ReleaseOutcome::unknown, steps);
    phase_ = Phase::ended;
    return steps;
  }
  release_pause_ = std::clamp(2 * release_pause_, 2 * shortest_pause, longest_pause);
  release_again_ = now + release_pause_;
  look_at_the_time(now, steps);
  return steps;
}

void LeaseState::answer_release(ReleaseOutcome outcome, LeaseSteps& steps) {
  if (std::exchange(release_told_, true)) return;
  steps.release_answered = outcome;
}

LeaseSteps LeaseState::close() {
  LeaseSteps steps;
  if (phase_ == Phase::held && !lost_) lose(steps);
  if (phase_ == Phase::releasing) answer_release(lost_ ? ReleaseOutcome::lost : ReleaseOutcome::unknown, steps);
  phase_ = Phase::ended;
  return steps;
}

}  // namespace firstcome::lock
