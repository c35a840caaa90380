#include "rush/compare/scenario.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <iterator>

namespace firstcome::rush {
namespace {

namespace json = boost::json;

constexpr std::string_view double_click = "double-click";
constexpr Milliseconds usual_hold{60'000};
constexpr Milliseconds tick{50};
constexpr Units ticks = 10;  // in which the queue lets everybody in

Scenario product() {
  Scenario scenario;
  scenario.name = "product";
  scenario.about = "1 to 3 of 300 units each, charged by the shop; 20 % of the payments fail before and 20 % during it";
  scenario.stock = 300;
  scenario.hold = usual_hold;
  scenario.payment = Scenario::Payment::by_shop;
  scenario.fail_before = scenario.fail_during = 0.2;
  scenario.customers = 5'000;
  scenario.units_each = {1, 3};
  return scenario;
}

Scenario ticket() {
  Scenario scenario;
  scenario.name = "ticket";
  scenario.about = "300 seats, at most 2 each, held for 2 s until the customer pays; a fifth walks away";
  scenario.kind = "ticket";
  scenario.stock = 300;
  scenario.limit_per_customer = 2;
  scenario.hold = Milliseconds{2'000};
  scenario.payment = Scenario::Payment::client;
  scenario.customers = 3'000;
  scenario.double_click = 0.2;
  scenario.abandon = 0.2;
  scenario.units_each = {1, 2};
  return scenario;
}

Scenario coupon() {
  Scenario scenario;
  scenario.name = "coupon";
  scenario.about =
      "100 coupons for 10 000 customers, one each; a fifth of them clicks twice, half of those without a key";
  scenario.kind = "coupon";
  scenario.limit_per_customer = 1;
  scenario.double_click = 0.2;
  scenario.without_key = 0.5;
  return scenario;
}

Scenario clicked_twice(std::string_view how, std::string about) {
  Scenario scenario;
  scenario.name = std::string(double_click) + "-" + std::string(how);
  scenario.about = std::move(about);
  scenario.customers = 2'000;
  scenario.double_click = 1;
  scenario.without_key = 1;
  return scenario;
}

std::vector<Scenario> all_clicked_twice() {
  Scenario bare = clicked_twice("bare", "everybody clicks twice at once, and nothing says that it is one request");
  Scenario key = clicked_twice("key", "everybody clicks twice at once, both with the same Idempotency-Key");
  key.without_key = 0;
  Scenario open = clicked_twice("max-open", "everybody clicks twice at once; a customer may have one open reservation");
  open.max_open = 1;
  open.stock = 4'000;               // enough for every click
  open.hold = Milliseconds{5'000};  // longer than the second click takes
  open.payment = Scenario::Payment::client;
  open.abandon = 1;  // so that it stays open
  Scenario lock = clicked_twice(
      "lock", "everybody clicks twice at once; each click first takes the customer's lock, wait 0, lease 3 s");
  lock.click_lease = Milliseconds{3'000};
  return {bare, key, open, lock};
}

Scenario mixed() {
  Scenario scenario;
  scenario.name = "mixed";
  scenario.about = "1 000 sales of 20 units at once, some of them hot and most of them cold (Zipf)";
  scenario.stock = 20;
  scenario.sales = 1'000;
  scenario.customers = 5'000;
  return scenario;
}

}  // namespace

bool breaks_by_itself(const Way& way) {
  // SQLite lets one transaction write after it has read, and tells the other to begin again.
  const bool isolated = way.inventory == "sqlite";
  if (way.guard == "none") return true;
  if (way.guard == "mutex" && way.nodes > 1) return !isolated;
  return way.id.ends_with("/before-commit") && !isolated;
}

std::vector<Scenario> known_scenarios() {
  std::vector<Scenario> all{product(), ticket(), coupon()};
  std::ranges::move(all_clicked_twice(), std::back_inserter(all));
  all.push_back(mixed());
  return all;
}

std::expected<std::vector<Scenario>, std::string> find_scenarios(const std::string& name) {
  std::vector<Scenario> found = known_scenarios();
  if (name == "all") return found;
  if (name.find_first_of("./") != std::string::npos) {
    std::ifstream file(name, std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    if (!file.is_open()) return std::unexpected(name + ": there is no such file, or it cannot be read");
    auto scenario = parse_scenario(text);
    if (!scenario) return std::unexpected(name + ": " + scenario.error());
    return std::vector{std::move(*scenario)};
  }
  std::erase_if(found, [&](const Scenario& scenario) {
    return scenario.name != name && !(name == double_click && scenario.name.starts_with(double_click));
  });
  if (!found.empty()) return found;
  std::string names;
  for (const Scenario& scenario : known_scenarios()) names += scenario.name + ", ";
  return std::unexpected("there is no scenario '" + name + "': " + names + "double-click, all, or a JSON file");
}

std::string sale_body(const Scenario& scenario, const Way& way, const std::string& id, Units stock) {
  json::object body{{"id", id}, {"kind", scenario.kind}, {"stock", stock}, {"hold_ms", scenario.hold.count()}};
  body["limit_per_customer"] = scenario.limit_per_customer ? json::value(*scenario.limit_per_customer) : json::value();
  if (scenario.max_open) body["max_open"] = *scenario.max_open;
  if (way.is_guarded()) body["standby"] = false;  // which no plain service has
  if (scenario.payment == Scenario::Payment::by_shop) body["payment"] = "auto";
  if (way.engine == "queue")
    body["queue"] = json::object{{"admit_per_tick", std::max<Units>(stock / ticks, 1)}, {"tick_ms", tick.count()}};
  return json::serialize(body);
}

RushOptions crowd_of(const Scenario& scenario) {
  RushOptions crowd;
  crowd.customers = scenario.customers;
  crowd.double_click = scenario.double_click;
  crowd.without_key = scenario.without_key;
  crowd.abandon = scenario.abandon;
  crowd.units_each = scenario.units_each;
  crowd.click_lease = scenario.click_lease;
  crowd.sales = scenario.sales;
  crowd.skew = scenario.skew;
  return crowd;
}

std::optional<std::string> obstacle(const Way& way, const Scenario& scenario) {
  if (!way.is_guarded()) {
    if (way.engine == "queue" && scenario.sales > 1) return "lets one sale in at a time";
    return std::nullopt;
  }
  constexpr std::array forgetful{"unique-key", "incr", "sadd-incr", "limiter"};
  const bool forgets = std::ranges::find(forgetful, way.guard) != forgetful.end();
  if (forgets && scenario.payment == Scenario::Payment::client) return "cannot give a unit back later";
  if (scenario.max_open && (forgets || way.guard == "one-statement")) return "does not count a customer's open orders";
  if (scenario.click_lease && !has_lock_on_redis(way)) return "keeps no locks for customers";
  return std::nullopt;
}

namespace {

/// How many customers the most popular sale has, as Zipf says.
double hottest_crowd(const Scenario& scenario) {
  double weights = 0;
  for (std::uint32_t rank = 1; rank <= scenario.sales; ++rank) weights += std::pow(rank, -scenario.skew);
  return scenario.customers / weights;
}

/// Whether two clicks with nothing to tie them together may make two orders.
bool may_order_twice(const Scenario& scenario) {
  const bool one_each = scenario.limit_per_customer && *scenario.limit_per_customer < 2 * scenario.units_each.least;
  const bool one_open = scenario.max_open && *scenario.max_open == 1;
  return scenario.double_click > 0 && scenario.without_key > 0 && !one_each && !one_open && !scenario.click_lease;
}

}  // namespace

Expected expected_of(const Way& way, const Scenario& scenario) {
  const bool crowded = hottest_crowd(scenario) > static_cast<double>(scenario.stock);
  if (breaks_by_itself(way) && crowded) return Expected::oversells;
  // Both clicks read what the customer has before the other has written.
  const bool tied = scenario.limit_per_customer || scenario.max_open;
  if (breaks_by_itself(way) && tied && scenario.double_click > 0 && scenario.without_key > 0) return Expected::doubles;
  if (may_order_twice(scenario) && way.guard != "sadd-incr") return Expected::doubles;
  if (way.guard == "limiter") {
    // Requests that use up their place at the gate and buy nothing, or less than they were let in for.
    const bool gives_up =
        scenario.fail_before + scenario.fail_during > 0 || scenario.double_click > 0 || scenario.units_each.most > 1;
    if (gives_up && crowded) return Expected::undersells;
  }
  return Expected::exact;
}

}  // namespace firstcome::rush
