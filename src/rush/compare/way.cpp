#include "rush/compare/way.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace firstcome::rush {
namespace {

struct Guard {
  std::string_view name;
  std::string_view explanation;
};

// In the order in which they are shown. Two sentences each.
constexpr auto guards = std::to_array<Guard>({
    {"none",
     "Reads the stock in one transaction and writes what is left in the next, as code does that was never tried by two "
     "at once. Whoever reads in between sees units that are sold already."},
    {"mutex",
     "A mutex of the process stands around reading and writing. It knows nothing of the other process, which sells the "
     "same units."},
    {"row-lock",
     "SELECT ... FOR UPDATE locks the stock's row until the commit. Buyers wait in the database, one behind the other, "
     "each for the whole of the other's transaction."},
    {"optimistic",
     "The row has a version, and it is written only if it is still the one that was read. Whoever was too late tries "
     "again, so much of the work of a crowd is done in vain."},
    {"conditional-update",
     "One statement takes the units only where there are enough: UPDATE ... SET available = available - n WHERE "
     "available >= n. The database does the checking, in the moment of writing."},
    {"one-statement",
     "The same, and the order with it, in one statement that commits by itself: a WITH of an UPDATE and INSERTs on "
     "PostgreSQL, a procedure on MariaDB. The row is locked for no round trip; what is charged is charged after."},
    {"unique-key",
     "Each unit is a row under a unique key, so no unit can be inserted twice. Whoever was too late tries the next."},
    {"named-lock",
     "GET_LOCK takes a lock of MariaDB's by name, in the session that sells. It does not end with the transaction, "
     "which is why it can be held around one."},
    {"advisory-lock",
     "pg_advisory_lock takes a lock of PostgreSQL's by number, in the session that sells. The database knows nothing "
     "of what it stands for; all who sell must ask for it."},
    {"setnx-try",
     "SET NX on Redis, tried once: whoever does not get it is told to try again (busy). Nobody waits in the server, "
     "and "
     "nobody knows whose turn it is."},
    {"setnx-spin",
     "SET NX on Redis, tried again after random pauses until it succeeds. Redis answers all who ask in vain, and who "
     "is "
     "first is a matter of luck."},
    {"redisson",
     "The lock of Java's Redisson: a hash with a lease, and a message when it is let go. Everyone who waits is woken "
     "by "
     "each message, and one of them gets it."},
    {"fifo",
     "Our lock: it is handed to the next in line, with a token that grows with each grant. One script and one message "
     "for each hand-over, however many wait."},
    {"redlock",
     "A lock on most of several Redis servers that know nothing of each other. It costs a round trip to each of them, "
     "and rests on their clocks."},
    {"incr",
     "INCR counts what is sold, and whoever gets a number above the stock gives it back. One command, no lock; the "
     "count is too high for a moment."},
    {"sadd-incr",
     "SADD remembers the customer, then INCR counts what is sold. Repeated clicks are found before they take a unit."},
    {"limiter",
     "INCR with a time to live lets as many requests in as there are units, and the rest is told that nothing is left. "
     "A request that is let in and then buys nothing has used up a unit's place."},
});

std::string_view explanation_of(std::string_view guard) {
  const auto* found = std::ranges::find(guards, guard, &Guard::name);
  return found == guards.end() ? std::string_view() : found->explanation;
}

constexpr auto sql_inventories = std::to_array<std::string_view>({"sqlite", "postgresql", "mariadb"});
constexpr auto beside = std::to_array<std::string_view>({"setnx-try", "setnx-spin", "redisson", "fifo", "redlock"});

std::string survives_of(std::string_view inventory) {
  if (inventory == "sqlite") return "kill -9 and loss of power: the file is synced at each commit";
  if (inventory == "postgresql" || inventory == "mariadb")
    return "a crash of the database and loss of power: its log is synced at each commit";
  return "nothing beyond what Redis saved last: a crash of Redis may forget it";
}

Survival survival_of(std::string_view inventory) {
  if (inventory == "sqlite") return {.kill = true, .crash = true, .server = false};
  if (inventory == "redis") return {.kill = false, .crash = false, .server = true};
  return {.kill = true, .crash = true, .server = true};
}

Way guarded(std::string_view inventory, std::string_view guard) {
  Way way;
  way.id = std::string(inventory) + "/" + std::string(guard);
  way.engine = "guarded";
  way.inventory = inventory;
  way.guard = guard;
  way.explanation = explanation_of(guard);
  way.survives = survives_of(inventory);
  way.survival = survival_of(inventory);
  return way;
}

Way on_one_node(Way way) {
  way.id += "/one-node";
  way.nodes = 1;
  way.explanation =
      "A mutex of the process stands around reading and writing, and there is one process. That is exact, until a "
      "second server is needed.";
  return way;
}

Way let_go_early(Way way) {
  way.id += "/before-commit";
  way.arguments = {"--release", "before-commit", "--commit-after-ms", "5"};
  way.explanation =
      "The same lock, let go before the transaction around it is committed, as happens where an annotation opens the "
      "transaction outside of the lock. The service does something else in that transaction for 5 ms, and the next "
      "holder reads what was true before.";
  return way;
}

Way with_a_waiting_room(Way way) {
  way.id += "/queue";
  way.arguments = {"--admit-per-tick", "5", "--tick-ms", "50"};
  way.explanation =
      "A waiting room stands before the same lock: each server lets 5 requests in every 50 ms, first come, first "
      "served. "
      "So few ask for the lock at once, and the pace is set beforehand.";
  return way;
}

// Which guards there are on this kind of inventory, but for locks beside it.
std::vector<std::string_view> own_guards(std::string_view inventory) {
  if (inventory == "redis") return {"incr", "sadd-incr", "limiter"};
  std::vector<std::string_view> own{"optimistic", "conditional-update", "unique-key"};
  if (inventory != "sqlite") {
    own.insert(own.begin(), "row-lock");
    own.insert(std::ranges::find(own, "unique-key"), "one-statement");
  }
  if (inventory == "mariadb") own.emplace_back("named-lock");
  if (inventory == "postgresql") own.emplace_back("advisory-lock");
  return own;
}

void add_guarded(std::string_view inventory, std::vector<Way>& ways) {
  ways.push_back(guarded(inventory, "none"));
  ways.push_back(on_one_node(guarded(inventory, "mutex")));
  ways.push_back(guarded(inventory, "mutex"));
  for (const std::string_view guard : own_guards(inventory)) ways.push_back(guarded(inventory, guard));
  for (const std::string_view guard : beside) ways.push_back(guarded(inventory, guard));
  ways.push_back(let_go_early(guarded(inventory, "redisson")));
  if (inventory != "sqlite") ways.push_back(with_a_waiting_room(guarded(inventory, "setnx-try")));
}

Way ours(std::string id, std::string inventory, std::uint32_t nodes, std::string explanation) {
  Way way;
  way.id = id;
  way.engine = std::move(id);
  way.inventory = std::move(inventory);
  way.nodes = nodes;
  way.explanation = std::move(explanation);
  way.survival = survival_of(way.inventory);
  return way;
}

/// redis, with orders.
Way with_orders(std::string id, Server orders, std::string explanation) {
  Way way = ours(std::move(id), "redis", 2, std::move(explanation));
  way.engine = "redis-kafka";
  way.orders = orders;
  way.survives = "as redis; and each order is written once, whoever dies in between";
  return way;
}

bool fits(std::string_view text, std::string_view pattern) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return text == pattern;
  if (!text.starts_with(pattern.substr(0, star))) return false;
  const std::string_view rest = pattern.substr(star + 1);
  for (std::size_t from = star; from <= text.size(); ++from)
    if (fits(text.substr(from), rest)) return true;
  return false;
}

}  // namespace

std::string_view word(Server server) {
  switch (server) {
    case Server::sqlite:
      return "sqlite";
    case Server::postgresql:
      return "postgresql";
    case Server::mariadb:
      return "mysql";
    case Server::redis:
      return "redis";
    case Server::redlock:
      return "redlock";
    case Server::kafka:
      return "kafka";
  }
  return "";
}

std::string_view word(Expected expected) {
  switch (expected) {
    case Expected::exact:
      return "exact";
    case Expected::oversells:
      return "oversells";
    case Expected::undersells:
      return "undersells";
    case Expected::doubles:
      return "doubles";
  }
  return "";
}

std::string words(const Survival& survival) {
  std::string text;
  for (const auto& [survives, what] :
       {std::pair{survival.kill, "kill"}, std::pair{survival.crash, "crash"}, std::pair{survival.server, "server"}})
    if (survives) text += (text.empty() ? "" : ", ") + std::string(what);
  return text.empty() ? "-" : text;
}

std::vector<Way> all_ways() {
  std::vector<Way> ways;
  ways.push_back(ours("embedded", "sqlite", 1,
                      "One thread decides from memory and writes all that came meanwhile in one transaction, synced "
                      "before the first answer goes out. Nobody waits for anybody's round trip."));
  ways.back().survives = "kill -9 and loss of power: the file is synced before the answer";
  ways.push_back(ours("redis", "redis", 2,
                      "Each server gathers what waits for a sale into one call of a script, which decides all of it at "
                      "once. Servers keep nothing, so any of them may die."));
  ways.back().survives = "a crash of the servers; of Redis only what --durability says (here: memory)";
  ways.push_back(with_orders("redis-kafka", Server::postgresql,
                             "The same, and what was decided goes on to Kafka and from there into PostgreSQL, at the "
                             "database's own pace. The customer has the answer long before the order is written."));
  ways.push_back(with_orders("redis-kafka/mariadb", Server::mariadb,
                             "The same with MariaDB behind Kafka. The customer has the answer long before the order is "
                             "written."));
  ways.push_back(
      ours("queue", "sqlite", 1,
           "Everybody gets a number and waits; with each tick the next few are let in. The crowd never meets "
           "the stock, and the pace is set beforehand."));
  ways.back().survives = "as embedded";
  for (const std::string_view inventory : sql_inventories) add_guarded(inventory, ways);
  add_guarded("redis", ways);
  return ways;
}

std::vector<Server> needs(const Way& way) {
  std::vector<Server> servers;
  if (way.orders) return {Server::redis, Server::kafka, *way.orders};
  if (way.engine == "redis") return {Server::redis};
  if (!way.is_guarded()) return {};
  if (way.inventory == "sqlite") servers.push_back(Server::sqlite);
  if (way.inventory == "postgresql") servers.push_back(Server::postgresql);
  if (way.inventory == "mariadb") servers.push_back(Server::mariadb);
  if (way.inventory == "redis") servers.push_back(Server::redis);
  if (way.guard == "redlock") {
    servers.push_back(Server::redlock);
  } else if (way.inventory != "redis" && std::ranges::find(beside, way.guard) != beside.end()) {
    servers.push_back(Server::redis);
  }
  return servers;
}

bool keeps_stock_in_sql(const Way& way) {
  return way.is_guarded() && std::ranges::find(sql_inventories, way.inventory) != sql_inventories.end();
}

bool has_lock_on_redis(const Way& way) {
  return way.is_guarded() && std::ranges::find(beside, way.guard) != beside.end();
}

bool matches(const Way& way, std::string_view patterns) {
  while (!patterns.empty()) {
    const std::size_t comma = std::min(patterns.find(','), patterns.size());
    const std::string_view pattern = patterns.substr(0, comma);
    patterns.remove_prefix(std::min(comma + 1, patterns.size()));
    if (!pattern.empty() && fits(way.id, pattern)) return true;
  }
  return false;
}

}  // namespace firstcome::rush
