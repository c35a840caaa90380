#include "cli/orders_service.hpp"

#include "cli/delivery.hpp"
#include "cli/dependencies.hpp"
#include "cli/exit_code.hpp"
#include "cli/process.hpp"
#include "cli/time_option.hpp"
#include "events/kafka_source.hpp"
#include "net/http_server.hpp"

#include <spdlog/spdlog.h>

#include <cstdio>
#include <limits>
#include <memory>
#include <thread>
#include <utility>

namespace firstcome::cli {
namespace {

/// What operators ask of it.
class Face final : public net::HttpHandler, public net::Driven {
 public:
  explicit Face(const events::OrderService& service) : service_(service), metrics_({}) {
    add_order_metrics(metrics_, service);
  }

  void handle(net::Exchange& exchange) noexcept override {
    try {
      const std::string_view target = exchange.request().target;
      if (target == "/metrics")
        return exchange.respond(200, "text/plain; version=0.0.4; charset=utf-8", metrics_.text());
      if (target == "/healthz") return exchange.respond(200, "application/json", R"({"status":"ok"})");
      if (target == "/readyz") return ready(exchange);
      exchange.respond(404, "text/plain", "/metrics, /healthz, /readyz\n");
    } catch (const std::exception& error) {
      exchange.respond(500, "text/plain", error.what());
    }
  }

  void refuse(net::BadRequest, net::Exchange& exchange) noexcept override { exchange.respond(400, {}, {}); }
  std::optional<std::chrono::steady_clock::time_point> turn() noexcept override { return std::nullopt; }

 private:
  void ready(net::Exchange& exchange) const {
    const std::string trouble = service_.trouble();
    exchange.respond(trouble.empty() ? 200 : 503, "text/plain", trouble.empty() ? "ready\n" : trouble + "\n");
  }

  const events::OrderService& service_;
  api::Metrics metrics_;
};

events::KafkaSourceOptions source_of(const OrdersRequest& request) {
  events::KafkaSourceOptions options;
  options.url = request.kafka;
  options.prefix = request.kafka_prefix;
  options.group = request.group;
  return options;
}

}  // namespace

void add_order_metrics(api::Metrics& metrics, const events::OrderService& service) {
  using Counters = events::OrderServiceCounters;
  const auto read = [&service](std::uint64_t Counters::* member) {
    return [&service, member] { return static_cast<double>(service.counters().*member); };
  };
  metrics.add_counter("firstcome_orders_events_total", "Events stored", read(&Counters::events));
  metrics.add_counter("firstcome_orders_parked_total", "Events put among the failed ones", read(&Counters::parked));
  metrics.add_counter("firstcome_orders_troubles_total", "Times that Kafka or the database could not",
                      read(&Counters::troubles));
  metrics.add_gauge("firstcome_orders_failed_events", "Events in the list of failed ones", read(&Counters::failed));
  metrics.add_gauge("firstcome_orders_lag",
                    "Events in Kafka that are not stored yet, as the brokers said last; NaN: they have not yet",
                    [&service] {
                      const auto lag = service.counters().lag;
                      return lag ? static_cast<double>(*lag) : std::numeric_limits<double>::quiet_NaN();
                    });
}

int serve_orders(const OrdersRequest& request) {
  start_log(request.log_level);
  ignore_signals();
  std::vector<Dependency> needed{kafka_dependency(request.kafka)};
  if (request.database.kind != engine::DatabaseUrl::Kind::sqlite)
    needed.push_back(database_dependency(request.database));
  if (const int code = await_dependencies(needed, std::chrono::milliseconds{request.wait_for_ms}); code != exit_fine)
    return code;
  events::OrderServiceOptions options;
  options.now = wall_clock;
  options.max_rate = request.max_rate;
  events::OrderService service(std::make_unique<events::KafkaSource>(source_of(request)), opener_of(request.database),
                               options);
  Face face(service);
  net::HttpServerOptions http;
  http.host = request.listen.host;
  http.port = request.listen.port;
  net::HttpServer server(http, face, face);
  const StopOnSignals signals(server);
  std::printf("taking events from %s, writing orders to %s; http://%s:%u/metrics\n",
              net::to_string(request.kafka).c_str(), request.database.text().c_str(), request.listen.host.c_str(),
              static_cast<unsigned>(server.port()));
  std::fflush(stdout);
  std::jthread worker([&service](const std::stop_token& stop) { service.run(stop); });
  server.run();
  spdlog::info("stopping");
  worker = {};
  spdlog::info("stopped");
  return exit_fine;
}

void add_orders_service(CLI::App& orders, Run& run) {
  struct Options {
    std::string kafka;
    std::string kafka_ca;
    std::string kafka_prefix = "firstcome.";
    std::string group = "firstcome-orders";
    std::string database;
    std::uint32_t max_rate = 0;
    std::string listen = "127.0.0.1:0";
    std::int64_t wait_for_ms = 0;
    std::string log_level = "info";
  };
  const auto options = std::make_shared<Options>();
  orders.add_option("--kafka", options->kafka, "kafka://HOST:PORT: where events come from")->envname("FIRSTCOME_KAFKA");
  orders.add_option("--kafka-ca", options->kafka_ca, "PEM file of who signs the certificate of a kafkas:// broker")
      ->check(CLI::ExistingFile);
  orders.add_option("--kafka-prefix", options->kafka_prefix, "What the topics' names begin with")
      ->capture_default_str();
  orders.add_option("--group", options->group, "Services of one group share the work")->capture_default_str();
  orders.add_option("--database", options->database, "sqlite:///PATH, postgresql://... or mysql://...")
      ->envname("FIRSTCOME_DATABASE");
  orders.add_option("--max-rate", options->max_rate, "Events a second at most; 0: as many as the database takes")
      ->capture_default_str();
  orders
      .add_option("--listen", options->listen, "HOST:PORT of /metrics, /healthz and /readyz; port 0 picks a free one")
      ->capture_default_str();
  add_wait_for(orders, options->wait_for_ms);
  orders.add_option("--log-level", options->log_level, "What is logged to standard error")
      ->capture_default_str()
      ->check(CLI::IsMember({"trace", "debug", "info", "warning", "error", "off"}));
  orders.callback([options, &orders, &run] {
    if (!orders.get_subcommands().empty()) return;
    const auto required = [](const char* option, const std::string& value) {
      if (value.empty()) throw CLI::RequiredError(option);
    };
    required("--kafka", options->kafka);
    required("--database", options->database);
    OrdersRequest request;
    auto kafka = net::parse_kafka_url(options->kafka);
    if (!kafka) throw CLI::ValidationError("--kafka", kafka.error());
    auto database = engine::parse_database_url(options->database, "order database");
    if (!database) throw CLI::ValidationError("--database", database.error());
    request.kafka = *kafka;
    if (!options->kafka_ca.empty()) request.kafka.ca_file = options->kafka_ca;
    request.kafka_prefix = options->kafka_prefix;
    request.group = options->group;
    request.database = *database;
    request.max_rate = options->max_rate;
    request.listen = parse_listen(options->listen);
    request.wait_for_ms = options->wait_for_ms;
    request.log_level = options->log_level;
    run = [request] { return serve_orders(request); };
  });
}

}  // namespace firstcome::cli
