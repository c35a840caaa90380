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

using Lines = std::back_insert_iterator<std::string>;

void write_head(const RushResult& result, Lines out) {
  const RushOptions& options = result.options;
  fmt::format_to(out, "sale {} ({}): {} units, {} customers, {} clicks, {} requests over {} connections in {:.1f} s\n",
                 result.after.id, result.after.kind, grouped(result.after.stock),
                 grouped(std::uint64_t{options.customers}), grouped(result.figures.clicks),
                 grouped(result.figures.requests), grouped(std::uint64_t{connections_of(options)}),
                 seconds(result.figures.elapsed));
  if (result.connected < connections_of(options))
    fmt::format_to(out, "  only {} of {} connections could be opened at first\n", result.connected,
                   connections_of(options));
}

void write_totals(const RushResult& result, Lines out) {
  const Totals& totals = result.totals;
  auto line = [&](std::string_view name, std::string_view text) { fmt::format_to(out, "  {:<22}{}\n", name, text); };
  line("asked", grouped(totals.asked));
  line("queued", grouped(totals.queued));
  line("sold", fmt::format("{} reservations, {} of {} units", grouped(totals.sold), grouped(totals.units),
                           grouped(result.after.stock)));
  std::uint64_t refused = 0;
  std::string reasons;
  for (const auto& [reason, times] : totals.refused) {
    refused += times;
    reasons += fmt::format("{}{} {}", reasons.empty() ? ": " : ", ", reason, grouped(times));
  }
  line("refused", grouped(refused) + reasons);
  line("payments failed", fmt::format("{}, units given back", grouped(totals.payments_failed)));
  line("never paid, expired", grouped(totals.expired));
  const std::array<std::pair<const char*, std::uint64_t>, 5> rare{{
      {"paid, unfulfilled", totals.paid_unfulfilled},
      {"still held", totals.still_held},
      {"still waiting", totals.still_waiting},
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
  if (verdict.equation.count > 0) write_finding("sums that are wrong", verdict.equation, out);
  if (verdict.audit.count > 0) write_finding("found by the audit", verdict.audit, out);
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
  write_generator(result, out);
  fmt::format_to(out, "  {}", grade_word(result.grade()));
  if (result.invalid) fmt::format_to(out, ": {}", *result.invalid);
  if (result.missed) fmt::format_to(out, ": {}", *result.missed);
  text += '\n';
  return text;
}

std::string summary_head() {
  return fmt::format("{:<24}{:>9}{:>9}{:>16}{:>9}{:>8}{:>9}{:>10}{:>11}{:>6}{:>11}{:>11}{:>9}{:>9}  {}\n", "sale",
                     "asked", "queued", "units sold", "refused", "failed", "expired", "oversold", "undersold", "lost",
                     "duplicates", "inversions", "p50 ms", "p99 ms", "verdict");
}

std::string summary_line(const RushResult& result) {
  const Totals& totals = result.totals;
  const Verdict& verdict = result.verdict;
  std::uint64_t refused = 0;
  for (const auto& [reason, times] : totals.refused) refused += times;
  return fmt::format("{:<24}{:>9}{:>9}{:>16}{:>9}{:>8}{:>9}{:>10}{:>11}{:>6}{:>11}{:>11}{:>9.2f}{:>9.2f}  {}\n",
                     result.after.id, grouped(totals.asked), grouped(totals.queued),
                     fmt::format("{} of {}", grouped(totals.units), grouped(result.after.stock)), grouped(refused),
                     grouped(totals.payments_failed), grouped(totals.expired), grouped(verdict.oversold.count),
                     grouped(verdict.undersold.count), grouped(verdict.lost.count), grouped(verdict.duplicated.count),
                     grouped(verdict.out_of_order.count), milliseconds(result.reservations.quantile(0.5)),
                     milliseconds(result.reservations.quantile(0.99)), grade_word(result.grade()));
}

}  // namespace firstcome::rush
