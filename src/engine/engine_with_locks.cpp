#include "engine/engine_with_locks.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

namespace firstcome::engine {
namespace {

using Said = std::expected<Answer, Failure>;

template <class Command>
ClientLeases::Name name_of(const Command& command) {
  return {command.name, command.lease};
}

/// Nothing: it failed.
std::optional<Outcome> outcome_of(const Said& said) {
  if (!said) return std::nullopt;
  return std::get<LockAnswer>(*said).outcome;
}

LockAnswer with_outcome(Outcome outcome) {
  LockAnswer answer;
  answer.outcome = outcome;
  return answer;
}

Said unavailable(std::string detail) {
  return std::unexpected(Failure{FailureCode::store_unavailable, std::move(detail)});
}

Said ended() { return unavailable("the lock service has ended"); }

/// Of a request that left.
LockAnswer locked() {
  LockAnswer answer = with_outcome(Outcome::locked);
  answer.retry_after = ClientLeases::usual_retry;
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
    : below_(below), space_(std::move(space)), post_(std::move(post)), leases_(make_client_leases(*space_, post_)) {}

EngineWithLocks::~EngineWithLocks() { close(); }

void EngineWithLocks::close() { space_.reset(); }

void EngineWithLocks::submit(Operation& operation) {
  const bool ours = std::visit(
      [&]<class C>(const C& command) {
        if constexpr (std::is_same_v<typename C::Answer, LockAnswer>) {
          space_ ? apply(operation, command) : answer_later(operation, ended());
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

void EngineWithLocks::apply(Operation& operation, const AcquireLock& command) {
  const ClientLeases::Name name = name_of(command);
  if (const std::optional<LockAnswer> grant = leases_->known(name)) return answer_later(operation, *grant);
  const BootTime until = BootClock::now() + command.wait;
  if (const auto waits = waiting_.find(name); waits != waiting_.end() && command.wait > Milliseconds{0}) {
    Wait& wait = waits_.at(waits->second);
    if (until >= wait.askers.back().until && (wait.asks_again || !wait.stop.stop_requested())) {
      wait.askers.push_back({&operation, until});
      wait.length = command.length;
      return;
    }
  }
  leave(name);
  const std::uint64_t id = ++last_wait_;
  Wait& wait = waits_[id];
  wait.askers.push_back({&operation, until});
  wait.name = name;
  wait.length = command.length;
  waiting_[name] = id;
  wait_for_lock(id);
}

/// Until the first of those who ask has waited long enough.
void EngineWithLocks::wait_for_lock(std::uint64_t id) {
  Wait& wait = waits_.at(id);
  wait.until = wait.askers.front().until;
  wait.asked_for = wait.askers.size();
  if (const std::optional<LockAnswer> grant = leases_->known(wait.name))
    return post_([this, id, answer = *grant] { waited(id, answer); });
  const auto left = std::chrono::ceil<Milliseconds>(wait.until - BootClock::now());
  leases_->acquire({wait.name, wait.length, std::max(left, Milliseconds{0}), wait.stop.get_token()},
                   [this, id](Said said) { waited(id, std::move(said)); });
}

void EngineWithLocks::waited(std::uint64_t id, Said said) {
  auto node = waits_.extract(id);
  Wait& wait = node.mapped();
  const bool is_granted = outcome_of(said) == Outcome::done;
  const std::vector<Asker> answered = take_answered(wait, said);
  const auto latest = waiting_.find(wait.name);
  const bool is_latest = latest != waiting_.end() && latest->second == id;
  if (is_granted && !is_latest) ask_again(wait.name);
  std::vector<Asker> left_over;
  if (!wait.askers.empty() && is_latest && space_) {
    if (std::exchange(wait.asks_again, false)) wait.stop = {};
    waits_.insert(std::move(node));
    wait_for_lock(id);
  } else {
    left_over = std::exchange(wait.askers, {});
    if (is_latest) waiting_.erase(latest);
  }
  tell(answered, said);
  tell(left_over, space_ ? Said(locked()) : ended());
}

/// Takes out those whom this answer is for. The others ask again, as new arrivals.
std::vector<EngineWithLocks::Asker> EngineWithLocks::take_answered(Wait& wait, const Said& said) {
  std::vector<Asker>& askers = wait.askers;
  auto others = askers.end();
  const std::optional<Outcome> outcome = outcome_of(said);
  if (outcome == Outcome::done) {
    // Who asked after this request was sent may have released, through another server, what it was granted.
    others = askers.begin() + static_cast<std::ptrdiff_t>(wait.asked_for);
  } else if (wait.asks_again) {
    others = askers.begin();
  } else if (outcome == Outcome::locked && !wait.stop.stop_requested()) {
    others = std::ranges::find_if(askers, [&wait](const Asker& one) { return one.until > wait.until; });
  }
  std::vector<Asker> answered(askers.begin(), others);
  askers.erase(askers.begin(), others);
  return answered;
}

void EngineWithLocks::tell(const std::vector<Asker>& askers, const Said& said) {
  for (const Asker& asker : askers) {
    asker.operation->answer = said;
    asker.operation->completed();
  }
}

void EngineWithLocks::leave(const ClientLeases::Name& name) {
  const auto latest = waiting_.find(name);
  if (latest == waiting_.end()) return;
  Wait& wait = waits_.at(latest->second);
  wait.asks_again = false;
  wait.stop.request_stop();
}

/// An earlier request of the same lease was granted the lock: the latest one need not wait for it. It does not get the
/// same answer, which may be old by then: it asks again, and finds the grant if it is still there.
void EngineWithLocks::ask_again(const ClientLeases::Name& name) {
  const auto latest = waiting_.find(name);
  if (latest == waiting_.end()) return;
  Wait& later = waits_.at(latest->second);
  if (later.stop.stop_requested()) return;
  later.asks_again = true;
  later.stop.request_stop();
}

/// Other requests of the same lease go on waiting, in the same place.
void EngineWithLocks::apply(Operation& operation, const LeaveLock& command) {
  const auto latest = waiting_.find(name_of(command));
  if (latest != waiting_.end()) {
    Wait& wait = waits_.at(latest->second);
    std::vector<Asker>& askers = wait.askers;
    const auto asker = std::ranges::find_if(askers, [&command](const Asker& one) {
      return std::get<AcquireLock>(one.operation->command).request == command.request;
    });
    if (command.request == 0 || (askers.size() == 1 && asker != askers.end())) {
      leave(latest->first);
    } else if (asker != askers.end()) {
      answer_later(*asker->operation, locked());
      if (std::cmp_less(asker - askers.begin(), wait.asked_for)) --wait.asked_for;
      askers.erase(asker);
    }
  }
  answer_later(operation, with_outcome(Outcome::done));
}

void EngineWithLocks::apply(Operation& operation, const RenewLock& command) {
  leases_->renew(name_of(command), [&operation](Said said) {
    operation.answer = std::move(said);
    operation.completed();
  });
}

void EngineWithLocks::apply(Operation& operation, const ReleaseLock& command) {
  leases_->release(name_of(command), [&operation](Said said) {
    operation.answer = std::move(said);
    operation.completed();
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
