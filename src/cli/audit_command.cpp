#include "cli/audit_command.hpp"

#include "cli/audit_losses.hpp"
#include "cli/audited_server.hpp"
#include "cli/delivery.hpp"
#include "cli/exit_code.hpp"
#include "engine/reservation_id.hpp"
#include "events/kafka_sink.hpp"
#include "events/reconcile.hpp"
#include "net/kafka/reader.hpp"

#include <boost/system/system_error.hpp>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace firstcome::cli {
namespace {

using events::Difference;
using events::Event;
using events::OrderSummary;
using events::Reconciliation;
using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds look_again{500};
constexpr std::size_t differences_printed = 100;

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
  /// Orders of sales of which the server knows no reservation, by the sale's id.
  std::map<std::string, std::uint64_t> unknown;
  std::uint64_t unreadable = 0;  ///< records of the topic that are no event
  bool topic_is_whole = true;

  std::uint64_t unknown_orders() const {
    std::uint64_t sum = 0;
    for (const auto& [sale, count] : unknown) sum += count;
    return sum;
  }
};

class Audit {
 public:
  explicit Audit(const AuditRequest& request) : request_(request), server_(request.engine) {
    events::OrderStoreOptions options;
    options.database = request.database;
    options.tables = events::OrderStoreOptions::Tables::expect;  // who looks changes nothing
    options.now = wall_clock;
    auto store = events::OrderStore::open(options);
    if (!store) throw Unavailable(store.error());
    store_ = std::move(*store);
  }

  Comparison compare() {
    Comparison found;
    Reconciliation all(request_.kafka ? Reconciliation::Topic::is_compared : Reconciliation::Topic::is_not_compared);
    read_engine(all);
    if (request_.kafka) read_topic(all, found);
    const auto sale = request_.sale.empty() ? std::nullopt : std::optional(request_.sale);
    must(store_->summaries(sale, [&](const OrderSummary& order) {
      is_of_a_sale(order.reservation) ? all.ordered(order) : void(++found.unknown[order.sale]);
      return true;
    }));
    found.differences = all.differences();
    std::erase_if(found.differences, [this](const Difference& one) { return was_confirmed_since(one); });
    leave_out_settled(found.differences);
    found.sold = all.sold();
    found.orders = all.orders();
    found.events = all.events();
    return found;
  }

  /// Whether engine, events and orders are the same, as far as anybody can say.
  bool is_right(const Comparison& found) const {
    const bool may_be_unknown = request_.unknown_sales == AuditRequest::UnknownSales::are_allowed;
    return found.differences.empty() && found.unreadable == 0 && (may_be_unknown || found.unknown.empty());
  }

  /// Keeps that the orders and events of what the store has lost are dealt with. Returns how many reservations.
  std::size_t settle(const std::vector<Difference>& differences, const Losses& losses) {
    std::set<std::string> reservations;
    for (const Difference& one : differences) {
      if (is_for_nothing(one) && losses.sales.contains(one.sale)) reservations.insert(one.reservation);
    }
    const std::vector<std::string> all(reservations.begin(), reservations.end());
    if (!all.empty()) must(store_->settle(all, *request_.settle));
    say_settled(request_.engine, *request_.settle);
    return all.size();
  }

  /// Tells again of what is missing, to whoever writes orders. What is there for nothing, or has other values, is left
  /// for people to judge.
  struct Repaired {
    std::size_t reservations = 0;
    std::size_t made = 0;  ///< of them, those whose events the feed has forgotten
  };
  Repaired repair(const std::vector<Difference>& differences) {
    using Kind = Difference::Kind;
    std::map<std::string, std::set<std::string>> missing;  // by sale
    for (const Difference& one : differences) {
      const bool is_missing = one.kind == Kind::no_order || one.kind == Kind::no_event;
      if (is_missing || one.kind == Kind::other_state) missing[one.sale].insert(one.reservation);
    }
    Repaired repaired;
    for (const auto& [sale, reservations] : missing) {
      const AuditedServer::Told told = server_.events_of(sale, reservations);
      std::vector<Event> again;
      for (const auto& [reservation, events] : told.events) tell_again(events, again);
      send(again);
      repaired.reservations += told.events.size();
      repaired.made += told.made;
    }
    return repaired;
  }

 private:
  void read_engine(Reconciliation& all) {
    const auto sales = request_.sale.empty() ? server_.sales() : std::vector{request_.sale};
    for (const std::string& sale : sales) {
      server_.for_each_reservation(sale, [&](AuditedServer::Reservation reservation) {
        beginnings_.insert(beginning_of(reservation.id));
        if (reservation.sold) all.sold(std::move(*reservation.sold));
      });
      if (terminal_) fmt::print(stderr, "\rengine: {} reservations that were confirmed", all.sold());
    }
    fmt::print(stderr, "{}engine: {} reservations that were confirmed\n", terminal_ ? "\r" : "", all.sold());
  }

  bool is_of_a_sale(const std::string& reservation) const { return beginnings_.contains(beginning_of(reservation)); }

  static bool is_for_nothing(const Difference& one) {
    using Kind = Difference::Kind;
    return one.kind == Kind::order_for_nothing || one.kind == Kind::event_for_nothing;
  }

  /// Orders that are settled are not read; events stay in the topic.
  void leave_out_settled(std::vector<Difference>& differences) {
    if (!request_.kafka) return;
    const std::vector<std::string> settled = must(store_->settled());
    const std::set<std::string> known(settled.begin(), settled.end());
    std::erase_if(differences, [&](const Difference& one) {
      return one.kind == Difference::Kind::event_for_nothing && known.contains(one.reservation);
    });
  }

  /// What is there for nothing may have been confirmed after the engine was read.
  bool was_confirmed_since(const Difference& one) const {
    if (!is_for_nothing(one)) return false;
    const auto reservation = server_.reservation(one.reservation);
    return reservation && reservation->sold;
  }

  /// A return must be later than whatever the order knows, where its own sequence is not known.
  void tell_again(const std::vector<Event>& events, std::vector<Event>& again) {
    for (const Event& event : events) again.push_back(event);
    Event& last = again.back();
    if (last.type != EventType::reservation_returned || last.sequence > Event::made_return) return;
    const auto order = must(store_->order(last.reservation));
    last.sequence = std::max<std::uint64_t>(order ? order->sequence : 0, 1) + 1;
  }

  void read_topic(Reconciliation& all, Comparison& found) {
    const auto read = net::read_topic(*request_.kafka, events::orders_topic(request_.kafka_prefix),
                                      [&](const net::KafkaRecord& record) {
                                        const auto event = events::event_from_json(record.payload);
                                        if (!event) ++found.unreadable;
                                        if (event && is_of_a_sale(event->reservation)) all.told(*event);
                                      });
    if (!read) throw Unavailable(read.error());
    found.topic_is_whole = read->is_whole;
    if (!read->is_whole) all.lost_its_beginning();
    fmt::print(stderr, "topic: {} confirmations\n", all.events());
  }

  void send(const std::vector<Event>& again) {
    if (again.empty()) return;
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
  const AuditedServer server_;
  std::unique_ptr<events::OrderStore> store_;
  std::set<std::string> beginnings_;  ///< of the ids of reservations
  const bool terminal_ = isatty(STDERR_FILENO) == 1;
};

/// What is on its way arrives meanwhile.
Comparison compare_patiently(Audit& audit, std::chrono::milliseconds wait) {
  const auto until = SteadyClock::now() + wait;
  std::mutex mutex;
  std::condition_variable nobody;
  while (true) {
    Comparison found = audit.compare();
    if (audit.is_right(found) || SteadyClock::now() >= until) return found;
    std::unique_lock guard(mutex);
    nobody.wait_for(guard, look_again);
  }
}

void print(const Losses& losses) {
  for (const std::string& loss : losses.open) fmt::print("  {}\n", loss);
}

void print_counts(const Comparison& found, const AuditRequest& request) {
  const auto line = [](std::string_view name, std::uint64_t count) { fmt::print("{:<24} {:>10}\n", name, count); };
  line("confirmed or returned", found.sold);
  line("orders", found.orders);
  if (request.kafka) line("confirmations in Kafka", found.events);
  if (found.unreadable > 0) line("unreadable in Kafka", found.unreadable);
  if (!found.unknown.empty()) line("orders of unknown sales", found.unknown_orders());
  line("differences", found.differences.size());
}

void print(const Comparison& found, const AuditRequest& request) {
  print_counts(found, request);
  for (const auto& [sale, count] : found.unknown) {
    fmt::print("  {} orders of sale {}: the server knows no reservation of that sale\n", count, sale);
  }
  for (std::size_t i = 0; i < found.differences.size() && i < differences_printed; ++i) {
    const Difference& one = found.differences[i];
    fmt::print("  {} of sale {}: {}{}{}\n", one.reservation, one.sale, word(one.kind), one.detail.empty() ? "" : ": ",
               one.detail);
  }
  if (found.differences.size() > differences_printed) {
    fmt::print("  and {} more\n", found.differences.size() - differences_printed);
  }
  if (!found.topic_is_whole) {
    fmt::print("the topic has lost its oldest events: one that an order was made of is not missed in it\n");
  }
  const bool nothing = found.sold + found.orders + found.events + found.unknown_orders() == 0;
  if (nothing) fmt::print("nothing was sold and nothing ordered: this audit proves nothing\n");
}

}  // namespace

int audit(const AuditRequest& request) {
  try {
    Audit audit(request);
    Comparison found = compare_patiently(audit, request.wait);
    print(found, request);
    Losses losses = losses_of(request.engine, request.sale);
    if (request.settle) {
      fmt::print("{} reservations of a past that is lost are settled\n", audit.settle(found.differences, losses));
      found = audit.compare();
      print(found, request);
      losses = losses_of(request.engine, request.sale);
    }
    print(losses);
    if (audit.is_right(found)) return losses.open.empty() ? exit_fine : exit_promise_broken;
    if (request.repair == AuditRequest::Repair::no) return exit_promise_broken;
    const Audit::Repaired repaired = audit.repair(found.differences);
    fmt::print("told of {} again\n", repaired.reservations);
    if (repaired.made > 0) {
      fmt::print("of {} the server's feed has forgotten the events: their orders have the time of the reservation\n",
                 repaired.made);
    }
    found = compare_patiently(audit, request.wait);
    print(found, request);
    return audit.is_right(found) && losses.open.empty() ? exit_fine : exit_promise_broken;
  } catch (const Unavailable& why) {
    fmt::print(stderr, "firstcome: {}\n", why.what());
    return exit_unavailable;
  } catch (const boost::system::system_error& why) {  // of Boost.JSON
    fmt::print(stderr, "firstcome: the server's answer is not what openapi.yaml says: {}\n", why.what());
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
    bool allow_unknown_sales = false;
    std::string settle;
    std::string by;
    std::int64_t wait_ms = 15'000;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "audit", "Compare what a server sold with the events in Kafka and the orders in the database, one by one");
  command
      ->add_option("--server,--engine", options->engine, "http://HOST:PORT of a server that sells, whatever its engine")
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
  command->add_flag("--allow-unknown-sales", options->allow_unknown_sales,
                    "Orders of sales that the server does not know are no difference: the sales were deleted, or "
                    "another server sold them");
  command->add_option(
      "--settle", options->settle,
      "Keep, with this reason, that what the store has lost of its past is dealt with: it is no difference any more");
  command->add_option("--by", options->by, "Who says so")->envname("USER");
  command->add_option("--wait-ms", options->wait_ms, "How long what is missing may be on its way")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command->callback([options, &run] {
    AuditRequest request;
    const auto wrong = [](const char* option, const std::string& why) { return CLI::ValidationError(option, why); };
    const auto origin = net::parse_origin(options->engine);
    if (!origin) throw wrong("--server", origin.error());
    const auto database = engine::parse_database_url(options->database, "order database");
    if (!database) throw wrong("--database", database.error());
    request.engine = *origin;
    request.database = *database;
    if (!options->kafka.empty()) {
      const auto kafka = net::parse_kafka_url(options->kafka);
      if (!kafka) throw wrong("--kafka", kafka.error());
      request.kafka = *kafka;
      if (!options->kafka_ca.empty()) request.kafka->ca_file = options->kafka_ca;
    }
    request.kafka_prefix = options->kafka_prefix;
    request.sale = options->sale;
    request.repair = options->repair ? AuditRequest::Repair::yes : AuditRequest::Repair::no;
    if (options->allow_unknown_sales) request.unknown_sales = AuditRequest::UnknownSales::are_allowed;
    if (!options->settle.empty()) {
      if (options->by.empty()) throw wrong("--by", "says who settles it");
      request.settle = events::Discard{options->settle, options->by};
    }
    request.wait = std::chrono::milliseconds{options->wait_ms};
    run = [request] { return audit(request); };
  });
}

}  // namespace firstcome::cli
