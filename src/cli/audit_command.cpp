#include "cli/audit_command.hpp"

#include "cli/delivery.hpp"
#include "cli/exit_code.hpp"
#include "engine/reservation_id.hpp"
#include "events/kafka_sink.hpp"
#include "events/reconcile.hpp"
#include "net/kafka/reader.hpp"
#include "net/rfc3339.hpp"

#include <boost/json.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace firstcome::cli {
namespace {

namespace json = boost::json;
using events::Difference;
using events::Event;
using events::OrderState;
using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds patience{30};
constexpr std::chrono::milliseconds look_again{500};
constexpr std::size_t differences_printed = 100;

/// What is sold, as the events that were told of it; by reservation.
using Sold = std::map<std::string, Event>;

/// A sentence for the user; caught in `audit`.
struct Unavailable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Nothing: 404.
std::optional<json::value> find(const net::HttpOrigin& server, const std::string& target) {
  net::ClientRequest request;
  request.target = target;
  const net::ClientResult result = net::fetch(server, request, patience);
  const std::string at = fmt::format("http://{}:{}{}", server.host, server.port, target);
  if (!result) throw Unavailable(at + ": " + result.error().detail);
  if (result->status == 404) return std::nullopt;
  if (result->status != 200) throw Unavailable(fmt::format("{}: {} {}", at, result->status, result->body));
  return json::parse(result->body);
}

json::value get(const net::HttpOrigin& server, const std::string& target) {
  auto found = find(server, target);
  if (!found) throw Unavailable(fmt::format("http://{}:{}{}: 404", server.host, server.port, target));
  return std::move(*found);
}

/// Calls `each` with the items of all pages.
template <class Each>
void for_each_item(const net::HttpOrigin& server, const std::string& target, Each each) {
  std::string after;
  do {
    const json::value page = get(server, target + "?limit=1000" + (after.empty() ? "" : "&after=" + after));
    for (const json::value& item : page.at("items").as_array()) each(item.as_object());
    after = page.at("next").is_null() ? std::string() : std::string(page.at("next").as_string());
  } while (!after.empty());
}

std::string text(const json::object& object, std::string_view name) {
  const json::value& member = object.at(name);
  return member.is_string() ? std::string(member.as_string()) : std::string();
}

/// The event that must have been told of it. Its sequence is the lowest there is: whatever is known already is later.
std::optional<Event> event_of(const json::object& reservation) {
  const std::string state = text(reservation, "state");
  if (state != "confirmed" && state != "returned") return std::nullopt;
  Event event;
  event.type = state == "confirmed" ? EventType::reservation_confirmed : EventType::reservation_returned;
  event.reservation = text(reservation, "id");
  event.id = "audit-" + event.reservation;
  event.sale = text(reservation, "sale");
  event.sequence = 1;
  event.number = Number{reservation.at("number").to_number<std::uint64_t>()};
  event.reference = text(reservation, "reference");
  event.at = net::parse_rfc3339(text(reservation, "created_at")).value_or(Instant{});
  event.customer = text(reservation, "customer");
  event.quantity = reservation.at("quantity").to_number<Units>();
  event.amount = reservation.at("amount").to_number<Money>();
  event.currency = text(reservation, "currency");
  if (const json::object* payment = reservation.at("payment").if_object()) {
    event.payment = Payment{text(*payment, "id"), text(*payment, "account_number")};
  }
  return event;
}

std::vector<std::string> sales_of(const AuditRequest& request) {
  if (!request.sale.empty()) return {request.sale};
  std::vector<std::string> sales;
  for_each_item(request.engine, "/v1/sales", [&](const json::object& sale) { sales.push_back(text(sale, "id")); });
  return sales;
}

/// How the ids of a sale's reservations begin: the name of a sale that was deleted may be given again, this is not.
std::string beginning_of(const std::string& reservation) {
  return reservation.substr(0, engine::reservation_id_of_sale);
}

template <class T>
T must(events::OrderStore::Result<T> result) {
  if (!result) throw Unavailable(result.error().sentence);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

struct Comparison {
  std::vector<Difference> differences;
  std::uint64_t sold = 0, orders = 0, events = 0;
};

class Audit {
 public:
  explicit Audit(const AuditRequest& request) : request_(request), sales_(sales_of(request)) {
    events::OrderStoreOptions options;
    options.database = request.database;
    options.tables = events::OrderStoreOptions::Tables::expect;  // who looks changes nothing
    options.now = wall_clock;
    auto store = events::OrderStore::open(options);
    if (!store) throw Unavailable(store.error());
    store_ = std::move(*store);
  }

  Comparison compare() {
    read_engine();
    events::Reconciliation all(request_.kafka ? events::Reconciliation::Topic::is_compared
                                              : events::Reconciliation::Topic::is_not_compared);
    for (const auto& [id, event] : sold_) {
      const bool confirmed = event.type == EventType::reservation_confirmed;
      all.sold(id, event.sale, confirmed ? OrderState::confirmed : OrderState::returned);
    }
    if (request_.kafka) read_topic(all);
    const auto sale = request_.sale.empty() ? std::nullopt : std::optional(request_.sale);
    must(store_->ids(sale, [&](const events::OrderId& order) {
      if (is_of_a_sale(order.reservation)) all.ordered(order);  // a deleted sale's orders stay, and are right
      return true;
    }));
    std::vector<Difference> differences = all.differences();
    std::erase_if(differences, [this](const Difference& one) { return was_confirmed_since(one); });
    return {std::move(differences), all.sold(), all.orders(), all.events()};
  }

  /// What is missing is told again, to whoever writes orders; what is there for nothing is left for people to judge.
  std::size_t repair(const std::vector<Difference>& differences) {
    std::set<std::string> missing;
    for (const Difference& one : differences) {
      if (sold_.contains(one.reservation)) missing.insert(one.reservation);
    }
    std::vector<Event> again;
    for (const std::string& reservation : missing) tell_again(sold_.at(reservation), again);
    if (!again.empty()) send(again);
    return missing.size();
  }

 private:
  void read_engine() {
    sold_.clear();
    for (const std::string& sale : sales_) {
      for_each_item(request_.engine, "/v1/sales/" + sale + "/reservations", [&](const json::object& reservation) {
        beginnings_.insert(beginning_of(text(reservation, "id")));
        if (auto event = event_of(reservation)) sold_.emplace(event->reservation, std::move(*event));
      });
      fmt::print(stderr, "\rengine: {} reservations that were confirmed", sold_.size());
    }
    fmt::print(stderr, "\n");
  }

  bool is_of_a_sale(const std::string& reservation) const { return beginnings_.contains(beginning_of(reservation)); }

  /// What is there for nothing may have been confirmed after the engine was read.
  bool was_confirmed_since(const Difference& one) const {
    using Kind = Difference::Kind;
    if (one.kind != Kind::order_for_nothing && one.kind != Kind::event_for_nothing) return false;
    const auto reservation = find(request_.engine, "/v1/reservations/" + one.reservation);
    return reservation && event_of(reservation->as_object());
  }

  /// A confirmation, older than any that is known; and its return, later than what the order knows.
  void tell_again(const Event& sold, std::vector<Event>& again) {
    Event confirmation = sold;
    confirmation.type = EventType::reservation_confirmed;
    again.push_back(std::move(confirmation));
    if (sold.type != EventType::reservation_returned) return;
    const auto order = must(store_->order(sold.reservation));
    again.push_back(sold);
    again.back().sequence = std::max<std::uint64_t>(order ? order->sequence : 0, 1) + 1;
    again.back().id += "-returned";
  }

  void read_topic(events::Reconciliation& all) {
    const auto read = net::read_topic(*request_.kafka, events::orders_topic(request_.kafka_prefix),
                                      [&](const net::KafkaRecord& record) {
                                        const auto event = events::event_from_json(record.payload);
                                        if (event && is_of_a_sale(event->reservation)) all.told(*event);
                                      });
    if (!read) throw Unavailable(read.error());
    fmt::print(stderr, "topic: {} confirmations\n", all.events());
  }

  void send(const std::vector<Event>& again) {
    if (!request_.kafka) {
      must(store_->store(again));
      return;
    }
    events::KafkaSinkOptions options;
    options.url = *request_.kafka;
    options.prefix = request_.kafka_prefix;
    const auto sent = events::KafkaSink(options).deliver(again, {}, {});
    if (!sent) throw Unavailable(sent.error());
  }

  const AuditRequest request_;
  const std::vector<std::string> sales_;
  std::unique_ptr<events::OrderStore> store_;
  Sold sold_;
  std::set<std::string> beginnings_;  ///< of the ids of reservations
};

/// What is on its way arrives meanwhile.
Comparison compare_patiently(Audit& audit, std::chrono::milliseconds wait) {
  const auto until = SteadyClock::now() + wait;
  std::mutex mutex;
  std::condition_variable nobody;
  while (true) {
    Comparison found = audit.compare();
    if (found.differences.empty() || SteadyClock::now() >= until) return found;
    std::unique_lock guard(mutex);
    nobody.wait_for(guard, look_again);
  }
}

void print(const Comparison& found, const AuditRequest& request) {
  fmt::print("{:<24} {:>10}\n{:<24} {:>10}\n", "confirmed or returned", found.sold, "orders", found.orders);
  if (request.kafka) fmt::print("{:<24} {:>10}\n", "confirmations in Kafka", found.events);
  fmt::print("{:<24} {:>10}\n", "differences", found.differences.size());
  for (std::size_t i = 0; i < found.differences.size() && i < differences_printed; ++i) {
    const Difference& one = found.differences[i];
    fmt::print("  {} of sale {}: {}\n", one.reservation, one.sale, word(one.kind));
  }
  if (found.differences.size() > differences_printed) {
    fmt::print("  and {} more\n", found.differences.size() - differences_printed);
  }
}

}  // namespace

int audit(const AuditRequest& request) {
  try {
    Audit audit(request);
    Comparison found = compare_patiently(audit, request.wait);
    print(found, request);
    if (found.differences.empty()) return exit_fine;
    if (request.repair == AuditRequest::Repair::no) return exit_promise_broken;
    fmt::print("told of {} again\n", audit.repair(found.differences));
    found = compare_patiently(audit, request.wait);
    print(found, request);
    return found.differences.empty() ? exit_fine : exit_promise_broken;
  } catch (const Unavailable& why) {
    fmt::print(stderr, "firstcome: {}\n", why.what());
    return exit_unavailable;
  } catch (const boost::system::system_error& why) {  // of Boost.JSON
    fmt::print(stderr, "firstcome: the server's answer is not what API.md says: {}\n", why.what());
    return exit_unavailable;
  }
}

void add_audit_command(CLI::App& app, Run& run) {
  struct Options {
    std::string engine = "http://127.0.0.1:8080";
    std::string database;
    std::string kafka;
    std::string kafka_ca;
    std::string kafka_prefix = "firstcome.";
    std::string sale;
    bool repair = false;
    std::int64_t wait_ms = 15'000;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "audit", "Compare what a server sold with the events in Kafka and the orders in the database, one by one");
  command->add_option("--engine", options->engine, "http://HOST:PORT of a server that sells, whatever its engine")
      ->capture_default_str()
      ->envname("FIRSTCOME_SERVER");
  command->add_option("--database", options->database, "sqlite:///PATH, postgresql://... or mysql://... of the orders")
      ->required()
      ->envname("FIRSTCOME_DATABASE");
  command->add_option("--kafka", options->kafka, "kafka://HOST:PORT; compares the topic too")
      ->envname("FIRSTCOME_KAFKA");
  command->add_option("--kafka-ca", options->kafka_ca, "PEM file of who signs the certificate of a kafkas:// broker")
      ->check(CLI::ExistingFile);
  command->add_option("--kafka-prefix", options->kafka_prefix, "What the topics' names begin with")
      ->capture_default_str();
  command->add_option("--sale", options->sale, "Only this sale");
  command->add_flag("--repair", options->repair,
                    "Tell again of what is missing: to Kafka where that is given, else to the database itself");
  command->add_option("--wait-ms", options->wait_ms, "How long what is missing may be on its way")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command->callback([options, &run] {
    AuditRequest request;
    const auto wrong = [](const char* option, const std::string& why) { return CLI::ValidationError(option, why); };
    const auto origin = net::parse_origin(options->engine);
    if (!origin) throw wrong("--engine", origin.error());
    const auto database = engine::parse_database_url(options->database, "order database");
    if (!database) throw wrong("--database", database.error());
    request.engine = *origin;
    request.database = *database;
    if (!options->kafka.empty()) {
      const auto kafka = net::parse_kafka_url(options->kafka);
      if (!kafka) throw wrong("--kafka", kafka.error());
      request.kafka = *kafka;
      request.kafka->ca_file = options->kafka_ca;
    }
    request.kafka_prefix = options->kafka_prefix;
    request.sale = options->sale;
    request.repair = options->repair ? AuditRequest::Repair::yes : AuditRequest::Repair::no;
    request.wait = std::chrono::milliseconds{options->wait_ms};
    run = [request] { return audit(request); };
  });
}

}  // namespace firstcome::cli
