#include "rush/compare/runner.hpp"

#include "rush/compare/node.hpp"
#include "rush/compare/stock_size.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace firstcome::rush {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds patience{40'000};  // with a crowd, where units are left
constexpr milliseconds look_every{100};
constexpr std::uint32_t warm_up_units = 100;
constexpr std::uint32_t warm_up_connections = 16;
constexpr milliseconds warm_up_least{1'000};
constexpr std::size_t tries_most = 5;    // of a way that is expected to break and has not yet
constexpr double share_at_once = 0.45;   // of a run's time: crowds that stand at the door at once
constexpr double share_of_a_sale = 0.1;  // of a run's time: how long one sale should last whose speed is measured
constexpr milliseconds sale_least{200};
constexpr milliseconds sale_most{1'000};
constexpr double share_arriving = 0.4;  // customers that arrive at a rate
constexpr std::uint32_t arriving_least = 50;
constexpr std::size_t arriving_tries = 3;   // where the generator was late, as when others had the processors
constexpr milliseconds fault_pause{1'500};  // longer than the lease in serve_arguments.cpp
constexpr milliseconds fault_every{2'500};
constexpr unsigned created = 201;

milliseconds share(milliseconds time, double part) {
  return milliseconds{static_cast<std::int64_t>(static_cast<double>(time.count()) * part)};
}

/// Lets a node stand still, again and again, until it is destroyed. On a thread of its own: who asks how the sale goes
/// may have to wait for the very node.
class Pauses {
 public:
  explicit Pauses(Node& node) : node_(node), thread_([this](const std::stop_token& stop) { work(stop); }) {}

 private:
  void work(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    const auto rests = [&](milliseconds time) { return !stopped.wait_for(lock, stop, time, [] { return false; }); };
    const auto goes_on = [&] { return !stop.stop_requested(); };
    for (rests(fault_every / 4); goes_on(); rests(fault_every - fault_pause)) {
      node_.signal(SIGSTOP);
      rests(fault_pause);
      node_.signal(SIGCONT);
    }
  }

  Node& node_;
  std::jthread thread_;
};

/// Kills, once, when a part of the stock has been given away.
class Kill {
 public:
  Kill(const CompareOptions& options, Fault fault, Node& node) : options_(options), fault_(fault), node_(node) {}

  void act(const SaleSeen& sale) {
    if (done_ || (sale.sold + sale.held) * 4 < sale.stock) return;
    done_ = true;
    too_late_ = sale.sold >= sale.stock;
    if (fault_ == Fault::kill_node) return node_.kill();
    // Whoever starts it again gives it another number each time.
    const auto redis = redis_process(options_.urls.at(Server::redis));
    if (redis) ::kill(*redis, SIGKILL);
    too_late_ = too_late_ || !redis;
  }
  /// Whether there was still something to sell when it killed.
  bool was_in_time() const { return done_ && !too_late_; }

 private:
  const CompareOptions& options_;
  const Fault fault_;
  Node& node_;
  bool done_ = false;
  bool too_late_ = false;
};

/// A folder that goes with everything in it.
class Folder {
 public:
  explicit Folder(std::filesystem::path path) : path_(std::move(path)) { std::filesystem::create_directories(path_); }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

 private:
  std::filesystem::path path_;
};

class WayRun {
 public:
  WayRun(const CompareOptions& options, const Task& task, const RunPlace& place, const RunProgress& progress)
      : options_(options), task_(task), place_(place), progress_(progress), folder_(place.folder) {}

  std::expected<Measured, std::string> run() {
    if (!start() || !warm_up()) return std::unexpected(error_);
    const std::vector<std::optional<Counters>> nodes_before = node_counters();
    const Counters servers_before = server_counters();
    const auto processors_before = processors();
    if (options_.loop != Loop::open && !crowds_at_once()) return std::unexpected(error_);
    if (options_.loop != Loop::closed && task_.table.fault == Fault::none && !crowd_arriving())
      return std::unexpected(error_);
    measured_.spent = server_counters() - servers_before;
    const std::vector<std::optional<Counters>> nodes_after = node_counters();
    for (std::size_t i = 0; i < nodes_after.size(); ++i)  // what one that was killed has spent, nobody knows
      if (nodes_before[i] && nodes_after[i]) measured_.spent = measured_.spent + (*nodes_after[i] - *nodes_before[i]);
    for (const auto& [name, time] : processors())
      if (auto place = processors_before.find(name); place != processors_before.end())
        measured_.processors[name] = std::max(time - place->second, milliseconds{0});
    if (orders_) compare_with_orders();
    return std::move(measured_);
  }

 private:
  bool start();
  bool start_orders();
  bool start_node(std::uint32_t index);
  bool create(const std::string& sale, Units stock, std::uint32_t sales);
  bool create_one(const std::string& id, Units stock);
  std::optional<RushResult> let_in(std::string_view what, RushOptions crowd, Units stock);
  bool warm_up();
  bool crowds_at_once();
  bool note_speed(const RushResult& result, StockSize& size, bool as_it_is);
  bool crowd_arriving();
  bool still_to_break(std::size_t tries) const;
  /// Whether nobody is kept from a unit, or from hearing of one, by going home when nothing is left: of several sales
  /// one does not know, and in the queue they hear of theirs only when they look.
  bool may_go_home() const { return task_.scenario.sales == 1 && task_.way.engine != "queue"; }
  void compare_with_orders();
  Counters counters() const;
  std::vector<std::optional<Counters>> node_counters() const;
  Counters server_counters() const;
  std::map<std::string, milliseconds> processors() const;
  std::vector<net::HttpOrigin> targets() const;

  const CompareOptions& options_;
  const Task& task_;
  const RunPlace& place_;
  const RunProgress& progress_;
  Folder folder_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::unique_ptr<Node> orders_;
  std::uint32_t sales_ = 0;
  std::string last_sale_;
  Measured measured_;
  std::string error_;
};

bool WayRun::start_node(std::uint32_t index) {
  NodeOptions options;
  options.arguments = serve_arguments(options_, task_, place_, index);
  options.log = place_.folder / fmt::format("node-{}.log", index);
  auto node = Node::start(std::move(options));
  if (!node) {
    error_ = std::move(node.error());
    return false;
  }
  nodes_.push_back(std::move(*node));
  return true;
}

bool WayRun::start() {
  for (std::uint32_t index = 0; index < task_.way.nodes; ++index)
    if (!start_node(index)) return false;
  return !task_.way.orders || start_orders();
}

bool WayRun::start_orders() {
  NodeOptions options;
  options.arguments = {"orders",          "--kafka",    options_.urls.at(Server::kafka),     "--kafka-prefix",
                       place_.name + ".", "--database", options_.urls.at(*task_.way.orders), "--listen",
                       "127.0.0.1:0"};
  options.log = place_.folder / "orders.log";
  auto orders = Node::start(std::move(options));
  if (!orders) {
    error_ = std::move(orders.error());
    return false;
  }
  orders_ = std::move(*orders);
  return true;
}

std::vector<net::HttpOrigin> WayRun::targets() const {
  std::vector<net::HttpOrigin> all;
  for (const auto& node : nodes_)
    if (node->is_running()) all.push_back(node->origin());
  return all;
}

bool WayRun::create_one(const std::string& id, Units stock) {
  net::ClientRequest request;
  request.method = net::Method::post;
  request.target = "/v1/sales";
  request.body = sale_body(task_.scenario, task_.way, id, stock);
  const net::ClientResult answer = net::fetch(targets().front(), request, patience);
  if (answer && answer->status == created) return true;
  error_ = answer ? fmt::format("the sale was not created: {} {}", answer->status, answer->body)
                  : "the sale was not created: " + answer.error().detail;
  return false;
}

bool WayRun::create(const std::string& sale, Units stock, std::uint32_t sales) {
  RushOptions named;
  named.sale = sale;
  named.sales = sales;
  for (std::uint32_t i = 0; i < sales; ++i)
    if (!create_one(sale_id_of(named, i), stock)) return false;
  return true;
}

/// Creates a sale and lets the crowd loose on it. Nothing: `error_` says why.
std::optional<RushResult> WayRun::let_in(std::string_view what, RushOptions crowd, Units stock) {
  crowd.sale = fmt::format("{}-{}", place_.name, ++sales_);
  crowd.targets = targets();
  crowd.connections = std::min(crowd.connections, crowd.customers);
  crowd.max_lag = options_.max_lag;
  last_sale_ = crowd.sale;
  if (crowd.targets.empty()) {
    error_ = "no server is left";
    return std::nullopt;
  }
  if (!create(crowd.sale, stock, crowd.sales)) return std::nullopt;
  const Fault fault = what == "warm-up" ? Fault::none : task_.table.fault;
  // Of several nodes the last is hurt: the first is asked how it goes.
  std::optional<Pauses> pauses;
  if (fault == Fault::pause_holder) pauses.emplace(*nodes_.back());
  std::optional<Kill> kill;
  if (fault == Fault::kill_node || fault == Fault::kill_redis) kill.emplace(options_, fault, *nodes_.back());
  const auto show = [&](const Progress& now) {
    if (kill && now.phase == Progress::Phase::rushing && now.sale != nullptr) kill->act(*now.sale);
    progress_(what, &now);
  };
  auto result = run_rush(crowd, show, look_every);
  pauses.reset();
  if (kill && !kill->was_in_time()) measured_.invalid = "all was sold before anything was killed";
  if (result) return std::move(*result);
  error_ = fmt::format("{}: {}", what, result.error().detail);
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    if (const auto end = end_of_log(place_.folder / fmt::format("node-{}.log", i)); !end.empty())
      error_ += fmt::format(" (node {}: {})", i, end);
  return std::nullopt;
}

// As many customers as there are units: all buy, unless a payment fails.
bool WayRun::warm_up() {
  RushOptions crowd = crowd_of(task_.scenario);
  crowd.seed = options_.seed;
  crowd.double_click = 0;
  crowd.sales = 1;
  crowd.customers = warm_up_units;
  crowd.connections = std::min(warm_up_connections, options_.connections);
  // Some ways send most away to come again later; what sales cost is known long before the last of them.
  crowd.patience = std::max(warm_up_least, options_.time / 5);
  crowd.click_lease.reset();
  const Counters before = counters();
  const auto result = let_in("warm-up", crowd, Units{warm_up_units} * task_.scenario.units_each.most);
  if (!result) return false;
  measured_.warm_up = counters() - before;
  measured_.warm_up_sold = static_cast<std::int64_t>(result->totals.sold);
  return true;
}

/// A way that breaks now and then gets a few tries.
bool WayRun::still_to_break(std::size_t tries) const {
  if (tries >= tries_most) return false;
  const Expectation expectation = expected_with(task_.way, task_.scenario, task_.table);
  if (expectation.expected == Expected::exact || expectation.doubt == Doubt::anything) return false;
  return !make_row(task_.way, task_.scenario, task_.table, measured_).ok;
}

bool WayRun::crowds_at_once() {
  const bool both = options_.loop == Loop::both && task_.table.fault == Fault::none;
  const milliseconds time = both ? share(options_.time, share_at_once) : options_.time;
  const auto until = SteadyClock::now() + time;
  const bool hurt = task_.table.fault != Fault::none;
  // Of a way that is to break the scenario's own crowd tells enough, and one that is hurt must last as it is.
  const bool is_exact = expected_with(task_.way, task_.scenario, task_.table).expected == Expected::exact;
  StockSize size(task_.scenario, std::clamp(share(options_.time, share_of_a_sale), sale_least, sale_most));
  bool too_short = false;
  std::size_t crowds = 0;
  while (crowds == 0 || still_to_break(crowds) || too_short || (SteadyClock::now() < until && !hurt)) {
    RushOptions crowd = crowd_of(task_.scenario);
    crowd.customers = size.customers();
    crowd.seed = options_.seed + ++crowds;
    crowd.connections = options_.connections;
    // Sessions must be left for who looks how it goes, and says when to pause.
    if (hurt) crowd.connections = std::min(crowd.connections, options_.workers);
    crowd.patience = std::max(patience, 2 * options_.time);
    const auto left = std::chrono::ceil<milliseconds>(until - SteadyClock::now());
    if (may_go_home()) crowd.enough = std::max(left, look_every);
    const auto result = let_in(fmt::format("crowd {}", crowds), crowd, size.stock());
    if (!result) return false;
    measured_.add(*result);
    too_short = note_speed(*result, size, hurt || !is_exact);
  }
  return true;
}

/// Whether the sale was over too soon for its speed to say something; then the next is larger.
bool WayRun::note_speed(const RushResult& result, StockSize& size, bool as_it_is) {
  const std::chrono::duration<double> sold_out_after = result.figures.last_confirmed;
  const bool sold = sold_out_after.count() > 0 && result.totals.units > 0;
  if (sold && size.is_as_in_scenario()) measured_.sell_out_ms.push_back(sold_out_after.count() * 1e3);
  const Units stock = size.stock();
  if (!as_it_is && sold && size.lasted(sold_out_after) == StockSize::Next::larger) {
    measured_.sold_per_s.clear();
    measured_.generator_busy = 0;
    return true;
  }
  measured_.generator_busy = std::max(measured_.generator_busy, result.generator.busy());
  if (!sold) return false;
  measured_.sold_per_s.push_back(static_cast<double>(result.totals.units) / sold_out_after.count());
  measured_.speed_stock = stock;
  return false;
}

bool WayRun::crowd_arriving() {
  const milliseconds time = options_.loop == Loop::both ? share(options_.time, share_arriving) : options_.time;
  RushOptions crowd = crowd_of(task_.scenario);
  crowd.rate = options_.rate.value_or(task_.scenario.rate);
  crowd.customers = static_cast<std::uint32_t>(
      std::max<double>(arriving_least, *crowd.rate * std::chrono::duration<double>(time).count()));
  crowd.seed = options_.seed;
  crowd.connections = options_.connections;
  crowd.patience = std::max(patience, 2 * options_.time);
  if (may_go_home()) crowd.enough = share(time, (1 - share_at_once) / share_arriving);
  const std::optional<std::string> earlier = measured_.invalid;
  for (std::size_t attempt = 1;; ++attempt) {
    // The latencies of the report are those of arrivals, which a server cannot keep small by keeping customers out.
    measured_.latencies.clear();
    measured_.invalid.reset();
    const auto result = let_in("arrivals", crowd, task_.scenario.stock);
    if (!result) return false;
    measured_.add(*result);
    if (measured_.invalid && attempt < arriving_tries) continue;
    if (earlier) measured_.invalid = earlier;
    return true;
  }
}

// What the engine sold, what Kafka was told, and what the database has, one by one: of the last sale, or of the hottest
// of the last sales.
void WayRun::compare_with_orders() {
  progress_("orders", nullptr);
  const auto output = place_.folder / "audit.log";
  const net::HttpOrigin node = targets().front();
  RushOptions named;
  named.sale = last_sale_;
  named.sales = task_.scenario.sales;
  const int code = run_self({"audit", "--engine", fmt::format("http://{}:{}", node.host, node.port), "--database",
                             options_.urls.at(*task_.way.orders), "--kafka", options_.urls.at(Server::kafka),
                             "--kafka-prefix", place_.name + ".", "--sale", sale_id_of(named, 0), "--wait-ms", "15000"},
                            output, std::chrono::minutes{1});
  if (code == 0 || measured_.rounds.empty()) return;
  const auto said =
      fmt::format("orders: the audit of engine, Kafka and database ended with {}: {}", code, end_of_log(output));
  if (code != static_cast<int>(Grade::promise_broken)) {
    measured_.error = said;
    return;
  }
  Round& last = measured_.rounds.back();
  ++last.lost;
  last.cases.push_back(said);
}

Counters WayRun::counters() const { return read_counters(targets()) + server_counters(); }

/// Of each node; nothing: it is gone.
std::vector<std::optional<Counters>> WayRun::node_counters() const {
  std::vector<std::optional<Counters>> all;
  for (const auto& node : nodes_)
    all.push_back(node->is_running() ? std::optional(read_counters({node->origin()})) : std::nullopt);
  return all;
}

/// Of the Redis servers.
Counters WayRun::server_counters() const {
  Counters now;
  const auto& ways_servers = needs(task_.way);
  for (const Server server : {Server::redis, Server::redlock}) {
    if (std::ranges::find(ways_servers, server) == ways_servers.end()) continue;
    now.redis_processed += redis_commands_processed(options_.urls.at(server)).value_or(0);
  }
  return now;
}

std::map<std::string, milliseconds> WayRun::processors() const {
  std::map<std::string, milliseconds> times;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    if (nodes_[i]->is_running()) times[fmt::format("node {}", i + 1)] = processor_time(nodes_[i]->pid());
  if (orders_) times["orders"] = processor_time(orders_->pid());
  for (const auto& [name, pid] : options_.processes) times[name] = processor_time(pid);
  return times;
}

}  // namespace

std::expected<Measured, std::string> run_way(const CompareOptions& options, const Task& task, const RunPlace& place,
                                             const RunProgress& progress) {
  WayRun run(options, task, place, progress);
  return run.run();
}

}  // namespace firstcome::rush
