// The Redis engine on its own thread: finds the sale that an operation is about, hands it to that sale's desk, and has
// time and payments do their work in every sale.
//
// Split in files: redis_core.cpp (finding, polling), redis_readiness.cpp, redis_sales.cpp (create, delete, list),
// redis_payments.cpp, redis_losses.cpp, redis_outbox.cpp.
#pragma once

#include "engine/driven_engine.hpp"
#include "engine/redis/redis_audit.hpp"
#include "engine/redis/redis_past.hpp"
#include "engine/redis/sale_desk.hpp"
#include "engine/redis/server_check.hpp"

#include <firstcome/limits.hpp>

#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace firstcome::engine {

struct RedisCoreOptions {
  Durability durability = Durability::memory;
  std::chrono::milliseconds patience{2'000};
  UnknownSettings unknown_settings = UnknownSettings::refused;
  /// Whether every sale may be kept by another server, whose settings are to be checked too.
  enum class Servers : std::uint8_t { one, many } servers = Servers::one;
  std::uint64_t outbox_keep = limits::outbox_keep;  ///< see RedisEngineOptions, as the next two
  std::uint64_t outbox_limit = 0;
  Deliveries deliveries = Deliveries::none;
};

/// What the core tells, on its thread.
struct RedisCoreEvents {
  std::function<void(Operation&)> complete = {};  ///< its answer is there
  std::function<void()> flush = {};               ///< no more of them for now
  std::function<void()> payment_work = {};
  std::function<void(SaleHandle)> events_written = {};
  std::function<void(Readiness)> readiness = {};
  /// Terms of a deleted sale. Answers that were given before may view them.
  std::function<void(std::shared_ptr<const KnownSale>)> let_go = {};
};

struct RedisCoreCounters {
  std::uint64_t calls = 0;
  std::uint64_t calls_repeated = 0;
  std::uint64_t commands = 0;
  std::uint64_t rollbacks = 0;
  std::uint64_t overloaded = 0;
  std::uint64_t sales = 0;
  std::uint64_t waiting = 0;
  std::uint64_t undelivered = 0;
  std::uint64_t losses = 0;
};

/// Not thread-safe: on the client's executor only.
class RedisCore {
 public:
  using SteadyClock = std::chrono::steady_clock;
  using SteadyTime = SteadyClock::time_point;

  RedisCore(net::RedisClient& client, net::IoExecutor executor, RedisCoreOptions options, RedisCoreEvents events);
  ~RedisCore();

  /// Finds the store or makes it, and checks the server.
  void open(SteadyTime deadline, std::move_only_function<void(std::expected<void, Failure>)> done);
  void submit(Operation& operation);
  const StoreSecret& secret() const { return registry_.secret(); }
  const std::shared_ptr<StoreIdentity>& identity() const { return past_.identity(); }
  RedisCoreCounters counters() const;

 private:
  using DeskOr = std::expected<std::shared_ptr<SaleDesk>, Failure>;  ///< a null desk: there is no such sale
  using Found = std::move_only_function<void(DeskOr)>;
  struct Lookup {
    std::string id;       // or
    SaleHandle handle{};  // where the id is empty
    SteadyTime deadline;
    Found found;
    std::uint64_t round = 0;
  };
  using Replied = std::move_only_function<void(std::expected<net::RedisReply, Failure>)>;
  struct StreamQuestion {
    std::string id = {};     // or
    SaleHandle handle = {};  // where the id is empty
    Answer not_there;
    std::move_only_function<net::RedisCommand(const SaleKeys&)> command;
    std::move_only_function<std::optional<Answer>(const net::RedisReply&, const KnownSale&)> take;
    Incarnation (*told_in)(const net::RedisReply&) = nullptr;  // of a reply with events
  };
  /// Of a sale, as last heard.
  struct SeenMarks {
    SaleOutboxMarks marks;
    std::uint64_t told = 0;  // up to where `events_written` told
  };
  struct Listing;
  struct Finding;
  struct PastTour;
  class ViewRequest;
  class ForgottenRequest;

  SteadyTime deadline_from_now() const { return SteadyClock::now() + options_.patience; }
  ServerQuestion server_question(std::string key, SteadyTime deadline) const;
  void complete(Operation& operation, std::expected<Answer, Failure> answer);
  void complete_now(Operation& operation, std::expected<Answer, Failure> answer);

  // --- finding (redis_core.cpp) ---
  void to_desk(Operation& operation, Lookup lookup);
  void look_up(Lookup lookup);
  bool try_known(Lookup& lookup);
  void refresh_for_lookups();
  void with_desk(SaleHandle handle, Found found);
  void open_desk(SaleHandle handle, SteadyTime deadline);
  void read_terms_of(SaleHandle handle, SteadyTime deadline);
  void desk_opened(SaleHandle handle, DeskOr desk);
  void could_not_open(SaleHandle handle, SteadyTime deadline, const Failure& failure);
  void find_out(SaleHandle handle, std::move_only_function<void(DeskOffice::Missing)> done);
  void retire(SaleHandle handle);
  void let_retired_go();

  // --- time (redis_core.cpp) ---
  void desk_changed(SaleHandle handle);
  void arm();
  void poll_due();

  // --- readiness (redis_readiness.cpp) ---
  void watch();
  void open_missing_desks();
  void note_trouble(SaleHandle handle, const std::string& trouble);
  void note_store(SteadyTime asked_at, const std::expected<void, Failure>& store);
  bool has_settled() const;
  void tell_readiness();
  std::string warning() const;

  // --- sales (redis_sales.cpp) ---
  void create(Operation& operation, const CreateSale& command);
  void create_keys(Operation& operation, SaleHandle handle);
  void created(Operation& operation, SaleHandle handle, const net::RedisReply& reply);
  void show_created(Operation& operation, SaleHandle handle, Outcome outcome);
  void erase(Operation& operation, const DeleteSale& command);
  void erased(const std::string& id, SaleHandle handle, const SaleAnswer& answer);
  void finish_erasing();
  void finish_erasing(const std::string& id, SaleHandle handle, const Registry::Deletion& which);
  void list(Operation& operation, const ListSales& command);
  void audit(Operation& operation, const AuditSale& command);
  void add_losses(SaleHandle sale, AuditAnswer& answer) const;

  // --- payments (redis_payments.cpp) ---
  void want_payments(SaleHandle handle);
  void take_tasks(Operation& operation, const TakePaymentTasks& command);
  void keep_new_tasks(std::vector<PaymentTask>& tasks);
  void rescue_payments();

  // --- the past (redis_losses.cpp) ---
  void compare_past(Operation& operation, const ComparePast& command);
  void list_losses(Operation& operation);
  void settle_losses(Operation& operation, const SettleLosses& command);
  void ask_all(Operation& operation, std::vector<PastQuestion> questions);
  void ask_next(const std::shared_ptr<PastTour>& tour);

  // --- events (redis_outbox.cpp) ---
  void ask_sale(SaleHandle handle, net::RedisCommand command, SteadyTime deadline, Replied done);
  void ask_again_soon(SaleHandle handle, net::RedisCommand command, SteadyTime deadline, Replied done);
  void ask_stream(Operation& operation, StreamQuestion question);
  void read_events(Operation& operation, const ReadEvents& command);
  void read_outbox(Operation& operation, const ReadOutbox& command);
  void deliver(Operation& operation, const DeliverEvents& command);
  void find_undelivered(Operation& operation);
  void ask_marks(const std::shared_ptr<Finding>& finding);
  void found_undelivered(const Finding& finding);
  void learn_incarnation(Operation& operation, const KnownSale& sale, StreamQuestion question);
  void note_marks(SaleHandle handle, const SaleOutboxMarks& marks);
  void note_events(const SaleDesk& desk);
  std::uint64_t undelivered() const;

  net::RedisClient& client_;
  const net::IoExecutor executor_;
  const RedisCoreOptions options_;
  RedisCoreEvents events_;
  Registry registry_;
  RedisPast past_;
  DeskOffice office_;
  std::unordered_map<std::uint64_t, std::shared_ptr<SaleDesk>> desks_;
  std::deque<std::shared_ptr<SaleDesk>> retired_;  // somebody may wait there still
  struct Erasing {
    SteadyTime since;
    std::optional<Registry::Deletion> which;  // none: not heard yet
  };
  std::unordered_map<std::uint64_t, Erasing> erasing_;
  struct Opening {
    SteadyTime deadline;
    Found found;
  };
  std::unordered_map<std::uint64_t, std::vector<Opening>> opening_;
  std::vector<Lookup> lookups_;
  std::uint64_t round_ = 0;
  bool refreshing_ = false;
  std::expected<void, Failure> store_;
  std::expected<void, Failure> seen_ = std::unexpected(Failure{});  // by the last look at the store
  SteadyTime answers_since_ = SteadyTime::max();                    // the store; max: it does not
  bool is_ready_ = false;                                           // as it was told last
  std::unordered_map<std::uint64_t, std::string> troubles_;         // of sales that cannot be decided

  boost::asio::steady_timer poll_timer_;
  SteadyTime armed_ = SteadyTime::max();
  std::set<std::pair<SteadyTime, std::uint64_t>> polls_;
  std::unordered_map<std::uint64_t, SteadyTime> planned_;
  boost::asio::steady_timer watch_timer_;
  SteadyTime rescued_at_{};

  std::deque<std::uint64_t> payment_sales_;
  std::unordered_set<std::uint64_t> in_payment_sales_;
  std::deque<PaymentTask> forgotten_;
  std::unordered_map<std::uint64_t, std::uint64_t> forgotten_from_;
  std::map<std::pair<ReservationRef, PaymentTask::Action>, SteadyTime> handed_out_;

  std::unordered_map<std::uint64_t, SeenMarks> marks_;
  SaleHandle told_upto_{};  // where the next who look for undelivered events begin

  std::shared_ptr<RedisAudit> audit_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace firstcome::engine
