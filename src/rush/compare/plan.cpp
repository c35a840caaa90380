// What is to be run, and in which order. Pure.
#include "rush/compare/compare.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace firstcome::rush {
namespace {

std::optional<std::string> missing_server(const Way& way, const CompareOptions& options) {
  for (const Server server : needs(way)) {
    if (server == Server::sqlite || options.urls.contains(server)) continue;
    return fmt::format("no --{} was given", word(server));
  }
  return std::nullopt;
}

/// The scenario with a payment in it.
Scenario with_payment(Scenario scenario) {
  if (scenario.payment == Scenario::Payment::none) {
    scenario.payment = Scenario::Payment::by_shop;
    scenario.hold = Milliseconds{60'000};
  }
  return scenario;
}

std::vector<Table> tables_of(const CompareOptions& options) {
  if (options.fault == Fault::none) {
    std::vector<Table> tables{Table{}};
    if (options.pay_delay.count() > 0) tables.push_back(Table{options.pay_delay, Fault::none, Table::Fencing::off});
    return tables;
  }
  return {Table{options.pay_delay, options.fault, Table::Fencing::off},
          Table{options.pay_delay, options.fault, Table::Fencing::on}};
}

/// Why this way has no row in this table.
std::optional<std::string> no_row(const Way& way, const Table& table) {
  if (table.fencing == Table::Fencing::on && way.guard != "fifo") return "its guard gives no tokens to fence with";
  if (table.fault != Fault::none && way.nodes < 2) return "faults are for ways on two nodes";
  return std::nullopt;
}

}  // namespace

std::optional<std::string> problem_of(const CompareOptions& options) {
  if (options.scenarios.empty()) return "--scenario must name at least one";
  if (options.time < std::chrono::milliseconds{200} || options.time > std::chrono::hours{1})
    return fmt::format("--seconds must be 0.2 to 3600 (was: {})", static_cast<double>(options.time.count()) / 1e3);
  if (options.repeats < 1 || options.repeats > 100)
    return fmt::format("--repeats must be 1 to 100 (was: {})", options.repeats);
  if (options.connections < 1 || options.connections > 10'000)
    return fmt::format("--connections must be 1 to 10000 (was: {})", options.connections);
  if (options.workers < 1 || options.workers > 256)
    return fmt::format("--guard-workers must be 1 to 256 (was: {})", options.workers);
  if (options.rate && !(*options.rate >= 1 && *options.rate <= 1e6))
    return fmt::format("--rate must be 1 to 1000000 customers a second (was: {})", *options.rate);
  if (options.customers && (*options.customers < 1 || *options.customers > 1'000'000))
    return fmt::format("--customers must be 1 to 1000000 (was: {})", *options.customers);
  if (options.pay_delay.count() < 0 || options.pay_delay > std::chrono::seconds{10})
    return fmt::format("--pay-delay-ms must be 0 to 10000 (was: {})", options.pay_delay.count());
  if (options.fault == Fault::pause_holder && options.pay_delay.count() == 0)
    return "--fault pause-holder needs --pay-delay-ms of at least 1: a holder is paused while it waits for a payment";
  if (options.fault == Fault::kill_redis && !options.processes.contains("redis"))
    return "--fault kill-redis needs --server-process redis=PID, of a server that somebody starts again";
  const auto ways = all_ways();
  std::string_view patterns = options.ways;
  while (!patterns.empty()) {
    const std::string_view pattern = patterns.substr(0, patterns.find(','));
    patterns.remove_prefix(std::min(pattern.size() + 1, patterns.size()));
    const bool one = std::ranges::any_of(ways, [&](const Way& way) { return matches(way, pattern); });
    if (!one) return fmt::format("--ways: there is no way '{}'; --list shows them", pattern);
  }
  return std::nullopt;
}

Plan plan_of(const CompareOptions& options) {
  Plan plan;
  for (const Way& way : all_ways()) {
    if (!matches(way, options.ways)) continue;
    if (auto why = missing_server(way, options)) {
      plan.left_out.push_back({way.id, std::move(*why)});
      continue;
    }
    for (const Scenario& scenario : options.scenarios)
      if (auto why = obstacle(way, scenario))
        plan.left_out.push_back({way.id + " in " + scenario.name, std::move(*why)});
  }
  for (const Scenario& scenario : options.scenarios)
    for (const Table& table : tables_of(options)) {
      const Scenario sold = table.pay_delay.count() > 0 ? with_payment(scenario) : scenario;
      for (Way& way : all_ways()) {
        if (!matches(way, options.ways) || missing_server(way, options) || obstacle(way, sold)) continue;
        if (no_row(way, table)) continue;
        plan.tasks.push_back({std::move(way), sold, table});
      }
    }
  for (Task& task : plan.tasks)
    if (options.customers) task.scenario.customers = *options.customers;
  return plan;
}

std::vector<std::size_t> crossed_order(std::size_t tasks, std::uint32_t repeats) {
  std::vector<std::size_t> order;
  for (std::uint32_t repeat = 0; repeat < repeats; ++repeat)
    for (std::size_t i = 0; i < tasks; ++i) order.push_back(repeat % 2 == 0 ? i : tasks - 1 - i);
  return order;
}

std::chrono::milliseconds time_left(std::size_t done, std::size_t planned, std::chrono::milliseconds elapsed,
                                    std::chrono::milliseconds usual) {
  const auto runs_left = static_cast<std::int64_t>(planned - std::min(done, planned));
  if (done == 0) return std::max(usual * runs_left - elapsed, std::chrono::milliseconds{0});
  return elapsed / static_cast<std::int64_t>(done) * runs_left;
}

bool Comparison::valid() const {
  return std::ranges::none_of(
      rows, [](const Row& row) { return row.invalid || (row.error && row.doubt != Doubt::anything); });
}

Grade Comparison::grade() const {
  // One that was to break and was not seen to says nothing where its run is invalid.
  const auto broke = [](const Row& row) { return !row.ok && !row.error && !(row.invalid && row.found() == "exact"); };
  if (std::ranges::any_of(rows, broke)) return Grade::promise_broken;
  return valid() ? Grade::fine : Grade::invalid;
}

}  // namespace firstcome::rush
