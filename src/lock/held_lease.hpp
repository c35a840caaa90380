// The thin shell around LeaseState: a mutex, an alarm, a stop_source, and calls to the contender.
#pragma once

#include "lock/core.hpp"
#include "lock/in_order.hpp"
#include "lock/lease_state.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>

namespace firstcome::lock {

/// Thread safety: every member may be called from any thread.
class HeldLease : public std::enable_shared_from_this<HeldLease> {
 public:
  struct Of {
    std::shared_ptr<Core> core;
    std::shared_ptr<Contender> contender;
    std::string name;
    Share share;
    Grant grant;
    LeaseTerms terms;
    BootTime now;
  };
  /// The first object of a new lease.
  static Lease make(Of of);
  explicit HeldLease(Of of);  // for `make` only

  // What Lease offers.
  // In a process that was forked from the one that has the lease, it is lost, and nothing is done.
  bool lost() const;
  std::stop_token stop_token() const { return stop_.get_token(); }
  BootTime deadline() const;
  std::optional<std::uint64_t> token() const { return token_; }
  const std::string& owner() const { return owner_; }
  Lease again();
  void renew(Milliseconds length, std::move_only_function<void(RenewOutcome)> done);
  void shrink(std::uint32_t weight, std::move_only_function<void(ShrinkOutcome)> done);
  void give_back(std::move_only_function<void(ReleaseOutcome)> done);

  /// The space ends.
  void close(BootTime now);
  /// Whether the space's end should wait for it: it is being released.
  bool in_the_background() const;

 private:
  using Guard = std::unique_lock<std::mutex>;

  void carry_out(Guard& guard, LeaseSteps steps);
  void add_actions(LeaseSteps& steps);
  void set_alarm();
  void on_alarm();
  void on_doubt();
  void on_renewal(const RenewAnswer& answer);
  void on_release(const ReleaseAnswer& answer);
  void tell_of_the_end(BootTime now);

  const std::shared_ptr<Core> core_;
  const std::string name_;
  const Share share_;
  const std::optional<std::uint64_t> token_;
  const std::string owner_;
  const BootTime since_;
  std::stop_source stop_;

  mutable std::mutex mutex_;  ///< protects what follows
  LeaseState state_;
  std::shared_ptr<Contender> contender_;  ///< none at the end
  bool closed_ = false;                   ///< the alarms are out of bounds
  bool told_of_the_end_ = false;          ///< the observer was
  bool told_of_the_loss_ = false;         ///< the observer was
  bool removed_ = false;
  InOrder actions_;
  Alarms::Id alarm_ = Alarms::Id::none;
  std::optional<BootTime> alarm_at_;
  std::uint64_t last_renewal_ = 0;
  std::unordered_map<std::uint64_t, std::move_only_function<void(RenewOutcome)>> renewals_;
  std::move_only_function<void(ReleaseOutcome)> released_;
  bool releasing_ = false;
};

}  // namespace firstcome::lock
