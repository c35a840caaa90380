#include "cli/compare_command.hpp"

#include "cli/exit_code.hpp"
#include "rush/compare/report.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace firstcome::cli {
namespace {

/// The options as they are written; what they mean is in `rush`.
struct CompareWords {
  std::string postgresql, mysql, redis, redlock, kafka;
  std::vector<std::string> processes;
  std::string scenario = "coupon";
  std::optional<double> seconds;
  std::optional<std::uint32_t> repeats;
  std::string loop = "both";
  std::string fault = "none";
  std::optional<std::int64_t> pay_delay_ms;
  std::int64_t max_lag_ms = 100;
  std::string json, html, picture;
  bool quick = false;
  bool list = false;
  rush::CompareOptions compare;
};

constexpr int killed_by = 128;
constexpr double quick_seconds = 0.8;
constexpr double usual_seconds = 10;

std::map<std::string, pid_t> processes_of(const std::vector<std::string>& words) {
  std::map<std::string, pid_t> processes;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    pid_t pid = 0;
    const char* const end = word.data() + word.size();
    const bool named = equals != std::string::npos && equals > 0;
    const auto [stop, error] = named ? std::from_chars(word.data() + equals + 1, end, pid)
                                     : std::from_chars_result{word.data(), std::errc::invalid_argument};
    if (error != std::errc{} || stop != end || pid <= 0)
      throw CLI::ValidationError("--server-process", "must be NAME=PID (was: " + word + ")");
    processes[word.substr(0, equals)] = pid;
  }
  return processes;
}

std::map<rush::Server, std::string> urls_of(const CompareWords& words) {
  std::map<rush::Server, std::string> urls;
  const auto add = [&](rush::Server server, const std::string& url, const std::string& beginning,
                       const std::string& other) {
    if (url.empty()) return;
    const bool right = url.starts_with(beginning + "://") || url.starts_with(other + "://");
    if (!right)
      throw CLI::ValidationError("--" + std::string(rush::word(server)), "must begin with " + beginning + "://");
    urls[server] = url;
  };
  add(rush::Server::postgresql, words.postgresql, "postgresql", "postgres");
  add(rush::Server::mariadb, words.mysql, "mysql", "mariadb");
  add(rush::Server::redis, words.redis, "redis", "rediss");
  add(rush::Server::redlock, words.redlock, "redlock", "redlocks");
  add(rush::Server::kafka, words.kafka, "kafka", "kafkas");
  return urls;
}

rush::CompareOptions options_of(const CompareWords& words) {
  rush::CompareOptions options = words.compare;
  options.urls = urls_of(words);
  options.processes = processes_of(words.processes);
  auto scenarios = rush::find_scenarios(words.scenario);
  if (!scenarios) throw CLI::ValidationError("--scenario", scenarios.error());
  options.scenarios = std::move(*scenarios);
  if (words.quick) {
    for (const rush::Server server : {rush::Server::postgresql, rush::Server::mariadb, rush::Server::kafka})
      options.urls.erase(server);
  }
  const double seconds = words.seconds.value_or(words.quick ? quick_seconds : usual_seconds);
  options.time =
      std::chrono::milliseconds{std::isfinite(seconds) && std::abs(seconds) < 1e6 ? std::llround(seconds * 1e3) : 0};
  options.repeats = words.repeats.value_or(words.quick ? 1 : 2);
  options.loop = words.loop == "open"     ? rush::Loop::open
                 : words.loop == "closed" ? rush::Loop::closed
                                          : rush::Loop::both;
  options.fault = rush::fault_of(words.fault).value_or(rush::Fault::none);
  const bool hurts = options.fault != rush::Fault::none;  // then a sale must last until it is hurt
  options.pay_delay = std::chrono::milliseconds{words.pay_delay_ms.value_or(hurts ? 100 : 0)};
  options.max_lag = std::chrono::milliseconds{words.max_lag_ms};
  if (auto problem = rush::problem_of(options)) throw CLI::ValidationError(*problem);
  return options;
}

/// Opened before the run: a file that cannot be written should not be found out afterwards.
class Output {
 public:
  explicit Output(std::string path) : path_(std::move(path)) {
    if (!path_.empty() && path_ != "-") file_.open(path_, std::ios::trunc);
  }
  bool is_open() const { return path_.empty() || path_ == "-" || file_.is_open(); }
  bool is_standard() const { return path_ == "-"; }
  /// Whether it was written, if it is wanted.
  bool write(std::string (*text)(const rush::Comparison&), const rush::Comparison& comparison) {
    if (path_.empty()) return true;
    if (is_standard()) fmt::print("{}", text(comparison));
    const bool written = is_standard() || static_cast<bool>((file_ << text(comparison)).flush());
    if (!written) complain();
    return written;
  }
  void complain() const { fmt::print(stderr, "firstcome: {}: cannot be written\n", path_); }

 private:
  std::string path_;
  std::ofstream file_;
};

int exit_code_of(rush::RushFailure::Kind kind) {
  return kind == rush::RushFailure::Kind::unavailable ? exit_unavailable : exit_refused;
}

/// An error of one way is none of the others: 69 only where nothing worse is to be said.
int exit_code_of(const rush::Comparison& comparison) {
  const rush::Grade grade = comparison.grade();
  const bool failed = std::ranges::any_of(
      comparison.rows, [](const rush::Row& row) { return row.error && row.doubt != rush::Doubt::anything; });
  if (grade != rush::Grade::promise_broken && failed) return exit_unavailable;
  return static_cast<int>(grade);
}

/// A folder for the runs, removed at the end, also where SIGINT or SIGTERM ends the program: then at once. The servers
/// are children, and are stopped by the end of their parent.
class RunFolder {
 public:
  RunFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "firstcome-compare-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder " + name);
    path_ = name;
    sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&signals_, signal);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    thread_ = std::thread([this] { watch(); });
  }
  ~RunFolder() {
    pthread_kill(thread_.native_handle(), SIGUSR1);
    thread_.join();
    remove();
  }
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  void remove() const {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  void watch() const {
    int signal = 0;
    while (sigwait(&signals_, &signal) != 0) {
    }
    if (signal == SIGUSR1) return;
    remove();
    _exit(killed_by + signal);
  }

  std::filesystem::path path_;
  sigset_t signals_{};
  std::thread thread_;
};

int run_compare(const CompareWords& words, rush::CompareOptions options) {
  Output json(words.json), html(words.html), picture(words.picture);
  for (const Output* output : {&json, &html, &picture}) {
    if (output->is_open()) continue;
    output->complain();
    return exit_unavailable;
  }
  std::expected<rush::Comparison, rush::RushFailure> comparison;
  {
    const RunFolder folder;
    options.folder = folder.path();
    rush::CompareView view(stderr);
    rush::CompareEvents events;
    events.step = [&view](const rush::Step& step) { view.step(step); };
    events.row = [&view](const rush::Row& row) { view.row(row); };
    comparison = rush::compare(options, events);
  }
  if (!comparison) {
    fmt::print(stderr, "firstcome: {}\n", comparison.error().detail);
    return exit_code_of(comparison.error().kind);
  }
  if (!json.is_standard()) fmt::print("{}", rush::compare_report(*comparison));
  const bool written = json.write(rush::compare_json, *comparison) && html.write(rush::compare_html, *comparison) &&
                       picture.write(rush::compare_picture, *comparison);
  return written ? exit_code_of(*comparison) : exit_unavailable;
}

int list_ways() {
  for (const rush::Way& way : rush::all_ways())
    fmt::print("{}\n    {}\n    An answer survives: {}.\n", way.id, way.explanation, way.survives);
  fmt::print("\n");
  for (const rush::Scenario& scenario : rush::known_scenarios())
    fmt::print("{}\n    {}.\n", scenario.name, scenario.about);
  return exit_fine;
}

void add_servers(CLI::App& command, CompareWords& words) {
  const std::string group = "Servers; ways whose server is not given are left out";
  command.add_option("--postgresql", words.postgresql, "postgresql://USER:PASSWORD@HOST:PORT/DATABASE")->group(group);
  command.add_option("--mysql,--mariadb", words.mysql, "mysql://USER:PASSWORD@HOST:PORT/DATABASE, a MariaDB")
      ->group(group);
  command.add_option("--redis", words.redis, "redis://HOST:PORT")->group(group);
  command.add_option("--redlock", words.redlock, "redlock://HOST:PORT,HOST:PORT,HOST:PORT")->group(group);
  command.add_option("--kafka", words.kafka, "kafka://HOST:PORT")->group(group);
  command
      .add_option("--server-process", words.processes,
                  "NAME=PID of a server on this machine, whose processor time is shown")
      ->group(group);
}

void add_reports(CLI::App& command, CompareWords& words) {
  const std::string group = "Reports";
  command.add_option("--json", words.json, "File for the result as JSON; - for standard output, and no table")
      ->group(group);
  command.add_option("--html", words.html, "File for the result as one HTML page")->group(group);
  command.add_option("--picture", words.picture, "File for the chart of units sold per second, as SVG")->group(group);
}

}  // namespace

void add_compare_command(CLI::App& rush, Run& run) {
  auto words = std::make_shared<CompareWords>();
  CLI::App* command = rush.add_subcommand("compare", "Let the same crowd loose on every known way to sell");
  command->footer(
      "Exit codes: 0 all did as expected, 1 no way is left to compare, 2 one did not, 3 a run is invalid: the "
      "generator "
      "was late, 64 a wrong option or scenario, 69 a server is not there.");
  auto& compare = words->compare;
  command->add_option("--ways", compare.ways, "Ids with commas between, * for any text: embedded,sqlite/*,*/none")
      ->capture_default_str();
  command
      ->add_option("--scenario", words->scenario,
                   "product, ticket, coupon, double-click, mixed, all, or a JSON file (docs/compare.md)")
      ->capture_default_str();
  command->add_option("--seconds", words->seconds, "For one way in one scenario, once (default: 10, with --quick 0.8)");
  command->add_option("--repeats", words->repeats,
                      "How often, every second time backwards (default: 2, with --quick 1)");
  command->add_option("--loop", words->loop, "closed: all at once; open: at a rate; both, one after the other")
      ->capture_default_str()
      ->check(CLI::IsMember({"open", "closed", "both"}));
  command->add_option("--rate", compare.rate, "Customers that arrive in a second, instead of the scenario's");
  command->add_option("--customers", compare.customers, "Of a crowd that comes at once, instead of the scenario's");
  command->add_option("--connections", compare.connections, "Connections open at once")->capture_default_str();
  command->add_option("--guard-workers", compare.workers, "Sessions of a guarded server")->capture_default_str();
  command->add_option("--pay-delay-ms", words->pay_delay_ms,
                      "A second table, with a payment that takes so long inside the guard (default: none)");
  command->add_option("--fault", words->fault, "pause-holder, kill-node or kill-redis, without and with fencing")
      ->capture_default_str()
      ->check(CLI::IsMember({"none", "pause-holder", "kill-node", "kill-redis"}));
  command->add_option("--seed", compare.seed, "Of who clicks twice, who never pays, who wants how many")
      ->capture_default_str();
  command
      ->add_option("--max-lag-ms", words->max_lag_ms,
                   "A run is invalid where 1 % of the arrivals were handled later than this")
      ->capture_default_str();
  command->add_flag("--quick", words->quick, "Without PostgreSQL, MariaDB and Kafka, 0.8 s for each way");
  command->add_flag("--list", words->list, "Explain the ways and the scenarios, and run nothing");
  add_servers(*command, *words);
  add_reports(*command, *words);
  command->callback([words, &run] {
    if (words->list) {
      run = list_ways;
      return;
    }
    const rush::CompareOptions options = options_of(*words);
    run = [words, options] { return run_compare(*words, options); };
  });
}

}  // namespace firstcome::cli
