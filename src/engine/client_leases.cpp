#include "engine/client_leases.hpp"

#include "lock/named_leases.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace firstcome::engine {
namespace {

using Said = ClientLeases::Said;

LockAnswer with_outcome(Outcome outcome) {
  LockAnswer answer;
  answer.outcome = outcome;
  return answer;
}

bool is_over(BootTime deadline) { return deadline <= BootClock::now(); }

LockAnswer granted(std::uint64_t token, BootTime deadline) {
  LockAnswer answer = with_outcome(Outcome::done);
  answer.held = true;
  answer.token = token;
  answer.expires_in = std::max(std::chrono::floor<Milliseconds>(deadline - BootClock::now()), Milliseconds{0});
  return answer;
}

LockAnswer granted(const Lease& lease) { return granted(lease.token().value_or(0), lease.deadline()); }

Said unknown(std::string detail) { return std::unexpected(Failure{FailureCode::outcome_unknown, std::move(detail)}); }

Said unavailable(std::string detail) {
  return std::unexpected(Failure{FailureCode::store_unavailable, std::move(detail)});
}

Said failed(const LockFailure& failure) {
  return failure.kind == LockFailure::Kind::broken ? unknown(failure.detail) : unavailable(failure.detail);
}

Said why_not(const NotAcquired& reason) {
  if (is_failure(reason.why)) return unavailable(reason.detail);
  if (reason.why == NotAcquired::Why::full)
    return std::unexpected(Failure{FailureCode::overloaded, "too many wait for locks"});
  LockAnswer answer = with_outcome(Outcome::locked);
  answer.retry_after = ClientLeases::usual_retry;
  return answer;
}

/// Leases of this process, found by their clients' names.
class LeasesHere final : public ClientLeases {
 public:
  LeasesHere(LockSpace& space, Post post) : space_(space), post_(std::move(post)) {}

  std::optional<LockAnswer> known(const Name& name) override {
    const Held* const held = find(name);
    if (held == nullptr) return std::nullopt;
    return granted(held->lease);
  }

  void acquire(Wanted wanted, Done done) override {
    AcquireOptions options{.wait = wanted.wait, .lease = wanted.length, .stop = std::move(wanted.stop)};
    space_.lock(wanted.name.lock)
        ->acquire(std::move(options), [this, name = wanted.name, length = wanted.length,
                                       done = std::move(done)](Acquired result) mutable {
          post_([this, name = std::move(name), length, done = std::move(done), result = std::move(result)]() mutable {
            acquired(name, length, std::move(result), std::move(done));
          });
        });
  }

  void renew(const Name& name, Done done) override {
    Held* const held = find(name);
    if (held != nullptr) return renew(name, *held, std::move(done));
    post_([done = std::move(done)]() mutable { done(with_outcome(Outcome::lease_lost)); });
  }

  void release(const Name& name, Done done) override {
    auto node = held_.extract(name);
    if (!node) {
      post_([done = std::move(done)]() mutable { done(with_outcome(Outcome::lease_lost)); });
      return;
    }
    node.mapped().when_lost.reset();
    node.mapped().lease.release([this, done = std::move(done)](ReleaseOutcome outcome) mutable {
      post_([done = std::move(done), outcome]() mutable {
        if (outcome == ReleaseOutcome::unknown) return done(unknown("the release was not answered"));
        done(with_outcome(outcome == ReleaseOutcome::released ? Outcome::done : Outcome::lease_lost));
      });
    });
  }

 private:
  struct Held {
    Lease lease;
    Milliseconds length{};
    std::optional<std::stop_callback<std::function<void()>>> when_lost;
  };

  Held* find(const Name& name) {
    const auto at = held_.find(name);
    return at != held_.end() && !at->second.lease.lost() ? &at->second : nullptr;
  }

  void acquired(const Name& name, Milliseconds length, Acquired result, Done done) {
    if (!result) {
      const std::optional<LockAnswer> earlier = known(name);  // by an earlier request of the same lease
      return done(earlier ? Said(*earlier) : why_not(result.error()));
    }
    Held& held = hold(name, std::move(*result), length);
    // A grant that was pushed begins as a short claim; the client is told of the lease it asked for.
    const bool is_claim = held.lease.deadline() - BootClock::now() < length / 2;
    if (is_claim) return renew(name, held, std::move(done));
    done(granted(held.lease));
  }

  Held& hold(const Name& name, Lease lease, Milliseconds length) {
    Held& held = held_[name];
    held.when_lost.reset();
    const std::stop_token lost = lease.stop_token();
    held.lease = std::move(lease);
    held.length = length;
    held.when_lost.emplace(lost, [this, name] {
      post_([this, name] {
        if (const auto at = held_.find(name); at != held_.end() && at->second.lease.lost()) held_.erase(at);
      });
    });
    return held;
  }

  void renew(const Name& name, Held& held, Done done) {
    held.lease.renew(held.length, [this, name, done = std::move(done)](RenewOutcome outcome) mutable {
      post_([this, name = std::move(name), done = std::move(done), outcome]() mutable {
        const Held* const now = find(name);
        if (outcome == RenewOutcome::unknown) return done(unknown("the renewal was not answered"));
        const bool renewed = outcome == RenewOutcome::renewed && now != nullptr;
        done(renewed ? granted(now->lease) : with_outcome(Outcome::lease_lost));
      });
    });
  }

  LockSpace& space_;
  const Post post_;
  std::unordered_map<Name, Held, HashOfName> held_;
};

/// Nothing is kept here: what keeps the locks knows the leases by their names.
class LeasesThere final : public ClientLeases {
 public:
  LeasesThere(lock::NamedLeases& leases, Post post) : leases_(leases), post_(std::move(post)) {}

  std::optional<LockAnswer> known(const Name& /*name*/) override { return std::nullopt; }

  void acquire(Wanted wanted, Done done) override {
    AcquireOptions options{.wait = wanted.wait, .lease = wanted.length, .stop = std::move(wanted.stop)};
    leases_.acquire(wanted.name.lock, wanted.name.lease, std::move(options),
                    [this, done = std::move(done)](const lock::NamedLeases::Acquired& result) mutable {
                      answer(std::move(done), said(result));
                    });
  }

  void renew(const Name& name, Done done) override {
    leases_.renew(name.lock, name.lease, [this, done = std::move(done)](const lock::NamedLeases::Found& found) mutable {
      answer(std::move(done), said(found));
    });
  }

  void release(const Name& name, Done done) override {
    leases_.release(name.lock, name.lease, [this, done = std::move(done)](const lock::ReleaseAnswer& released) mutable {
      answer(std::move(done), said(released));
    });
  }

 private:
  void answer(Done done, Said said) {
    post_([done = std::move(done), said = std::move(said)]() mutable { done(std::move(said)); });
  }

  static Said said(const lock::NamedLeases::Acquired& result) {
    if (result && is_over(result->deadline)) return unknown("the lease ended before its grant was known");
    if (result) return granted(result->token, result->deadline);
    if (result.error().why == NotAcquired::Why::broken) return unknown(result.error().detail);
    return why_not(result.error());
  }
  static Said said(const lock::NamedLeases::Found& found) {
    if (!found) return failed(found.error());
    if (!*found || is_over((*found)->deadline)) return with_outcome(Outcome::lease_lost);
    return granted((*found)->token, (*found)->deadline);
  }
  static Said said(const lock::ReleaseAnswer& released) {
    if (!released) return failed(released.error());
    if (*released == ReleaseOutcome::unknown) return unknown("it is not known whether the lock was released");
    return with_outcome(*released == ReleaseOutcome::released ? Outcome::done : Outcome::lease_lost);
  }

  lock::NamedLeases& leases_;
  const Post post_;
};

}  // namespace

std::unique_ptr<ClientLeases> make_client_leases(LockSpace& space, ClientLeases::Post post) {
  if (lock::NamedLeases* const leases = space.named_leases())
    return std::make_unique<LeasesThere>(*leases, std::move(post));
  return std::make_unique<LeasesHere>(space, std::move(post));
}

}  // namespace firstcome::engine
