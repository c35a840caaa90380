#include "lock/named_leases.hpp"

#include "lock/acquisition.hpp"
#include "lock/identity.hpp"
#include "lock/in_order.hpp"
#include "lock/named_lock.hpp"

#include <cassert>
#include <utility>

namespace firstcome::lock {

namespace {

using Why = NotAcquired::Why;
using Granted = std::move_only_function<void(NamedLeases::Acquired)>;
using Doubt = Acquisition::Refusal::Doubt;

std::string holder_of(std::string_view lease) { return "lease:" + identity_of(lease); }

NamedGrant named(const Grant& grant) { return {grant.token.value_or(0), deadline_of(grant.base, grant.length)}; }

template <typename Done, typename Said>
void answer(Done done, Said said) {
  complete([done = std::move(done), said = std::move(said)]() mutable { done(std::move(said)); });
}

NotAcquired not_known(const NotAcquired& reason) {
  return {Why::broken, "it is not known whether the lease has the lock: " +
                           (reason.detail.empty() ? std::string(text_of(reason.why)) : reason.detail)};
}

/// One call of `acquire`.
struct Wanted {
  std::shared_ptr<LockBackend> backend;
  std::string name;
  std::string holder;
  Milliseconds wait;
  Granted done;
};

/// It may have the lock all the same, by a request to another server, or by one of its own that was not answered.
void refused(Wanted wanted, Acquisition::Refusal refusal) {
  // Who asked once was answered by a look; who was stopped does not ask any more.
  const bool waited = wanted.wait > Milliseconds{0} && refusal.reason.why == Why::timed_out;
  if (refusal.doubt == Doubt::open) return answer(std::move(wanted.done), std::unexpected(not_known(refusal.reason)));
  if (refusal.doubt == Doubt::none && !waited)
    return answer(std::move(wanted.done), std::unexpected(std::move(refusal.reason)));
  const std::shared_ptr<LockBackend> backend = wanted.backend;
  backend->find_holder(wanted.name, wanted.holder,
                       [refusal = std::move(refusal), done = std::move(wanted.done)](HolderAnswer found) mutable {
                         if (found && *found) return answer(std::move(done), named(**found));
                         NotAcquired reason = std::move(refusal.reason);
                         if (!found) {
                           reason = not_known(not_acquired(found.error()));
                         } else if (reason.why == Why::broken) {
                           reason.why = Why::unavailable;  // nothing was done, and nothing will be
                         }
                         answer(std::move(done), std::unexpected(std::move(reason)));
                       });
}

NamedLeases::Found found_by(const HolderAnswer& said) {
  if (!said) return std::unexpected(said.error());
  if (!*said) return std::nullopt;
  return named(**said);
}

}  // namespace

void NamedLeases::acquire(std::string name, std::string_view lease, AcquireOptions options, Granted done) {
  assert(options.lease);
  std::optional<NotAcquired> no = refusal_of_name(name);
  if (!no && core_->is_of_a_parent()) no = not_acquired(of_a_parent());
  if (!no) no = refusal_of_lease(options.lease);
  if (no) return answer(std::move(done), std::unexpected(std::move(*no)));
  std::string holder = holder_of(lease);
  const Milliseconds wait = options.wait;
  Acquisition::Of of{.core = core_, .name = name, .share = {}, .options = std::move(options), .holder = holder};
  Wanted wanted{backend_, std::move(name), std::move(holder), wait, std::move(done)};
  Acquisition::begin(std::move(of), [wanted = std::move(wanted)](Acquisition::Result result) mutable {
    if (!result) return refused(std::move(wanted), std::move(result.error()));
    const NamedGrant grant = named(result->grant);
    // Before the answer: what the caller does next finds the queue without the place that it may still have there.
    result->contender.reset();
    answer(std::move(wanted.done), grant);
  });
}

void NamedLeases::renew(std::string name, std::string_view lease, std::move_only_function<void(Found)> done) {
  if (refusal_of_name(name)) return answer(std::move(done), std::nullopt);
  if (core_->is_of_a_parent()) return answer(std::move(done), std::unexpected(of_a_parent()));
  const BootTime asked = BootClock::now();
  backend_->renew_holder(name, holder_of(lease),
                         [core = core_, name, asked, done = std::move(done)](const HolderAnswer& said) mutable {
                           LockObserver& observer = core->observer();
                           if (said && *said) {
                             observer.renewed(name, BootClock::now() - asked);
                           } else {
                             observer.not_renewed(name, said ? RenewOutcome::lost : RenewOutcome::unknown);
                           }
                           answer(std::move(done), found_by(said));
                         });
}

void NamedLeases::release(std::string name, std::string_view lease, std::move_only_function<void(ReleaseAnswer)> done) {
  if (refusal_of_name(name)) return answer(std::move(done), ReleaseOutcome::lost);
  if (core_->is_of_a_parent()) return answer(std::move(done), std::unexpected(of_a_parent()));
  backend_->release_holder(name, holder_of(lease), [done = std::move(done)](ReleaseAnswer said) mutable {
    answer(std::move(done), std::move(said));
  });
}

}  // namespace firstcome::lock
