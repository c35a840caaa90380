// From the outbox to Kafka, from Kafka to the order databases, and the whole way: each beside what can be had without
// us, in one run, on one machine.
//
//   relay    an embedded store full of events, brought to Kafka, against Kafka's own producer performance tool with
//            as many messages of the same kind, acks=all and the same compression, to topics of as many partitions
//            that are there before the clock runs; five times as many as orders, because the tool's Java becomes fast
//            on the way
//   orders   a topic full of events, stored in PostgreSQL and MariaDB, against plain INSERT statements of 500 rows
//            each: the same rows, in the order in which they come from the topic, into the same table, each statement
//            synced to disk with its commit
//   whole    a sale at a steady rate, until the transaction that stored the order is committed
//
// The first round of each is not counted: then programs, caches and files are warm. BENCH_EVENTS (100 000),
// BENCH_ROUNDS (3), BENCH_RATE (2 000) and BENCH_SECONDS (10) change how much is done; BENCH_ONLY (relay, mariadb,
// postgresql, whole) does one part.
#include "engine/embedded/engine_thread.hpp"
#include "events/blocking_caller.hpp"
#include "events/kafka_sink.hpp"
#include "events/kafka_source.hpp"
#include "events/order_service.hpp"
#include "events/orders/sql_order_store.hpp"
#include "events/relay.hpp"
#include "figure.hpp"
#include "plain_orders.hpp"
#include "support/kafka_server.hpp"
#include "support/sql_server.hpp"
#include "support/temporary_folder.hpp"

#include <firstcome/limits.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <regex>
#include <stdexcept>
#include <thread>

namespace {

using namespace firstcome;
using namespace firstcome::events;
using namespace std::chrono_literals;
using firstcome::testing::KafkaServer;
using firstcome::testing::SqlTestServer;
using Steady = std::chrono::steady_clock;

std::size_t setting(const char* name, std::size_t usual) {
  const char* const text = std::getenv(name);
  return text == nullptr ? usual : static_cast<std::size_t>(std::stoull(text));
}

Instant wall() { return std::chrono::floor<Milliseconds>(std::chrono::system_clock::now()); }

double seconds_since(Steady::time_point from) { return std::chrono::duration<double>(Steady::now() - from).count(); }

void wait_until(const std::function<bool()>& done, std::chrono::seconds limit, const char* what) {
  const auto until = Steady::now() + limit;
  while (!done()) {
    if (Steady::now() > until) throw std::runtime_error(std::string(what) + " took too long");
    std::this_thread::sleep_for(1ms);
  }
}

/// A shop that sells at once, and what is told of that.
class Shop {
 public:
  Shop() {
    engine::EmbeddedOptions options;
    options.data = folder_.path();
    auto opened = engine::EmbeddedEngine::open(options);
    if (!opened) throw std::runtime_error(opened.error().detail);
    thread_ = std::make_unique<engine::EngineThread>(std::move(*opened));
    SaleTerms terms;
    terms.id = terms.name = "tee";
    terms.stock = limits::stock;
    terms.unit_price = 19'900;
    terms.hold = 0ms;
    BlockingCaller(engine()).ask(CreateSale{terms}).value();
  }
  engine::EmbeddedEngine& engine() { return thread_->engine(); }

  void sell(std::size_t count) {
    BlockingCaller caller(engine());
    while (count > 0) {
      const std::size_t now = std::min<std::size_t>(count, 4'000);
      std::vector<std::string> customers;
      for (std::size_t i = 0; i < now; ++i) customers.push_back(fmt::format("customer-{:08}", ++customers_));
      std::vector<Reserve> commands;
      for (const std::string& customer : customers) commands.push_back({"tee", customer, 1, "ref", {}});
      for (const auto& answer : caller.ask_all(std::move(commands))) answer.value();
      count -= now;
    }
  }
  std::uint64_t undelivered() { return BlockingCaller(engine()).ask(FindUndelivered{})->events; }
  std::unique_ptr<Relay> relay(std::unique_ptr<EventSink> sink) {
    auto relay =
        std::make_unique<Relay>(engine(), engine::ReservationIds(engine().identity()), std::move(sink), nullptr);
    engine().on_events(relay->doorbell());
    relay->start();
    return relay;
  }

 private:
  firstcome::testing::TemporaryFolder folder_;
  std::unique_ptr<engine::EngineThread> thread_;
  std::uint64_t customers_ = 0;
};

KafkaSinkOptions sink_options(const KafkaServer& kafka, const std::string& prefix) {
  KafkaSinkOptions options;
  options.url = net::parse_kafka_url(kafka.url()).value();
  options.prefix = prefix;
  return options;
}

Event made_up(std::uint64_t number) {
  Event event;
  event.id = fmt::format("1-{}", number);
  event.type = EventType::reservation_confirmed;
  event.sale = "tee";
  event.sequence = number;
  static engine::ReservationIds ids(engine::StoreSecret{});
  const engine::ReservationIdText id = ids.encode({SaleHandle{1}, Number{number}});
  event.reservation.assign(id.data(), id.size());
  event.number = Number{number};
  event.reference = "ref";
  event.at = wall();
  event.customer = fmt::format("customer-{:08}", number);
  event.quantity = 1;
  event.amount = 19'900;
  event.currency = "KRW";
  return event;
}

// --- relay ---

/// Records a second, of Kafka's own tool with the same messages.
double producer_performance(const KafkaServer& kafka, std::size_t events) {
  firstcome::testing::TemporaryFolder folder;
  const auto file = folder.path() / "payload";
  std::ofstream payload(file);
  for (std::uint64_t i = 1; i <= 5'000; ++i) payload << to_json(made_up(i)) << "\n";
  payload.close();
  const std::array topics{net::KafkaTopic{.name = "performance"}};
  if (auto made = net::ensure_topics(net::parse_kafka_url(kafka.url()).value(), topics, 10s); !made)
    throw std::runtime_error(made.error());
  auto child = firstcome::testing::kafka_program(
      "org.apache.kafka.tools.ProducerPerformance",
      {"--topic", "performance", "--num-records", std::to_string(events), "--payload-file", file.string(),
       "--throughput", "-1", "--producer-props", fmt::format("bootstrap.servers=127.0.0.1:{}", kafka.port()),
       "acks=all", "compression.type=lz4", "linger.ms=5"});
  firstcome::testing::ChildProcess process(std::move(child));
  double rate = 0;
  while (const auto line = process.read_line(120s)) {
    static const std::regex pattern(R"((\d+) records sent, ([\d.]+) records/sec.*99th.*)");
    std::smatch found;
    if (std::regex_search(*line, found, pattern)) rate = std::stod(found[2]);
  }
  if (rate == 0) throw std::runtime_error("the producer performance tool told nothing");
  return rate;
}

double relay_rate(const KafkaServer& kafka, std::size_t events) {
  Shop shop;
  shop.sell(events);
  auto sink = std::make_unique<KafkaSink>(sink_options(kafka, "relay."));
  // Connections and topics are there before the clock runs, as are those of the tool.
  if (auto sent = sink->deliver(std::array{made_up(1)}, std::array{StockLevel{"tee", 1, 1, 1, 0, 0}}, {}); !sent)
    throw std::runtime_error(sent.error());
  const auto from = Steady::now();
  const auto relay = shop.relay(std::move(sink));
  wait_until([&] { return relay->counters().events >= events && shop.undelivered() == 0; }, 120s, "the relay");
  const double rate = static_cast<double>(events) / seconds_since(from);
  relay->stop([] {});
  return rate;
}

// --- orders ---

OrderStoreOptions store_options(const SqlTestServer& server) {
  OrderStoreOptions options;
  options.database = engine::parse_database_url(server.url(), "order database").value();
  options.now = wall;
  return options;
}

/// Rows a second, 500 in a statement and a transaction each.
double plain_rate(const SqlTestServer& server, std::span<const Event> events) {
  SqlSession session(session_options(store_options(server)));
  session.run("TRUNCATE TABLE orders");
  const auto statements =
      bench::statements_of(events, [&](auto some) { return bench::plain_orders(some, session.dialect()); });
  const auto from = Steady::now();
  for (const std::string& sql : statements) {
    SqlTransaction transaction(session);
    session.run(sql);
    transaction.commit();
  }
  return static_cast<double>(events.size()) / seconds_since(from);
}

KafkaSourceOptions source_options(const KafkaServer& kafka, const std::string& prefix, const std::string& group) {
  return {.url = net::parse_kafka_url(kafka.url()).value(), .prefix = prefix, .group = group};
}

/// In the order in which a service gets them.
std::vector<Event> events_in_topic(const KafkaServer& kafka, std::size_t count) {
  KafkaSource source(source_options(kafka, "full.", "reader"));
  std::vector<Event> events;
  while (events.size() < count) {
    const auto records = source.poll(5'000, 1s, {});
    if (!records) throw std::runtime_error(records.error());
    for (const SourceRecord& record : records->records) events.push_back(event_from_json(record.payload).value());
  }
  return events;
}

std::unique_ptr<OrderService> service_for(const KafkaServer& kafka, const std::string& prefix,
                                          OrderService::OpenStore open, const std::string& group) {
  OrderServiceOptions options;
  options.now = wall;
  return std::make_unique<OrderService>(std::make_unique<KafkaSource>(source_options(kafka, prefix, group)),
                                        std::move(open), options);
}

double service_rate(const KafkaServer& kafka, const SqlTestServer& server, std::size_t events,
                    const std::string& group) {
  const OrderStoreOptions options = store_options(server);
  const auto open = [&](const std::stop_token&) { return OrderStore::open(options); };
  SqlSession(session_options(options)).run("TRUNCATE TABLE orders");
  const auto service = service_for(kafka, "full.", open, group);
  std::jthread thread([&](const std::stop_token& stop) { service->run(stop); });
  // Joining the group is not what is measured.
  wait_until([&] { return service->counters().events > 0; }, 60s, "joining the group");
  const auto before = service->counters().events;
  const auto from = Steady::now();
  wait_until([&] { return service->counters().events >= events; }, 300s, "the order service");
  return static_cast<double>(events - before) / seconds_since(from);
}

// --- the whole way ---

/// Notes when the events of a batch were stored.
class Timed final : public OrderStore {
 public:
  Timed(std::unique_ptr<OrderStore> below, std::vector<double>& latencies, std::mutex& mutex)
      : below_(std::move(below)), latencies_(latencies), mutex_(mutex) {}
  Result<Stored> store(std::span<const Event> events) override {
    auto stored = below_->store(events);
    const auto now = std::chrono::system_clock::now();
    const std::lock_guard guard(mutex_);
    for (const Event& event : events) {
      if (event.type == EventType::reservation_confirmed)
        latencies_.push_back(std::chrono::duration<double, std::milli>(now - event.at).count());
    }
    return stored;
  }
  Result<void> park(const NoEvent& what) override { return below_->park(what); }
  Result<Retried> retry_due(Instant now, std::size_t limit) override { return below_->retry_due(now, limit); }
  Result<std::uint64_t> failed_count() override { return below_->failed_count(); }
  Result<std::uint64_t> due_count(Instant now) override { return below_->due_count(now); }
  Result<Erased> erase(const std::string& customer, const std::string& pseudonym) override {
    return below_->erase(customer, pseudonym);
  }
  Result<FailedPage> failed(const std::string& after, std::size_t limit) override {
    return below_->failed(after, limit);
  }
  Result<std::uint64_t> retry_now(const std::optional<std::string>& id) override { return below_->retry_now(id); }
  Result<std::uint64_t> discard(const std::string& id, const Discard& why) override { return below_->discard(id, why); }
  Result<std::optional<Order>> order(const std::string& reservation) override { return below_->order(reservation); }
  Result<std::vector<Order>> orders_with(std::span<const std::string> reservations) override {
    return below_->orders_with(reservations);
  }
  Result<OrderPage> orders_of(const std::string& customer, const std::string& after, std::size_t limit) override {
    return below_->orders_of(customer, after, limit);
  }
  Result<void> export_orders(const std::string& sale, const std::function<bool(const Order&)>& each) override {
    return below_->export_orders(sale, each);
  }
  Result<void> summaries(const std::optional<std::string>& sale,
                         const std::function<bool(const OrderSummary&)>& each) override {
    return below_->summaries(sale, each);
  }
  Result<std::vector<firstcome::events::Told>> told() override { return below_->told(); }
  Result<void> settle(std::span<const std::string> reservations, const Discard& why) override {
    return below_->settle(reservations, why);
  }
  Result<std::vector<std::string>> settled() override { return below_->settled(); }
  Result<std::uint64_t> count(const std::string& sale, const std::string& prefix) override {
    return below_->count(sale, prefix);
  }

 private:
  const std::unique_ptr<OrderStore> below_;
  std::vector<double>& latencies_;
  std::mutex& mutex_;
};

void whole_way(const KafkaServer& kafka, const SqlTestServer& server, std::size_t rate, std::size_t seconds) {
  std::mutex mutex;
  std::vector<double> latencies;
  const auto open = [&](const std::stop_token&) -> std::expected<std::unique_ptr<OrderStore>, std::string> {
    auto below = OrderStore::open(store_options(server));
    if (!below) return std::unexpected(below.error());
    return std::make_unique<Timed>(std::move(*below), latencies, mutex);
  };
  Shop shop;
  const auto relay = shop.relay(std::make_unique<KafkaSink>(sink_options(kafka, "whole.")));
  const auto service = service_for(kafka, "whole.", open, "whole");
  std::jthread thread([&](const std::stop_token& stop) { service->run(stop); });
  const auto stored = [&] {
    const std::lock_guard guard(mutex);
    return latencies.size();
  };
  shop.sell(10);
  wait_until([&] { return stored() >= 10; }, 60s, "joining the group");
  {
    const std::lock_guard guard(mutex);
    latencies.clear();
  }
  const std::size_t each = std::max<std::size_t>(rate / 200, 1);
  const auto from = Steady::now();
  for (std::size_t sold = 0; sold < rate * seconds; sold += each) {
    std::this_thread::sleep_until(from + std::chrono::duration_cast<Steady::duration>(
                                             std::chrono::duration<double>(double(sold) / double(rate))));
    shop.sell(each);
  }
  wait_until([&] { return stored() >= rate * seconds; }, 120s, "the whole way");
  relay->stop([] {});
  const std::lock_guard guard(mutex);
  std::ranges::sort(latencies);
  bench::figure("orders.whole_way_per_s", static_cast<double>(rate));
  bench::figure("orders.whole_way_p50_ms", latencies[latencies.size() / 2]);
  bench::figure_at_most("orders.whole_way_p99_ms", latencies[latencies.size() * 99 / 100], 500);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// Rates of two that are measured in turn, without those of the first round.
struct Pairs {
  std::vector<double> ours, theirs, ratios;

  template <typename Ours, typename Theirs>
  static Pairs measure(const char* name, Ours ours, Theirs theirs) {
    Pairs pairs;
    const std::size_t rounds = setting("BENCH_ROUNDS", 3);
    for (std::size_t round = 0; round <= rounds; ++round) {
      const double their_rate = theirs();
      const double our_rate = ours();
      fmt::print("{}{}: {:.0f}/s to {:.0f}/s, {:.2f}\n", name, round == 0 ? ", not counted" : "", our_rate, their_rate,
                 our_rate / their_rate);
      std::fflush(stdout);
      if (round == 0) continue;
      pairs.ours.push_back(our_rate);
      pairs.theirs.push_back(their_rate);
      pairs.ratios.push_back(our_rate / their_rate);
    }
    return pairs;
  }
};

void measure_relay(const KafkaServer& kafka, std::size_t events) {
  const Pairs pairs = Pairs::measure(
      "relay", [&] { return relay_rate(kafka, events); }, [&] { return producer_performance(kafka, events); });
  bench::figure("orders.relay_per_s", median(pairs.ours));
  bench::figure("orders.producer_performance_per_s", median(pairs.theirs));
  bench::figure_at_least("orders.relay_ratio", median(pairs.ratios), 0.5);
}

void measure_orders(const KafkaServer& kafka, const SqlTestServer& server, const std::string& name,
                    std::size_t events) {
  KafkaSink full(sink_options(kafka, "full."));
  static std::vector<Event> in_topic;
  if (in_topic.empty()) {
    for (std::uint64_t next = 1; next <= events;) {
      std::vector<Event> batch;
      for (int i = 0; i < 5'000 && next <= events; ++i) batch.push_back(made_up(next++));
      if (auto sent = full.deliver(batch, {}, {}); !sent) throw std::runtime_error(sent.error());
    }
    in_topic = events_in_topic(kafka, events);
  }
  OrderStore::open(store_options(server)).value();  // makes the tables
  int group = 0;
  const Pairs pairs = Pairs::measure(
      name.c_str(), [&] { return service_rate(kafka, server, events, name + std::to_string(++group)); },
      [&] { return plain_rate(server, in_topic); });
  bench::figure("orders." + name + "_per_s", median(pairs.ours));
  bench::figure("orders." + name + "_plain_inserts_per_s", median(pairs.theirs));
  bench::figure_at_least("orders." + name + "_ratio", median(pairs.ratios), 0.6);
}

void measure() {
  using firstcome::testing::Sync;
  const char* const only = std::getenv("BENCH_ONLY");
  const auto is_wanted = [&](std::string_view part) { return only == nullptr || only == part; };
  const std::size_t events = setting("BENCH_EVENTS", 100'000);
  KafkaServer kafka({.java_arguments = {"-Xmx1g"}});
  if (is_wanted("relay")) measure_relay(kafka, 5 * events);
  if (is_wanted("mariadb")) {
    const firstcome::testing::MariadbServer mariadb(Sync::at_each_commit);
    measure_orders(kafka, mariadb, "mariadb", events);
  }
  const firstcome::testing::PostgresServer postgresql(Sync::at_each_commit);
  if (is_wanted("postgresql")) measure_orders(kafka, postgresql, "postgresql", events);
  if (is_wanted("whole")) whole_way(kafka, postgresql, setting("BENCH_RATE", 2'000), setting("BENCH_SECONDS", 10));
}

}  // namespace

int main() {
  if (const std::string why = firstcome::testing::fetch_kafka(); !why.empty()) {
    fmt::print(stderr, "Kafka cannot be had: {}\n", why);
    return 69;
  }
  try {
    measure();
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_orders: {}\n", error.what());
    return 2;
  }
}
