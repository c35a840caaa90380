// One crowd, every known way to sell: runs a scenario on each way and says which of them keep their promises, and what
// each of them costs.
//
// Mechanism: a way is run by starting its servers as children of this process, creating a sale and letting the crowd of
// rush.hpp loose on them, several times:
//   - a warm-up: as many customers as there are units. All of them buy, so the commands that are sent then are what a
//     sale costs.
//   - crowds that stand at the door at once, until the time for them is over: units sold per second, time to sell out.
//   - a crowd that arrives at a rate, the same for all ways: latencies, which count from the intended arrival.
// Each is judged by the verdict of rush. Ways follow each other in one order and then, at the next repeat, in the
// opposite one, so that a machine that becomes slower does not do so at the expense of the last.
#pragma once

#include "rush/compare/row.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::rush {

/// How customers come.
enum class Loop : std::uint8_t {
  open,    ///< at a rate, whether or not the servers keep up
  closed,  ///< all at once, a connection taking the next as soon as it is free
  both,
};

struct CompareOptions {
  std::filesystem::path folder;            ///< that is there, for data and logs of the runs, which they remove
  std::map<Server, std::string> urls;      ///< of the servers that are there
  std::map<std::string, pid_t> processes;  ///< of servers, by name, whose processor time is shown
  std::string ways = "*";
  std::vector<Scenario> scenarios;
  std::chrono::milliseconds time{10'000};  ///< for one way in one scenario, once
  std::uint32_t repeats = 2;
  Loop loop = Loop::both;
  std::optional<double> rate;              ///< instead of the scenario's
  std::optional<std::uint32_t> customers;  ///< instead of the scenario's
  std::uint32_t connections = 64;
  std::uint32_t workers = 16;              ///< of a guarded server
  std::chrono::milliseconds pay_delay{0};  ///< more than 0: a second table with such a payment inside the guard
  Fault fault = Fault::none;               ///< another: instead, tables without and with fencing
  std::uint64_t seed = 1;
  std::chrono::milliseconds max_lag{100};  ///< as in RushOptions
};

/// The first option whose value makes no sense, and the rule.
std::optional<std::string> problem_of(const CompareOptions& options);

/// A way that does not take part, and why.
struct LeftOut {
  std::string what;
  std::string why;
};

/// One way in one scenario and table.
struct Task {
  Way way;
  Scenario scenario;
  Table table;
};

struct Plan {
  std::vector<Task> tasks;
  std::vector<LeftOut> left_out;
};

/// What is to be run. Pure.
Plan plan_of(const CompareOptions& options);

/// Indexes of tasks: in order, then backwards, and so on.
std::vector<std::size_t> crossed_order(std::size_t tasks, std::uint32_t repeats);

struct Comparison {
  std::vector<Row> rows;
  std::vector<LeftOut> left_out;
  CompareOptions options;

  bool valid() const;  ///< no row is invalid, and none has an error
  /// A way that did not do what is expected is a broken promise.
  Grade grade() const;
};

/// What is going on.
struct Step {
  std::size_t done = 0;     ///< runs
  std::size_t planned = 0;  ///< in all
  const Task* task = nullptr;
  std::string what;  ///< of the run: "warm-up", "crowd 3"
  std::chrono::milliseconds elapsed{0};
  std::chrono::milliseconds left{0};   ///< as far as one can say
  const Progress* progress = nullptr;  ///< of the crowd; null between two
};

/// What is left, from how long the runs took that are done; before the first of them `usual` for each.
std::chrono::milliseconds time_left(std::size_t done, std::size_t planned, std::chrono::milliseconds elapsed,
                                    std::chrono::milliseconds usual);

struct CompareEvents {
  std::function<void(const Step&)> step;
  std::function<void(const Row&)> row;  ///< one run of a way has ended; its row as it is so far
};

/// Blocks. The error: a server that is not there, a server of ours that does not start. REQUIRES: problem_of(options)
/// is nothing; called on the main thread, whose children are asked to stop when it ends.
std::expected<Comparison, RushFailure> compare(const CompareOptions& options, const CompareEvents& events);

}  // namespace firstcome::rush
