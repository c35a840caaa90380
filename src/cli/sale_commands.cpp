#include "cli/sale_commands.hpp"

#include "api/text_rules.hpp"
#include "cli/exit_code.hpp"
#include "net/json_writer.hpp"

#include <firstcome/limits.hpp>

#include <boost/json.hpp>
#include <fmt/core.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <expected>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

namespace firstcome::cli {

namespace {

namespace json = boost::json;

constexpr std::chrono::seconds patience{30};
constexpr std::chrono::seconds delivery_patience{10};
constexpr std::chrono::milliseconds delivery_look{50};

std::string text_of(const json::value& value, std::string_view member) {
  const json::value* found = value.is_object() ? value.as_object().if_contains(member) : nullptr;
  if (found == nullptr || found->is_null()) return "-";
  return found->is_string() ? std::string(found->as_string()) : json::serialize(*found);
}

/// Says why on standard error.
int refused(const net::ClientResponse& response) {
  boost::system::error_code error;
  const json::value problem = json::parse(response.body, error);
  if (error || !problem.is_object()) {
    fmt::print(stderr, "firstcome: the server answered {}\n", response.status);
  } else {
    fmt::print(stderr, "firstcome: {}: {}\n", text_of(problem, "code"), text_of(problem, "detail"));
  }
  return response.status == 503 ? exit_try_again : exit_refused;
}

/// The answer of a server, whatever it is; else an exit code, and it was said why there is none.
std::expected<net::ClientResponse, int> send(const SaleRequest& request, net::Method method, std::string target,
                                             std::string body = {}) {
  net::ClientRequest sent;
  sent.method = method;
  sent.target = std::move(target);
  sent.body = std::move(body);
  net::ClientResult result = net::fetch(request.server, sent, patience);
  if (result) return std::move(*result);
  fmt::print(stderr, "firstcome: {}:{}: {}\n", request.server.host, request.server.port, result.error().detail);
  return std::unexpected(exit_unavailable);
}

/// The answer of a server that did what was asked; else an exit code, and it was said why.
std::expected<net::ClientResponse, int> ask(const SaleRequest& request, net::Method method, std::string target,
                                            std::string body = {}) {
  auto answer = send(request, method, std::move(target), std::move(body));
  if (answer && answer->status >= 300) return std::unexpected(refused(*answer));
  return answer;
}

constexpr std::array<std::string_view, 8> columns{"id",        "kind", "state", "stock",
                                                  "available", "held", "sold",  "queued"};

void print_row(const std::array<std::string, columns.size()>& cells) {
  fmt::print("{:<24} {:<8} {:<10} {:>10} {:>10} {:>10} {:>10} {:>10}\n", cells[0], cells[1], cells[2], cells[3],
             cells[4], cells[5], cells[6], cells[7]);
}

void print_table(const json::array& sales) {
  std::array<std::string, columns.size()> cells;
  std::copy(columns.begin(), columns.end(), cells.begin());
  print_row(cells);
  for (const json::value& sale : sales) {
    for (std::size_t i = 0; i < columns.size(); ++i) cells[i] = text_of(sale, columns[i]);
    print_row(cells);
  }
}

int print_sale(const SaleRequest& request, const std::expected<net::ClientResponse, int>& answer) {
  if (!answer) return answer.error();
  if (request.print_as == PrintAs::json) {
    fmt::print("{}\n", answer->body);
    return exit_fine;
  }
  const json::value sale = json::parse(answer->body);
  for (const auto& member : sale.as_object())
    fmt::print("{:<20} {}\n", std::string_view(member.key().data(), member.key().size()),
               text_of(sale, {member.key().data(), member.key().size()}));
  return exit_fine;
}

std::string path_of(const std::string& id) { return "/v1/sales/" + id; }

}  // namespace

int sale_create(const SaleRequest& request, const std::string& body) {
  return print_sale(request, ask(request, net::Method::post, "/v1/sales", body));
}

int sale_list(const SaleRequest& request) {
  json::array sales;
  std::string target = "/v1/sales?limit=1000";
  for (;;) {
    const auto answer = ask(request, net::Method::get, target);
    if (!answer) return answer.error();
    const json::value page = json::parse(answer->body);
    for (const json::value& sale : page.at("items").as_array()) sales.push_back(sale);
    if (page.at("next").is_null()) break;
    target = "/v1/sales?limit=1000&after=" + text_of(page, "next");  // an id, which needs no escaping
  }
  if (request.print_as == PrintAs::json) {
    fmt::print("{}\n", json::serialize(sales));
  } else {
    print_table(sales);
  }
  return exit_fine;
}

int sale_show(const SaleRequest& request, const std::string& id) {
  return print_sale(request, ask(request, net::Method::get, path_of(id)));
}

int sale_restock(const SaleRequest& request, const std::string& id, std::int64_t stock) {
  return print_sale(request, ask(request, net::Method::patch, path_of(id), fmt::format("{{\"stock\":{}}}", stock)));
}

int sale_restock_by(const SaleRequest& request, const std::string& id, std::int64_t units) {
  return print_sale(request, ask(request, net::Method::patch, path_of(id), fmt::format("{{\"stock_by\":{}}}", units)));
}

int sale_set_state(const SaleRequest& request, const std::string& id, std::string_view state) {
  return print_sale(request, ask(request, net::Method::patch, path_of(id), fmt::format("{{\"state\":\"{}\"}}", state)));
}

namespace {

/// Whether nothing but the delivery of its events can keep a sale from being deleted, or the end of a charge.
bool is_over(const SaleRequest& request, const std::string& id) {
  const auto answer = send(request, net::Method::get, path_of(id));
  if (!answer || answer->status != 200) return false;
  const json::value sale = json::parse(answer->body);
  return text_of(sale, "state") == "closed" && text_of(sale, "held") == "0";
}

}  // namespace

int sale_delete(const SaleRequest& request, const std::string& id) {
  // The last events of a sale that was just closed are delivered within moments.
  const auto until = std::chrono::steady_clock::now() + delivery_patience;
  while (true) {
    const auto answer = send(request, net::Method::del, path_of(id));
    if (!answer) return answer.error();
    if (answer->status < 300) return exit_fine;
    if (answer->status != 409 || std::chrono::steady_clock::now() >= until || !is_over(request, id))
      return refused(*answer);
    std::this_thread::sleep_for(delivery_look);  // allowed: a server tells no client that events were delivered
  }
}

namespace {

/// What the command line of one subcommand said.
struct SaleOptions {
  std::string server = "http://127.0.0.1:8080";
  bool json = false;
  std::string id;
  std::optional<std::int64_t> stock;
  std::optional<std::int64_t> stock_by;
  std::string name;
  std::string kind;
  std::optional<std::int64_t> unit_price;
  std::string currency;
  std::optional<std::int64_t> limit_per_customer;
  std::optional<std::int64_t> max_open;
  std::optional<std::int64_t> hold_ms;
  std::string opens_at;
  std::string closes_at;
  std::optional<std::int64_t> admit_per_tick;
  std::optional<std::int64_t> tick_ms;
  bool standby = false;
  bool no_standby = false;
  std::string payment;
  std::optional<std::int64_t> extend_ms;
};

void add_text(net::JsonWriter& json, std::string_view name, const std::string& value) {
  if (value.empty()) return;
  json.key(name);
  json.string(value);
}

void add_integer(net::JsonWriter& json, std::string_view name, const std::optional<std::int64_t>& value) {
  if (!value) return;
  json.key(name);
  json.integer(*value);
}

/// The body of POST /v1/sales: what was said, and nothing else, so that the server's defaults apply.
std::string body_of(const SaleOptions& options) {
  std::string body;
  net::JsonWriter json(body);
  json.begin_object();
  add_text(json, "id", options.id);
  add_text(json, "name", options.name);
  add_text(json, "kind", options.kind);
  add_integer(json, "stock", options.stock);
  add_integer(json, "unit_price", options.unit_price);
  add_text(json, "currency", options.currency);
  add_integer(json, "limit_per_customer", options.limit_per_customer);
  add_integer(json, "max_open", options.max_open);
  add_integer(json, "hold_ms", options.hold_ms);
  add_text(json, "opens_at", options.opens_at);
  add_text(json, "closes_at", options.closes_at);
  if (options.admit_per_tick) {
    json.key("queue");
    json.begin_object();
    add_integer(json, "admit_per_tick", options.admit_per_tick);
    add_integer(json, "tick_ms", options.tick_ms);
    json.end_object();
  }
  if (options.standby || options.no_standby) {
    json.key("standby");
    json.boolean(options.standby);
  }
  add_text(json, "payment", options.payment);
  add_integer(json, "extend_ms", options.extend_ms);
  json.end_object();
  return body;
}

SaleRequest request_of(const SaleOptions& options) {
  const auto origin = net::parse_origin(options.server);
  if (!origin) throw CLI::ValidationError("--server", origin.error());
  return {*origin, options.json ? PrintAs::json : PrintAs::table};
}

std::string check_id(const std::string& text) {
  return api::fits_sale_id(text) ? "" : "an id is 1 to 64 of a-z, 0-9 and '-', not beginning with '-'";
}

using Options = std::shared_ptr<SaleOptions>;
using Act = std::function<int(const SaleRequest&, const SaleOptions&)>;

/// One of `sale`'s subcommands. Each has options of its own: CLI11 reads the environment for all of them.
struct SaleCommand {
  CLI::App* command;
  Options options;
};

/// A subcommand with what all of them have.
SaleCommand add(CLI::App& sale, Run& run, std::pair<const char*, const char*> name_and_help, Act act) {
  const auto options = std::make_shared<SaleOptions>();
  CLI::App* command = sale.add_subcommand(name_and_help.first, name_and_help.second);
  command->add_option("--server", options->server, "Whom to ask: http[s]://HOST[:PORT][/PATH]")
      ->capture_default_str()
      ->envname("FIRSTCOME_SERVER");
  command->add_flag("--json", options->json, "Print what the server said, as JSON");
  command->callback([options, &run, act = std::move(act)] {
    const SaleRequest request = request_of(*options);
    run = [request, options, act] { return act(request, *options); };
  });
  return {command, options};
}

void add_id(const SaleCommand& to) {
  to.command->add_option("id", to.options->id, "The sale's id")->required()->check(check_id);
}

/// Either all units or some more.
void add_restock(const SaleCommand& to) {
  add_id(to);
  CLI::Option_group* units = to.command->add_option_group("Units");
  units->add_option("stock", to.options->stock, "Units to sell in all, those sold before among them")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{limits::stock}));
  units->add_option("--by", to.options->stock_by, "Units to add to the stock; below 0, to take from it")
      ->check(CLI::Range(-std::int64_t{limits::stock}, std::int64_t{limits::stock}));
  units->require_option(1);
}

void add_terms(const SaleCommand& to) {
  CLI::App& command = *to.command;
  SaleOptions& options = *to.options;
  command.add_option("--stock", options.stock, "Units to sell in all")
      ->required()
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{limits::stock}));
  command.add_option("--name", options.name, "What customers read; default, the id");
  command.add_option("--kind", options.kind, "Sets defaults")->check(CLI::IsMember({"product", "ticket", "coupon"}));
  command.add_option("--unit-price", options.unit_price, "In the currency's minor unit");
  command.add_option("--currency", options.currency, "As in ISO 4217; default, KRW");
  command.add_option("--limit-per-customer", options.limit_per_customer, "Units that one customer may have");
  command.add_option("--max-open", options.max_open, "Reservations that one customer may have open");
  command.add_option("--hold-ms", options.hold_ms, "Time to pay; 0: confirmed at once");
  command.add_option("--extend-ms", options.extend_ms, "By how much a hold may be extended, once");
  command.add_option("--opens-at", options.opens_at, "An instant as in RFC 3339");
  command.add_option("--closes-at", options.closes_at, "An instant as in RFC 3339");
  auto* admit =
      command.add_option("--admit-per-tick", options.admit_per_tick, "Through a waiting queue: so many a tick");
  auto* tick = command.add_option("--tick-ms", options.tick_ms, "Length of a tick");
  admit->needs(tick);
  tick->needs(admit);
  auto* no = command.add_flag("--no-standby", options.no_standby, "Refuse at once where nothing is available");
  command.add_flag("--standby", options.standby, "Wait for units that come back")->excludes(no);
  command.add_option("--payment", options.payment, "Who starts the charge")->check(CLI::IsMember({"client", "auto"}));
}

}  // namespace

void add_sale_commands(CLI::App& app, Run& run) {
  CLI::App* sale = app.add_subcommand("sale", "Create, look at and change the sales of a server");
  sale->require_subcommand(1);
  const auto add_one = [&](const char* name, const char* help, Act act) {
    return add(*sale, run, {name, help}, std::move(act));
  };
  using Request = const SaleRequest&;
  using Said = const SaleOptions&;
  const SaleCommand create =
      add_one("create", "Create a sale", [](Request to, Said said) { return sale_create(to, body_of(said)); });
  add_id(create);
  add_terms(create);
  add_one("list", "All sales", [](Request to, Said) { return sale_list(to); });
  add_id(add_one("show", "One sale", [](Request to, Said said) { return sale_show(to, said.id); }));
  add_restock(add_one("restock", "Set the stock of a sale, or change it by some units", [](Request to, Said said) {
    return said.stock_by ? sale_restock_by(to, said.id, *said.stock_by) : sale_restock(to, said.id, *said.stock);
  }));
  add_id(add_one("pause", "Take no reservations and serve nobody until it is resumed",
                 [](Request to, Said said) { return sale_set_state(to, said.id, "paused"); }));
  add_id(add_one("resume", "Go on after a pause",
                 [](Request to, Said said) { return sale_set_state(to, said.id, "open"); }));
  add_id(add_one("close", "Take no more reservations, for good",
                 [](Request to, Said said) { return sale_set_state(to, said.id, "closed"); }));
  add_id(add_one("delete", "Remove a closed sale", [](Request to, Said said) { return sale_delete(to, said.id); }));
}

}  // namespace firstcome::cli
