// What became of the reservations, in SQL: one order for each that was confirmed, its payment, and the events that
// could not be stored. docs/orders.md describes the tables.
//
// Storing is idempotent: an event of a sale's sequence changes a row only where no later one of the same reservation
// has changed it, so any event may be brought any number of times, in any batches.
#pragma once

#include "engine/sql/database_url.hpp"
#include "engine/sql/sql_failure.hpp"
#include "events/event.hpp"
#include "events/orders/told.hpp"

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::events {

/// Why the database does nothing just now; nothing was stored, or (a connection that broke in a commit) what was stored
/// is not known. Bringing the same again is right in every case.
struct Trouble {
  using Kind = engine::SqlTrouble;
  Kind kind = Kind::other;
  std::string sentence;  ///< names the database, without its password
};

enum class OrderState : std::uint8_t { confirmed, returned };
enum class PaymentState : std::uint8_t { charged, refund_due, refunded };

std::string_view word(OrderState state);
std::string_view word(PaymentState state);

struct OrderPayment {
  std::string id;
  std::string account_number;  ///< empty: none
  PaymentState state{};

  bool operator==(const OrderPayment&) const = default;
};

struct Order {
  std::string reservation;
  std::string sale;
  Number number{};
  std::string customer;
  Units quantity = 0;
  Money amount = 0;
  std::string currency;
  std::string reference;  ///< empty: none
  OrderState state{};
  std::uint64_t sequence = 0;           ///< of the last event that changed it, in its sale
  std::optional<Instant> confirmed_at;  ///< nothing while only its return has arrived
  Instant updated_at;                   ///< of the last event that changed it
  Instant stored_at;                    ///< by the store's clock, when the row was first written
  std::optional<OrderPayment> payment;

  bool operator==(const Order&) const = default;
};

struct OrderPage {
  std::vector<Order> items;
  std::string next;  ///< ask again after this reservation; empty: that was all
};

/// What an audit compares: the values that the engine knows of a reservation too.
struct OrderSummary {
  std::string reservation;
  std::string sale;
  std::string customer;
  Units quantity = 0;
  Money amount = 0;
  std::string currency;
  std::string reference;  ///< empty: none
  OrderState state{};

  bool operator==(const OrderSummary&) const = default;
};

/// One event that could not be stored, or that waits behind one of its reservation.
struct FailedEvent {
  std::string id;           ///< the event's; of what is no event, made from where it came from
  std::string reservation;  ///< empty: of none, or of none that could be read
  std::string sale;
  std::uint64_t sequence = 0;
  std::string type;  ///< empty: it could not be read
  std::string body;  ///< as it came
  std::string error;
  std::uint32_t attempts = 0;  ///< 0: it waits behind another one
  Instant first_failed_at, last_failed_at, next_try_at;
  std::string source;  ///< where it came from, as `orders/3@1042`
};

struct FailedPage {
  std::vector<FailedEvent> items;
  std::string next;  ///< ask again after this; empty: that was all
};

/// What came in the place of an event and is none.
struct NoEvent {
  std::string id;      ///< made from where it came from: the same when it comes again
  std::string body;    ///< its first `failed_body_bytes` are kept
  std::string error;   ///< why it is none
  std::string source;  ///< `topic/partition@offset`
};

inline constexpr std::size_t failed_body_bytes = 64 * 1'024;
inline constexpr std::size_t order_batch_rows = 1'000;  ///< of one INSERT statement

struct Stored {
  std::size_t written = 0;  ///< events that are in the tables now, or had no place in them, or were there before
  std::size_t parked = 0;   ///< events that are in failed_events now
};

struct Retried {
  std::size_t stored = 0;
  std::size_t failed = 0;  ///< again
};

struct Discard {
  std::string reason;
  std::string by;  ///< who says so
};

/// Rows in which a customer was replaced.
struct Erased {
  std::size_t orders = 0;
  std::size_t payments = 0;
  std::size_t events = 0;  ///< failed and discarded ones
};

/// A customer whose name begins so was erased: who it was, nobody compares.
inline constexpr std::string_view erased_customer = "erased:";

/// The system's clock.
Instant wall_clock();

struct OrderStoreOptions {
  enum class Tables : std::uint8_t {
    make,    ///< or bring up to date, where that is needed
    expect,  ///< they must be there and up to date
  };
  engine::DatabaseUrl database;
  Tables tables = Tables::make;
  Milliseconds connect_timeout{5'000};
  Milliseconds statement_timeout{10'000};
  Milliseconds lock_timeout{2'000};           ///< for a lock of another session; whole seconds on MariaDB
  std::function<Instant()> now = wall_clock;  ///< what `stored_at` and `first_failed_at` are read from
  /// When it is asked to stop, all functions end with a trouble of the connection, within a second or so.
  std::stop_token stop = {};
};

/// All functions block, at most about `connect_timeout` + 3 × `statement_timeout` + `lock_timeout` × 3 each (paged ones
/// for each page). A connection that was lost is made anew at the next call.
/// Thread safety: one thread at a time; open a store for each thread.
class OrderStore {
 public:
  /// Connects and makes the tables. Failures: a sentence.
  static std::expected<std::unique_ptr<OrderStore>, std::string> open(OrderStoreOptions options);
  virtual ~OrderStore() = default;

  template <typename T>
  using Result = std::expected<T, Trouble>;

  /// Stores all of them in one transaction. Those that the database refuses for what they contain are parked with the
  /// error, and with them those of the same reservations behind them, now and later; all others are stored.
  virtual Result<Stored> store(std::span<const Event> events) = 0;

  /// Keeps what is no event among the failed ones. Repeats change nothing.
  virtual Result<void> park(const NoEvent& what) = 0;

  // --- failed events ---

  /// Tries those whose time has come, at most `limit`, each with the ones of its reservation, in order. What succeeds
  /// leaves the list; the rest is due later: 1 s, doubled each time, at most 10 min.
  virtual Result<Retried> retry_due(Instant now, std::size_t limit) = 0;
  virtual Result<std::uint64_t> failed_count() = 0;
  /// Returns how many are due at `now`. Those that somebody else tries just now are among them until that has ended.
  virtual Result<std::uint64_t> due_count(Instant now) = 0;
  /// By id. REQUIRES: 1 <= limit <= 1000.
  virtual Result<FailedPage> failed(const std::string& after, std::size_t limit) = 0;
  /// Makes one, and those of its reservation, due at once; without an id, all. Returns how many.
  virtual Result<std::uint64_t> retry_now(const std::optional<std::string>& id) = 0;
  /// Moves one to `discarded_events`; those behind it are due at once. Returns how many: 0 where there is none.
  virtual Result<std::uint64_t> discard(const std::string& id, const Discard& why) = 0;

  // --- personal data ---

  /// Puts `pseudonym` in the place of the customer, in all tables, and removes the numbers of accounts that they paid
  /// with. Events that come again do not bring the customer back. Cost: without an index on payments, a scan of them.
  virtual Result<Erased> erase(const std::string& customer, const std::string& pseudonym) = 0;

  // --- orders ---

  virtual Result<std::optional<Order>> order(const std::string& reservation) = 0;
  /// Returns the orders that there are of these reservations, in any order. REQUIRES: at most 1000 reservations.
  virtual Result<std::vector<Order>> orders_with(std::span<const std::string> reservations) = 0;
  /// By reservation. REQUIRES: 1 <= limit <= 1000.
  virtual Result<OrderPage> orders_of(const std::string& customer, const std::string& after, std::size_t limit) = 0;
  /// Calls `each` with every order of the sale, by number, read in pages: memory stays small, and an order that is
  /// stored meanwhile may be missing. `each` returns whether to go on.
  virtual Result<void> export_orders(const std::string& sale, const std::function<bool(const Order&)>& each) = 0;
  /// The same of what an audit compares, of one sale or of all, by reservation, but for those that are
  /// settled.
  virtual Result<void> summaries(const std::optional<std::string>& sale,
                                 const std::function<bool(const OrderSummary&)>& each) = 0;
  /// What the database was told of each sale.
  virtual Result<std::vector<Told>> told() = 0;
  /// Keeps that an operator has dealt with the orders of these reservations, which `summaries` and `count` leave out
  /// from then on. The orders stay.
  virtual Result<void> settle(std::span<const std::string> reservations, const Discard& why) = 0;
  /// Of which reservations that was said.
  virtual Result<std::vector<std::string>> settled() = 0;
  /// Orders of the sale, returned ones among them, whose reservations' ids begin with `prefix`: a sale that was deleted
  /// may have had the same name.
  virtual Result<std::uint64_t> count(const std::string& sale, const std::string& prefix) = 0;
};

}  // namespace firstcome::events
