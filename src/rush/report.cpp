#include "rush/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace firstcome::rush {
namespace {

double milliseconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>{duration}.count();
}

double seconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double>{duration}.count(); }

std::string grouped_digits(std::string digits) {
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ' ');
  return digits;
}

std::uint64_t refused_in(const Totals& totals) {
  std::uint64_t refused = 0;
  for (const auto& [reason, times] : totals.refused) refused += times;
  return refused;
}

using Lines = std::back_insert_iterator<std::string>;

void write_head(const RushResult& result, Lines out) {
  const RushOptions& options = result.options;
  fmt::format_to(out, "sale {} ({}): {} units, {} customers, {} HTTP requests over {} connections in {:.1f} s\n",
                 result.after.id, result.after.kind, grouped(result.after.stock),
                 grouped(std::uint64_t{options.customers}), grouped(result.figures.requests),
                 grouped(std::uint64_t{connections_of(options)}), seconds(result.figures.elapsed));
  if (result.connected < connections_of(options))
    fmt::format_to(out, "  only {} of {} connections could be opened at first\n", result.connected,
                   connections_of(options));
}

void write_totals(const RushResult& result, Lines out) {
  const Totals& totals = result.totals;
  auto line = [&](std::string_view name, std::string_view text) { fmt::format_to(out, "  {:<22}{}\n", name, text); };
  line("asked", fmt::format("{} customers, {} requests in {} clicks", grouped(totals.customers), grouped(totals.asked),
                            grouped(result.figures.clicks)));
  line("queued", grouped(totals.queued));
  line("sold", fmt::format("{} reservations, {} of {} units", grouped(totals.sold), grouped(totals.units),
                           grouped(result.after.stock)));
  std::string reasons;
  for (const auto& [reason, times] : totals.refused)
    reasons += fmt::format("{}{} {}", reasons.empty() ? ": " : ", ", reason, grouped(times));
  line("refused", grouped(refused_in(totals)) + reasons);
  line("payments failed", fmt::format("{}, units given back", grouped(totals.payments_failed)));
  line("never paid, expired", grouped(totals.expired));
  const std::array<std::pair<const char*, std::uint64_t>, 6> rare{{
      {"paid, unfulfilled", totals.paid_unfulfilled},
      {"still held", totals.still_held},
      {"still waiting", totals.still_waiting - totals.went_home},
      {"went home", totals.went_home},
      {"never answered", totals.unanswered},
      {"requests unanswered", result.figures.unanswered},
  }};
  for (const auto& [name, times] : rare)
    if (times > 0) line(name, grouped(times));
}

void write_finding(std::string_view name, const Finding& finding, Lines out) {
  fmt::format_to(out, "  {:<22}{}\n", name, grouped(finding.count));
  for (const std::string& what : finding.first) fmt::format_to(out, "      {}\n", what);
}

void write_verdict(const RushResult& result, Lines out) {
  const Verdict& verdict = result.verdict;
  write_finding("oversold", verdict.oversold, out);
  write_finding("undersold", verdict.undersold, out);
  write_finding("lost", verdict.lost, out);
  write_finding("duplicates", verdict.duplicated, out);
  write_finding("order inversions", verdict.out_of_order, out);
  write_finding("over the limit", verdict.over_limit, out);
  write_finding("refused wrongly", verdict.refused_wrongly, out);
  write_finding("not as agreed", verdict.altered, out);
  if (verdict.equation.count > 0) write_finding("sums that are wrong", verdict.equation, out);
  if (verdict.audit.count > 0) write_finding("found by the audit", verdict.audit, out);
  if (result.orders)
    write_finding("without an order", verdict.no_order, out);
  else
    fmt::format_to(out, "  {:<22}not checked: this server has no order database\n", "orders");
  fmt::format_to(out, "  {:<22}told yes and has it {}, let go {}, has none {}; told no and has it {}; unknown {}\n",
                 "told and has", grouped(verdict.told_yes_has_it), grouped(verdict.told_yes_let_go),
                 grouped(verdict.told_yes_has_none), grouped(verdict.told_no_has_it), grouped(verdict.unknown));
  if (!result.settled)
    fmt::format_to(out, "  the sale still moved when patience was over: {} held, {} in the queue\n", result.after.held,
                   result.after.queued);
}

void write_latencies(std::string_view kind, const Latencies& latencies, Lines out) {
  for (const auto& [answer, histogram] : latencies)
    fmt::format_to(out, "  {:<8}{:<26}{:>10}{:>9.2f}{:>9.2f}{:>9.2f}{:>9.2f}{:>9.2f}\n", kind, answer,
                   grouped(histogram.count()), milliseconds(histogram.quantile(0.5)),
                   milliseconds(histogram.quantile(0.9)), milliseconds(histogram.quantile(0.99)),
                   milliseconds(histogram.quantile(0.999)), milliseconds(histogram.largest()));
}

void write_targets(const RushResult& result, Lines out) {
  const auto& targets = result.options.targets;
  if (targets.size() < 2) return;
  for (std::size_t i = 0; i < targets.size() && i < result.figures.targets.size(); ++i) {
    const TargetFigures& figures = result.figures.targets[i];
    fmt::format_to(out, "  {:<22}{} requests, {} unanswered, {} failed\n",
                   fmt::format("{}:{}", targets[i].host, targets[i].port), grouped(figures.requests),
                   grouped(figures.unanswered), grouped(figures.failed));
  }
}

void write_generator(const RushResult& result, Lines out) {
  const GeneratorFigures& generator = result.generator;
  double rate = static_cast<double>(result.figures.requests) / std::max(seconds(result.figures.elapsed), 1e-9);
  fmt::format_to(out, "  {:<22}{} requests/s in all", "generator", grouped(static_cast<std::int64_t>(rate)));
  if (generator.rate_asked)
    fmt::format_to(out, "; {:.0f} of {:.0f} customers/s arrived, 99 % of them at most {:.1f} ms late",
                   generator.rate_reached, *generator.rate_asked, milliseconds(generator.lag_p99));
  else
    fmt::format_to(out, "; closed loop: {} customers/s", grouped(static_cast<std::int64_t>(generator.rate_reached)));
  fmt::format_to(out, "; its thread was busy {:.0f} % of that time\n", 100 * generator.busy());
}

std::string_view grade_word(Grade grade) {
  switch (grade) {
    case Grade::fine:
      return "FINE";
    case Grade::threshold_missed:
      return "THRESHOLD MISSED";
    case Grade::promise_broken:
      return "PROMISE BROKEN";
    case Grade::invalid:
      return "INVALID";
  }
  return "";
}

}  // namespace

std::string grouped(std::int64_t number) {
  return number < 0 ? "-" + grouped(static_cast<std::uint64_t>(-number)) : grouped(static_cast<std::uint64_t>(number));
}

std::string grouped(std::uint64_t number) { return grouped_digits(std::to_string(number)); }

std::string report(const RushResult& result) {
  std::string text;
  Lines out(text);
  write_head(result, out);
  write_totals(result, out);
  write_verdict(result, out);
  fmt::format_to(out, "  {:<34}{:>10}{:>9}{:>9}{:>9}{:>9}{:>9}\n", "latency in ms of", "count", "p50", "p90", "p99",
                 "p99.9", "max");
  write_latencies("reserve", result.figures.reserve, out);
  write_latencies("pay", result.figures.pay, out);
  write_latencies("look", result.figures.look, out);
  write_targets(result, out);
  write_generator(result, out);
  fmt::format_to(out, "  {}", grade_word(result.grade()));
  if (result.invalid) fmt::format_to(out, ": {}", *result.invalid);
  if (result.missed) fmt::format_to(out, ": {}", *result.missed);
  text += '\n';
  return text;
}

std::string summary(std::span<const RushResult> results) {
  struct Row {
    std::string_view name;
    std::string (*cell)(const RushResult&);
  };
  static constexpr auto latency = [](const RushResult& result, double share) {
    return fmt::format("{:.2f}", milliseconds(result.reservations.quantile(share)));
  };
  static const std::array rows{
      Row{"", [](const RushResult& result) { return result.after.id; }},
      Row{"customers", [](const RushResult& result) { return grouped(result.totals.customers); }},
      Row{"clicks", [](const RushResult& result) { return grouped(result.figures.clicks); }},
      Row{"queued", [](const RushResult& result) { return grouped(result.totals.queued); }},
      Row{"units sold",
          [](const RushResult& result) {
            return fmt::format("{} of {}", grouped(result.totals.units), grouped(result.after.stock));
          }},
      Row{"refused", [](const RushResult& result) { return grouped(refused_in(result.totals)); }},
      Row{"failed and given back", [](const RushResult& result) { return grouped(result.totals.payments_failed); }},
      Row{"never paid, expired", [](const RushResult& result) { return grouped(result.totals.expired); }},
      Row{"oversold", [](const RushResult& result) { return grouped(result.verdict.oversold.count); }},
      Row{"undersold", [](const RushResult& result) { return grouped(result.verdict.undersold.count); }},
      Row{"lost", [](const RushResult& result) { return grouped(result.verdict.lost.count); }},
      Row{"duplicates", [](const RushResult& result) { return grouped(result.verdict.duplicated.count); }},
      Row{"order inversions", [](const RushResult& result) { return grouped(result.verdict.out_of_order.count); }},
      Row{"over the limit", [](const RushResult& result) { return grouped(result.verdict.over_limit.count); }},
      Row{"reserve p50 ms", [](const RushResult& result) { return latency(result, 0.5); }},
      Row{"reserve p99 ms", [](const RushResult& result) { return latency(result, 0.99); }},
      Row{"", [](const RushResult& result) { return std::string(grade_word(result.grade())); }},
  };
  std::string text;
  Lines out(text);
  for (const Row& row : rows) {
    fmt::format_to(out, "  {:<22}", row.name);
    for (const RushResult& result : results) fmt::format_to(out, "{:>18}", row.cell(result));
    text += '\n';
  }
  return text;
}

}  // namespace firstcome::rush
