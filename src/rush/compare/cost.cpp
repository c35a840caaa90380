#include "rush/compare/cost.hpp"

#include "net/redis/client.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace firstcome::rush {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds patience{5};

std::optional<double> number_in(std::string_view text) {
  double number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} ? std::optional(number) : std::nullopt;
}

std::string_view next_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

/// What can be read of it: a process may end while its file in /proc is read, which is an error of the buffer's then,
/// and the buffer alone would throw it.
std::string whole_file(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

/// All processes that there are now.
std::map<pid_t, ProcessStat> processes() {
  std::map<pid_t, ProcessStat> all;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename().string();
    pid_t pid = 0;
    const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc{} || stop != name.data() + name.size()) continue;
    if (const auto stat = parse_process_stat(whole_file(entry.path() / "stat"))) all.emplace(pid, *stat);
  }
  return all;
}

/// One figure of INFO; nothing where the server cannot be asked. `field`: with its colon.
std::optional<double> figure_of(const net::RedisEndpoint& server, std::string_view section, std::string_view field) {
  boost::asio::io_context io{1};
  bool done = false;
  std::optional<double> figure;
  const auto client = net::make_redis_client(io.get_executor(), server);
  client->execute("", net::RedisCommand("INFO", section), SteadyClock::now() + patience, [&](net::RedisResult result) {
    done = true;
    if (!result || !result->is_text()) return;
    std::string_view text = result->text;
    while (!text.empty())
      if (const auto line = next_line(text); line.starts_with(field)) figure = number_in(line.substr(field.size()));
  });
  while (!done && io.run_one_for(patience) > 0) {
  }
  return figure;
}

}  // namespace

std::optional<double> metric_in(std::string_view text, std::string_view name) {
  std::optional<double> sum;
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    if (!line.starts_with(name) || line.size() == name.size()) continue;
    if (line[name.size()] != ' ' && line[name.size()] != '{') continue;
    const std::size_t space = line.rfind(' ');
    if (const auto number = number_in(line.substr(space + 1))) sum = sum.value_or(0) + *number;
  }
  return sum;
}

Counters operator-(const Counters& after, const Counters& before) {
  return {after.redis_commands - before.redis_commands, after.sql_statements - before.sql_statements,
          after.guard_waits - before.guard_waits, after.guard_wait_seconds - before.guard_wait_seconds,
          after.redis_processed - before.redis_processed};
}

Counters operator+(const Counters& a, const Counters& b) {
  return {a.redis_commands + b.redis_commands, a.sql_statements + b.sql_statements, a.guard_waits + b.guard_waits,
          a.guard_wait_seconds + b.guard_wait_seconds, a.redis_processed + b.redis_processed};
}

Counters counters_in(std::string_view metrics) {
  Counters counters;
  counters.redis_commands = metric_in(metrics, "firstcome_redis_commands_total").value_or(0);
  counters.sql_statements = metric_in(metrics, "firstcome_sql_statements_total").value_or(0);
  counters.guard_waits = metric_in(metrics, "firstcome_guard_waits_total").value_or(0);
  counters.guard_wait_seconds = metric_in(metrics, "firstcome_guard_wait_seconds_total").value_or(0);
  return counters;
}

std::optional<double> commands_per_sale(const Counters& spent, std::int64_t sold) {
  if (sold <= 0) return std::nullopt;
  return (spent.redis_commands + spent.sql_statements) / static_cast<double>(sold);
}

std::optional<double> calls_in_scripts_per_sale(const Counters& spent, std::int64_t sold) {
  if (sold <= 0) return std::nullopt;
  return std::max(spent.redis_processed - spent.redis_commands, 0.0) / static_cast<double>(sold);
}

Counters read_counters(const std::vector<net::HttpOrigin>& nodes) {
  Counters sum;
  net::ClientRequest request;
  request.target = "/metrics";
  for (const net::HttpOrigin& node : nodes)
    if (const net::ClientResult result = net::fetch(node, request, patience); result && result->status == 200)
      sum = sum + counters_in(result->body);
  return sum;
}

std::optional<double> redis_commands_processed(const std::string& url) {
  const auto parsed = net::parse_redis_url(url);
  if (!parsed) return std::nullopt;
  double sum = 0;
  for (const net::RedisEndpoint& endpoint : parsed->endpoints()) {
    const auto processed = figure_of(endpoint, "stats", "total_commands_processed:");
    if (!processed) return std::nullopt;
    sum += *processed;
  }
  return sum;
}

std::optional<pid_t> redis_process(const std::string& url) {
  const auto parsed = net::parse_redis_url(url);
  if (!parsed) return std::nullopt;
  const auto process = figure_of(parsed->endpoints().front(), "server", "process_id:");
  if (!process || *process < 2 || !is_redis(static_cast<pid_t>(*process))) return std::nullopt;
  return static_cast<pid_t>(*process);
}

bool is_redis(pid_t pid) {
  const std::string name = whole_file("/proc/" + std::to_string(pid) + "/comm");
  return name.contains("redis") || name.contains("valkey");
}

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
  // pid (any name, with spaces and parentheses) state ppid ... utime stime cutime cstime, the 14th to the 17th
  const std::size_t close = text.rfind(')');
  if (close == std::string_view::npos) return std::nullopt;
  std::string_view rest = text.substr(close + 1);
  ProcessStat stat;
  for (int field = 3; field <= 17; ++field) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const std::size_t end = std::min(rest.find(' '), rest.size());
    const auto number = number_in(rest.substr(0, end));
    if (end == 0 || (field != 3 && !number)) return std::nullopt;
    if (field == 4) stat.parent = static_cast<pid_t>(*number);
    if (field >= 14) stat.ticks += static_cast<std::uint64_t>(*number);
    rest.remove_prefix(end);
  }
  return stat;
}

std::chrono::milliseconds processor_time(pid_t pid) {
  const auto all = processes();
  std::set<pid_t> family{pid};
  for (bool grew = true; grew;) {
    grew = false;
    for (const auto& [child, stat] : all)
      if (family.contains(stat.parent) && family.insert(child).second) grew = true;
  }
  std::uint64_t ticks = 0;
  for (const pid_t member : family)
    if (const auto found = all.find(member); found != all.end()) ticks += found->second.ticks;
  return std::chrono::milliseconds{ticks * 1'000 / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK))};
}

}  // namespace firstcome::rush
