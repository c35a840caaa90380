#include "net/http_origin.hpp"
#include "rush/report.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace firstcome::rush {
namespace {

namespace json = boost::json;

double milliseconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>{duration}.count();
}

json::object finding_json(const Finding& finding) {
  json::array first;
  for (const std::string& what : finding.first) first.emplace_back(what);
  return {{"count", finding.count}, {"first", std::move(first)}};
}

json::object latency_json(const Histogram& histogram) {
  return {{"count", histogram.count()},
          {"p50_ms", milliseconds(histogram.quantile(0.5))},
          {"p90_ms", milliseconds(histogram.quantile(0.9))},
          {"p99_ms", milliseconds(histogram.quantile(0.99))},
          {"p999_ms", milliseconds(histogram.quantile(0.999))},
          {"max_ms", milliseconds(histogram.largest())}};
}

json::object latencies_json(const Latencies& latencies) {
  json::object object;
  for (const auto& [answer, histogram] : latencies) object[answer] = latency_json(histogram);
  return object;
}

json::array targets_json(const RushResult& result) {
  json::array targets;
  for (std::size_t i = 0; i < result.figures.targets.size(); ++i) {
    const TargetFigures& figures = result.figures.targets[i];
    targets.push_back(json::object{{"url", net::to_string(result.options.targets[i])},
                                   {"requests", figures.requests},
                                   {"unanswered", figures.unanswered},
                                   {"failed", figures.failed}});
  }
  return targets;
}

json::object options_json(const RushResult& result) {
  const RushOptions& options = result.options;
  json::array targets;
  for (const net::HttpOrigin& target : options.targets) targets.emplace_back(net::to_string(target));
  return {{"targets", std::move(targets)},
          {"sale", options.sale},
          {"customers", options.customers},
          {"connections", connections_of(options)},
          {"rate", options.rate ? json::value(*options.rate) : json::value(nullptr)},
          {"double_click", options.double_click},
          {"without_key", options.without_key},
          {"abandon", options.abandon},
          {"units_each", {options.units_each.least, options.units_each.most}},
          {"seed", options.seed}};
}

json::object sale_json(const SaleSeen& sale) {
  return {{"state", sale.state}, {"stock", sale.stock}, {"available", sale.available},
          {"held", sale.held},   {"sold", sale.sold},   {"queued", sale.queued}};
}

json::object totals_json(const RushResult& result) {
  const Totals& totals = result.totals;
  json::object refused;
  for (const auto& [reason, times] : totals.refused) refused[reason] = times;
  return {{"customers", totals.customers},
          {"asked", totals.asked},
          {"clicks", result.figures.clicks},
          {"requests", result.figures.requests},
          {"requests_unanswered", result.figures.unanswered},
          {"queued", totals.queued},
          {"sold", totals.sold},
          {"units_sold", totals.units},
          {"refused", std::move(refused)},
          {"payments_failed", totals.payments_failed},
          {"expired", totals.expired},
          {"paid_unfulfilled", totals.paid_unfulfilled},
          {"still_held", totals.still_held},
          {"still_waiting", totals.still_waiting},
          {"went_home", totals.went_home},
          {"undecided", totals.undecided},
          {"payments_undecided", totals.payments_undecided},
          {"unanswered", totals.unanswered}};
}

json::object verdict_json(const Verdict& verdict) {
  return {{"oversold", finding_json(verdict.oversold)},
          {"undersold", finding_json(verdict.undersold)},
          {"lost", finding_json(verdict.lost)},
          {"duplicates", finding_json(verdict.duplicated)},
          {"inversions", finding_json(verdict.out_of_order)},
          {"refused_wrongly", finding_json(verdict.refused_wrongly)},
          {"altered", finding_json(verdict.altered)},
          {"over_limit", finding_json(verdict.over_limit)},
          {"equation", finding_json(verdict.equation)},
          {"audit", finding_json(verdict.audit)},
          {"no_order", finding_json(verdict.no_order)},
          {"told_yes_has_it", verdict.told_yes_has_it},
          {"told_yes_let_go", verdict.told_yes_let_go},
          {"told_yes_has_none", verdict.told_yes_has_none},
          {"told_no_has_it", verdict.told_no_has_it},
          {"unknown", verdict.unknown}};
}

json::object generator_json(const RushResult& result) {
  const GeneratorFigures& generator = result.generator;
  double seconds = std::max(std::chrono::duration<double>{result.figures.elapsed}.count(), 1e-9);
  return {{"connections_opened", result.connected},
          {"elapsed_ms", milliseconds(result.figures.elapsed)},
          {"requests_per_second", static_cast<double>(result.figures.requests) / seconds},
          {"customers_per_second", generator.rate_reached},
          {"busy", generator.busy()},
          {"lag_p99_ms", milliseconds(generator.lag_p99)},
          {"lag_max_ms", milliseconds(result.figures.lag.largest())}};
}

std::string_view grade_json(Grade grade) {
  switch (grade) {
    case Grade::fine:
      return "fine";
    case Grade::threshold_missed:
      return "threshold-missed";
    case Grade::promise_broken:
      return "promise-broken";
    case Grade::invalid:
      return "invalid";
  }
  return "";
}

}  // namespace

std::string report_json(const RushResult& result) {
  auto text_or_null = [](const std::optional<std::string>& text) {
    return text ? json::value(*text) : json::value(nullptr);
  };
  json::object object{{"verdict", grade_json(result.grade())},
                      {"exit_code", static_cast<int>(result.grade())},
                      {"invalid", text_or_null(result.invalid)},
                      {"threshold_missed", text_or_null(result.missed)},
                      {"options", options_json(result)},
                      {"sale", sale_json(result.after)},
                      {"settled", result.settled},
                      {"sent_home", result.figures.sent_home},
                      {"totals", totals_json(result)},
                      {"promises", verdict_json(result.verdict)},
                      {"targets", targets_json(result)},
                      {"reservation_latency", latency_json(result.reservations)},
                      {"latency",
                       {{"reserve", latencies_json(result.figures.reserve)},
                        {"pay", latencies_json(result.figures.pay)},
                        {"look", latencies_json(result.figures.look)}}},
                      {"generator", generator_json(result)}};
  return json::serialize(object) + "\n";
}

}  // namespace firstcome::rush
