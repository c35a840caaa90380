// Locks in a turn: decided by the book, stored with everything else, answered after the commit. Who must wait is kept
// aside, out of the batch, until the book says what became of it.
#include "engine/embedded/embedded_impl.hpp"

#include <firstcome/limits.hpp>

#include <utility>

namespace firstcome::engine {
namespace {

using lock::BookedGrant;
using lock::LockBook;

LockAnswer granted(const BookedGrant& grant, Instant now) {
  LockAnswer answer;
  answer.outcome = Outcome::done;
  answer.held = true;
  answer.token = grant.token;
  answer.expires_in = grant.until - now;
  return answer;
}

LockAnswer locked(Milliseconds retry_in) {
  LockAnswer answer;
  answer.outcome = Outcome::locked;
  answer.retry_after = retry_in;
  return answer;
}

LockAnswer with_outcome(Outcome outcome) {
  LockAnswer answer;
  answer.outcome = outcome;
  return answer;
}

LockAnswer decide(LockBook& book, const RenewLock& command, Instant now) {
  const BookedGrant* const grant = book.renew(command.name, command.lease, now);
  return grant != nullptr ? granted(*grant, now) : with_outcome(Outcome::lease_lost);
}

LockAnswer decide(LockBook& book, const ReleaseLock& command, Instant now) {
  return with_outcome(book.release(command.name, command.lease, now) ? Outcome::done : Outcome::lease_lost);
}

LockAnswer decide(LockBook& book, const FreeLock& command, Instant now) {
  return with_outcome(book.free(command.name, command.token, now) ? Outcome::done : Outcome::lease_lost);
}

LockAnswer decide(LockBook& book, const LeaveLock& command, Instant now) {
  book.leave(command.name, command.lease, command.request, now);
  return with_outcome(Outcome::done);
}

LockAnswer decide(LockBook& book, const InspectLock& command, Instant now) {
  const LockBook::View view = book.inspect(command.name, now);
  LockAnswer answer = view.grant != nullptr ? granted(*view.grant, now) : with_outcome(Outcome::done);
  answer.waiting = view.waiting;
  return answer;
}

void tell(LockObserver& observer, const LockBook::Event& event) {
  using Is = LockBook::Event::Is;
  switch (event.is) {
    case Is::acquired:
      return observer.acquired(event.name, event.after.value_or(Milliseconds{0}));
    case Is::not_acquired:
      return observer.not_acquired(event.name, event.why, event.after.value_or(Milliseconds{0}));
    case Is::lapsed:
      observer.lost(event.name);
      [[fallthrough]];
    case Is::released:
      if (event.after) observer.ended(event.name, *event.after);
      return;
    case Is::renewed:
      return observer.renewed(event.name, event.after.value_or(Milliseconds{0}));
    case Is::not_renewed:
      return observer.not_renewed(event.name, RenewOutcome::lost);
  }
}

}  // namespace

void EmbeddedEngine::Impl::restore_locks(Recovered& found) {
  locks = LockBook(limits::locks_waiting, limits::locks_held);
  for (BookedGrant& grant : found.locks) locks.restore(std::move(grant));
  locks.restore_last_token(found.last_lock_token);
  tell_of_locks();
}

EmbeddedEngine::Impl::Applied EmbeddedEngine::Impl::apply_to_locks(Operation& operation, Instant now) {
  const auto* const acquire = std::get_if<AcquireLock>(&operation.command);
  if (acquire == nullptr) {
    operation.answer = std::visit(
        [&]<class C>(const C& command) -> LockAnswer {
          if constexpr (requires { decide(locks, command, now); }) return decide(locks, command, now);
          std::unreachable();
        },
        operation.command);
    return Applied::answered;
  }
  const LockBook::Answer answer =
      locks.acquire({acquire->name, acquire->lease, acquire->length, acquire->wait, acquire->request}, now);
  switch (answer.is) {
    case LockBook::Answer::Is::granted:
      operation.answer = granted(*answer.grant, now);
      return Applied::answered;
    case LockBook::Answer::Is::locked:
      operation.answer = locked(answer.retry_in);
      return Applied::answered;
    case LockBook::Answer::Is::full:
      operation.answer = std::unexpected(Failure{FailureCode::overloaded, "too many locks are waited for or held"});
      return Applied::answered;
    case LockBook::Answer::Is::waits:
      break;
  }
  lock_waiters.emplace(static_cast<std::uint64_t>(answer.waiting), &operation);
  return Applied::waits_for_a_lock;
}

void EmbeddedEngine::Impl::collect_lock_waiters() {
  for (const LockBook::News& news : locks.take_news()) {
    const auto waiter = lock_waiters.find(static_cast<std::uint64_t>(news.waiting));
    waiter->second->answer = news.grant ? granted(*news.grant, last_now) : locked(news.retry_in);
    batch.push_back(waiter->second);
    lock_waiters.erase(waiter);
  }
}

void EmbeddedEngine::Impl::tell_of_locks() {
  counted.locks_held.store(locks.held(), std::memory_order_relaxed);
  counted.locks_waiting.store(locks.waiting(), std::memory_order_relaxed);
  const std::vector<LockBook::Event> events = locks.take_events();
  LockObserver* const observer = options.lock_observer.get();
  if (observer == nullptr) return;
  for (const LockBook::Event& event : events) tell(*observer, event);
  observer->held(locks.held());
  observer->waiting(locks.waiting());
}

void EmbeddedEngine::Impl::fail_lock_waiters(const Failure& failure) {
  for (const auto& [id, operation] : std::exchange(lock_waiters, {})) {
    operation->answer = std::unexpected(failure);
    operation->completed();
  }
}

void EmbeddedEngine::Impl::drop_lock_waiters(const Failure& failure) {
  locks.drop_waiters(NotAcquired::Why::unavailable, last_now);
  fail_lock_waiters(failure);
}

}  // namespace firstcome::engine
