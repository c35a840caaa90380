#include "support/jmeter.hpp"

#include "support/child_process.hpp"
#include "support/maven.hpp"
#include "support/paths.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace firstcome::testing {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

const fs::path jmeter_folder = build_folder() / "jmeter";
const fs::path home = jmeter_folder / "target" / "home";

/// Of a line without quotes, as these columns are.
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream text(line);
  for (std::string cell; std::getline(text, cell, ',');) cells.push_back(cell);
  return cells;
}

JmeterCounts count(const fs::path& result) {
  JmeterCounts counts;
  std::ifstream lines(result);
  std::string line;
  while (std::getline(lines, line)) {
    const std::vector<std::string> cells = cells_of(line);
    if (cells.size() != 3) throw std::runtime_error("JMeter wrote: " + line);
    if (cells[2] != "true") throw std::runtime_error("JMeter calls this answer wrong: " + line);
    ++counts[{cells[0], cells[1]}];
  }
  return counts;
}

}  // namespace

std::string fetch_jmeter() {
  return build_with_maven(
      {.pom = project_folder() / "tests/support/jmeter/pom.xml", .goals = {"package"}, .folder = jmeter_folder});
}

JmeterCounts run_jmeter(const fs::path& plan, const std::vector<std::string>& properties, const fs::path& folder) {
  const fs::path result = folder / "result.csv";
  const fs::path log = folder / "jmeter.log";
  fs::remove(result);
  ChildOptions options;
  options.program = java_program;
  options.arguments = {"-Xmx256m",
                       "-XX:TieredStopAtLevel=1",
                       "-Djava.awt.headless=true",
                       "-Djmeter.home=" + home.string(),
                       "-cp",
                       (home / "lib").string() + "/*",
                       "org.apache.jmeter.NewDriver",
                       "-n",
                       "-t",
                       plan.string(),
                       "-l",
                       result.string(),
                       "-j",
                       log.string()};
  // Three columns, without a head; and no port of its own on which it listens for a command to stop.
  for (const std::string column : {"time", "bytes", "latency", "connect_time", "thread_counts", "thread_name",
                                   "data_type", "timestamp_format", "response_message", "subresults", "sent_bytes",
                                   "url", "idle_time", "assertion_results_failure_message", "assertions"}) {
    options.arguments.push_back("-Jjmeter.save.saveservice." + column + "=" +
                                (column == "timestamp_format" ? "none" : "false"));
  }
  options.arguments.push_back("-Jjmeter.save.saveservice.print_field_names=false");
  options.arguments.push_back("-Jjmeterengine.nongui.port=" + std::to_string(free_port()));
  for (const std::string& property : properties) options.arguments.push_back("-J" + property);
  options.error_log = folder / "jmeter.err";
  ChildProcess process(std::move(options));
  while (process.read_line(180s)) {
  }
  if (process.wait(60s) != 0 || !fs::exists(result)) {
    throw std::runtime_error("JMeter failed:\n" + text_of(folder / "jmeter.err") + text_of(log));
  }
  return count(result);
}

}  // namespace firstcome::testing
