#include "lock/redis/fifo_desk.hpp"

#include "lock/redis/redis_failure.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace firstcome::lock {

using net::RedisResult;

namespace {

/// A renewal is not given up, which would cost the connection, before a while.
constexpr std::chrono::seconds least_patience{1};

constexpr Repeated repeated(Try repeat) { return repeat == Try::again ? Repeated::yes : Repeated::no; }

}  // namespace

LockFailure no_reply_at(const FifoPlace& place) {
  return {LockFailure::Kind::broken, "no reply of a FIFO lock's script: " + place.key};
}

ReleaseOutcome outcome_of(const ReleaseReply& reply) {
  switch (reply.outcome) {
    case ReleaseReply::Outcome::released:
      return ReleaseOutcome::released;
    case ReleaseReply::Outcome::lost:
      return ReleaseOutcome::lost;
    case ReleaseReply::Outcome::unknown:
      break;
  }
  return ReleaseOutcome::unknown;
}

FifoDesk::FifoDesk(FifoOffice& office, ShareName name, FifoPlace place)
    : office_(office),
      name_(std::make_shared<const ShareName>(std::move(name))),
      place_(std::move(place)),
      line_(office.process(), office.options().times),
      timer_(office.loop().executor()),
      settled_(office.settled_since(place_.key)) {}

void FifoDesk::attempt(Seat seat, Attempt attempt, Answer<AttemptAnswer> done) {
  if (seat->phase >= FifoSeat::Phase::leaving) {
    done(Busy{});
    return settle();
  }
  // What it was granted before has been lost; what still comes for that number is not for this attempt.
  if (attempt.repeat == Try::first && seat->token != 0) renumber(seat);
  Asking asking{attempt, std::move(done)};
  if (attempt.mode == Attempt::Mode::once || office_.inboxes().use(place_.channel())) {
    return ask(seat, std::move(asking), repeated(attempt.repeat));
  }
  ++busy_;
  office_.inboxes().hear(place_.channel(), office_.limit(),
                         [self = shared_from_this(), seat, token = seat->token,
                          asking = std::move(asking)](std::optional<LockFailure> failure) mutable {
                           --self->busy_;
                           self->may_hear(seat, token, std::move(asking), std::move(failure));
                         });
}

/// Sends the attempt, now that the channel is heard; `token` is what the seat had when it began to wait for that. If a
/// grant has come since, the attempt is not sent: its client may have released that grant through another server, and
/// the attempt would then take the lock for nobody.
void FifoDesk::may_hear(const Seat& seat, std::uint64_t token, Asking asking, std::optional<LockFailure> failure) {
  const bool is_wanted = seat->phase < FifoSeat::Phase::leaving && seat->token == token;
  if (!failure && is_wanted) {
    const Repeated how = repeated(asking.first.repeat);
    return ask(seat, std::move(asking), how);
  }
  asking.second(failure ? AttemptAnswer(std::move(*failure)) : Busy{});
  settle();
}

/// Registered before it is sent: the message may be quicker than the reply.
void FifoDesk::ask(const Seat& seat, Asking asking, Repeated repeated) {
  const BootTime sent = BootClock::now();
  const std::uint64_t number = seat->number;
  seat->phase = FifoSeat::Phase::asked;
  line_.asks(sent, number);
  if (seats_.try_emplace(number, seat).second) office_.seated(number, shared_from_this());
  const Once once = asking.first.mode == Attempt::Mode::once ? Once::yes : Once::no;
  const FifoOptions& options = office_.options();
  office_.execute_grant(
      place_.key,
      acquire_command(office_.scripts(place_), place_, options.times,
                      {number, seat->lease, once, repeated, seat->share, seat->holder}, office_.trust(place_.key)),
      office_.limit(),
      [self = shared_from_this(), seat, number, sent, asking = std::move(asking)](const RedisResult& result) mutable {
        self->asked(seat, number, sent, std::move(asking), result);
      });
}

void FifoDesk::asked(const Seat& seat, std::uint64_t number, BootTime sent, Asking asking, const RedisResult& result) {
  if (!result) {
    if (result.error().may_have_run() && seat->number == number) seat->late_copy = LateCopy::possible;
    const bool never_came = !result.error().may_have_run() && asking.first.repeat == Try::first;
    if (never_came && seat->phase == FifoSeat::Phase::asked) end(seat);
    asking.second(lock_failure(result.error()));
    return settle();
  }
  const std::optional<AcquireReply> reply = read_acquire(*result, seat->lease);
  if (!reply) {
    asking.second(no_reply_at(place_));
    return settle();
  }
  FifoSteps steps = line_.acquire_answered(sent, BootClock::now(), number, *reply);
  const bool refused = reply->outcome == AcquireReply::Outcome::refused;
  const bool before = std::exchange(seat->refused, refused);
  if (refused && !before && seat->phase == FifoSeat::Phase::asked) {
    renumber(seat);
    ask(seat, std::move(asking), Repeated::no);
  } else {
    vouch(seat, answer_of(seat, sent, *reply, asking.first.repeat), std::move(asking.second));
  }
  carry_out(std::move(steps));
}

/// A grant is told of when the replicas that are wanted have it. One that is unsure is asked about when it is
/// confirmed.
void FifoDesk::vouch(const Seat& seat, AttemptAnswer answer, Answer<AttemptAnswer> done) {
  const Grant* const grant = std::get_if<Grant>(&answer);
  if (office_.options().replicas == 0 || grant == nullptr) return done(std::move(answer));
  if (grant->kind == Grant::Kind::unsure) {
    seat->unsure = true;
    return done(std::move(answer));
  }
  seat->unsure = false;
  office_.when_replicated(place_.key, [self = shared_from_this(), answer = std::move(answer),
                                       done = std::move(done)](std::optional<LockFailure> failure) mutable {
    done(failure ? AttemptAnswer(std::move(*failure)) : std::move(answer));
    self->settle();
  });
}

AttemptAnswer FifoDesk::answer_of(const Seat& seat, BootTime sent, const AcquireReply& reply, Try repeat) {
  switch (reply.outcome) {
    case AcquireReply::Outcome::granted:
      // A later grant of the same seat that was pushed may have been quicker than this reply.
      if (reply.mine >= seat->token) {
        seat->token = reply.mine;
        seat->passed_on = !seat->holder.empty() && reply.sure;
      }
      return Grant{.token = reply.mine, .base = sent, .length = reply.left, .kind = kind_of(seat, reply, repeat)};
    case AcquireReply::Outcome::queued:
      return Queued{};
    case AcquireReply::Outcome::full:
      give_up_number(seat);
      return Full{};
    case AcquireReply::Outcome::weight:
    case AcquireReply::Outcome::capacity:
      give_up_number(seat);
      return impossible(seat, reply);
    case AcquireReply::Outcome::busy:
    case AcquireReply::Outcome::refused:
      break;
  }
  if (seat->phase == FifoSeat::Phase::asked) give_up_number(seat);
  return Busy{};
}

/// Of a grant that answers an acquire.
Grant::Kind FifoDesk::kind_of(const Seat& seat, const AcquireReply& reply, Try repeat) const {
  if (seat->holder.empty()) return reply.sure ? Grant::Kind::lease : Grant::Kind::claim;
  const bool was_free = reply.ticket == 0;
  // It may still wait, while the holder has the lock.
  if (!was_free && repeat == Try::again) seat->late_copy = LateCopy::possible;
  // What the holder had before may be unknown to replicas; to ask them, it is written again.
  return reply.sure && (was_free || office_.options().replicas == 0) ? Grant::Kind::lease : Grant::Kind::unsure;
}

Impossible FifoDesk::impossible(const Seat& seat, const AcquireReply& reply) const {
  using Why = NotAcquired::Why;
  // What nobody has acquired yet is as large as the caller says.
  const std::uint32_t capacity = reply.capacity != 0 ? reply.capacity : seat->share.capacity;
  const std::string has = "the semaphore " + name_->name + " has " + std::to_string(capacity) + " permits";
  if (reply.outcome == AcquireReply::Outcome::capacity) {
    return {{Why::other_capacity, has + ", not " + std::to_string(seat->share.capacity)}};
  }
  return {{Why::bad_weight, has + ", " + std::to_string(seat->share.weight) + " are never there at once"}};
}

void FifoDesk::renumber(const Seat& seat) {
  give_up_number(seat);
  const std::uint64_t number = office_.next_number();
  seat->rename(number, office_.owner(number));
  seat->phase = FifoSeat::Phase::fresh;
}

/// Nobody wants anything for its number any more.
void FifoDesk::give_up_number(const Seat& seat) {
  if (std::exchange(seat->late_copy, LateCopy::no) == LateCopy::possible) disown(seat->number);
  end(seat);
}

/// The server knows nothing of its number any more, or nobody waits for its answer.
void FifoDesk::end(const Seat& seat) {
  line_.forget(seat->number);
  if (seats_.erase(seat->number) != 0) office_.gone(seat->number, name_);
  seat->phase = FifoSeat::Phase::fresh;
}

void FifoDesk::cancel(Seat seat, Answer<CancelAnswer> done) {
  const bool known = seat->phase != FifoSeat::Phase::fresh;
  seat->phase = FifoSeat::Phase::leaving;
  if (!known) {  // nothing was sent
    done({});
    return settle();
  }
  line_.leaves(seat->number);
  const BootTime sent = BootClock::now();
  const FifoOptions& options = office_.options();
  // An acquire may come after this: over another connection, where replicas are wanted, or kept back while a cluster
  // moves slots. No heartbeat would find what it then takes for a holder.
  const bool may_overtake = !seat->holder.empty();
  const LateCopy late_copy = may_overtake ? LateCopy::possible : seat->late_copy;
  office_.execute(place_.key,
                  cancel_command(office_.scripts(place_), place_, options.times, {seat->number, late_copy},
                                 office_.trust(place_.key)),
                  office_.limit(),
                  [self = shared_from_this(), seat, sent, done = std::move(done)](const RedisResult& result) mutable {
                    if (!result) return done(std::unexpected(lock_failure(result.error())));
                    const std::optional<CancelReply> reply = read_cancel(*result);
                    if (!reply) return done(std::unexpected(no_reply_at(self->place_)));
                    self->end(seat);
                    seat->phase = FifoSeat::Phase::ended;
                    done({});
                    self->carry_out(self->line_.answered(sent, BootClock::now(), reply->token, reply->grants));
                  });
  settle();
}

void FifoDesk::renew(const Seat& seat, Milliseconds length, BootTime useless_after, Answer<RenewAnswer> done) {
  const BootTime sent = BootClock::now();
  const FifoOptions& options = office_.options();
  const BootTime deadline = std::min(office_.limit(), std::max(useless_after, sent + least_patience));
  const auto send = seat->unsure ? &FifoOffice::execute_grant : &FifoOffice::execute;
  (office_.*send)(place_.key,
                  renew_command(office_.scripts(place_), place_, options.times,
                                {{seat->number, seat->token}, length, seat->holder}),
                  deadline,
                  [self = shared_from_this(), seat, sent, done = std::move(done)](const RedisResult& result) mutable {
                    if (!result) return done(lock_failure(result.error()));
                    const std::optional<RenewReply> reply = read_renew(*result);
                    if (!reply) return done(no_reply_at(self->place_));
                    if (reply->length > Milliseconds{0}) seat->passed_on = !seat->holder.empty();
                    if (reply->length <= Milliseconds{0}) {
                      done(Lost{});
                    } else if (seat->unsure) {
                      self->vouch(seat, Renewed{sent, reply->length}, std::move(done));
                    } else {
                      done(Renewed{sent, reply->length});
                    }
                    self->carry_out(self->line_.answered(sent, BootClock::now(), reply->token, {}));
                  });
}

void FifoDesk::vouch(const Seat& seat, Renewed renewed, Answer<RenewAnswer> done) {
  office_.when_replicated(place_.key, [self = shared_from_this(), seat, renewed,
                                       done = std::move(done)](std::optional<LockFailure> failure) mutable {
    if (failure) return done(std::move(*failure));
    seat->unsure = false;
    done(renewed);
  });
}

void FifoDesk::release(Seat seat, Try repeat, Answer<ReleaseAnswer> done) {
  seat->phase = FifoSeat::Phase::leaving;
  line_.leaves(seat->number);
  const BootTime sent = BootClock::now();
  office_.execute(
      place_.key,
      release_command(office_.scripts(place_), place_, office_.options().times,
                      {{seat->number, seat->token}, repeated(repeat), seat->late_copy}, office_.trust(place_.key)),
      office_.limit(),
      [self = shared_from_this(), seat, sent, done = std::move(done)](const RedisResult& result) mutable {
        if (!result) return done(std::unexpected(lock_failure(result.error())));
        const std::optional<ReleaseReply> reply = read_release(*result);
        if (!reply) return done(std::unexpected(no_reply_at(self->place_)));
        self->end(seat);
        seat->phase = FifoSeat::Phase::ended;
        done(outcome_of(*reply));
        self->carry_out(self->line_.answered(sent, BootClock::now(), reply->token, reply->grants));
      });
}

void FifoDesk::leave(const Seat& seat) {
  const FifoSeat::Phase phase = seat->phase;
  if (phase == FifoSeat::Phase::asked && seat->passed_on) {
    give_up_number(seat);
    seat->phase = FifoSeat::Phase::ended;
    settle();
  } else if (phase == FifoSeat::Phase::asked && seat->token != 0) {
    release(seat, Try::first, [](const ReleaseAnswer&) {});
  } else if (phase == FifoSeat::Phase::asked) {
    cancel(seat, [](const CancelAnswer&) {});
  } else {
    end(seat);
    seat->phase = FifoSeat::Phase::ended;
    settle();
  }
}

void FifoDesk::told(const FifoGrant& grant) { carry_out(line_.told(BootClock::now(), grant)); }

void FifoDesk::connected() {
  const FifoOffice::SteadyTime settled = office_.settled_since(place_.key);
  if (settled == std::exchange(settled_, settled) && settled != FifoOffice::SteadyTime::max()) return;
  reconnected();
}

void FifoDesk::reconnected() {
  std::vector<Seat> held;
  for (const auto& [number, seat] : seats_) {
    if (seat->token != 0 && seat->phase == FifoSeat::Phase::asked) held.push_back(seat);
  }
  for (const Seat& seat : held) seat->doubt();
  carry_out(line_.reconnected(BootClock::now()));
}

void FifoDesk::heard_again() {
  line_.heard_again(BootClock::now());
  settle();
}

void FifoDesk::carry_out(FifoSteps steps) {
  for (const auto& [number, grant] : steps.granted) {
    const auto found = seats_.find(number);
    if (found == seats_.end()) continue;
    const Seat seat = found->second;
    seat->token = grant.token.value_or(0);
    Grant given = grant;
    seat->unsure = office_.options().replicas != 0;
    if (seat->unsure || !seat->holder.empty()) given.kind = Grant::Kind::unsure;
    if (const auto events = seat->events.lock()) {
      events->granted(given);
    } else {
      leave(seat);
    }
  }
  for (const std::uint64_t number : steps.nudged) {
    const auto found = seats_.find(number);
    const auto events = found == seats_.end() ? nullptr : found->second->events.lock();
    if (events) events->worth_trying();
  }
  for (const FifoGrantId& stray : steps.strays) send_release(stray);
  if (steps.places_lost > 0)
    office_.tell([lost = steps.places_lost](LockObserver& observer) { observer.places_lost(lost); });
  if (steps.deaf) office_.inboxes().renew(place_.channel(), office_.limit());
  settle();
}

/// Sees to the next pulse, and tells the office where nobody needs this desk.
void FifoDesk::settle() {
  if (closed_) return;
  if (seats_.empty() && line_.is_empty() && busy_ == 0) {
    if (std::exchange(armed_, std::nullopt)) timer_.cancel();
    return office_.idle(*this);
  }
  const std::optional<BootTime> wake = line_.wake();
  // One that rings too early is set again then.
  if (!wake || (armed_ && *armed_ <= *wake)) return;
  armed_ = wake;
  timer_.expires_at(loop_deadline(*wake));
  timer_.async_wait([weak = weak_from_this()](boost::system::error_code cancelled) {
    const std::shared_ptr<FifoDesk> self = weak.lock();
    if (!cancelled && self) self->on_timer();
  });
}

void FifoDesk::on_timer() {
  armed_.reset();
  if (closed_) return;
  const std::optional<BootTime> wake = line_.wake();
  if (wake && BootClock::now() >= *wake) pulse();
  settle();
}

void FifoDesk::pulse() {
  const BootTime sent = BootClock::now();
  line_.pulse_sent(sent);
  const FifoOptions& options = office_.options();
  office_.execute(
      place_.key,
      pulse_command(office_.scripts(place_), place_, options.times, office_.trust(place_.key), line_.oldest_waiting()),
      office_.limit(), [self = shared_from_this(), sent](const RedisResult& result) {
        const std::optional<PulseReply> reply = result ? read_pulse(*result) : std::nullopt;
        FifoSteps steps;
        if (reply) {
          steps = self->line_.pulse_answered(sent, BootClock::now(), *reply);
          self->nudge_those_of(reply->owner, steps);
        } else {
          self->office_.tell([](LockObserver& observer) { observer.heartbeat_failed(); });
          steps = self->line_.pulse_failed();
        }
        self->carry_out(std::move(steps));
      });
}

/// A holder that waits here has got the lock elsewhere: asking again finds the grant, and its place is given up.
void FifoDesk::nudge_those_of(const std::string& owner, FifoSteps& steps) const {
  for (const auto& [number, seat] : seats_) {
    if (seat->holder.empty() || seat->holder != owner) continue;
    if (std::ranges::find(steps.nudged, number) == steps.nudged.end()) steps.nudged.push_back(number);
  }
}

void FifoDesk::close() {
  closed_ = true;
  timer_.cancel();
}

}  // namespace firstcome::lock
