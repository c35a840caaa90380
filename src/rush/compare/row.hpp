// What was measured of one way in one scenario, and the row of the report that is made of it. Pure: no I/O, no clock.
#pragma once

#include "rush/compare/cost.hpp"
#include "rush/compare/scenario.hpp"
#include "rush/compare/way.hpp"
#include "rush/rush.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace firstcome::rush {

/// What goes wrong while a way sells.
enum class Fault : std::uint8_t {
  none,
  pause_holder,  ///< a node stands still for longer than the guard's lease, several times
  kill_node,     ///< a node is killed
  kill_redis,    ///< Redis is killed, and whoever started it starts it again
};

std::string_view word(Fault fault);
std::optional<Fault> fault_of(std::string_view word);

/// A column of what is varied besides the ways: one table of the report for each.
struct Table {
  std::chrono::milliseconds pay_delay{
      0};  ///< of a payment inside the guard; 0: nobody pays, unless the scenario says so
  Fault fault = Fault::none;
  enum class Fencing : std::uint8_t { off, on } fencing = Fencing::off;

  bool operator==(const Table&) const = default;
};

/// How one crowd on one sale went.
struct Round {
  Units stock = 0;
  Units sold = 0;                     ///< as the sale says at its end
  std::uint64_t oversold = 0;         ///< units
  std::uint64_t undersold = 0;        ///< units
  std::uint64_t lost = 0;             ///< reservations that somebody was told of: told yes, has none
  std::uint64_t doubled = 0;          ///< customers and reservations: more than asked for, told of or allowed
  std::uint64_t inversions = 0;       ///< reservations
  std::uint64_t refused_wrongly = 0;  ///< requests refused for a reason that the sale contradicts
  std::uint64_t audit = 0;            ///< what the server's own audit found, and sums that are wrong
  std::uint64_t reserved = 0;         ///< reservations that customers were told of, whatever became of them
  std::uint64_t abandoned = 0;        ///< reservations that were given back: never paid, or the payment failed
  std::vector<std::string> cases;     ///< a few of each, with ids
};

/// The counts of a rush.
Round round_of(const RushResult& result);

/// What was measured of one way in one scenario, by one or several runs.
struct Measured {
  std::vector<Round> rounds;
  std::vector<double> sold_per_s;   ///< units, of each crowd that stood at the door at once
  Units speed_stock = 0;            ///< that they were offered each: the scenario's, or more where that says too little
  std::vector<double> sell_out_ms;  ///< of those with the scenario's stock
  double generator_busy = 0;        ///< the most of them: near 1, the generator was what limited sold_per_s
  Latencies latencies;              ///< of reservation requests by outcome
  Counters warm_up;                 ///< spent while as many customers came as there were units
  std::int64_t warm_up_sold = 0;    ///< reservations
  Counters spent;                   ///< in all rounds
  std::map<std::string, std::chrono::milliseconds> processors;  ///< of nodes and servers, by name
  std::optional<std::string> invalid;                           ///< why the run says nothing of the way
  std::optional<std::string> error;                             ///< why it could not be run to its end

  void add(const Measured& other);
  /// That of a rush, as a round.
  void add(const RushResult& result);
};

/// How a way may break besides what is expected of it.
enum class Doubt : std::uint8_t {
  none,
  doubles,     ///< it may double
  undersells,  ///< units may be gone that nobody has
  anything,    ///< its store may forget all: also that it cannot go on
};

/// One way in the report.
struct Row {
  Way way;
  std::string scenario;
  Table table;
  Round worst;  ///< the largest count of each kind in any round
  std::size_t rounds = 0;
  double sold_per_s = 0;  ///< the middle one of the crowds
  Units speed_stock = 0;  ///< with so many units
  double sell_out_ms = 0;
  enum class Bound : std::uint8_t { server, generator } bound = Bound::server;  ///< generator: at least so much
  Histogram all;                                                                ///< latencies of all outcomes
  Latencies latencies;
  std::optional<double> commands_per_sale;
  std::optional<double> calls_in_scripts_per_sale;
  double guard_waits = 0;
  double guard_wait_ms = 0;  ///< of each, on average
  std::map<std::string, std::chrono::milliseconds> processors;
  Expected expected = Expected::exact;
  Doubt doubt = Doubt::none;  ///< how it may also break, and need not
  bool ok = false;            ///< it did what is expected
  std::optional<std::string> invalid;
  std::optional<std::string> error;

  /// exact, oversells, loses, undersells, doubles, miscounts (its own sums or its audit are wrong), out of order (who
  /// was answered before another asked has the higher number): the first that is true, the worst first. Or error.
  std::string_view found() const;
};

Row make_row(const Way& way, const Scenario& scenario, const Table& table, const Measured& measured);

/// With a fault. `doubt`: as in Row.
struct Expectation {
  Expected expected = Expected::exact;
  Doubt doubt = Doubt::none;
};
Expectation expected_with(const Way& way, const Scenario& scenario, const Table& table);

/// Whom the embedded engine is compared with.
struct Rival {
  std::string way;
  double sold_per_s = 0;
  Row::Bound bound = Row::Bound::server;  ///< generator: it may be faster still
};

/// How fast the embedded engine sells, in the rows of one scenario and table, and how fast others do that are exact.
struct Headline {
  double embedded = 0;  ///< units a second
  std::optional<Rival> fastest;
  std::optional<Rival>
      in_sql;  ///< the best that is exact on two nodes and keeps its stock in SQL; nothing: none was run
  std::size_t in_sql_compared = 0;
};
/// Nothing: the embedded engine is not there, or nobody else.
std::optional<Headline> headline(std::span<const Row> rows, const std::string& scenario, const Table& table);
/// Without a full stop. REQUIRES: there is a fastest one.
std::string sentence_of(const Headline& headline);

}  // namespace firstcome::rush
