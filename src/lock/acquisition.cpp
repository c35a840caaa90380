#include "lock/acquisition.hpp"

#include "lock/held_lease.hpp"

#include <utility>

namespace firstcome::lock {

namespace {

AcquireTerms acquire_terms(const Core& core, const AcquireOptions& options, std::uint64_t seed) {
  const LockSettings& settings = core.settings();
  return {.wait = core.backend().traits().waits ? options.wait : Milliseconds{0},
          .lease = options.lease.value_or(settings.watchdog_lease),
          .outage_limit = settings.outage_limit,
          .backoff = settings.backoff,
          .seed = seed,
          .answers = core.backend().answers()};
}

void refuse(Acquisition::Done done, NotAcquired::Why why) {
  done(std::unexpected(Acquisition::Refusal{.reason = {why, {}}}));
}

}  // namespace

LeaseTerms lease_terms(const Core& core, const AcquireOptions& options) {
  return {.length = options.lease.value_or(core.settings().watchdog_lease),
          .watchdog = options.lease ? Contention::Watchdog::no : Contention::Watchdog::yes,
          .release_limit = core.settings().release_limit};
}

void begin_lease(Acquisition::Of of, std::move_only_function<void(Acquired)> done) {
  auto make = [core = of.core, name = of.name, share = of.share, terms = lease_terms(*of.core, of.options),
               done = std::move(done)](Acquisition::Result result) mutable {
    if (!result) {
      complete([done = std::move(done), reason = std::move(result.error().reason)]() mutable {
        done(std::unexpected(std::move(reason)));
      });
      return;
    }
    core->lease_began();
    Lease lease = HeldLease::make({core, std::move(result->contender), name, share, result->grant, terms, result->now});
    complete([done = std::move(done), lease = std::move(lease)]() mutable { done(std::move(lease)); });
  };
  Acquisition::begin(std::move(of), std::move(make));
}

void Acquisition::begin(Of of, Done done) {
  const std::stop_token stop = of.options.stop;
  if (stop.stop_requested()) return refuse(std::move(done), NotAcquired::Why::stopped);
  auto self = std::make_shared<Acquisition>(std::move(of), std::move(done));
  switch (self->core_->add(self)) {
    case Core::Registered::full:
      return refuse(std::move(self->done_), NotAcquired::Why::full);
    case Core::Registered::closed:
      return refuse(std::move(self->done_), NotAcquired::Why::closed);
    case Core::Registered::yes:
      break;
  }
  self->start(stop);
}

Acquisition::Acquisition(Of of, Done done)
    : core_(std::move(of.core)),
      name_(std::move(of.name)),
      share_(of.share),
      holder_(std::move(of.holder)),
      lease_terms_(lease_terms(*core_, of.options)),
      since_(core_->alarms().now()),
      state_(acquire_terms(*core_, of.options, core_->next_seed())),
      done_(std::move(done)) {}

void Acquisition::start(const std::stop_token& stop) {
  Guard guard(mutex_);
  if (closed_ || !state_.waits()) return;  // the space was quicker
  contender_ =
      core_->backend().contend({name_, lease_terms_.length, lease_terms_.watchdog, share_, holder_}, weak_from_this());
  if (stop.stop_possible()) {
    // Registered without the mutex, since it may be called back at once.
    actions_.add([self = shared_from_this(), stop] {
      auto& callback = self->stop_;
      callback.emplace(stop, Stop{self->weak_from_this()});
    });
  }
  carry_out(guard, state_.start(core_->alarms().now()));
}

void Acquisition::Stop::operator()() const {
  if (const auto self = acquisition.lock()) self->give_up(NotAcquired::Why::stopped);
}

/// One event: decided, and done in order.
template <class Event>
void Acquisition::on(Event event) {
  Guard guard(mutex_);
  if (!closed_) carry_out(guard, event(core_->alarms().now()));
}

void Acquisition::granted(Grant grant) {
  on([&](BootTime now) { return state_.granted(now, grant); });
}

void Acquisition::worth_trying() {
  on([&](BootTime now) { return state_.worth_trying(now); });
}

void Acquisition::give_up(NotAcquired::Why why) {
  on([&](BootTime now) { return state_.give_up(now, why); });
}

void Acquisition::close() {
  Guard guard(mutex_);
  if (std::exchange(closed_, true)) return;
  if (alarm_ != Alarms::Id::none) core_->alarms().cancel(alarm_);
  contender_.reset();
  const auto self = shared_from_this();
  add_withheld(Refusal::Doubt::open);
  actions_.run(guard);
}

void Acquisition::carry_out(Guard& guard, AcquireSteps steps) {
  const auto self = shared_from_this();
  add_requests(steps);
  if (steps.cancel) {
    actions_.add([self, contender = contender_, repeat = *steps.cancel] {
      contender->cancel(repeat, [self](const CancelAnswer& answer) {
        self->on([&](BootTime now) {
          self->add_withheld(answer ? Refusal::Doubt::settled : Refusal::Doubt::open);
          return self->state_.cancelled(now, answer);
        });
      });
    });
  }
  // After the cancel was sent: what the caller does next finds the queue as if it had left already.
  if (steps.hold) {
    add_answer(Granted{contender_, *steps.hold, core_->alarms().now()});
  } else if (steps.give_up && !holder_.empty() && (doubtful_ || unanswered_ > 0)) {
    withheld_ = std::move(*steps.give_up);
    // What was sent for it was given up before. Whether the server knows that by now is likely, but not certain.
    if (!steps.cancel) add_withheld(Refusal::Doubt::settled);
  } else if (steps.give_up) {
    add_answer(std::unexpected(Refusal{.reason = std::move(*steps.give_up)}));
  }
  if (state_.ended()) add_withheld(Refusal::Doubt::open);
  if (state_.ended() && !closed_) {
    closed_ = true;
    if (alarm_ != Alarms::Id::none) core_->alarms().cancel(alarm_);
    contender_.reset();
    actions_.add([self] { self->core_->remove(self); });
  }
  set_alarm();
  actions_.run(guard);
}

void Acquisition::add_requests(AcquireSteps& steps) {
  const auto self = shared_from_this();
  if (steps.attempt || steps.confirm) ++unanswered_;
  if (steps.attempt) {
    actions_.add([self, contender = contender_, attempt = *steps.attempt] {
      contender->attempt(attempt, [self](const AttemptAnswer& answer) {
        self->on([&](BootTime now) {
          self->answered(std::get_if<LockFailure>(&answer));
          return self->state_.attempt_answered(now, answer);
        });
      });
    });
  }
  if (steps.confirm) {
    actions_.add([self, contender = contender_, confirm = *steps.confirm] {
      contender->renew(confirm.length, confirm.useless_after, [self](const RenewAnswer& answer) {
        self->on([&](BootTime now) {
          self->answered(std::get_if<LockFailure>(&answer));
          return self->state_.confirmed(now, answer);
        });
      });
    });
  }
}

void Acquisition::answered(const LockFailure* failure) {
  --unanswered_;
  if (failure != nullptr && failure->kind == LockFailure::Kind::broken) doubtful_ = true;
}

void Acquisition::add_withheld(Refusal::Doubt doubt) {
  if (!withheld_) return;
  add_answer(std::unexpected(Refusal{*std::exchange(withheld_, std::nullopt), doubt}));
}

/// The caller's answer. What it carries is moved out of here first: the caller may end everything.
void Acquisition::add_answer(Result result) {
  const BootTime now = closed_ ? since_ : core_->alarms().now();
  actions_.add([self = shared_from_this(), now, result = std::move(result), done = std::move(done_)]() mutable {
    self->stop_.reset();
    self->core_->stopped_waiting();
    LockObserver& observer = self->core_->observer();
    if (result) {
      observer.acquired(self->name_, now - self->since_);
    } else {
      observer.not_acquired(self->name_, result.error().reason.why, now - self->since_);
    }
    done(std::move(result));
  });
}

void Acquisition::set_alarm() {
  if (closed_) return;
  const std::optional<BootTime> wake = state_.wake();
  if (!wake || *wake == BootTime::max()) return;
  if (alarm_ != Alarms::Id::none && *alarm_at_ <= *wake) return;
  core_->alarms().cancel(alarm_);
  alarm_at_ = wake;
  alarm_ = core_->alarms().call_at(*wake, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->on_alarm();
  });
}

void Acquisition::on_alarm() {
  on([this](BootTime now) {
    alarm_ = Alarms::Id::none;
    return state_.pass(now);
  });
}

}  // namespace firstcome::lock
