#include "lock/redis/fifo_line.hpp"

#include <algorithm>

namespace firstcome::lock {

namespace {

constexpr std::size_t most_shown = 16;
constexpr unsigned most_overheard = 2;
constexpr std::size_t most_asked_for = 16;
/// Nobody has the lock and somebody waits: the server works through dead tickets.
constexpr std::chrono::milliseconds soon{2};

}  // namespace

/// Counts those who wait; with the last of them the pulses end.
void FifoLine::set(Seat& seat, Phase phase) {
  const auto waits = [](Phase which) { return which == Phase::asking || which == Phase::queued; };
  if (waits(seat.phase)) --waiting_;
  seat.phase = phase;
  if (waits(phase)) ++waiting_;
  if (waiting_ == 0) pulse_at_.reset();
}

void FifoLine::asks(BootTime now, std::uint64_t number) {
  const auto [found, is_new] = seats_.try_emplace(number, Seat{.first_asked = now});
  if (is_new || found->second.phase == Phase::queued) set(found->second, Phase::asking);
}

void FifoLine::leaves(std::uint64_t number) {
  if (const auto seat = seats_.find(number); seat != seats_.end()) set(seat->second, Phase::leaving);
}

void FifoLine::forget(std::uint64_t number) {
  leaves(number);
  seats_.erase(number);
}

/// Remembers what a reply showed. None, or a lower token than before: the key was lost; that dates nothing.
void FifoLine::note(BootTime sent, std::uint64_t token) {
  if (token == 0) return;
  if (!shown_.empty() && (token < shown_.back().token || sent < shown_.back().sent)) return;
  if (!shown_.empty() && token == shown_.back().token) {
    shown_.back().sent = sent;
    return;
  }
  shown_.push_back({token, sent});
  if (shown_.size() > most_shown) shown_.pop_front();
}

BootTime FifoLine::base_of(const Seat& seat, std::uint64_t token) const {
  for (auto shown = shown_.rbegin(); shown != shown_.rend(); ++shown) {
    if (shown->token < token) return std::max(seat.first_asked, shown->sent);
  }
  return seat.first_asked;
}

/// A grant, pushed or, with `sent`, made by the very request that this replies to.
void FifoLine::take(const FifoGrant& grant, std::optional<BootTime> sent, FifoSteps& steps) {
  const auto found = seats_.find(grant.number);
  if (grant.token == 0) {
    if (found != seats_.end() && found->second.phase == Phase::queued) steps.nudged.push_back(grant.number);
    return;
  }
  if (found == seats_.end()) {
    steps.strays.push_back({grant.number, grant.token});
    return;
  }
  Seat& seat = found->second;
  if (seat.phase == Phase::leaving || seat.phase == Phase::held || grant.token <= seat.token) return;
  set(seat, Phase::held);
  seat.token = grant.token;
  steps.granted.emplace_back(grant.number, Grant{.token = grant.token,
                                                 .base = sent ? *sent : base_of(seat, grant.token),
                                                 .length = grant.length,
                                                 .kind = Grant::Kind::claim});
}

FifoSteps FifoLine::told(BootTime /*now*/, const FifoGrant& message) {
  FifoSteps steps;
  overheard_ = 0;
  take(message, {}, steps);
  return steps;
}

FifoSteps FifoLine::answered(BootTime sent, BootTime /*now*/, std::uint64_t token,
                             const std::vector<FifoGrant>& grants) {
  FifoSteps steps;
  // A grant that this very request made is not older than it; the token that is shown is that grant's.
  for (const FifoGrant& grant : grants) take(grant, sent, steps);
  note(sent, token);
  return steps;
}

FifoSteps FifoLine::acquire_answered(BootTime sent, BootTime now, std::uint64_t number, const AcquireReply& reply) {
  FifoSteps steps = answered(sent, now, reply.token, reply.grants);
  const auto found = seats_.find(number);
  if (found == seats_.end() || found->second.phase != Phase::asking) return steps;
  Seat& seat = found->second;
  if (reply.outcome == AcquireReply::Outcome::granted) {
    set(seat, Phase::held);
    seat.token = reply.mine;
  } else if (reply.outcome == AcquireReply::Outcome::queued) {
    set(seat, Phase::queued);
    seat.ticket = reply.ticket;
    if (!pulse_at_) pulse_at_ = now + times_.pulse;
    pulse_by(now + (reply.left > Milliseconds{0} ? reply.left : soon));
  }
  return steps;
}

FifoSteps FifoLine::pulse_answered(BootTime sent, BootTime now, const PulseReply& reply) {
  pulsing_ = false;
  FifoSteps steps;
  for (const FifoGrant& grant : reply.grants) take(grant, sent, steps);
  const std::size_t known = steps.granted.size();
  take_owner(sent, reply, steps);
  for (const FifoFound& found : reply.found) take_found(sent, found, steps);
  // One for sure is the lost reply to an acquire.
  const bool overheard = std::any_of(steps.granted.begin() + static_cast<std::ptrdiff_t>(known), steps.granted.end(),
                                     [](const auto& one) { return one.second.kind == Grant::Kind::claim; });
  note(sent, reply.token);
  nudge_those_without_a_place(reply, steps);
  const bool passed_over = !reply.known && steps.places_lost > 0;
  if ((overheard || passed_over) && ++overheard_ >= most_overheard) {
    overheard_ = 0;
    steps.deaf = true;
  }
  if (waiting_ == 0) return steps;
  if (reply.left > Milliseconds{0}) {
    pulse_by(now + reply.left);
  } else if (reply.waiting > 0) {
    pulse_by(now + soon);
  }
  return steps;
}

/// Of a process that is not known the server has no places. Where another acquisition has made it known again since,
/// only the ticket tells: it was passed (a claim has lapsed whose message was lost), or was never given out (the key
/// was lost). Asking again has no effect on one that has its place, or the lock.
void FifoLine::nudge_those_without_a_place(const PulseReply& reply, FifoSteps& steps) const {
  for (const auto& [number, seat] : seats_) {
    const bool has_place = seat.ticket == 0 || (seat.ticket > reply.ticket && seat.ticket <= reply.last_ticket);
    if (seat.phase != Phase::queued || (reply.known && has_place)) continue;
    ++steps.places_lost;
    if (std::ranges::find(steps.nudged, number) == steps.nudged.end()) steps.nudged.push_back(number);
  }
}

/// The pulse shows who has the lock, which may be one of us.
void FifoLine::take_owner(BootTime sent, const PulseReply& reply, FifoSteps& steps) {
  const std::optional<std::uint64_t> number = number_of(reply.owner, process_);
  if (number && reply.left > Milliseconds{0}) take_found(sent, {*number, reply.token, reply.left, reply.sure}, steps);
}

/// One of us has it. Who does not know it: the message was lost, or nobody wants it.
void FifoLine::take_found(BootTime sent, const FifoFound& one, FifoSteps& steps) {
  const auto found = seats_.find(one.number);
  if (one.token == 0) {
    if (found != seats_.end() && found->second.phase == Phase::queued) steps.nudged.push_back(one.number);
    return;
  }
  if (found == seats_.end()) {
    const bool told_already =
        std::ranges::any_of(steps.strays, [&](const FifoGrantId& stray) { return stray.number == one.number; });
    if (!told_already) steps.strays.push_back({one.number, one.token});
    return;
  }
  Seat& seat = found->second;
  if (seat.phase == Phase::leaving || seat.phase == Phase::held || one.token <= seat.token) return;
  set(seat, Phase::held);
  seat.token = one.token;
  steps.granted.emplace_back(one.number, Grant{.token = one.token,
                                               .base = sent,
                                               .length = one.left,
                                               .kind = one.sure ? Grant::Kind::lease : Grant::Kind::claim});
}

std::vector<std::uint64_t> FifoLine::oldest_waiting() const {
  std::vector<std::uint64_t> numbers;
  for (auto seat = seats_.begin(); seat != seats_.end() && numbers.size() < most_asked_for; ++seat) {
    if (seat->second.phase == Phase::asking || seat->second.phase == Phase::queued) numbers.push_back(seat->first);
  }
  return numbers;
}

/// Whoever waits asks again: the answer, or that there is none, tells whether what keeps the lock is still there.
FifoSteps FifoLine::pulse_failed() {
  pulsing_ = false;
  FifoSteps steps;
  nudge_all(steps);
  return steps;
}

void FifoLine::nudge_all(FifoSteps& steps) const {
  for (const auto& [number, seat] : seats_) {
    if (seat.phase == Phase::queued) steps.nudged.push_back(number);
  }
}

FifoSteps FifoLine::reconnected(BootTime now) {
  FifoSteps steps;
  shown_.clear();
  pulsing_ = false;
  nudge_all(steps);
  if (!steps.nudged.empty()) pulse_by(now);
  return steps;
}

void FifoLine::heard_again(BootTime now) {
  overheard_ = 0;
  if (pulse_at_) pulse_by(now);
}

void FifoLine::pulse_by(BootTime at) { pulse_at_ = pulse_at_ ? std::min(*pulse_at_, at) : at; }

std::optional<BootTime> FifoLine::wake() const {
  if (pulsing_) return {};
  return pulse_at_;
}

void FifoLine::pulse_sent(BootTime now) {
  pulsing_ = true;
  pulse_at_ = now + times_.pulse;
}

}  // namespace firstcome::lock
