// What one node asks of one sale: a line of requests, and one call of the sale's script under way at a time.
//
// Mechanism. Requests gather while a call is under way; the next takes as many as fit (about a millisecond of the
// server's time). A call has a sequence, by which the script knows one that is sent again: so a call whose fate is not
// known (its connection broke) is simply repeated, and has one effect. What a call could not decide, because time had
// brought too much at once, stands first in the next.
//
// A request that has waited too long in the line fails alone, as `overloaded`: nothing was asked for it. One that would
// surely wait too long is refused at once. A call has a time of its own, however long those in it have waited.
//
// What other nodes do to the sale is found by looking at its counters now and then, the more seldom the longer nothing
// happens; the script is called only where they have changed, or time brings something.
//
// An answer is given when it is as durable as the office's `Durability` says.
#pragma once

#include "engine/redis/call_pace.hpp"
#include "engine/redis/redis_past.hpp"
#include "engine/redis/registry.hpp"
#include "engine/redis/sale_codec.hpp"
#include "sale/refusal_memory.hpp"

#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace firstcome::engine {

/// What is asked of a sale beside the commands of customers and shops. `read` or `fail` is called once.
class DeskRequest {
 public:
  virtual ~DeskRequest() = default;
  virtual void add(net::RedisCommand& call) = 0;
  /// Reads its part of the reply. False: that is no answer.
  virtual bool read(BinaryReader& reader, const CallHead& head) = 0;
  virtual void fail(const Failure& failure) = 0;
  /// Whether the answer is long; then it is asked for in a call of its own.
  virtual bool is_page() const { return false; }
};

/// What acknowledged answers survive.
enum class Durability : std::uint8_t {
  memory,      ///< what the server happens to have written
  aof,         ///< a crash of the server: it syncs its log before it answers
  replicated,  ///< the loss of the primary: a replica has it
};

/// What the desks of one node share.
struct DeskOffice {
  using SteadyClock = std::chrono::steady_clock;

  net::RedisClient& client;
  Registry& registry;
  RedisPast& past;
  net::IoExecutor executor;
  std::string node;  ///< 8 bytes that no other node has, ever
  Durability durability = Durability::memory;
  std::uint64_t refusal_seed = 0;
  std::chrono::milliseconds patience{2'000};  ///< how long a call may take, and a request may wait for its call
  std::uint64_t outbox_limit = 0;             ///< undelivered events, from which on no Reserve is accepted; 0: no limit
  sale::RefusalMemory refusals{};

  /// An operation has its answer.
  std::function<void(Operation&)> complete = {};
  /// No more of them for now.
  std::function<void()> flush = {};
  /// A sale's keys are not there; the desk asks what that means: erased, or lost.
  enum class Missing : std::uint8_t { erased, lost, unknown };
  std::function<void(SaleHandle, std::move_only_function<void(Missing)>)> find_out = {};
  /// A desk's next due time, or its payment work, has changed.
  std::function<void(SaleHandle)> changed = {};

  std::uint64_t calls = 0;
  std::uint64_t calls_repeated = 0;
  std::uint64_t commands_decided = 0;
  std::uint64_t rollbacks = 0;
  std::uint64_t overloaded = 0;
};

/// Not thread-safe: on the client's executor only.
class SaleDesk : public std::enable_shared_from_this<SaleDesk> {
 public:
  using SteadyClock = std::chrono::steady_clock;
  using SteadyTime = SteadyClock::time_point;

  SaleDesk(DeskOffice& office, KnownSale sale);

  /// REQUIRES: goes_to_sale(operation.command).
  void submit(Operation& operation, SteadyTime deadline);
  void submit(std::unique_ptr<DeskRequest> request, SteadyTime deadline);
  /// Has time do its work, or looks whether others have done something, where no call is under way.
  void poll();
  /// When to poll next; time_point::max() while a call is under way.
  SteadyTime next_poll() const;
  /// Whether nothing is asked or waits to be answered.
  bool is_idle() const { return !calling_ && !peeking_ && line_.empty(); }

  /// When the call under way was begun, however often it was sent since; time_point::max() where none is.
  SteadyTime calls_since() const { return calling_ ? called_at_ : SteadyTime::max(); }

  const KnownSale& sale() const { return *sale_; }
  /// For those who view its terms for longer than the desk is there.
  std::shared_ptr<const KnownSale> share_sale() const { return sale_; }
  /// Of the last reply; its outbox as it was looked at since.
  const CallHead& head() const { return head_; }
  std::size_t waiting() const { return line_.size() + under_way_.size(); }
  /// Why it cannot decide at present; empty: it can.
  const std::string& trouble() const { return trouble_; }

 private:
  struct Entry {
    Operation* operation = nullptr;  // or
    std::unique_ptr<DeskRequest> request;
    SteadyTime deadline;
    Asked asked = Asked::anew;
    ToldNumber told = {};  // of the reservation that is named, as it was understood when it came
  };
  enum class Fate : std::uint8_t { nothing_ran, may_have_run };

  void start();
  void expire_late(SteadyTime now);
  void gather();
  void peek();
  void peeked(const net::RedisResult& result);
  static bool is_page(const Entry& entry);
  Asked how_to_ask(const Entry& entry) const;
  net::RedisCommand build_call();
  void send();
  void look_at_past(std::optional<Instant> forgotten_call, std::move_only_function<void()> then);
  ToldNumber told_now(const Entry& entry) const;
  void drop_lost();
  void is_behind();
  void has_changed();
  void tell_rollback();
  void send_now();
  void answered(net::RedisResult result);
  void confirmed(std::string reply);
  void failed(const net::RedisFailure& failure);
  void missing();
  void again_soon();
  void make_sure(std::string reply);
  void take(std::string_view reply);
  void note(const CallHead& head);
  enum class Given : std::uint8_t { answered, ask_again, unreadable };
  Given give(Entry& entry, BinaryReader& reader);
  Given tell_refusal(const Entry& entry, ReserveAnswer& answer);
  void enter(Entry entry);
  void complete(Entry& entry, std::expected<Answer, Failure> answer);
  void tell_not_found(Entry& entry);
  void fail_batch(const Failure& failure);
  void fail_line(const Failure& failure);
  void give_up(const std::string& why, FailureCode code = FailureCode::store_unavailable);
  void erased();
  void refuse(Entry& entry, const std::string& why);
  void plan(SteadyTime now);
  SteadyTime next_peek(SteadyTime now);

  DeskOffice& office_;
  const std::shared_ptr<const KnownSale> sale_;
  const SaleKeys keys_;
  boost::asio::steady_timer pause_;

  std::deque<Entry> line_;
  std::vector<Entry> under_way_;
  bool calling_ = false;
  bool peeking_ = false;
  CallPace pace_;
  SteadyTime called_at_{};
  SteadyTime call_deadline_{};
  SteadyTime sent_at_{};
  SteadyTime looked_at_ = SteadyTime::min();  // at its past
  int looks_ = 0;                             // behind each other, before the call that is to be made
  Fate fate_ = Fate::nothing_ran;
  bool astray_ = false;         // something that was sent may arrive yet
  std::uint64_t sequence_ = 0;  // of the call under way, or the last
  std::uint64_t answered_ = 0;  // of the last that was answered and is kept
  Instant kept_at_{};           // when that was, by the sale's clock

  CallHead head_;
  std::optional<Memory> memory_;  // of the last reply, as it was told then
  SteadyTime next_poll_ = SteadyTime::min();
  SteadyTime due_at_ = SteadyTime::min();  // when time brings something; min: not known
  std::string counters_;                   // as they were when they were looked at last
  std::chrono::milliseconds peek_pause_;   // the longer the longer nothing happens
  std::minstd_rand jitter_;
  std::string trouble_;
  FailureCode trouble_code_ = FailureCode::store_unavailable;
};

}  // namespace firstcome::engine
