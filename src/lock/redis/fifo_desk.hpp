// One lock as one process uses it: sends the scripts, and does what FifoLine makes of the replies and messages.
#pragma once

#include "lock/redis/fifo_line.hpp"
#include "lock/redis/fifo_office.hpp"

#include <atomic>
#include <forward_list>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace firstcome::lock {

/// One acquisition. On the loop's thread, but for `owner`, `call_in_doubt` and what never changes.
class FifoSeat {
 public:
  FifoSeat(std::uint64_t first_number, std::string owner, const Contention& wanted, std::weak_ptr<ContenderEvents> told)
      : name{wanted.share.of, wanted.name},
        number(first_number),
        lease(wanted.lease),
        share(wanted.share),
        holder(wanted.holder),
        events(std::move(told)) {
    rename(first_number, std::move(owner));
  }

  /// The present one: a number that the server refuses is replaced, always before there was a lease.
  const std::string& owner() const { return *owner_.load(); }
  void rename(std::uint64_t new_number, std::string owner) {
    number = new_number;
    token = 0;
    unsure = false;
    passed_on = false;
    late_copy = LateCopy::no;
    owner_ = &owners_.emplace_front(std::move(owner));
  }

  void call_in_doubt(std::function<void()> call) {
    const std::lock_guard guard(mutex_);
    in_doubt_ = std::move(call);
  }
  /// See Contender::held.
  void doubt() {
    std::unique_lock guard(mutex_);
    const std::function<void()> call = in_doubt_;
    guard.unlock();
    if (call) call();
  }

  const ShareName name;
  enum class Phase : std::uint8_t { fresh, asked, leaving, ended };
  Phase phase = Phase::fresh;
  std::uint64_t number;
  std::uint64_t token = 0;            ///< of the grant that it was told of
  bool refused = false;               ///< its last number was; twice in a row is the server's fault
  bool unsure = false;                ///< replicas may not have the grant, which is to be confirmed first
  bool passed_on = false;             ///< the holder has the lock in its place
  LateCopy late_copy = LateCopy::no;  ///< of an acquire with this number
  const Milliseconds lease;
  const Share share;
  const std::string holder;  ///< see Contention::holder
  const std::weak_ptr<ContenderEvents> events;

 private:
  std::forward_list<std::string> owners_;  ///< references to them stay good
  std::atomic<const std::string*> owner_ = nullptr;
  std::mutex mutex_;  ///< protects what follows
  std::function<void()> in_doubt_;
};

LockFailure no_reply_at(const FifoPlace& place);
ReleaseOutcome outcome_of(const ReleaseReply& reply);

/// Not thread-safe: use on the loop's thread only.
class FifoDesk : public std::enable_shared_from_this<FifoDesk> {
 public:
  using Seat = std::shared_ptr<FifoSeat>;

  FifoDesk(FifoOffice& office, ShareName name, FifoPlace place);

  // See Contender.
  void attempt(Seat seat, Attempt attempt, Answer<AttemptAnswer> done);
  void cancel(Seat seat, Answer<CancelAnswer> done);
  void renew(const Seat& seat, Milliseconds length, BootTime useless_after, Answer<RenewAnswer> done);
  void release(Seat seat, Try repeat, Answer<ReleaseAnswer> done);
  void shrink(const Seat& seat, std::uint32_t weight, Answer<ShrinkAnswer> done);
  // See LockBackend.
  void set_capacity(std::uint32_t capacity, Answer<std::expected<void, LockFailure>> done);
  void force_release(std::uint64_t token, Answer<std::expected<FreeOutcome, LockFailure>> done);
  void find_holder(const std::string& holder, Answer<HolderAnswer> done);
  void renew_holder(const std::string& holder, Answer<HolderAnswer> done);
  void release_holder(const std::string& holder, Answer<ReleaseAnswer> done);
  /// The contender has gone. What it still has or wants is given up, without waiting for an answer.
  void leave(const Seat& seat);

  void told(const FifoGrant& grant);
  /// Some connection was made: where it is this lock's, leases are doubtful and places in the queue uncertain.
  void connected();
  void heard_again();
  void close();

  const ShareName& name() const { return *name_; }
  const FifoPlace& place() const { return place_; }

 private:
  using Asking = std::pair<Attempt, Answer<AttemptAnswer>>;

  void may_hear(const Seat& seat, std::uint64_t token, Asking asking, std::optional<LockFailure> failure);
  void ask(const Seat& seat, Asking asking, Repeated repeated);
  void asked(const Seat& seat, std::uint64_t number, BootTime sent, Asking asking, const net::RedisResult& result);
  void vouch(const Seat& seat, AttemptAnswer answer, Answer<AttemptAnswer> done);
  void vouch(const Seat& seat, Renewed renewed, Answer<RenewAnswer> done);
  AttemptAnswer answer_of(const Seat& seat, BootTime sent, const AcquireReply& reply, Try repeat);
  Grant::Kind kind_of(const Seat& seat, const AcquireReply& reply, Try repeat) const;
  Impossible impossible(const Seat& seat, const AcquireReply& reply) const;
  void renumber(const Seat& seat);
  void give_up_number(const Seat& seat);
  void disown(std::uint64_t number);
  void end(const Seat& seat);
  void send_release(FifoGrantId grant);
  template <typename Reply>
  using Errand = Answer<std::expected<Reply, LockFailure>>;
  template <typename Reply>
  void run_errand(net::RedisCommand command, std::optional<Reply> (*read)(const net::RedisReply&), BootTime limit,
                  Errand<Reply> done);
  void find_replicated_holder(const std::string& holder, Answer<HolderAnswer> answer);
  Answer<HolderAnswer> busy_until(Answer<HolderAnswer> done);
  void renew_holder(const std::string& holder, Try repeat, BootTime limit, Answer<HolderAnswer> done);
  void release_holder(const ReleaseRequest& request, BootTime limit, Answer<ReleaseAnswer> done);
  void carry_out(FifoSteps steps);
  void settle();
  void on_timer();
  void pulse();
  void nudge_those_of(const std::string& owner, FifoSteps& steps) const;
  void reconnected();

  FifoOffice& office_;
  const std::shared_ptr<const ShareName> name_;
  const FifoPlace place_;
  FifoLine line_;
  std::unordered_map<std::uint64_t, Seat> seats_;  ///< by number
  net::RedisTimer timer_;
  std::optional<BootTime> armed_;
  /// The way to the server at the last `connected`; max: there was none.
  FifoOffice::SteadyTime settled_;
  std::size_t busy_ = 0;  ///< with what is of no seat, as strays that are released and waits for the inbox
  bool closed_ = false;
};

}  // namespace firstcome::lock
