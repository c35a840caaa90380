// Fair locks within one process, as a backend.
//
// Mechanism: one record per name that is held, with the list of those who wait. Whoever releases hands the lock to the
// first of them. A waiter is its own link of the list, so leaving costs the same however many wait. Tokens come from
// one counter for all names, which starts at the time of day, so that they rise over restarts of the process too.
#pragma once

#include "lock/alarms.hpp"
#include "lock/backend.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace firstcome::lock {

/// Thread safety: every member may be called from any thread.
class InProcessLocks final : public LockBackend, public std::enable_shared_from_this<InProcessLocks> {
 public:
  struct Settings {
    std::string identity;          ///< unique in the world; part of each owner's name
    std::uint64_t last_token = 0;  ///< the first token is higher
  };
  InProcessLocks(Settings settings, std::shared_ptr<Alarms> alarms);
  ~InProcessLocks() override;

  const LockTraits& traits() const override;
  std::shared_ptr<Contender> contend(Contention contention, std::weak_ptr<ContenderEvents> events) override;
  void inspect(const std::string& name, Answer<std::expected<LockView, LockFailure>> done) override;
  void force_release(const std::string& name, std::uint64_t token,
                     Answer<std::expected<FreeOutcome, LockFailure>> done) override;
  void close() override;

  /// For tests: the holder loses the lock and is not told, as when a server forgets. False: nobody had it.
  bool take_away(const std::string& name);

 private:
  class Waiter;
  friend class Waiter;
  struct Record {
    std::shared_ptr<Waiter> holder;
    BootTime till;
    std::uint64_t token = 0;        ///< of the latest grant
    std::shared_ptr<Waiter> first;  ///< of those who wait; each owns the next
    Waiter* last = nullptr;
    std::size_t waiting = 0;
    Alarms::Id alarm = Alarms::Id::none;  ///< at `till` or before, while somebody waits
  };
  using Records = std::unordered_map<std::string, Record>;
  /// Grants to be told of without the mutex.
  using News = std::vector<std::pair<std::shared_ptr<Waiter>, Grant>>;

  // All of these: with the mutex.
  Grant grant_to(Record& record, std::shared_ptr<Waiter> waiter, BootTime now);
  void hand_over(Records::iterator at, BootTime now, News& news);
  void end_lapsed(Records::iterator at, BootTime now, News& news);
  void append(Record& record, const std::shared_ptr<Waiter>& waiter);
  void unlink(Record& record, Waiter& waiter);
  void watch(const std::string& name, Record& record);
  void drop_if_idle(Records::iterator at);

  void on_alarm(const std::string& name);
  static void tell(News& news);

  const Settings settings_;
  const std::shared_ptr<Alarms> alarms_;

  mutable std::mutex mutex_;  ///< protects what follows
  bool closed_ = false;
  std::uint64_t last_owner_ = 0;
  std::uint64_t last_token_;
  Records records_;
};

}  // namespace firstcome::lock
