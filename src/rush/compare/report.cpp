#include "rush/compare/report.hpp"

#include "rush/report.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace firstcome::rush {
namespace {

using Lines = std::back_insert_iterator<std::string>;
using std::chrono::milliseconds;

constexpr milliseconds line_every{5'000};
constexpr std::size_t left_out_named = 3;  // for each reason
constexpr std::size_t cases_most = 4;      // of a row, below the table

constexpr std::string_view second_table_legend =
    "  of units: the stock whose sale sold/s is of. CPU: of all servers, in crowds and arrivals. An answer survives "
    "kill:\n"
    "  kill -9 of any process, also of the store's; crash: of the machine or its power, as the stores are set here "
    "(with\n"
    "  their syncing off none does); server: that a server which sells is gone for good, with its disk.\n";

double in_ms(std::chrono::nanoseconds duration) { return std::chrono::duration<double, std::milli>{duration}.count(); }

std::string quantile(const Row& row, double share) {
  return row.all.count() == 0 ? "" : figure(in_ms(row.all.quantile(share)));
}

std::string per_sale(const Row& row) {
  if (!row.commands_per_sale) return "";
  const std::string calls = row.calls_in_scripts_per_sale && *row.calls_in_scripts_per_sale >= 0.05
                                ? fmt::format(" +{:.1f}", *row.calls_in_scripts_per_sale)
                                : "";
  return fmt::format("{:.1f}{}", *row.commands_per_sale, calls);
}

std::string counted(std::uint64_t count) { return count == 0 ? "." : grouped(count); }

/// "100/100"; of a sale in which nothing is ever paid for, how many were held.
std::string sold_of(const Round& round) {
  if (round.sold == 0 && round.reserved > 0) return grouped(round.reserved) + " held";
  return fmt::format("{}/{}", round.sold, round.stock);
}

std::string head() {
  return fmt::format("  {:<34}{:>6}{:>13}{:>7}{:>7}{:>7}{:>7}{:>11}{:>9}{:>9}{:>14}  {}\n", "way", "nodes", "sold",
                     "over", "under", "lost", "double", "sold/s", "p50 ms", "p99 ms", "commands", "verdict");
}

std::string line_of(const Row& row) {
  const Round& worst = row.worst;
  const std::string sold =
      row.sold_per_s > 0 ? (row.bound == Row::Bound::generator ? ">" : "") + figure(row.sold_per_s) : std::string();
  return fmt::format("  {:<34}{:>6}{:>13}{:>7}{:>7}{:>7}{:>7}{:>11}{:>9}{:>9}{:>14}  {}\n", row.way.id, row.way.nodes,
                     sold_of(worst), counted(worst.oversold), counted(worst.undersold), counted(worst.lost),
                     counted(worst.doubled), sold, quantile(row, 0.5), quantile(row, 0.99), per_sale(row),
                     verdict_of(row));
}

std::string processor_seconds(const Row& row) {
  milliseconds all{0};
  for (const auto& [name, time] : row.processors) all += time;
  return all.count() == 0 ? "" : figure(static_cast<double>(all.count()) / 1e3);
}

/// What did not fit into the first.
void write_second_table(const RowGroup& group, Lines out) {
  fmt::format_to(out, "\n  {:<34}{:>9}{:>9}{:>9}{:>13}{:>12}{:>9}  {}\n", "way", "p90 ms", "p99.9 ms", "max ms",
                 "sold out ms", "of units", "CPU s", "an answer survives");
  for (const Row* row : group.rows)
    fmt::format_to(out, "  {:<34}{:>9}{:>9}{:>9}{:>13}{:>12}{:>9}  {}\n", row->way.id, quantile(*row, 0.9),
                   quantile(*row, 0.999), quantile(*row, 1.0), figure(row->sell_out_ms),
                   row->speed_stock > 0 ? grouped(static_cast<std::uint64_t>(row->speed_stock)) : "",
                   processor_seconds(*row), words(row->way.survival));
  fmt::format_to(out, "{}", second_table_legend);
}

void write_details(const Row& row, Lines out) {
  if (row.error) fmt::format_to(out, "  {}: {}\n", row.way.id, *row.error);
  if (row.invalid) fmt::format_to(out, "  {}: INVALID: {}\n", row.way.id, *row.invalid);
  if (row.found() == "exact" && row.ok) return;
  fmt::format_to(out, "  {}: {}\n", row.way.id, verdict_of(row));
  for (std::size_t i = 0; i < row.worst.cases.size() && i < cases_most; ++i)
    fmt::format_to(out, "      {}\n", row.worst.cases[i]);
}

std::string_view grade_word(Grade grade) {
  switch (grade) {
    case Grade::fine:
      return "AS EXPECTED";
    case Grade::promise_broken:
      return "NOT AS EXPECTED";
    case Grade::invalid:
    case Grade::threshold_missed:
      return "INVALID";
  }
  return "";
}

std::string clock(milliseconds time) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(time).count();
  return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
}

}  // namespace

std::string figure(double value) {
  if (!(value > 0)) return "";
  if (value >= 100) return grouped(static_cast<std::int64_t>(std::llround(value)));
  return value >= 10 ? fmt::format("{:.1f}", value) : fmt::format("{:.2f}", value);
}

std::vector<RowGroup> groups_of(const Comparison& comparison) {
  std::vector<RowGroup> groups;
  for (const Row& row : comparison.rows) {
    auto place = std::ranges::find_if(
        groups, [&](const RowGroup& group) { return group.scenario == row.scenario && group.table == row.table; });
    if (place == groups.end()) place = groups.insert(groups.end(), RowGroup{row.scenario, row.table, {}});
    place->rows.push_back(&row);
  }
  return groups;
}

std::string title_of(const RowGroup& group) {
  std::string title = group.scenario;
  if (group.table.pay_delay.count() > 0)
    title += fmt::format(", payment of {} ms inside the guard", group.table.pay_delay.count());
  if (group.table.fault != Fault::none)
    title += fmt::format(", fault {}, fencing {}", word(group.table.fault),
                         group.table.fencing == Table::Fencing::on ? "on" : "off");
  return title;
}

std::string verdict_of(const Row& row) {
  const std::string_view found = row.found();
  std::string said(found);
  if (found == "oversells") said += fmt::format(" {}", row.worst.oversold);
  if (found == "undersells") said += fmt::format(" {}", row.worst.undersold);
  if (found == "loses") said += fmt::format(" {}", row.worst.lost);
  if (found == "doubles") said += fmt::format(" {}", row.worst.doubled);
  if (found == "miscounts") said += fmt::format(" {}", row.worst.audit);
  if (found == "out of order") said += fmt::format(" {}", row.worst.inversions);
  if (row.error || row.doubt == Doubt::anything) return said;
  if (!row.ok) return said + fmt::format(", NOT EXPECTED ({} is)", word(row.expected));
  return row.expected == Expected::exact ? said : said + ", as expected";
}

std::vector<std::string> left_out_lines(const Comparison& comparison) {
  std::vector<std::pair<std::string, std::vector<std::string>>> reasons;
  for (const LeftOut& left : comparison.left_out) {
    auto place = std::ranges::find(reasons, left.why, [](const auto& reason) { return reason.first; });
    if (place == reasons.end()) place = reasons.insert(reasons.end(), {left.why, {}});
    place->second.push_back(left.what);
  }
  std::vector<std::string> lines;
  for (const auto& [why, ways] : reasons) {
    std::string line = why + ": ";
    for (std::size_t i = 0; i < ways.size() && i < left_out_named; ++i) line += (i == 0 ? "" : ", ") + ways[i];
    if (ways.size() > left_out_named) line += fmt::format(" and {} more", ways.size() - left_out_named);
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string compare_report(const Comparison& comparison) {
  std::string text;
  Lines out(text);
  for (const RowGroup& group : groups_of(comparison)) {
    fmt::format_to(out, "\n{}\n{}", title_of(group), head());
    for (const Row* row : group.rows) text += line_of(*row);
    write_second_table(group, out);
    for (const Row* row : group.rows) write_details(*row, out);
    if (const auto line = headline(comparison.rows, group.scenario, group.table))
      fmt::format_to(out, "  {}\n", sentence_of(*line));
  }
  if (!comparison.left_out.empty()) text += "\nleft out\n";
  for (const std::string& line : left_out_lines(comparison)) fmt::format_to(out, "  {}\n", line);
  fmt::format_to(out, "\n{}\n", grade_word(comparison.grade()));
  return text;
}

std::string step_line(const Step& step) {
  std::string line = fmt::format("  [{}/{}] {} {}: {}", step.done + 1, step.planned, step.task->way.id,
                                 step.task->scenario.name, step.what);
  if (step.progress != nullptr) {
    const Progress& now = *step.progress;
    line += fmt::format(", {} of {} sold, {} of {} answered", now.sale->sold, now.sale->stock,
                        grouped(now.figures->finished), grouped(now.clicks_in_all));
  }
  return line + fmt::format(" | {} gone, {} left", clock(step.elapsed), clock(step.left));
}

CompareView::CompareView(std::FILE* out) : out_(out), terminal_(isatty(fileno(out)) == 1) {}

CompareView::~CompareView() { clear_line(); }

void CompareView::clear_line() {
  if (line_open_) fmt::print(out_, "\r\x1b[K");
  line_open_ = false;
  std::fflush(out_);
}

void CompareView::step(const Step& step) {
  if (!terminal_ && shown_at_ && step.elapsed - *shown_at_ < line_every) return;
  shown_at_ = step.elapsed;
  fmt::print(out_, fmt::runtime(terminal_ ? "\r{}\x1b[K" : "{}\n"), step_line(step));
  std::fflush(out_);
  line_open_ = terminal_;
}

void CompareView::row(const Row& row) {
  clear_line();
  if (!headed_) fmt::print(out_, "{}", head());
  headed_ = true;
  fmt::print(out_, "{}", line_of(row));
  std::fflush(out_);
}

}  // namespace firstcome::rush
