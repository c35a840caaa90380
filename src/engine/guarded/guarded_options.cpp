#include "engine/guarded/guarded_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace firstcome::engine {
namespace {

constexpr std::size_t most_workers = 1'024;
constexpr Milliseconds longest_lease = std::chrono::days{365};
constexpr Milliseconds longest_late_commit{10'000};
constexpr std::uint32_t most_admitted = 1'000'000;
constexpr Milliseconds longest_tick{60'000};
constexpr std::size_t longest_node_name = 64;

/// Which inventories a guard is for.
enum class Fits : std::uint8_t { all, sql, redis, postgresql_and_mysql, mysql, postgresql };

struct GuardRow {
  GuardKind kind;
  std::string_view word;
  Fits fits;
};

constexpr auto guards = std::to_array<GuardRow>({
    {GuardKind::none, "none", Fits::all},
    {GuardKind::mutex, "mutex", Fits::all},
    {GuardKind::row_lock, "row-lock", Fits::postgresql_and_mysql},
    {GuardKind::optimistic, "optimistic", Fits::sql},
    {GuardKind::conditional_update, "conditional-update", Fits::sql},
    {GuardKind::one_statement, "one-statement", Fits::postgresql_and_mysql},
    {GuardKind::unique_key, "unique-key", Fits::sql},
    {GuardKind::named_lock, "named-lock", Fits::mysql},
    {GuardKind::advisory_lock, "advisory-lock", Fits::postgresql},
    {GuardKind::setnx_try, "setnx-try", Fits::all},
    {GuardKind::setnx_spin, "setnx-spin", Fits::all},
    {GuardKind::redisson, "redisson", Fits::all},
    {GuardKind::fifo, "fifo", Fits::all},
    {GuardKind::redlock, "redlock", Fits::all},
    {GuardKind::incr, "incr", Fits::redis},
    {GuardKind::sadd_incr, "sadd-incr", Fits::redis},
    {GuardKind::limiter, "limiter", Fits::redis},
});

enum class Store : std::uint8_t { sqlite, postgresql, mysql, redis };

Store store_of(const InventoryUrl& inventory) {
  const auto* database = std::get_if<DatabaseUrl>(&inventory);
  if (database == nullptr) return Store::redis;
  switch (database->kind) {
    case DatabaseUrl::Kind::sqlite:
      return Store::sqlite;
    case DatabaseUrl::Kind::postgresql:
      return Store::postgresql;
    case DatabaseUrl::Kind::mariadb:
      break;
  }
  return Store::mysql;
}

std::string_view scheme_of(Store store) {
  constexpr std::array<std::string_view, 4> schemes{"sqlite", "postgresql", "mysql", "redis"};
  return schemes[static_cast<std::size_t>(store)];
}

bool fits(Fits where, Store store) {
  switch (where) {
    case Fits::all:
      return true;
    case Fits::sql:
      return store != Store::redis;
    case Fits::redis:
      return store == Store::redis;
    case Fits::postgresql_and_mysql:
      return store == Store::postgresql || store == Store::mysql;
    case Fits::mysql:
      return store == Store::mysql;
    case Fits::postgresql:
      return store == Store::postgresql;
  }
  return false;
}

std::string_view text_of(Fits where) {
  switch (where) {
    case Fits::all:
      break;
    case Fits::sql:
      return "sqlite://, postgresql:// or mysql://";
    case Fits::redis:
      return "redis://";
    case Fits::postgresql_and_mysql:
      return "postgresql:// or mysql://";
    case Fits::mysql:
      return "mysql://";
    case Fits::postgresql:
      return "postgresql://";
  }
  return "any inventory";
}

const GuardRow& row_of(GuardKind guard) { return guards[static_cast<std::size_t>(guard)]; }

/// What fits, in one line.
template <class Predicate>
std::string list_of(Predicate predicate) {
  std::string list;
  for (const GuardRow& row : guards) {
    if (!predicate(row)) continue;
    if (!list.empty()) list += ", ";
    list += row.word;
  }
  return list;
}

std::optional<std::string> inventory_problem(const GuardedOptions& options) {
  const auto* redis = std::get_if<net::RedisUrl>(&options.inventory);
  if (redis != nullptr && redis->topology == net::RedisUrl::Topology::redlock) {
    return "--inventory: redlock:// is for locks: the stock needs one store";
  }
  const Store store = store_of(options.inventory);
  const GuardRow& guard = row_of(options.guard);
  if (fits(guard.fits, store)) return std::nullopt;
  return fmt::format("--guard {} needs --inventory {}; with {}:// these fit: {}", guard.word, text_of(guard.fits),
                     scheme_of(store), list_of([&](const GuardRow& row) { return fits(row.fits, store); }));
}

std::optional<std::string> locks_problem(const GuardedOptions& options) {
  const std::string_view guard = row_of(options.guard).word;
  if (!uses_locks(options.guard)) {
    if (options.locks.empty()) return std::nullopt;
    return fmt::format("--locks is not for --guard {}; these use it: {}", guard,
                       list_of([](const GuardRow& row) { return uses_locks(row.kind); }));
  }
  const bool redlock = options.guard == GuardKind::redlock;
  if (options.locks.empty()) {
    if (redlock) return "--guard redlock needs --locks redlock://HOST:PORT,HOST:PORT,HOST:PORT";
    if (store_of(options.inventory) == Store::redis) return std::nullopt;
    return fmt::format("--guard {} needs --locks redis://HOST:PORT: a database keeps no such lock", guard);
  }
  const auto url = net::parse_redis_url(options.locks);
  if (!url) return fmt::format("--locks must be the URL of a Redis: {}", url.error());
  if ((url->topology == net::RedisUrl::Topology::redlock) == redlock) return std::nullopt;
  return redlock ? "--guard redlock needs --locks redlock://HOST:PORT,HOST:PORT,HOST:PORT"
                 : fmt::format("--locks redlock://... is for --guard redlock, not for {}", guard);
}

std::optional<std::string> choices_problem(const GuardedOptions& options) {
  const std::string_view guard = row_of(options.guard).word;
  const auto can_be_early = [](GuardKind kind) { return kind == GuardKind::mutex || uses_locks(kind); };
  if (options.release == ReleaseTime::before_commit && !can_be_early(options.guard)) {
    return fmt::format("--release before-commit needs a guard beside the transaction, which {} is not; these are: {}",
                       guard, list_of([&](const GuardRow& row) { return can_be_early(row.kind); }));
  }
  if (options.release != ReleaseTime::before_commit && options.commit_after.count() > 0) {
    return "--commit-after-ms is for --release before-commit: it is the time from letting the guard go to the commit";
  }
  if (options.fencing == Fencing::on && options.guard != GuardKind::fifo) {
    return fmt::format("--fencing on needs fencing tokens, which {} has none of; this has: fifo", guard);
  }
  return std::nullopt;
}

std::optional<std::string> numbers_problem(const GuardedOptions& options) {
  if (options.lease.count() <= 0 || options.lease > longest_lease) {
    return "--guard-lease-ms must be 1 to 31536000000 (a year)";
  }
  if (options.wait.count() < 0) return "--guard-wait-ms must be 0 or more";
  if (options.commit_after.count() < 0 || options.commit_after > longest_late_commit) {
    return "--commit-after-ms must be 0 to 10000";
  }
  if (options.workers == 0 || options.workers > most_workers) {
    return fmt::format("--guard-workers must be 1 to {}", most_workers);
  }
  if (options.admit_per_tick > most_admitted) return fmt::format("--admit-per-tick must be 0 to {}", most_admitted);
  if (options.tick.count() < 1 || options.tick > longest_tick) return "--tick-ms must be 1 to 60000";
  const auto plain = [](char c) { return c > ' ' && c <= '~'; };
  if (options.node.empty() || options.node.size() > longest_node_name || !std::ranges::all_of(options.node, plain)) {
    return fmt::format("--node must be 1 to {} visible ASCII characters", longest_node_name);
  }
  return std::nullopt;
}

bool begins_with_a_redis(std::string_view text) { return text.starts_with("redis") || text.starts_with("redlock"); }

}  // namespace

static_assert(guards.size() == static_cast<std::size_t>(GuardKind::limiter) + 1);
static_assert(std::ranges::is_sorted(guards, {}, &GuardRow::kind));

std::string_view text_of(GuardKind guard) { return row_of(guard).word; }

std::optional<GuardKind> guard_kind_of(std::string_view word) {
  const auto found = std::ranges::find(guards, word, &GuardRow::word);
  if (found == guards.end()) return std::nullopt;
  return found->kind;
}

std::string guard_words() {
  return list_of([](const GuardRow&) { return true; });
}

bool uses_locks(GuardKind guard) {
  using enum GuardKind;
  return guard == setnx_try || guard == setnx_spin || guard == redisson || guard == fifo || guard == redlock;
}

bool stands_beside(GuardKind guard) {
  return guard == GuardKind::none || guard == GuardKind::mutex || uses_locks(guard);
}

PayTime pay_time_of(const GuardedOptions& options) {
  return options.guard == GuardKind::one_statement ? PayTime::after : options.pay;
}

std::expected<InventoryUrl, std::string> parse_inventory_url(std::string_view text) {
  if (begins_with_a_redis(text)) {
    auto url = net::parse_redis_url(text);
    if (!url) return std::unexpected(std::move(url.error()));
    return std::move(*url);
  }
  auto url = parse_database_url(text, "inventory");
  if (url) return std::move(*url);
  const std::string_view scheme = text.substr(0, text.find("://"));
  const std::array<std::string_view, 5> known{"sqlite", "postgresql", "postgres", "mysql", "mariadb"};
  if (std::ranges::find(known, scheme) != known.end()) return std::unexpected(std::move(url.error()));
  return std::unexpected("it must be sqlite:///PATH, postgresql://..., mysql://... or redis://...");
}

std::optional<std::string> problem_of(const GuardedOptions& options) {
  if (auto problem = inventory_problem(options)) return problem;
  if (auto problem = locks_problem(options)) return problem;
  if (auto problem = choices_problem(options)) return problem;
  return numbers_problem(options);
}

}  // namespace firstcome::engine
