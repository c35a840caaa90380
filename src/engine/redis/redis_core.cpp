#include "engine/redis/redis_core.hpp"

#include "engine/redis/server_check.hpp"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cassert>
#include <iterator>
#include <type_traits>
#include <utility>
#include <variant>

namespace firstcome::engine {
namespace {

/// From the system; without it nothing can be kept apart.
template <class Bytes>
void fill_at_random(Bytes& bytes) {
  [[maybe_unused]] const int made =
      RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  assert(made == 1);
}

std::string random_hex() {
  std::array<unsigned char, 8> bytes{};
  fill_at_random(bytes);
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

std::string random_node() {
  std::string node(8, '\0');
  fill_at_random(node);
  return node;
}

std::uint64_t random_seed() {
  std::array<std::uint64_t, 1> seed{};
  std::array<unsigned char, 8> bytes{};
  fill_at_random(bytes);
  for (const unsigned char byte : bytes) seed[0] = seed[0] << 8U | byte;
  return seed[0];
}

/// The answer where there is no such sale or reservation.
Answer not_found(const Command& command) {
  return std::visit([](const auto& one) { return Answer{typename std::decay_t<decltype(one)>::Answer{}}; }, command);
}

template <class C>
constexpr bool has_sale = requires(const C& command) { command.sale; };
template <class C>
constexpr bool has_ref = requires(const C& command) { command.ref; };

/// The sale was only looked for: whatever became of that, nothing was asked of it.
Failure undecided(Failure failure) {
  if (failure.code == FailureCode::outcome_unknown) failure.code = FailureCode::store_unavailable;
  return failure;
}

Failure no_locks() {
  return {FailureCode::not_supported, "the redis engine has no locks of its own: serve with --locks"};
}

}  // namespace

RedisCore::RedisCore(net::RedisClient& client, net::IoExecutor executor, RedisCoreOptions options,
                     RedisCoreEvents events)
    : client_(client),
      executor_(executor),
      options_(options),
      events_(std::move(events)),
      registry_(client),
      past_(client, registry_),
      office_{.client = client,
              .registry = registry_,
              .past = past_,
              .executor = executor,
              .node = random_node(),
              .durability = options.durability,
              .refusal_seed = random_seed(),
              .patience = options.patience,
              .outbox_limit = options.outbox_limit},
      poll_timer_(executor),
      watch_timer_(executor) {
  office_.complete = [this](Operation& operation) { complete(operation, std::move(operation.answer)); };
  office_.flush = [this] { events_.flush(); };
  office_.find_out = [this](SaleHandle handle, std::move_only_function<void(DeskOffice::Missing)> done) {
    find_out(handle, std::move(done));
  };
  office_.changed = [this](SaleHandle handle) { desk_changed(handle); };
}

RedisCore::~RedisCore() = default;

void RedisCore::open(SteadyTime deadline, std::move_only_function<void(std::expected<void, Failure>)> done) {
  check_server(client_, server_question("firstcome:sales", deadline),
               [this, deadline, done = std::move(done)](std::expected<void, std::string> checked) mutable {
                 if (!checked) return done(std::unexpected(Failure{FailureCode::store_unavailable, checked.error()}));
                 StoreSecret secret{};
                 fill_at_random(secret);
                 registry_.found(
                     random_hex(), secret, deadline,
                     [this, deadline, done = std::move(done)](std::expected<void, Failure> founded) mutable {
                       if (!founded) return done(std::move(founded));
                       past_.begin(deadline, [this, done = std::move(done)]() mutable {
                         watch();
                         done({});
                       });
                     });
               });
}

ServerQuestion RedisCore::server_question(std::string key, SteadyTime deadline) const {
  return {.key = std::move(key),
          .durability = options_.durability,
          .unknown = options_.unknown_settings,
          .deadline = deadline};
}

void RedisCore::complete(Operation& operation, std::expected<Answer, Failure> answer) {
  if (answer) {
    if (auto* tasks = std::get_if<PaymentTasksAnswer>(&*answer)) keep_new_tasks(tasks->tasks);
  }
  operation.answer = std::move(answer);
  events_.complete(operation);
}

void RedisCore::complete_now(Operation& operation, std::expected<Answer, Failure> answer) {
  complete(operation, std::move(answer));
  events_.flush();
}

void RedisCore::submit(Operation& operation) {
  if (!store_) return complete_now(operation, std::unexpected(store_.error()));
  std::visit(
      [&](const auto& command) {
        using C = std::decay_t<decltype(command)>;
        if constexpr (std::is_same_v<C, CreateSale>) {
          create(operation, command);
        } else if constexpr (std::is_same_v<C, DeleteSale>) {
          erase(operation, command);
        } else if constexpr (std::is_same_v<C, ListSales>) {
          list(operation, command);
        } else if constexpr (std::is_same_v<C, AuditSale>) {
          audit(operation, command);
        } else if constexpr (std::is_same_v<C, TakePaymentTasks>) {
          take_tasks(operation, command);
        } else if constexpr (std::is_same_v<C, ReadEvents>) {
          read_events(operation, command);
        } else if constexpr (std::is_same_v<C, FindUndelivered>) {
          find_undelivered(operation);
        } else if constexpr (std::is_same_v<C, ReadOutbox>) {
          read_outbox(operation, command);
        } else if constexpr (std::is_same_v<C, DeliverEvents>) {
          deliver(operation, command);
        } else if constexpr (std::is_same_v<C, ComparePast>) {
          compare_past(operation, command);
        } else if constexpr (std::is_same_v<C, ListLosses>) {
          list_losses(operation);
        } else if constexpr (std::is_same_v<C, SettleLosses>) {
          settle_losses(operation, command);
        } else if constexpr (has_sale<C>) {
          to_desk(operation,
                  {.id = std::string(command.sale), .handle = {}, .deadline = deadline_from_now(), .found = {}});
        } else if constexpr (has_ref<C>) {
          to_desk(operation, {.id = {}, .handle = command.ref.sale, .deadline = deadline_from_now(), .found = {}});
        } else {
          complete_now(operation, std::unexpected(no_locks()));
        }
      },
      operation.command);
}

// --- finding ---

void RedisCore::to_desk(Operation& operation, Lookup lookup) {
  const SteadyTime deadline = lookup.deadline;
  lookup.found = [this, &operation, deadline](DeskOr desk) {
    if (!desk) return complete_now(operation, std::unexpected(undecided(desk.error())));
    if (*desk == nullptr) return complete_now(operation, not_found(operation.command));
    (*desk)->submit(operation, deadline);
  };
  look_up(std::move(lookup));
}

/// Those about a sale that this node has not heard of wait for the list of sales to be read again, in their order.
void RedisCore::look_up(Lookup lookup) {
  if (try_known(lookup)) return;
  lookup.round = round_;
  lookups_.push_back(std::move(lookup));
  refresh_for_lookups();
}

bool RedisCore::try_known(Lookup& lookup) {
  SaleHandle handle = lookup.handle;
  if (!lookup.id.empty()) {
    const RegisteredSale* sale = registry_.find(lookup.id);
    if (sale == nullptr) return false;
    handle = sale->handle;
  } else if (registry_.id_of(handle).empty()) {
    return false;
  }
  with_desk(handle, std::move(lookup.found));
  return true;
}

void RedisCore::refresh_for_lookups() {
  if (refreshing_) return;
  refreshing_ = true;
  const std::uint64_t asked = ++round_;
  const SteadyTime latest = std::ranges::max_element(lookups_, {}, &Lookup::deadline)->deadline;
  registry_.refresh(latest, [this, asked](std::expected<void, Failure> result) {
    refreshing_ = false;
    for (Lookup& lookup : std::exchange(lookups_, {})) {
      if (result && try_known(lookup)) continue;
      if (lookup.round == asked) {
        lookups_.push_back(std::move(lookup));  // it came later: that answer, or failure, is not its own
      } else if (result) {
        lookup.found(DeskOr{nullptr});
      } else {
        lookup.found(std::unexpected(result.error()));
      }
    }
    if (!lookups_.empty()) refresh_for_lookups();
  });
}

void RedisCore::with_desk(SaleHandle handle, Found found) {
  if (const auto desk = desks_.find(value(handle)); desk != desks_.end()) return found(desk->second);
  auto& waiting = opening_[value(handle)];
  waiting.push_back({deadline_from_now(), std::move(found)});
  if (waiting.size() == 1) open_desk(handle, waiting.front().deadline);  // others may come while it is opened
}

void RedisCore::open_desk(SaleHandle handle, SteadyTime deadline) {
  if (options_.servers == RedisCoreOptions::Servers::one) return read_terms_of(handle, deadline);
  check_server(client_, server_question(SaleKeys(handle).hash, deadline),
               [this, handle, deadline, alive = std::weak_ptr(alive_)](std::expected<void, std::string> checked) {
                 if (alive.expired()) return;
                 if (checked) return read_terms_of(handle, deadline);
                 could_not_open(handle, deadline, {FailureCode::store_unavailable, checked.error()});
               });
}

void RedisCore::read_terms_of(SaleHandle handle, SteadyTime deadline) {
  const std::string key = SaleKeys(handle).hash;
  client_.execute(key, net::RedisCommand("HMGET", key, std::string_view{"o"}, std::string_view{"store"}), deadline,
                  [this, handle, deadline, alive = std::weak_ptr(alive_)](net::RedisResult result) {
                    if (alive.expired()) return;
                    if (is_worth_repeating(result, deadline)) return read_terms_of(handle, deadline);
                    if (!result) return could_not_open(handle, deadline, failure_of(result.error()));
                    if (result->at(1).text != registry_.store()) {
                      return find_out(handle, [this, handle, deadline](DeskOffice::Missing what) {
                        if (what == DeskOffice::Missing::erased) return desk_opened(handle, DeskOr{nullptr});
                        const bool lost = what == DeskOffice::Missing::lost;
                        could_not_open(handle, deadline,
                                       {lost ? FailureCode::store_lost : FailureCode::store_unavailable,
                                        "the store has lost the sale " + registry_.id_of(handle)});
                      });
                    }
                    auto terms = read_terms(result->at(0).text);
                    if (!terms) {
                      return desk_opened(
                          handle, std::unexpected(Failure{FailureCode::store_unavailable,
                                                          "the terms of a sale were written by another release"}));
                    }
                    desk_opened(handle, std::make_shared<SaleDesk>(office_, KnownSale{handle, std::move(*terms)}));
                  });
}

void RedisCore::desk_opened(SaleHandle handle, DeskOr desk) {
  if (desk && *desk) {
    desks_.emplace(value(handle), *desk);
    desk_changed(handle);
  }
  if (desk) note_trouble(handle, *desk ? (*desk)->trouble() : std::string{});
  const auto waiting = opening_.extract(value(handle));
  for (Opening& one : waiting.mapped()) one.found(desk);
}

/// Whoever came later than the one for whom it was asked has time left: it is asked once more for them.
void RedisCore::could_not_open(SaleHandle handle, SteadyTime deadline, const Failure& failure) {
  note_trouble(handle, failure.detail);
  std::vector<Opening> late;
  std::vector<Opening>& waiting = opening_[value(handle)];
  const auto later =
      std::ranges::stable_partition(waiting, [&](const Opening& one) { return one.deadline <= deadline; });
  std::ranges::move(waiting.begin(), later.begin(), std::back_inserter(late));
  waiting.erase(waiting.begin(), later.begin());
  if (waiting.empty()) {
    opening_.erase(value(handle));
  } else {
    open_desk(handle, waiting.back().deadline);
  }
  for (Opening& one : late) one.found(std::unexpected(failure));
}

/// Keys are not there. Only what the list does not name as open may be missing.
void RedisCore::find_out(SaleHandle handle, std::move_only_function<void(DeskOffice::Missing)> done) {
  registry_.refresh(deadline_from_now(),
                    [this, handle, done = std::move(done)](std::expected<void, Failure> result) mutable {
                      using enum DeskOffice::Missing;
                      if (!result) {
                        if (result.error().code == FailureCode::store_lost) store_ = result;
                        return done(result.error().code == FailureCode::store_lost ? lost : unknown);
                      }
                      const RegisteredSale* sale = registry_.find(registry_.id_of(handle));
                      if (sale != nullptr && sale->handle == handle && sale->phase == SalePhase::open)
                        return done(lost);
                      retire(handle);
                      done(erased);
                    });
}

/// It has been deleted.
void RedisCore::retire(SaleHandle handle) {
  marks_.erase(value(handle));
  troubles_.erase(value(handle));
  past_.forget(handle);
  forgotten_from_.erase(value(handle));
  if (const auto planned = planned_.find(value(handle)); planned != planned_.end()) {
    polls_.erase({planned->second, value(handle)});
    planned_.erase(planned);
  }
  const auto desk = desks_.find(value(handle));
  if (desk == desks_.end()) return;
  retired_.push_back(std::move(desk->second));
  desks_.erase(desk);
}

/// Desks of deleted sales end when nobody waits there any more. Answers may view their terms, until the turn in which
/// they are taken is over.
void RedisCore::let_retired_go() {
  std::erase_if(retired_, [this](std::shared_ptr<SaleDesk>& desk) {
    if (desk.use_count() > 1 || !desk->is_idle()) return false;
    events_.let_go(desk->share_sale());
    return true;
  });
}

// --- time ---

void RedisCore::desk_changed(SaleHandle handle) {
  const auto found = desks_.find(value(handle));
  if (found == desks_.end()) return;
  const SaleDesk& desk = *found->second;
  note_trouble(handle, desk.trouble());
  if (desk.head().charges) want_payments(handle);
  note_events(desk);
  SteadyTime& planned = planned_[value(handle)];
  polls_.erase({planned, value(handle)});
  planned = desk.next_poll();
  polls_.emplace(planned, value(handle));
  arm();
}

void RedisCore::arm() {
  if (polls_.empty() || polls_.begin()->first >= armed_) return;
  armed_ = polls_.begin()->first;
  poll_timer_.expires_at(armed_);
  poll_timer_.async_wait([this, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
    if (!error && !alive.expired()) poll_due();
  });
}

void RedisCore::poll_due() {
  armed_ = SteadyTime::max();
  const SteadyTime now = SteadyClock::now();
  while (!polls_.empty() && polls_.begin()->first <= now) {
    const std::uint64_t handle = polls_.begin()->second;
    polls_.erase(polls_.begin());
    // One that is calling plans again when it is answered.
    if (const auto desk = desks_.find(handle); desk != desks_.end()) desk->second->poll();
  }
  arm();
}

RedisCoreCounters RedisCore::counters() const {
  RedisCoreCounters counters{.calls = office_.calls,
                             .calls_repeated = office_.calls_repeated,
                             .commands = office_.commands_decided,
                             .rollbacks = office_.rollbacks,
                             .overloaded = office_.overloaded,
                             .sales = desks_.size() + retired_.size()};
  counters.undelivered = undelivered();
  counters.losses = past_.open_losses();
  for (const auto& [handle, desk] : desks_) counters.waiting += desk->waiting();
  return counters;
}

}  // namespace firstcome::engine
