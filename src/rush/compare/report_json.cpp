#include "rush/compare/report.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace firstcome::rush {
namespace {

namespace json = boost::json;

double in_ms(std::chrono::nanoseconds duration) { return std::chrono::duration<double, std::milli>{duration}.count(); }

json::value number_or_null(const std::optional<double>& number) {
  return number ? json::value(*number) : json::value(nullptr);
}

json::value text_or_null(const std::optional<std::string>& text) {
  return text ? json::value(*text) : json::value(nullptr);
}

json::object latency_json(const Histogram& latency) {
  return {{"count", latency.count()},
          {"p50_ms", in_ms(latency.quantile(0.5))},
          {"p90_ms", in_ms(latency.quantile(0.9))},
          {"p99_ms", in_ms(latency.quantile(0.99))},
          {"p999_ms", in_ms(latency.quantile(0.999))},
          {"max_ms", in_ms(latency.largest())}};
}

void add_counts(const Row& row, json::object& object) {
  object["stock"] = row.worst.stock;
  object["sold"] = row.worst.sold;
  object["oversold"] = row.worst.oversold;
  object["undersold"] = row.worst.undersold;
  object["lost"] = row.worst.lost;
  object["doubled"] = row.worst.doubled;
  object["inversions"] = row.worst.inversions;
  object["reserved"] = row.worst.reserved;
  object["refused_wrongly"] = row.worst.refused_wrongly;
  object["abandoned"] = row.worst.abandoned;
  json::array cases;
  for (const std::string& sentence : row.worst.cases) cases.emplace_back(sentence);
  object["cases"] = std::move(cases);
}

void add_cost(const Row& row, json::object& object) {
  object["sold_per_s"] = row.sold_per_s;
  object["sold_per_s_is_at_least"] = row.bound == Row::Bound::generator;
  object["sold_per_s_stock"] = row.speed_stock;
  object["sell_out_ms"] = row.sell_out_ms;
  object["p50_ms"] = in_ms(row.all.quantile(0.5));
  object["p99_ms"] = in_ms(row.all.quantile(0.99));
  json::object latencies;
  for (const auto& [answer, latency] : row.latencies) latencies[answer] = latency_json(latency);
  object["latency"] = std::move(latencies);
  object["commands_per_sale"] = number_or_null(row.commands_per_sale);
  object["calls_in_scripts_per_sale"] = number_or_null(row.calls_in_scripts_per_sale);
  object["guard_waits"] = row.guard_waits;
  object["guard_wait_ms"] = row.guard_wait_ms;
  json::object processors;
  for (const auto& [name, time] : row.processors) processors[name] = time.count();
  object["processor_ms"] = std::move(processors);
}

json::object row_json(const Row& row) {
  json::object object{{"way", row.way.id},
                      {"engine", row.way.engine},
                      {"inventory", row.way.inventory},
                      {"guard", row.way.guard.empty() ? json::value(nullptr) : json::value(row.way.guard)},
                      {"nodes", row.way.nodes},
                      {"scenario", row.scenario},
                      {"pay_delay_ms", row.table.pay_delay.count()},
                      {"fault", word(row.table.fault)},
                      {"fencing", row.table.fencing == Table::Fencing::on ? "on" : "off"}};
  add_counts(row, object);
  add_cost(row, object);
  object["rounds"] = row.rounds;
  object["survives"] = row.way.survives;
  const Survival& survival = row.way.survival;
  object["survives_kill"] = survival.kill;
  object["survives_crash"] = survival.crash;
  object["survives_loss_of_a_server"] = survival.server;
  object["found"] = row.found();
  const bool need_not_break = row.expected == Expected::exact || row.doubt == Doubt::anything;
  object["expected"] = need_not_break && row.doubt != Doubt::none ? std::string_view("may-break") : word(row.expected);
  object["ok"] = row.ok;
  object["invalid"] = text_or_null(row.invalid);
  object["error"] = text_or_null(row.error);
  return object;
}

}  // namespace

std::string compare_json(const Comparison& comparison) {
  json::array ways;
  for (const Row& row : comparison.rows) ways.push_back(row_json(row));
  json::array left_out;
  for (const LeftOut& left : comparison.left_out)
    left_out.push_back(json::object{{"what", left.what}, {"why", left.why}});
  const json::object object{{"valid", comparison.valid()},
                            {"exit_code", static_cast<int>(comparison.grade())},
                            {"seconds", static_cast<double>(comparison.options.time.count()) / 1e3},
                            {"repeats", comparison.options.repeats},
                            {"ways", std::move(ways)},
                            {"left_out", std::move(left_out)}};
  return json::serialize(object) + "\n";
}

}  // namespace firstcome::rush
