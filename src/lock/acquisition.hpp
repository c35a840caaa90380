// The thin shell around AcquireState: a mutex, an alarm, the caller's stop_token, and calls to the contender.
#pragma once

#include "lock/acquire_state.hpp"
#include "lock/core.hpp"
#include "lock/in_order.hpp"
#include "lock/lease_state.hpp"

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
  using Done = std::move_only_function<void(Acquired)>;

  struct Of {
    std::shared_ptr<Core> core;
    std::string name;
    Share share;
    AcquireOptions options;
  };
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
  void add_answer(AcquireSteps& steps);
  void set_alarm();
  void on_alarm();
  template <class Event>
  void on(Event event);

  const std::shared_ptr<Core> core_;
  const std::string name_;
  const Share share_;
  const LeaseTerms lease_terms_;
  const BootTime since_;

  std::mutex mutex_;  ///< protects what follows
  AcquireState state_;
  std::shared_ptr<Contender> contender_;  ///< none at the end
  Done done_;
  std::optional<std::stop_callback<Stop>> stop_;
  bool closed_ = false;  ///< the alarms are out of bounds
  InOrder actions_;
  Alarms::Id alarm_ = Alarms::Id::none;
  std::optional<BootTime> alarm_at_;
};

}  // namespace firstcome::lock
