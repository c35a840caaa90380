#include "engine/engine_with_locks.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

namespace firstcome::engine {
namespace {

using Said = std::expected<Answer, Failure>;

constexpr Milliseconds usual_retry{1'000};

template <class Command>
std::string key_of(const Command& command) {
  return command.name + '\0' + command.lease;
}

LockAnswer with_outcome(Outcome outcome) {
  LockAnswer answer;
  answer.outcome = outcome;
  return answer;
}

LockAnswer granted(const Lease& lease) {
  LockAnswer answer = with_outcome(Outcome::done);
  answer.held = true;
  answer.token = lease.token().value_or(0);
  const auto left = std::chrono::floor<Milliseconds>(lease.deadline() - BootClock::now());
  answer.expires_in = std::max(left, Milliseconds{0});
  return answer;
}

Said unavailable(std::string detail) {
  return std::unexpected(Failure{FailureCode::store_unavailable, std::move(detail)});
}

Said why_not(const NotAcquired& reason) {
  if (is_failure(reason.why)) return unavailable(reason.detail);
  if (reason.why == NotAcquired::Why::full)
    return std::unexpected(Failure{FailureCode::overloaded, "too many wait for locks"});
  LockAnswer answer = with_outcome(Outcome::locked);
  answer.retry_after = usual_retry;
  return answer;
}

Said seen(const std::expected<LockView, LockFailure>& view) {
  if (!view) return unavailable(view.error().detail);
  LockAnswer answer = with_outcome(Outcome::done);
  answer.held = view->held;
  answer.token = view->token.value_or(0);
  answer.expires_in = view->expires_in.value_or(Milliseconds{0});
  answer.waiting = view->waiting.value_or(0);
  return answer;
}

Said freed(const std::expected<FreeOutcome, LockFailure>& outcome) {
  if (!outcome && outcome.error().kind == LockFailure::Kind::broken)
    return std::unexpected(Failure{FailureCode::outcome_unknown, outcome.error().detail});
  if (!outcome) return unavailable(outcome.error().detail);
  if (*outcome == FreeOutcome::not_offered)
    return std::unexpected(Failure{FailureCode::not_supported, "this kind of lock cannot be freed"});
  return with_outcome(*outcome == FreeOutcome::freed ? Outcome::done : Outcome::lease_lost);
}

}  // namespace

EngineWithLocks::EngineWithLocks(Engine& below, std::unique_ptr<LockSpace> space, Post post)
    : below_(below), space_(std::move(space)), post_(std::move(post)) {}

EngineWithLocks::~EngineWithLocks() { close(); }

void EngineWithLocks::close() { space_.reset(); }

void EngineWithLocks::submit(Operation& operation) {
  const bool ours = std::visit(
      [&]<class C>(const C& command) {
        if constexpr (std::is_same_v<typename C::Answer, LockAnswer>) {
          apply(operation, command);
          return true;
        } else {
          return false;
        }
      },
      operation.command);
  if (!ours) below_.submit(operation);
}

void EngineWithLocks::answer_later(Operation& operation, Said answer) {
  operation.answer = std::move(answer);
  post_([&operation] { operation.completed(); });
}

EngineWithLocks::Held* EngineWithLocks::find_held(const Key& key) {
  const auto at = held_.find(key);
  return at != held_.end() && !at->second.lease.lost() ? &at->second : nullptr;
}

void EngineWithLocks::apply(Operation& operation, const AcquireLock& command) {
  const Key key = key_of(command);
  if (const Held* held = find_held(key)) return answer_later(operation, granted(held->lease));
  const BootTime until = BootClock::now() + command.wait;
  if (const auto waits = waiting_.find(key); waits != waiting_.end() && command.wait > Milliseconds{0}) {
    Wait& wait = waits_.at(waits->second);
    if (until >= wait.askers.back().until && !wait.stop.stop_requested()) {
      wait.askers.push_back({&operation, until});
      wait.length = command.length;
      return;
    }
  }
  leave(key);
  const std::uint64_t id = ++last_wait_;
  waits_[id] = {{{&operation, until}}, key, command.length, space_->lock(command.name), {}, {}};
  waiting_[key] = id;
  wait_for_lock(id);
}

/// Until the first of those who ask has waited long enough.
void EngineWithLocks::wait_for_lock(std::uint64_t id) {
  Wait& wait = waits_.at(id);
  wait.until = wait.askers.front().until;
  const auto left = std::chrono::ceil<Milliseconds>(wait.until - BootClock::now());
  AcquireOptions options{.wait = std::max(left, Milliseconds{0}), .lease = wait.length, .stop = wait.stop.get_token()};
  wait.lock->acquire(std::move(options), [this, id](Acquired result) {
    post_([this, id, result = std::move(result)]() mutable { acquired(id, std::move(result)); });
  });
}

void EngineWithLocks::acquired(std::uint64_t id, Acquired result) {
  auto node = waits_.extract(id);
  Wait& wait = node.mapped();
  if (!result && result.error().why == NotAcquired::Why::timed_out && wait.askers.back().until > wait.until) {
    // Those who wait longer go on waiting, as new arrivals.
    const auto longer = std::ranges::find_if(wait.askers, [&wait](const Asker& one) { return one.until > wait.until; });
    Wait over{{wait.askers.begin(), longer}, wait.key, wait.length, nullptr, {}, {}};
    wait.askers.erase(wait.askers.begin(), longer);
    waits_.insert(std::move(node));
    wait_for_lock(id);
    return not_acquired(std::move(over), result.error());
  }
  if (const auto latest = waiting_.find(wait.key); latest != waiting_.end() && latest->second == id)
    waiting_.erase(latest);
  if (!result) return not_acquired(std::move(wait), result.error());
  Held& held = hold(wait.key, std::move(*result), wait.length);
  leave(wait.key);  // a later request of the same lease has it by this
  // A grant that was pushed begins as a short claim; the client is told of the lease it asked for.
  const bool is_claim = held.lease.deadline() - BootClock::now() < wait.length / 2;
  for (const Asker& asker : wait.askers) {
    if (is_claim) {
      renew(*asker.operation, held);
    } else {
      asker.operation->answer = granted(held.lease);
      asker.operation->completed();
    }
  }
}

void EngineWithLocks::not_acquired(Wait wait, const NotAcquired& reason) {
  for (const Asker& asker : wait.askers) {
    const Held* const held = find_held(wait.key);  // by an earlier request of the same lease
    asker.operation->answer = held != nullptr ? Said(granted(held->lease)) : why_not(reason);
    asker.operation->completed();
  }
}

EngineWithLocks::Held& EngineWithLocks::hold(const Key& key, Lease lease, Milliseconds length) {
  Held& held = held_[key];
  held.when_lost.reset();
  const std::stop_token lost = lease.stop_token();
  held.lease = std::move(lease);
  held.length = length;
  held.when_lost.emplace(lost, [this, key] {
    post_([this, key] {
      if (const auto at = held_.find(key); at != held_.end() && at->second.lease.lost()) held_.erase(at);
    });
  });
  return held;
}

void EngineWithLocks::leave(const Key& key) {
  const auto latest = waiting_.find(key);
  if (latest != waiting_.end()) waits_.at(latest->second).stop.request_stop();
}

/// Other requests of the same lease go on waiting, in the same place.
void EngineWithLocks::apply(Operation& operation, const LeaveLock& command) {
  const auto latest = waiting_.find(key_of(command));
  if (latest != waiting_.end()) {
    std::vector<Asker>& askers = waits_.at(latest->second).askers;
    const auto asker = std::ranges::find_if(askers, [&command](const Asker& one) {
      return std::get<AcquireLock>(one.operation->command).request == command.request;
    });
    if (command.request == 0 || (askers.size() == 1 && asker != askers.end())) {
      leave(latest->first);
    } else if (asker != askers.end()) {
      answer_later(*asker->operation, why_not({.why = NotAcquired::Why::stopped, .detail = {}}));
      askers.erase(asker);
    }
  }
  answer_later(operation, with_outcome(Outcome::done));
}

void EngineWithLocks::apply(Operation& operation, const RenewLock& command) {
  Held* const held = find_held(key_of(command));
  if (held == nullptr) return answer_later(operation, with_outcome(Outcome::lease_lost));
  renew(operation, *held);
}

/// REQUIRES: the operation's command names the lease of `held`.
void EngineWithLocks::renew(Operation& operation, Held& held) {
  held.lease.renew(held.length, [this, &operation](RenewOutcome outcome) {
    post_([this, &operation, outcome] {
      const auto* const acquire = std::get_if<AcquireLock>(&operation.command);
      const Held* const now =
          find_held(acquire != nullptr ? key_of(*acquire) : key_of(std::get<RenewLock>(operation.command)));
      if (outcome == RenewOutcome::renewed && now != nullptr) {
        operation.answer = granted(now->lease);
      } else if (outcome == RenewOutcome::unknown) {
        operation.answer = std::unexpected(Failure{FailureCode::outcome_unknown, "the renewal was not answered"});
      } else {
        operation.answer = with_outcome(Outcome::lease_lost);
      }
      operation.completed();
    });
  });
}

void EngineWithLocks::apply(Operation& operation, const ReleaseLock& command) {
  auto node = held_.extract(key_of(command));
  if (!node) return answer_later(operation, with_outcome(Outcome::lease_lost));
  node.mapped().when_lost.reset();
  node.mapped().lease.release([this, &operation](ReleaseOutcome outcome) {
    post_([&operation, outcome] {
      if (outcome == ReleaseOutcome::unknown) {
        operation.answer = std::unexpected(Failure{FailureCode::outcome_unknown, "the release was not answered"});
      } else {
        operation.answer = with_outcome(outcome == ReleaseOutcome::released ? Outcome::done : Outcome::lease_lost);
      }
      operation.completed();
    });
  });
}

void EngineWithLocks::apply(Operation& operation, const InspectLock& command) {
  space_->inspect(command.name, [this, &operation](std::expected<LockView, LockFailure> view) {
    post_([&operation, view = std::move(view)] {
      operation.answer = seen(view);
      operation.completed();
    });
  });
}

void EngineWithLocks::apply(Operation& operation, const FreeLock& command) {
  space_->force_release(command.name, command.token,
                        [this, &operation](const std::expected<FreeOutcome, LockFailure>& outcome) {
                          post_([&operation, outcome] {
                            operation.answer = freed(outcome);
                            operation.completed();
                          });
                        });
}

}  // namespace firstcome::engine
