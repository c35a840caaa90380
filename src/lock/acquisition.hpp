// The thin shell around AcquireState: a mutex, an alarm, the caller's stop_token, and calls to the contender.
#pragma once

#include "lock/acquire_state.hpp"
#include "lock/core.hpp"
#include "lock/in_order.hpp"
#include "lock/lease_state.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

namespace firstcome::lock {

/// Thread safety: every member may be called from any thread.
class Acquisition : public ContenderEvents, public std::enable_shared_from_this<Acquisition> {
 public:
  struct Of {
    std::shared_ptr<Core> core;
    std::string name;
    Share share;
    AcquireOptions options;
    std::string holder = {};  ///< see Contention
  };
  struct Granted {
    std::shared_ptr<Contender> contender;
    Grant grant;
    BootTime now;
  };
  struct Refusal {
    NotAcquired reason;
    /// Whether the holder may have the lock by this. Where there is none, a grant is given back in the background.
    enum class Doubt : std::uint8_t {
      none,     ///< not by this
      settled,  ///< maybe; a look sees what it has. The server was told to refuse what comes later
      open,     ///< maybe, also later
    } doubt = Doubt::none;
  };
  using Result = std::expected<Granted, Refusal>;
  /// Called once, within other calls: it uses `complete` for what it calls.
  using Done = std::move_only_function<void(Result)>;

  /// REQUIRES: name, share and lease have passed the checks.
  static void begin(Of of, Done done);
  Acquisition(Of of, Done done);

  void granted(Grant grant) override;
  void worth_trying() override;

  /// The caller wants it no more, or the space ends.
  void give_up(NotAcquired::Why why);
  /// The space ends: no calls, no alarms any more.
  void close();

 private:
  using Guard = std::unique_lock<std::mutex>;
  struct Stop {
    std::weak_ptr<Acquisition> acquisition;
    void operator()() const;
  };

  void start(const std::stop_token& stop);
  void carry_out(Guard& guard, AcquireSteps steps);
  void add_requests(AcquireSteps& steps);
  void add_answer(Result result);
  void add_withheld(Refusal::Doubt doubt);
  void answered(const LockFailure* failure);
  void set_alarm();
  void on_alarm();
  template <class Event>
  void on(Event event);

  const std::shared_ptr<Core> core_;
  const std::string name_;
  const Share share_;
  const std::string holder_;
  const LeaseTerms lease_terms_;
  const BootTime since_;

  std::mutex mutex_;  ///< protects what follows
  AcquireState state_;
  std::shared_ptr<Contender> contender_;  ///< none at the end
  Done done_;
  std::optional<std::stop_callback<Stop>> stop_;
  bool closed_ = false;                  ///< the alarms are out of bounds
  std::size_t unanswered_ = 0;           ///< attempts and confirmations
  bool doubtful_ = false;                ///< one of them was answered `broken`
  std::optional<NotAcquired> withheld_;  ///< until it is known whether its holder may have the lock
  InOrder actions_;
  Alarms::Id alarm_ = Alarms::Id::none;
  std::optional<BootTime> alarm_at_;
};

LeaseTerms lease_terms(const Core& core, const AcquireOptions& options);

/// An acquisition for a Lease. `done` is called as in Lock::acquire.
void begin_lease(Acquisition::Of of, std::move_only_function<void(Acquired)> done);

}  // namespace firstcome::lock
