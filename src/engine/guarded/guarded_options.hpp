// Which guard, around which inventory: the options of a guarded engine, and which of them fit together.
#pragma once

#include "engine/guarded/microsecond.hpp"
#include "engine/sql/database_url.hpp"
#include "net/redis/url.hpp"

#include <firstcome/gateway.hpp>
#include <firstcome/types.hpp>

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace firstcome::engine {

/// What keeps two writers apart. The text that users see is the enumerator with `-` for `_`.
enum class GuardKind : std::uint8_t {
  none,                ///< read in one transaction, write in another, 1 ms apart
  mutex,               ///< of the process
  row_lock,            ///< SELECT ... FOR UPDATE
  optimistic,          ///< UPDATE ... WHERE version = what was read; tried again where somebody was quicker
  conditional_update,  ///< UPDATE ... SET available = available - q WHERE available >= q
  one_statement,       ///< the same with the order in one statement, or one call of a procedure; it commits by itself
  unique_key,          ///< a row per unit, under a unique key; tried again where somebody was quicker
  named_lock,          ///< GET_LOCK of MariaDB, in the same session
  advisory_lock,       ///< pg_advisory_lock, in the same session
  setnx_try,           ///< SET NX, tried once
  setnx_spin,          ///< SET NX, tried again after random pauses
  redisson,            ///< Java's RLock
  fifo,                ///< ours
  redlock,             ///< over several servers
  incr,                ///< INCR of what is sold; what is too much is given back
  sadd_incr,           ///< SADD of the customer, then INCR
  limiter,             ///< INCR with a TTL lets as many in as there are units; whoever is in sells without a guard
};

std::string_view text_of(GuardKind guard);
std::optional<GuardKind> guard_kind_of(std::string_view word);
/// All of them, for a message.
std::string guard_words();
/// Whether it is a lock on Redis of our library.
bool uses_locks(GuardKind guard);
/// Whether it stands beside its inventory (guard.hpp); else it is a feature of the inventory.
bool stands_beside(GuardKind guard);

/// When the guard is let go: the second is the trap of a transaction that is wrapped around its lock.
enum class ReleaseTime : std::uint8_t { after_commit, before_commit };
/// Whether the charge is made while the guard is held, or after it, with the units given back where it fails.
enum class PayTime : std::uint8_t { inside, after };
/// Whether the inventory refuses the writes of a holder whose lease has passed to another. Needs fencing tokens (fifo).
enum class Fencing : std::uint8_t { off, on };

/// Where the stock and the orders are kept.
using InventoryUrl = std::variant<DatabaseUrl, net::RedisUrl>;

/// sqlite:///PATH, postgresql://..., mysql://... or redis://...; the error is one sentence without the password.
std::expected<InventoryUrl, std::string> parse_inventory_url(std::string_view text);

struct GuardedOptions {
  InventoryUrl inventory;
  GuardKind guard = GuardKind::conditional_update;
  ReleaseTime release = ReleaseTime::after_commit;
  PayTime pay = PayTime::inside;
  Fencing fencing = Fencing::off;
  std::string locks;  ///< URL of the servers of setnx, redisson, fifo, redlock; empty: the inventory's, if Redis
  Milliseconds lease{3'000};  ///< of these locks; nobody renews them
  Milliseconds wait{10'000};  ///< for a guard, after which a request is answered `busy`
  /// Of ReleaseTime::before_commit: what the service does in its transaction between letting the guard go and the
  /// commit.
  Milliseconds commit_after{0};
  std::size_t workers = 16;  ///< threads, each with a session of its own
  /// A waiting room before the guard: so many requests to buy are let in each tick, first come, first served. 0: none.
  std::uint32_t admit_per_tick = 0;
  Milliseconds tick{100};
  std::size_t queue_operations = 4'096;
  std::string node = "node";  ///< its name in what is told of an oversell
  /// Charges and blocks until the outcome is known. Thread-safe. Empty: every charge succeeds at once.
  std::function<ChargeResult(ChargeRequest)> charge = {};
  /// Pays a charge back, by its key, and blocks until that is done. Thread-safe. Empty: there is nothing to pay back.
  std::function<void(std::string)> refund = {};
  std::function<Microsecond()> now = wall_microseconds;  ///< thread-safe
  /// For tests: called by a worker between reading the stock and writing it. Thread-safe.
  std::function<void()> between_read_and_write = {};
};

/// When a sale of these options charges: one_statement leaves no room before its commit.
PayTime pay_time_of(const GuardedOptions& options);

/// Why these do not fit together, naming the option and what fits: "--guard row-lock needs an SQL inventory: with
/// redis:// there are none, mutex, ...". Nothing: they fit.
std::optional<std::string> problem_of(const GuardedOptions& options);

}  // namespace firstcome::engine
