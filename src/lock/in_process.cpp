#include "lock/in_process.hpp"

#include "lock/identity.hpp"

#include <cassert>
#include <chrono>
#include <utility>

namespace firstcome::lock {

namespace {

LockFailure closed_failure() { return {LockFailure::Kind::closed, "the locks of this process have ended"}; }

}  // namespace

class InProcessLocks::Waiter final : public Contender, public std::enable_shared_from_this<Waiter> {
 public:
  Waiter(std::shared_ptr<InProcessLocks> locks, Contention contention, std::string owner,
         std::weak_ptr<ContenderEvents> events)
      : locks_(std::move(locks)),
        contention_(std::move(contention)),
        owner_(std::move(owner)),
        events_(std::move(events)) {}

  const std::string& owner() const override { return owner_; }
  void attempt(const Attempt& attempt, Answer<AttemptAnswer> done) override;
  void cancel(Try repeat, Answer<CancelAnswer> done) override;
  void renew(Milliseconds length, BootTime useless_after, Answer<RenewAnswer> done) override;
  void release(Try repeat, Answer<ReleaseAnswer> done) override;

  void tell(const Grant& grant) {
    if (const auto events = events_.lock()) {
      events->granted(grant);
    } else {
      release(Try::first, [](const ReleaseAnswer&) {});
    }
  }

 private:
  friend class InProcessLocks;

  AttemptAnswer attempt_now(const Attempt& attempt, News& news);

  const std::shared_ptr<InProcessLocks> locks_;
  const Contention contention_;
  const std::string owner_;
  const std::weak_ptr<ContenderEvents> events_;

  // With the mutex of the locks.
  std::shared_ptr<Waiter> next_;
  Waiter* previous_ = nullptr;
  bool waiting_ = false;
};

InProcessLocks::InProcessLocks(Settings settings, std::shared_ptr<Alarms> alarms)
    : settings_(std::move(settings)), alarms_(std::move(alarms)), last_token_(settings_.last_token) {}

InProcessLocks::~InProcessLocks() = default;

const LockTraits& InProcessLocks::traits() const {
  static constexpr LockTraits all{.kind = "in-process", .tokens = true, .fifo = true, .frees = true};
  return all;
}

std::shared_ptr<Contender> InProcessLocks::contend(Contention contention, std::weak_ptr<ContenderEvents> events) {
  const std::unique_lock guard(mutex_);
  std::string owner = settings_.identity + ":" + std::to_string(++last_owner_);
  return std::make_shared<Waiter>(shared_from_this(), std::move(contention), std::move(owner), std::move(events));
}

void InProcessLocks::Waiter::attempt(const Attempt& attempt, Answer<AttemptAnswer> done) {
  News news;
  AttemptAnswer answer = attempt_now(attempt, news);
  InProcessLocks::tell(news);
  done(std::move(answer));
}

AttemptAnswer InProcessLocks::Waiter::attempt_now(const Attempt& attempt, News& news) {
  const std::lock_guard guard(locks_->mutex_);
  if (locks_->closed_) return closed_failure();
  if (waiting_) return Queued{};
  const BootTime now = locks_->alarms_->now();
  if (const auto found = locks_->records_.find(contention_.name); found != locks_->records_.end()) {
    locks_->end_lapsed(found, now, news);
  }
  const auto at = locks_->records_.try_emplace(contention_.name).first;
  Record& record = at->second;
  if (!record.holder) return locks_->grant_to(record, shared_from_this(), now);
  assert(record.holder.get() != this);
  if (attempt.mode == Attempt::Mode::once) return Busy{};
  locks_->append(record, shared_from_this());
  locks_->watch(at->first, record);
  return Queued{};
}

void InProcessLocks::Waiter::cancel(Try /*repeat*/, Answer<CancelAnswer> done) {
  News news;
  {
    const std::lock_guard guard(locks_->mutex_);
    const auto at = locks_->records_.find(contention_.name);
    if (at != locks_->records_.end()) {
      if (waiting_) locks_->unlink(at->second, *this);
      if (at->second.holder.get() == this) locks_->hand_over(at, locks_->alarms_->now(), news);
    }
  }
  InProcessLocks::tell(news);
  done({});
}

void InProcessLocks::Waiter::renew(Milliseconds length, BootTime /*useless_after*/, Answer<RenewAnswer> done) {
  RenewAnswer answer = Lost{};
  {
    const std::lock_guard guard(locks_->mutex_);
    const BootTime now = locks_->alarms_->now();
    const auto at = locks_->records_.find(contention_.name);
    if (locks_->closed_) {
      answer = closed_failure();
    } else if (at != locks_->records_.end() && at->second.holder.get() == this && at->second.till > now) {
      at->second.till = now + length;
      answer = Renewed{now, length};
    }
  }
  done(std::move(answer));
}

void InProcessLocks::Waiter::release(Try /*repeat*/, Answer<ReleaseAnswer> done) {
  News news;
  ReleaseAnswer answer = ReleaseOutcome::lost;
  {
    const std::lock_guard guard(locks_->mutex_);
    const auto at = locks_->records_.find(contention_.name);
    if (locks_->closed_) {
      answer = std::unexpected(closed_failure());
    } else if (at != locks_->records_.end() && at->second.holder.get() == this) {
      // Also after its end, as long as nobody else wanted it.
      answer = ReleaseOutcome::released;
      locks_->hand_over(at, locks_->alarms_->now(), news);
    }
  }
  InProcessLocks::tell(news);
  done(std::move(answer));
}

void InProcessLocks::tell(News& news) {
  for (auto& [waiter, grant] : std::exchange(news, {})) waiter->tell(grant);
}

Grant InProcessLocks::grant_to(Record& record, std::shared_ptr<Waiter> waiter, BootTime now) {
  const Milliseconds length = waiter->contention_.lease;
  record.till = now + length;
  record.holder = std::move(waiter);
  record.token = ++last_token_;
  return {.token = record.token, .base = now, .length = length};
}

/// The holder has gone: the first in line has it, or nobody.
void InProcessLocks::hand_over(Records::iterator at, BootTime now, News& news) {
  Record& record = at->second;
  record.holder.reset();
  if (record.first) {
    std::shared_ptr<Waiter> next = record.first;
    unlink(record, *next);
    const Grant grant = grant_to(record, next, now);
    watch(at->first, record);
    news.emplace_back(std::move(next), grant);
  } else {
    drop_if_idle(at);
  }
}

void InProcessLocks::end_lapsed(Records::iterator at, BootTime now, News& news) {
  if (at->second.holder && at->second.till <= now) hand_over(at, now, news);
}

void InProcessLocks::append(Record& record, const std::shared_ptr<Waiter>& waiter) {
  waiter->waiting_ = true;
  waiter->previous_ = record.last;
  (record.last == nullptr ? record.first : record.last->next_) = waiter;
  record.last = waiter.get();
  ++record.waiting;
}

void InProcessLocks::unlink(Record& record, Waiter& waiter) {
  std::shared_ptr<Waiter> next = std::move(waiter.next_);
  (next ? next->previous_ : record.last) = waiter.previous_;
  waiter.waiting_ = false;
  --record.waiting;
  Waiter* const previous = std::exchange(waiter.previous_, nullptr);
  // Last: this may let go of the waiter itself, which its caller keeps alive.
  (previous == nullptr ? record.first : previous->next_) = std::move(next);
}

/// Only somebody who waits needs to know when the holder's time ends; a renewal moves that silently.
void InProcessLocks::watch(const std::string& name, Record& record) {
  if (record.waiting == 0 || record.alarm != Alarms::Id::none) return;
  record.alarm = alarms_->call_at(record.till, [weak = weak_from_this(), name] {
    if (const auto self = weak.lock()) self->on_alarm(name);
  });
}

void InProcessLocks::on_alarm(const std::string& name) {
  News news;
  {
    const std::lock_guard guard(mutex_);
    const auto at = records_.find(name);
    if (closed_ || at == records_.end()) return;
    at->second.alarm = Alarms::Id::none;
    end_lapsed(at, alarms_->now(), news);
    if (const auto still = records_.find(name); still != records_.end()) watch(name, still->second);
  }
  tell(news);
}

void InProcessLocks::drop_if_idle(Records::iterator at) {
  if (at->second.holder || at->second.first) return;
  if (at->second.alarm != Alarms::Id::none) alarms_->cancel(at->second.alarm);
  records_.erase(at);
}

void InProcessLocks::inspect(const std::string& name, Answer<std::expected<LockView, LockFailure>> done) {
  LockView view;
  view.waiting = 0;
  {
    const std::lock_guard guard(mutex_);
    const auto at = records_.find(name);
    const BootTime now = alarms_->now();
    if (at != records_.end() && at->second.holder && at->second.till > now) {
      view.held = true;
      view.token = at->second.token;
      view.expires_in = std::chrono::ceil<Milliseconds>(at->second.till - now);
      view.waiting = at->second.waiting;
      view.owner = at->second.holder->owner_;
    }
  }
  done(std::move(view));
}

void InProcessLocks::force_release(const std::string& name, std::uint64_t token,
                                   Answer<std::expected<FreeOutcome, LockFailure>> done) {
  News news;
  FreeOutcome outcome = FreeOutcome::not_held;
  {
    const std::lock_guard guard(mutex_);
    const BootTime now = alarms_->now();
    const auto at = records_.find(name);
    const bool held = at != records_.end() && at->second.holder && at->second.till > now;
    if (held && at->second.token == token) {
      outcome = FreeOutcome::freed;
      hand_over(at, now, news);
    } else if (held) {
      outcome = FreeOutcome::other_token;
    }
  }
  tell(news);
  done(outcome);
}

bool InProcessLocks::take_away(const std::string& name) {
  News news;
  bool taken = false;
  {
    const std::lock_guard guard(mutex_);
    const auto at = records_.find(name);
    taken = at != records_.end() && at->second.holder;
    if (taken) hand_over(at, alarms_->now(), news);
  }
  tell(news);
  return taken;
}

void InProcessLocks::close() {
  Records dropped;
  {
    const std::lock_guard guard(mutex_);
    closed_ = true;
    for (auto& [name, record] : records_) alarms_->cancel(record.alarm);
    dropped.swap(records_);
  }
  // One by one: a long line must not be destroyed by a chain of calls.
  for (auto& [name, record] : dropped) {
    while (record.first) unlink(record, *std::shared_ptr(record.first));
  }
}

}  // namespace firstcome::lock

namespace firstcome {

std::unique_ptr<LockSpace> make_in_process_locks(LockSettings settings) {
  // allowed: tokens must rise over restarts; nothing is measured by this
  const auto today = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  const auto micros = static_cast<std::uint64_t>(today.time_since_epoch().count());
  std::shared_ptr<lock::Alarms> alarms = lock::make_thread_alarms();
  auto locks =
      std::make_shared<lock::InProcessLocks>(lock::InProcessLocks::Settings{lock::random_identity(), micros}, alarms);
  return lock::make_lock_space(std::move(locks), std::move(settings), std::move(alarms));
}

}  // namespace firstcome
