#include "cli/delivery.hpp"

#include "cli/orders_service.hpp"
#include "engine/drive_until.hpp"
#include "events/checked_sink.hpp"
#include "events/kafka_sink.hpp"
#include "events/kafka_source.hpp"
#include "events/order_service.hpp"
#include "events/orders/order_sink.hpp"
#include "events/relay.hpp"

#include <spdlog/spdlog.h>

#include <atomic>
#include <thread>
#include <utility>

namespace firstcome::cli {
namespace {

std::optional<net::KafkaUrl> kafka_of(const ServeOptions& options) {
  if (options.events == "none") return std::nullopt;
  auto url = net::parse_kafka_url(options.events);
  if (!url) throw CLI::ValidationError("--events", "must be none or the URL of a Kafka: " + url.error());
  if (!options.kafka_ca.empty()) url->ca_file = options.kafka_ca;
  return *url;
}

/// Where nothing is said: beside the sales, if nobody else takes the events.
std::optional<engine::DatabaseUrl> orders_of(const ServeOptions& options) {
  if (options.orders == "none") return std::nullopt;
  std::string text = options.orders;
  if (text.empty()) {
    if (options.engine != "embedded" || options.events != "none") return std::nullopt;
    text = "sqlite://" + std::filesystem::absolute(options.data / "orders.db").string();
  }
  auto url = engine::parse_database_url(text, "order database");
  if (!url) throw CLI::ValidationError("--orders", "must be none or the URL of a database: " + url.error());
  if (url->kind == engine::DatabaseUrl::Kind::sqlite && options.engine != "embedded") {
    throw CLI::ValidationError("--orders", "sqlite is for one server; several need postgresql:// or mysql://");
  }
  return *url;
}

/// A database that is away when the server starts holds back the relay, not the server.
class OpenedLater final : public events::EventSink {
 public:
  explicit OpenedLater(events::OrderStoreOptions options) : options_(std::move(options)) {}

  std::expected<void, std::string> deliver(std::span<const events::Event> events, std::span<const StockLevel> levels,
                                           const std::stop_token& stop) override {
    if (!sink_) {
      events::OrderStoreOptions options = options_;
      options.stop = stop;
      auto opened = events::OrderSink::open(options);
      if (!opened) return std::unexpected(std::move(opened.error()));
      sink_ = std::move(*opened);
      opened_ = sink_.get();
    }
    return sink_->deliver(events, levels, stop);
  }

  /// From any thread.
  std::uint64_t failed() const {
    const events::OrderSink* const opened = opened_;
    return opened == nullptr ? 0 : opened->failed();
  }

 private:
  const events::OrderStoreOptions options_;
  std::unique_ptr<events::OrderSink> sink_;
  std::atomic<const events::OrderSink*> opened_ = nullptr;
};

/// A start waits no longer for an order database that does not answer.
constexpr std::chrono::seconds check_at_start{2};

events::OrderStoreOptions store_options(const engine::DatabaseUrl& database) {
  events::OrderStoreOptions options;
  options.database = database;
  options.now = wall_clock;
  return options;
}

std::string say(const DeliveryPlan& plan) {
  if (plan.kafka) return "events go to " + net::to_string(*plan.kafka);
  if (plan.orders) return "orders are written to " + plan.orders->text();
  return "nobody delivers events: GET /v1/events is all there is of them, and the outbox keeps each one";
}

}  // namespace

// allowed: this is where the value comes from that others are given
Instant wall_clock() { return std::chrono::floor<Milliseconds>(std::chrono::system_clock::now()); }

std::function<std::expected<std::unique_ptr<events::OrderStore>, std::string>(std::stop_token)> opener_of(
    const engine::DatabaseUrl& database) {
  return [options = store_options(database)](std::stop_token stop) {
    events::OrderStoreOptions with_stop = options;
    with_stop.stop = std::move(stop);
    return events::OrderStore::open(std::move(with_stop));
  };
}

DeliveryPlan plan_delivery(const ServeOptions& options) {
  DeliveryPlan plan;
  if (options.engine == "guarded") {
    if (options.events != "none") throw CLI::ValidationError("--events", "a guarded engine makes no events");
    if (!options.orders.empty() && options.orders != "none") {
      throw CLI::ValidationError("--orders", "a guarded engine keeps its orders in its --inventory");
    }
    plan.has_events = false;
    return plan;
  }
  plan.kafka = kafka_of(options);
  plan.kafka_prefix = options.kafka_prefix;
  plan.orders = orders_of(options);
  return plan;
}

/// What the order database was told, asked on a connection of its own.
events::Witness witness_of(const DeliveryPlan& plan) {
  events::Witness witness;
  witness.name = "the orders in " + plan.orders->text();
  // Where Kafka is between, events go to it though the database is away.
  if (plan.kafka) witness.need = events::Witness::Need::wanted;
  witness.ask = [open = opener_of(*plan.orders)](
                    const std::stop_token& stop) -> std::expected<std::vector<events::Told>, std::string> {
    const auto store = open(stop);
    if (!store) return std::unexpected(store.error());
    auto told = (*store)->told();
    if (!told) return std::unexpected(told.error().sentence);
    return std::move(*told);
  };
  return witness;
}

struct Delivery::Impl {
  /// Has the witness asked before anything is delivered, where there is one.
  std::unique_ptr<events::EventSink> checked(engine::DrivenEngine& engine, const DeliveryPlan& plan,
                                             std::unique_ptr<events::EventSink> sink) {
    if (!plan.orders) return sink;
    auto with_check = std::make_unique<events::CheckedSink>(
        std::move(sink),
        std::make_unique<events::PastCheck>(engine, engine::ReservationIds(engine.identity()), witness_of(plan)));
    check = with_check.get();
    return with_check;
  }

  std::unique_ptr<events::EventSink> sink_of(const DeliveryPlan& plan) {
    if (!plan.kafka) {
      auto into_orders = std::make_unique<OpenedLater>(store_options(*plan.orders));
      own_orders = into_orders.get();
      return into_orders;
    }
    events::KafkaSinkOptions options;
    options.url = *plan.kafka;
    options.prefix = plan.kafka_prefix;
    return std::make_unique<events::KafkaSink>(options);
  }

  std::unique_ptr<events::OrderService> service_of(const DeliveryPlan& plan) {
    if (!plan.kafka || !plan.orders) return nullptr;
    events::OrderServiceOptions options;
    options.now = wall_clock;
    events::KafkaSourceOptions source;
    source.url = *plan.kafka;
    source.prefix = plan.kafka_prefix;
    return std::make_unique<events::OrderService>(std::make_unique<events::KafkaSource>(source),
                                                  opener_of(*plan.orders), options);
  }

  std::unique_ptr<events::OrderLookup> lookup;
  events::CheckedSink* check = nullptr;     ///< the relay's sink, or null
  const OpenedLater* own_orders = nullptr;  ///< the relay's sink, where that writes orders itself
  std::unique_ptr<events::Relay> relay;
  std::unique_ptr<events::OrderService> service;
  std::jthread service_thread;
};

Delivery::Delivery(engine::DrivenEngine& engine, const DeliveryPlan& plan, std::unique_ptr<LockSpace> locks)
    : impl_(std::make_unique<Impl>()) {
  if (plan.has_events) spdlog::log(plan.delivers() ? spdlog::level::info : spdlog::level::warn, "{}", say(plan));
  if (plan.orders) impl_->lookup = std::make_unique<events::OrderLookup>(opener_of(*plan.orders));
  if (!plan.delivers()) return;
  events::RelayOptions options;
  if (!plan.kafka) {
    options.priority = events::RelayOptions::Priority::background;
    options.page = 2'000;  // as many as it stores in one transaction
  }
  impl_->relay =
      std::make_unique<events::Relay>(engine, engine::ReservationIds(engine.identity()),
                                      impl_->checked(engine, plan, impl_->sink_of(plan)), std::move(locks), options);
  impl_->service = impl_->service_of(plan);
  engine.on_events(impl_->relay->doorbell());
}

Delivery::~Delivery() = default;

events::OrderLookup* Delivery::orders() { return impl_->lookup.get(); }

void Delivery::add_metrics(api::Metrics& metrics) {
  if (const events::Relay* relay = impl_->relay.get()) {
    const auto read = [relay](std::uint64_t events::RelayCounters::* member) {
      return [relay, member] { return static_cast<double>(relay->counters().*member); };
    };
    using Counters = events::RelayCounters;
    metrics.add_counter("firstcome_relay_events_total", "Events delivered", read(&Counters::events));
    metrics.add_counter("firstcome_relay_failures_total", "Deliveries that were given up and tried again",
                        read(&Counters::failures));
    metrics.add_gauge("firstcome_relay_streams", "Streams that are delivered here, or stood by for",
                      read(&Counters::streams));
    metrics.add_gauge("firstcome_relay_held_back", "1 while events cannot be delivered",
                      [relay] { return relay->trouble().empty() ? 0.0 : 1.0; });
  }
  if (const OpenedLater* orders = impl_->own_orders) {
    metrics.add_gauge("firstcome_orders_failed_events", "Events in the list of failed ones",
                      [orders] { return static_cast<double>(orders->failed()); });
  }
  if (const events::OrderService* service = impl_->service.get()) add_order_metrics(metrics, *service);
}

void Delivery::check_past(const std::function<void()>& meanwhile) {
  if (impl_->check == nullptr) return;
  std::atomic<bool> done = false;
  std::jthread asking([&](const std::stop_token& stop) {
    if (const auto found = impl_->check->check_now(stop); !found) {
      spdlog::warn("whether the store has lost part of its past is found out later: {}", found.error());
    }
    done = true;
  });
  const auto is_done = [&] { return done.load(); };
  engine::drive_until(is_done, std::chrono::steady_clock::now() + check_at_start, meanwhile);
  asking.request_stop();
  engine::drive_until(is_done, std::chrono::steady_clock::time_point::max(), meanwhile);
}

void Delivery::start() {
  if (impl_->relay) impl_->relay->start();
  if (impl_->service) {
    impl_->service_thread =
        std::jthread([service = impl_->service.get()](const std::stop_token& stop) { service->run(stop); });
  }
}

std::string Delivery::trouble() const {
  std::string trouble = impl_->relay ? impl_->relay->trouble() : std::string();
  if (trouble.empty() && impl_->service) trouble = impl_->service->trouble();
  return trouble;
}

void Delivery::request_stop() {
  impl_->service_thread.request_stop();
  if (impl_->relay) impl_->relay->request_stop();
  if (impl_->lookup) impl_->lookup->request_stop();
}

void Delivery::stop(const std::function<void()>& meanwhile) {
  request_stop();
  if (impl_->relay) impl_->relay->stop(meanwhile);
  impl_->service_thread = {};
  impl_->service.reset();
  impl_->lookup.reset();  // it answers on the server's thread, as long as that is there
}

}  // namespace firstcome::cli
