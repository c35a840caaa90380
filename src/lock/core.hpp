// What the locks, waits and leases of one space share, and the list of those that are under way.
#pragma once

#include "lock/alarms.hpp"
#include "lock/backend.hpp"
#include "lock/process_mark.hpp"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_set>

namespace firstcome::lock {

class Acquisition;
class HeldLease;

/// Thread safety: every member may be called from any thread.
class Core {
 public:
  Core(std::shared_ptr<LockBackend> backend, LockSettings settings, std::shared_ptr<Alarms> alarms);

  const LockSettings& settings() const { return settings_; }
  LockObserver& observer() const { return *observer_; }
  LockBackend& backend() const { return *backend_; }
  /// REQUIRES: the caller is registered and not closed; what is closed keeps off the alarms.
  Alarms& alarms() const { return *alarms_; }
  std::uint64_t next_seed();
  /// This process was forked from the one that made the space: it must keep off the rest, whose threads are not here.
  bool is_of_a_parent() const { return !process_.is_here(); }

  enum class Registered : std::uint8_t { yes, full, closed };
  /// From now on it waits, and is kept alive until `remove`.
  Registered add(const std::shared_ptr<Acquisition>& acquisition);
  /// It waits no longer; from now on it is in the background.
  void stopped_waiting();
  void remove(const std::shared_ptr<Acquisition>& acquisition);
  /// False: the space has ended; the lease is lost from its beginning.
  bool add(const std::shared_ptr<HeldLease>& lease);
  /// For the observer: one lease more is held, or one less.
  void lease_began();
  void lease_ended();
  void remove(const std::shared_ptr<HeldLease>& lease);

  /// Ends everything. Once.
  void close();

 private:
  void end_all_waits();
  void drain();
  void forget_all();
  void tell_held(std::ptrdiff_t change);

  const LockSettings settings_;
  LockObserver nobody_;
  LockObserver* const observer_;
  std::shared_ptr<LockBackend> backend_;
  std::shared_ptr<Alarms> alarms_;
  std::atomic<std::uint64_t> seed_;
  const ProcessMark process_;

  std::mutex mutex_;  ///< protects what follows
  std::condition_variable less_;
  bool closing_ = false;  ///< no new waits
  bool closed_ = false;   ///< no new leases
  std::size_t waiting_ = 0;
  std::size_t held_ = 0;
  std::unordered_set<std::shared_ptr<Acquisition>> acquisitions_;
  std::unordered_set<std::shared_ptr<HeldLease>> leases_;
};

}  // namespace firstcome::lock
