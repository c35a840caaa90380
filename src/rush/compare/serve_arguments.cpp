#include "rush/compare/runner.hpp"

#include <fmt/format.h>

#include <array>

namespace firstcome::rush {
namespace {

std::string url_of(const CompareOptions& options, Server server) {
  const auto place = options.urls.find(server);
  return place == options.urls.end() ? std::string() : place->second;
}

std::string inventory_url(const CompareOptions& options, const Way& way, const RunPlace& place) {
  if (way.inventory == "postgresql") return url_of(options, Server::postgresql);
  if (way.inventory == "mariadb") return url_of(options, Server::mariadb);
  if (way.inventory == "redis") return url_of(options, Server::redis);
  return "sqlite://" + std::filesystem::absolute(place.folder / "inventory.db").string();
}

std::string locks_url(const CompareOptions& options, const Way& way) {
  if (way.guard == "redlock") return url_of(options, Server::redlock);
  for (const Server server : needs(way))
    if (server == Server::redis && way.inventory != "redis") return url_of(options, Server::redis);
  return {};
}

/// A lease that a node can be paused past without waiting for ever.
constexpr std::chrono::milliseconds fault_lease{1'000};

void add_guard(const CompareOptions& options, const Task& task, const RunPlace& place,
               std::vector<std::string>& arguments) {
  const Way& way = task.way;
  const auto add = [&](std::string name, std::string value) {
    arguments.push_back(std::move(name));
    arguments.push_back(std::move(value));
  };
  add("--inventory", inventory_url(options, way, place));
  add("--guard", way.guard);
  add("--guard-workers", std::to_string(options.workers));
  if (const std::string locks = locks_url(options, way); !locks.empty()) add("--locks", locks);
  if (task.table.fault != Fault::none) add("--guard-lease-ms", std::to_string(fault_lease.count()));
  if (task.table.fencing == Table::Fencing::on) add("--fencing", "on");
}

}  // namespace

std::vector<std::string> serve_arguments(const CompareOptions& options, const Task& task, const RunPlace& place,
                                         std::uint32_t node) {
  const Way& way = task.way;
  const Scenario& scenario = task.scenario;
  std::vector<std::string> arguments{"serve", "--listen", "127.0.0.1:0", "--log-level", "warning"};
  const auto add = [&](std::string name, std::string value) {
    arguments.push_back(std::move(name));
    arguments.push_back(std::move(value));
  };
  if (way.engine == "embedded" || way.engine == "queue") add("--data", (place.folder / "data").string());
  if (way.engine == "redis" || way.engine == "redis-kafka") add("--engine", url_of(options, Server::redis));
  if (way.engine == "redis-kafka") {
    add("--events", url_of(options, Server::kafka));
    add("--kafka-prefix", place.name + ".");
  }
  if (way.is_guarded()) {
    add("--engine", "guarded");
    add_guard(options, task, place, arguments);
    constexpr std::array names{"a", "b", "c", "d"};
    add("--node", names.at(node % names.size()));
  }
  if (scenario.payment != Scenario::Payment::none)
    add("--simulate-payment", fmt::format("before={},during={},delay_ms={},seed={}", scenario.fail_before,
                                          scenario.fail_during, task.table.pay_delay.count(), options.seed));
  arguments.insert(arguments.end(), way.arguments.begin(), way.arguments.end());
  return arguments;
}

}  // namespace firstcome::rush
