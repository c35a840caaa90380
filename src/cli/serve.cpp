#include "cli/serve.hpp"

#include "api/api.hpp"
#include "cli/delivery.hpp"
#include "cli/dependencies.hpp"
#include "cli/engines.hpp"
#include "cli/exit_code.hpp"
#include "cli/process.hpp"
#include "cli/sales_file.hpp"
#include "engine/engine_with_locks.hpp"
#include "engine/guarded/guarded_options.hpp"
#include "engine/sql/sql_session.hpp"
#include "net/http_origin.hpp"
#include "net/http_server.hpp"
#include "net/redis/connection.hpp"
#include "payment/payment_service.hpp"

#include <firstcome/lock_metrics.hpp>
#include <firstcome/open_locks.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <optional>
#include <semaphore>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace firstcome::cli {
namespace {

net::HttpServerOptions http_options(const ServeOptions& options, const ListenAddress& address) {
  using std::chrono::milliseconds;
  net::HttpServerOptions result;
  result.host = address.host;
  result.port = address.port;
  result.connections = options.connections;
  result.body_bytes = options.body_limit;
  result.header_deadline = milliseconds{options.header_timeout_ms};
  result.body_deadline = milliseconds{options.body_timeout_ms};
  result.idle_deadline = milliseconds{options.idle_timeout_ms};
  result.write_deadline = milliseconds{options.write_timeout_ms};
  result.drain_deadline = milliseconds{options.drain_timeout_ms};
  return result;
}

/// The engine's turn as the server takes it.
class EngineTurn final : public net::Driven {
 public:
  /// `meanwhile` is called in each turn.
  EngineTurn(engine::DrivenEngine& engine, std::function<void()> meanwhile)
      : engine_(engine), meanwhile_(std::move(meanwhile)) {}
  std::optional<std::chrono::steady_clock::time_point> turn() noexcept override {
    meanwhile_();
    return engine_.turn();
  }

 private:
  engine::DrivenEngine& engine_;
  const std::function<void()> meanwhile_;
};

/// Throws CLI::ValidationError where the file's first line cannot be sent as a field of HTTP.
std::string read_credentials(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  const auto printable = [](char c) { return c >= 0x20 && c < 0x7F; };
  if (line.empty() || !std::ranges::all_of(line, printable))
    throw CLI::ValidationError("--gateway-credentials", "the first line of " + path + " must be visible characters");
  return line;
}

/// Throws CLI::ValidationError where an option is wrong.
payment::MakeGateway choose_gateway(const ServeOptions& options) {
  if (options.gateway.empty()) {
    auto simulation = payment::parse_simulated_gateway(options.simulate_payment);
    if (!simulation) throw CLI::ValidationError("--simulate-payment", simulation.error());
    return payment::simulated(*simulation);
  }
  auto origin = net::parse_origin(options.gateway, options.gateway_ca);
  if (!origin) throw CLI::ValidationError("--gateway", origin.error());
  payment::HttpGatewayOptions provider;
  provider.origin = *origin;
  if (!options.gateway_credentials.empty()) provider.authorization = read_credentials(options.gateway_credentials);
  provider.timeout = std::chrono::milliseconds{options.gateway_timeout_ms};
  return payment::over_http(provider);
}

/// Beside the guard's own locks, of the same kind. Null: the guard is no lock on Redis.
std::unique_ptr<LockSpace> locks_of_guard(const ServeOptions& options, std::shared_ptr<LockObserver> observer) {
  const auto guard = engine::guard_kind_of(options.guard);
  if (!guard || !engine::uses_locks(*guard)) return nullptr;
  const LockKind kind = *guard == engine::GuardKind::redisson     ? LockKind::redisson
                        : *guard == engine::GuardKind::setnx_spin ? LockKind::setnx
                        : *guard == engine::GuardKind::setnx_try  ? LockKind::setnx_try
                                                                  : LockKind::fifo;
  auto space =
      open_locks(options.locks.empty() ? options.inventory : options.locks, kind, {.observer = std::move(observer)});
  if (!space) throw CLI::ValidationError("--locks", space.error());
  return std::move(*space);
}

/// Null: the engine keeps them itself (embedded), or says that it has none (most guards). Throws CLI::ValidationError
/// where the URL is none.
std::unique_ptr<LockSpace> choose_locks(const ServeOptions& options, std::shared_ptr<LockObserver> observer) {
  if (options.engine == "guarded") return locks_of_guard(options, std::move(observer));
  const bool beside_the_sales = options.locks.empty();
  if (options.locks == "embedded" && options.engine != "embedded") {
    throw CLI::ValidationError("--locks", "embedded needs --engine embedded");
  }
  if (options.locks == "embedded" || (beside_the_sales && options.engine == "embedded")) return nullptr;
  auto space = open_locks(beside_the_sales ? options.engine : options.locks, *lock_kind_of(options.lock_kind),
                          {.observer = std::move(observer)});
  if (!space) throw CLI::ValidationError("--locks", space.error());
  return std::move(*space);
}

/// Keeps the relays of several servers apart. Null where there is one server. A relay that dies is stood in for when
/// its leases have ended.
std::unique_ptr<LockSpace> relay_locks(const ServeOptions& options, const DeliveryPlan& plan) {
  if (options.engine == "embedded" || !plan.delivers()) return nullptr;
  auto space = open_locks(options.engine, LockKind::fifo, {.watchdog_lease = Milliseconds{5'000}});
  if (!space) throw CLI::ValidationError("--engine", space.error());
  return std::move(*space);
}

/// A server by the URL of an option that takes several kinds of them; nothing: it is no server.
std::optional<Dependency> dependency_by(const std::string& url, const net::RedisOptions& redis) {
  if (const auto parsed = net::parse_redis_url(url)) {
    // Of several independent servers some may be away.
    if (parsed->topology == net::RedisUrl::Topology::redlock) return std::nullopt;
    return redis_dependency(*parsed, redis);
  }
  const auto database = engine::parse_database_url(url, "database");
  if (!database || database->kind == engine::DatabaseUrl::Kind::sqlite) return std::nullopt;
  return database_dependency(*database);
}

std::vector<Dependency> dependencies_of(const ServeOptions& options, const DeliveryPlan& plan) {
  std::vector<Dependency> needed;
  for (const std::string* url : {&options.engine, &options.locks, &options.inventory}) {
    if (auto dependency = dependency_by(*url, {})) needed.push_back(std::move(*dependency));
  }
  if (plan.kafka) needed.push_back(kafka_dependency(*plan.kafka));
  if (plan.orders && plan.orders->kind != engine::DatabaseUrl::Kind::sqlite)
    needed.push_back(database_dependency(*plan.orders));
  return needed;
}

/// Whoever connects to Redis does so by one description.
ServeOptions with_complete_urls(ServeOptions options) {
  options.engine = complete_redis_url("--engine", options.engine, options.redis);
  options.locks = complete_redis_url("--locks", options.locks, options.redis);
  options.inventory = complete_redis_url("--inventory", options.inventory, options.redis);
  return options;
}

/// What keeps the locks, if it is not the engine, and what counts them in either case.
struct Locks {
  std::shared_ptr<LockMetrics> metrics;
  std::unique_ptr<LockSpace> space;
};

/// What is composed, in the order in which it is made; it ends in the opposite order.
class Program {
 public:
  Program(std::unique_ptr<engine::DrivenEngine> engine, const ServeOptions& options, const ListenAddress& address,
          const payment::MakeGateway& gateway, const DeliveryPlan& plan, Locks locks)
      : engine_(std::move(engine)),
        lock_metrics_(std::move(locks.metrics)),
        with_locks_(locks.space ? std::make_unique<engine::EngineWithLocks>(
                                      *engine_, std::move(locks.space),
                                      [this](std::move_only_function<void()> task) { server_.post(std::move(task)); })
                                : nullptr),
        payments_(*engine_, engine::ReservationIds(engine_->identity()), gateway),
        delivery_(*engine_, plan, relay_locks(options, plan)),
        api_(with_locks_ ? static_cast<Engine&>(*with_locks_) : *engine_, engine::ReservationIds(engine_->identity()),
             &payments_.cashier(), hooks(plan)),
        turn_(*engine_, [this] { stop_early(); }),
        server_(http_options(options, address), api_, turn_),
        host_(address.host) {
    add_engine_metrics();
    add_store_metrics();
    add_server_metrics();
    add_payment_metrics();
    delivery_.add_metrics(api_.metrics());
    api_.metrics().add_text([this] { return lock_metrics_->text(); });
  }

  /// Before anybody serves or sells; see Delivery::check_past.
  void check_past() {
    delivery_.check_past([this] { engine_->turn(); });
  }

  /// Serves until a signal, then ends what is under way.
  void run() {
    engine_->on_ready([this] { server_.wake(); });
    const StopOnSignals signals(server_);
    payments_.start();
    delivery_.start();
    std::printf("listening on http://%s\n", net::authority(host_, server_.port()).c_str());
    std::fflush(stdout);
    server_.run();
    if (with_locks_) with_locks_->close();
    engine_->stop();
    engine_->turn();
    spdlog::info("stopping");
    payments_.stop(server_.drain_end(), [this] { engine_->turn(); });
    delivery_.stop([this] { engine_->turn(); });
    spdlog::info("stopped");
  }

 private:
  /// What may take long to end begins with it while the last answers are given.
  void stop_early() {
    if (server_.is_stopping()) delivery_.request_stop();
  }

  api::ApiHooks hooks(const DeliveryPlan& plan) {
    api::ApiHooks hooks;
    hooks.post = [this](std::move_only_function<void()> task) { server_.post(std::move(task)); };
    hooks.orders = delivery_.orders();
    if (plan.kafka) hooks.order_path = api::OrderPath::through_kafka;
    hooks.held_back = [this] { return delivery_.trouble(); };
    return hooks;
  }

  /// One counter of a struct of counters, read when somebody asks.
  template <class Counters>
  api::Metrics::Read read(Counters (Program::*counters)() const, std::uint64_t Counters::* member) {
    return [this, counters, member] { return static_cast<double>((this->*counters)().*member); };
  }
  net::HttpServerCounters server_counters() const { return server_.counters(); }
  payment::PaymentCounters payment_counters() const { return payments_.counters(); }

  void add_engine_metrics() {
    for (engine::EngineFigure& figure : engine_->figures()) {
      if (figure.kind == engine::EngineFigure::Kind::counter) {
        api_.metrics().add_counter(figure.name, figure.help, std::move(figure.read));
      } else {
        api_.metrics().add_gauge(figure.name, figure.help, std::move(figure.read));
      }
    }
  }

  /// Of this process, whoever sent them.
  void add_store_metrics() {
    api_.metrics().add_counter("firstcome_redis_commands_total", "Commands sent to Redis",
                               [] { return static_cast<double>(net::redis_commands_sent()); });
    api_.metrics().add_counter("firstcome_sql_statements_total", "Statements sent to SQL databases",
                               [] { return static_cast<double>(engine::sql_statements_sent()); });
  }

  void add_server_metrics() {
    using Counters = net::HttpServerCounters;
    auto& metrics = api_.metrics();
    auto from = [this](std::uint64_t Counters::* member) { return read(&Program::server_counters, member); };
    metrics.add_counter("firstcome_http_connections_total", "Connections accepted", from(&Counters::accepted));
    metrics.add_gauge("firstcome_http_connections", "Connections open", from(&Counters::connections));
    metrics.add_counter("firstcome_http_accept_errors_total", "Connections that could not be accepted",
                        from(&Counters::accept_errors));
    metrics.add_counter("firstcome_http_cut_off_total", "Answers cut off: too much waits for slow readers",
                        from(&Counters::cut_off));
    metrics.add_counter("firstcome_http_refused_total", "Requests refused before they were read",
                        from(&Counters::refused));
  }

  void add_payment_metrics() {
    using Counters = payment::PaymentCounters;
    auto& metrics = api_.metrics();
    auto from = [this](std::uint64_t Counters::* member) { return read(&Program::payment_counters, member); };
    metrics.add_counter("firstcome_payments_charged_total", "Charges made", from(&Counters::charged));
    metrics.add_counter("firstcome_payments_declined_total", "Charges declined", from(&Counters::declined));
    metrics.add_counter("firstcome_payments_unreachable_total", "Charges given up: no gateway",
                        from(&Counters::unreachable));
    metrics.add_counter("firstcome_payments_asked_again_total", "Times the gateway was asked again",
                        from(&Counters::asked_again));
    metrics.add_counter("firstcome_payments_settled_total", "Charges of an earlier run that were settled",
                        from(&Counters::settled));
    metrics.add_counter("firstcome_payments_refunds_total", "Charges paid back", from(&Counters::refunds));
    metrics.add_gauge("firstcome_payments_running", "Payments and refunds under way", from(&Counters::running));
    metrics.add_gauge("firstcome_payments_waiting", "Holds whose charge failed and is tried again later",
                      [this] { return static_cast<double>(payments_.charges_waiting()); });
  }

  std::unique_ptr<engine::DrivenEngine> engine_;
  std::shared_ptr<LockMetrics> lock_metrics_;
  std::unique_ptr<engine::EngineWithLocks> with_locks_;  ///< null: the engine answers for locks itself
  payment::PaymentService payments_;
  Delivery delivery_;
  api::Api api_;
  EngineTurn turn_;
  net::HttpServer server_;
  std::string host_;
};

}  // namespace

int serve(const ServeOptions& given, const ListenAddress& address) {
  const ServeOptions options = with_complete_urls(given);
  const payment::MakeGateway gateway = choose_gateway(options);
  const EngineChoice choice = choose_engine(options);
  const DeliveryPlan plan = plan_delivery(options);
  Locks locks{std::make_shared<LockMetrics>(), nullptr};
  locks.space = choose_locks(options, locks.metrics);
  start_log(options.log_level);
  ignore_signals();
  raise_open_files();
  const auto needed = dependencies_of(options, plan);
  if (const int code = await_dependencies(needed, std::chrono::milliseconds{options.wait_for_ms}); code != exit_fine)
    return code;
  if (locks.space && !options.locks.empty()) {
    if (const auto warning = eviction_warning(options.locks)) spdlog::warn("{}", *warning);
  }
  make_files_private(options.data);
  if (plan.has_events && !plan.delivers() && options.outbox_limit > 0) {
    spdlog::warn(
        "with {} events in the outbox nothing more is sold (503 outbox-full), for good: name --orders or --events, or "
        "give --outbox-limit 0",
        options.outbox_limit);
  }
  EngineParts parts;
  if (plan.delivers()) {
    parts.deliveries = plan.kafka ? engine::Deliveries::expected : engine::Deliveries::in_background;
  }
  if (!locks.space) parts.observer = locks.metrics;
  parts.gateway = gateway;
  auto engine = open_engine(options, choice, std::move(parts));
  if (!engine) {
    spdlog::error("{}", engine.error().detail);
    return exit_unavailable;
  }
  engine::DrivenEngine& opened = **engine;
  Program program(std::move(*engine), options, address, gateway, plan, std::move(locks));
  program.check_past();
  if (!options.sales.empty()) {
    const OtherTerms other_terms = options.sales_strict ? OtherTerms::refuse_the_start : OtherTerms::are_warned_of;
    if (int code = create_sales(opened, options.sales, other_terms); code != exit_fine) return code;
  }
  program.run();
  return exit_fine;
}

}  // namespace firstcome::cli
