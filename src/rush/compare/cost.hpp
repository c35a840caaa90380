// What selling cost: commands sent, time waited for guards, processor time. Arithmetic over counters that are read
// before and after.
#pragma once

#include "net/http_client.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::rush {

/// The sum of a metric over all of its labels in Prometheus's text; nothing: it is not there.
std::optional<double> metric_in(std::string_view text, std::string_view name);

/// What the nodes have counted so far, added up.
struct Counters {
  double redis_commands = 0;  ///< sent by the nodes
  double sql_statements = 0;
  double guard_waits = 0;
  double guard_wait_seconds = 0;
  double redis_processed = 0;  ///< by the Redis servers, of whomever; 0: nobody was asked
  bool operator==(const Counters&) const = default;
};

Counters operator-(const Counters& after, const Counters& before);
Counters operator+(const Counters& a, const Counters& b);

/// Of one node's GET /metrics.
Counters counters_in(std::string_view metrics);

/// Commands that were sent for each reservation that sold; nothing where nothing was sold.
std::optional<double> commands_per_sale(const Counters& spent, std::int64_t sold);
/// Calls inside of scripts for each reservation that sold: what Redis processed beyond what it was sent. At least 0.
std::optional<double> calls_in_scripts_per_sale(const Counters& spent, std::int64_t sold);

/// Reads GET /metrics of each; one that does not answer counts as 0.
Counters read_counters(const std::vector<net::HttpOrigin>& nodes);

/// What a Redis server has processed; nothing where it cannot be asked. Blocks. `url`: as --redis takes it.
std::optional<double> redis_commands_processed(const std::string& url);

/// The process of a Redis server on this machine; nothing where it cannot be asked, or runs elsewhere: then its number
/// may be that of any other process here. Blocks.
std::optional<pid_t> redis_process(const std::string& url);
/// Whether that process here is called like a Redis server.
bool is_redis(pid_t pid);

/// Processor time of a process and of all that it has started; 0 where there is none.
std::chrono::milliseconds processor_time(pid_t pid);

/// The same for text of /proc/PID/stat: its parent and its time with that of children that have ended, in ticks.
struct ProcessStat {
  pid_t parent = 0;
  std::uint64_t ticks = 0;
  bool operator==(const ProcessStat&) const = default;
};
std::optional<ProcessStat> parse_process_stat(std::string_view text);

}  // namespace firstcome::rush
