// What happens to one lease, decided without I/O: events and the time come in, what to do goes out.
//
// Invariants:
//  * The deadline is (when the request was sent) + (ms granted) - (a margin), and moves only by a renewal's own send
//    time, only forward.
//  * Lost is final: after `steps.lost` no answer, however good, makes it a lease again.
//  * One renewal is under way at a time. None is sent after the release.
//  * A release is repeated until it is answered or the lease must have ended by itself.
#pragma once

#include "lock/backend.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace firstcome::lock {

/// For clocks that run at different rates, and the rounding to milliseconds.
constexpr BootClock::duration margin_of(Milliseconds length) {
  return BootClock::duration(length) / 100 + std::chrono::milliseconds(2);
}

/// Until when a holder may believe in what was granted for `length` by a request sent at `base`.
constexpr BootTime deadline_of(BootTime base, Milliseconds length) { return base + length - margin_of(length); }

struct LeaseTerms {
  Milliseconds length{0};  ///< what a renewal asks for
  Contention::Watchdog watchdog = Contention::Watchdog::no;
  Milliseconds release_limit{3'000};  ///< after which a release without an answer is `unknown`
};

/// What an event makes necessary, to be done in this order.
struct LeaseSteps {
  struct Renewal {
    Milliseconds length;
    BootTime useless_after;
  };

  bool lost = false;  ///< the holder is told, once
  std::vector<std::pair<std::uint64_t, RenewOutcome>> renewals_answered = {};
  std::optional<BootClock::duration> renewal_lag = {};  ///< a renewal succeeded, this long after it was due
  std::optional<RenewOutcome> not_renewed = {};         ///< one was refused, or was not answered in time
  std::optional<Renewal> renew = {};
  std::optional<Try> release = {};
  std::optional<ReleaseOutcome> release_answered = {};  ///< once, after the last object was given back
};

/// Not thread-safe. Times given to it never run back by more than threads that race make them; that is harmless.
class LeaseState {
 public:
  LeaseState(const Grant& grant, LeaseTerms terms, BootTime now);

  // Events.

  /// Nothing but time has passed. To be called at `wake()` at the latest.
  LeaseSteps pass(BootTime now);
  /// The holder wants `length` from now on; answered in `renewals_answered` under `id`.
  LeaseSteps want_renewal(BootTime now, std::uint64_t id, Milliseconds length);
  LeaseSteps renewal_answered(BootTime now, const RenewAnswer& answer);
  /// What keeps the lock may have forgotten it: asks at once, for no more than is left where nothing else is due.
  LeaseSteps doubted(BootTime now);
  /// One more object.
  void share() { ++shares_; }
  /// One object less. `last`: what follows is the release; else the outcome for this object.
  std::pair<std::optional<ReleaseOutcome>, LeaseSteps> give_back(BootTime now);
  LeaseSteps release_answered(BootTime now, const ReleaseAnswer& answer);
  /// The space has ended: nothing more will be sent or answered.
  LeaseSteps close();

  // What is.

  bool lost(BootTime now) const { return lost_ || now >= deadline_; }
  BootTime deadline() const { return deadline_; }
  /// Nothing is left to do, for ever.
  bool ended() const { return phase_ == Phase::ended; }
  /// When `pass` is to be called; none: only after another event.
  std::optional<BootTime> wake() const;

 private:
  enum class Phase : std::uint8_t { held, releasing, ended };
  struct InFlight {
    BootTime due;
    Milliseconds length;
    std::vector<std::uint64_t> for_whom;
  };

  void look_at_the_time(BootTime now, LeaseSteps& steps);
  void lose(LeaseSteps& steps);
  void answer_renewals(RenewOutcome outcome, LeaseSteps& steps);
  void renew_if_due(BootTime now, LeaseSteps& steps);
  void take_renewal(BootTime now, const Renewed& renewed, LeaseSteps& steps);
  void renewal_failed(BootTime now, const LockFailure& failure, LeaseSteps& steps);
  void send_release(LeaseSteps& steps);
  void answer_release(ReleaseOutcome outcome, LeaseSteps& steps);
  Milliseconds never_shorter(BootTime now, Milliseconds length) const;
  void may_last_until(BootTime end) { surely_over_ = std::max(surely_over_, end); }

  const LeaseTerms terms_;
  Phase phase_ = Phase::held;
  bool lost_ = false;
  std::size_t shares_ = 1;
  BootTime deadline_;
  BootTime surely_over_;  ///< by then the backend has ended it, whatever was carried out late

  std::optional<BootTime> renew_at_;       ///< the next renewal of our own
  BootTime third_;                         ///< when a holder who renews by himself should have
  std::optional<BootTime> failing_since_;  ///< when the first of those renewals was due that failed one after another
  std::optional<InFlight> in_flight_;
  std::vector<std::uint64_t> wanted_;  ///< asked for by the holder, not sent yet
  bool doubted_ = false;               ///< to be asked for, and not sent yet
  Milliseconds wanted_length_{0};
  std::optional<Milliseconds> shortest_doubtful_;  ///< of renewals without an answer, which may be carried out late

  BootTime release_due_;                   ///< when the caller is told `unknown`
  std::optional<BootTime> release_again_;  ///< none while one is under way
  Milliseconds release_pause_{0};
  Try release_repeat_ = Try::first;
  bool release_told_ = false;
};

}  // namespace firstcome::lock
