// What happens to one acquisition until it has a lease or is given up and forgotten, decided without I/O.
//
// Invariants:
//  * The caller gets exactly one answer: `steps.hold` or `steps.give_up`.
//  * Once given up, a backend that may know of this acquisition is told so (`steps.cancel`) until it answers, or until
//    whatever it may have granted must have lapsed: no orphans.
//  * A grant of which too little is left is renewed before it is handed out.
#pragma once

#include "lock/backend.hpp"

#include <cstdint>
#include <optional>
#include <random>

namespace firstcome::lock {

struct AcquireTerms {
  Milliseconds wait{0};   ///< 0 or less: once
  Milliseconds lease{0};  ///< as asked for
  Milliseconds outage_limit{10'000};
  LockBackoff backoff = {};
  std::uint64_t seed = 1;
  /// See LockBackend::answers.
  LockBackend::Answers answers = LockBackend::Answers::at_once;
};

/// What an event makes necessary, to be done in this order.
struct AcquireSteps {
  struct Confirmation {
    Milliseconds length;
    BootTime useless_after;
  };

  std::optional<Attempt> attempt = {};
  std::optional<Confirmation> confirm = {};  ///< renew it first
  std::optional<Try> cancel = {};
  std::optional<Grant> hold = {};           ///< the caller gets the lease
  std::optional<NotAcquired> give_up = {};  ///< the caller gets none
};

/// Not thread-safe.
class AcquireState {
 public:
  explicit AcquireState(AcquireTerms terms);

  // Events. `start` is the first.

  AcquireSteps start(BootTime now);
  AcquireSteps attempt_answered(BootTime now, const AttemptAnswer& answer);
  AcquireSteps granted(BootTime now, const Grant& grant);
  AcquireSteps worth_trying(BootTime now);
  AcquireSteps confirmed(BootTime now, const RenewAnswer& answer);
  AcquireSteps cancelled(BootTime now, const CancelAnswer& answer);
  /// Nothing but time has passed. To be called at `wake()` at the latest.
  AcquireSteps pass(BootTime now);
  /// The caller wants it no more, or the space ends.
  AcquireSteps give_up(BootTime now, NotAcquired::Why why);

  // What is.

  /// The caller has no answer yet.
  bool waits() const { return phase_ < Phase::leaving; }
  /// Nothing is left to do, for ever.
  bool ended() const { return phase_ == Phase::held || phase_ == Phase::gone; }
  std::optional<BootTime> wake() const;

 private:
  enum class Phase : std::uint8_t {
    asking,      ///< an attempt is under way
    pausing,     ///< until `again_at_`
    queued,      ///< the backend will say
    confirming,  ///< a renewal of `grant_` is under way
    leaving,     ///< given up; the backend may know of it
    held,
    gone,
  };

  void ask(BootTime now, AcquireSteps& steps);
  bool hears_nothing(BootTime now) const;
  void take(BootTime now, const Grant& grant, AcquireSteps& steps);
  void pause(BootTime now, Milliseconds length, Phase phase);
  void failed(BootTime now, const LockFailure& failure, AcquireSteps& steps);
  void busy(BootTime now, const Busy& busy, AcquireSteps& steps);
  void leave(BootTime now, NotAcquired reason, AcquireSteps& steps);
  void time_is_up(BootTime now, AcquireSteps& steps);
  Milliseconds next_pause(const LockBackoff& backoff);

  const AcquireTerms terms_;
  std::minstd_rand random_;
  Phase phase_ = Phase::asking;
  BootTime until_;
  Attempt::Mode mode_ = Attempt::Mode::once;

  bool maybe_there_ = false;  ///< the backend may know of this acquisition
  bool was_there_ = false;    ///< the backend was reached at least once
  bool nudged_ = false;       ///< `worth_trying` came while an attempt was under way
  Try repeat_ = Try::first;
  BootTime again_at_;
  Milliseconds last_pause_{0};
  std::optional<Grant> grant_;  ///< to be confirmed before it is handed out

  BootTime asked_at_;  ///< when the latest attempt was made
  std::optional<BootTime> failing_since_;
  LockFailure failure_;  ///< the last

  bool cancelling_ = false;  ///< a cancel is under way
  Try cancel_repeat_ = Try::first;
  BootTime surely_over_;  ///< what may have been granted has lapsed by then
};

NotAcquired not_acquired(const LockFailure& failure);

}  // namespace firstcome::lock
