// The ways to sell that are compared: what each is, how its servers are started, and what is expected of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::rush {

/// What a way needs to be there.
enum class Server : std::uint8_t { sqlite, postgresql, mariadb, redis, redlock, kafka };

/// As users see it; also the name of its option.
std::string_view word(Server server);

/// What a run of a way in a scenario is expected to show.
enum class Expected : std::uint8_t {
  exact,       ///< nothing below
  oversells,   ///< more units are sold than there are
  undersells,  ///< units are left, and somebody was told that there are none
  doubles,     ///< customers get more than they asked for, or may have
};

std::string_view word(Expected expected);

/// What an answer survives once it was given, by the settings with which a way is run.
struct Survival {
  bool kill = false;  ///< kill -9 of any one process, also of the store's
  bool crash =
      false;  ///< of a machine, or loss of its power: the store's log is synced. With syncing off nothing does.
  bool server = false;  ///< that a server that sells is gone for good, with its disk
  bool operator==(const Survival&) const = default;
};

/// "kill, crash, server"; "-" where it is nothing.
std::string words(const Survival& survival);

struct Way {
  std::string id;         ///< "postgresql/row-lock"
  std::string engine;     ///< embedded, redis, redis-kafka, queue or guarded
  std::string inventory;  ///< of a guarded engine: sqlite, postgresql, mariadb or redis; else where the stock is
  std::string guard;      ///< of a guarded engine, else empty
  std::uint32_t nodes = 2;
  std::vector<std::string> arguments;  ///< of `firstcome serve`, besides what follows from the members above
  std::string explanation;             ///< two sentences
  std::string survives;                ///< what an answer survives, as a text
  Survival survival;
  std::optional<Server> orders;  ///< where `firstcome orders` writes, of an engine whose events go to Kafka

  bool is_guarded() const { return engine == "guarded"; }
};

/// All of them, in the order in which they are shown. Cost: small; made once for each call.
std::vector<Way> all_ways();

/// The servers that it needs.
std::vector<Server> needs(const Way& way);

/// Whether the stock is in an SQL database.
bool keeps_stock_in_sql(const Way& way);

/// Whether its guard is a lock on Redis of our library, which then also keeps locks for customers (/v1/locks).
bool has_lock_on_redis(const Way& way);

/// Whether the id is one of `patterns`, which stand with commas between; `*` in one is any text.
bool matches(const Way& way, std::string_view patterns);

}  // namespace firstcome::rush
