// The comparison as one HTML file: no script, no file beside it.
#include "rush/compare/report.hpp"
#include "rush/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

namespace firstcome::rush {
namespace {

using Lines = std::back_insert_iterator<std::string>;

constexpr std::string_view page_style = R"(
:root{--ground:#fff;--text:#222;--soft:#667;--line:#ddd;--bar:#7a8ca5;--ours:#2b7a4b;--wrong:#c0392b}
@media(prefers-color-scheme:dark){:root{--ground:#14171c;--text:#ddd;--soft:#99a;--line:#333a44;--bar:#8fa3bf;--ours:#4caf78;--wrong:#e06c5f}}
body{background:var(--ground);color:var(--text);font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem}h2{margin-top:2.5rem;border-bottom:1px solid var(--line)}
svg{max-width:100%;height:auto;display:block;margin:1rem 0}
.text{fill:var(--text)}.small{fill:var(--soft);font-size:10px}.title{fill:var(--text);font-weight:600;font-size:14px}
.grid{stroke:var(--line)}rect.bar{fill:var(--bar)}rect.ours{fill:var(--ours)}rect.broken{fill:var(--wrong)}
text.wrong{fill:var(--wrong);font-weight:600}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:13px;white-space:nowrap}
th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:500}td:first-child,th:first-child,td:last-child,th:last-child{text-align:left}
tr.broken td:first-child,tr.broken td:last-child{color:var(--wrong);font-weight:600}
dt{font-weight:600;margin-top:1rem}dt.broken{color:var(--wrong)}dd{margin:0 0 0 1.2rem}dd.soft{color:var(--soft)}
ul{color:var(--soft);font-size:13px}
)";

double in_ms(std::chrono::nanoseconds duration) { return std::chrono::duration<double, std::milli>{duration}.count(); }

std::string processors_of(const Row& row) {
  std::string all;
  for (const auto& [name, time] : row.processors)
    if (time.count() > 0)
      all += fmt::format("{}{} {:.1f} s", all.empty() ? "" : ", ", name, static_cast<double>(time.count()) / 1e3);
  return all;
}

bool is_broken(const Row& row) { return row.found() != "exact" || !row.ok; }

void write_row(const Row& row, Lines out) {
  const Round& worst = row.worst;
  const auto cell = [&](const std::string& text) { fmt::format_to(out, "<td>{}</td>", escaped(text)); };
  const auto count = [&](std::uint64_t times) { cell(times == 0 ? "0" : grouped(times)); };
  const auto latency = [&](double share) { cell(row.all.count() == 0 ? "" : figure(in_ms(row.all.quantile(share)))); };
  fmt::format_to(out, "<tr{}>", is_broken(row) ? " class=\"broken\"" : "");
  cell(row.way.id);
  cell(std::to_string(row.way.nodes));
  cell(worst.sold == 0 && worst.reserved > 0 ? grouped(worst.reserved) + " held"
                                             : fmt::format("{} of {}", worst.sold, worst.stock));
  for (const std::uint64_t times : {worst.oversold, worst.undersold, worst.lost, worst.doubled, worst.inversions})
    count(times);
  cell((row.bound == Row::Bound::generator ? "> " : "") + figure(row.sold_per_s));
  cell(row.speed_stock > 0 ? grouped(static_cast<std::uint64_t>(row.speed_stock)) : "");
  cell(figure(row.sell_out_ms));
  for (const double share : {0.5, 0.9, 0.99, 0.999, 1.0}) latency(share);
  cell(row.commands_per_sale ? fmt::format("{:.1f}", *row.commands_per_sale) : "");
  cell(row.calls_in_scripts_per_sale ? fmt::format("{:.1f}", *row.calls_in_scripts_per_sale) : "");
  cell(row.guard_waits > 0 ? fmt::format("{} of {} ms", figure(row.guard_waits), figure(row.guard_wait_ms)) : "");
  cell(processors_of(row));
  cell(words(row.way.survival));
  cell(verdict_of(row));
  fmt::format_to(out, "</tr>\n");
}

void write_table(const RowGroup& group, Lines out) {
  fmt::format_to(out, "<div class=\"wide\"><table><tr>");
  for (const char* const head : {"way",
                                 "nodes",
                                 "sold",
                                 "oversold",
                                 "undersold",
                                 "lost",
                                 "doubled",
                                 "inversions",
                                 "sold/s",
                                 "of units",
                                 "sold out, ms",
                                 "p50",
                                 "p90",
                                 "p99",
                                 "p99.9",
                                 "max ms",
                                 "commands per sale",
                                 "in scripts",
                                 "waits for the guard",
                                 "processor time",
                                 "an answer survives",
                                 "verdict"})
    fmt::format_to(out, "<th>{}</th>", head);
  fmt::format_to(out, "</tr>\n");
  for (const Row* row : group.rows) write_row(*row, out);
  fmt::format_to(out, "</table></div>\n");
}

void write_outcomes(const RowGroup& group, Lines out) {
  fmt::format_to(
      out,
      "<details><summary>Latency by outcome, ms</summary><div class=\"wide\"><table><tr><th>way</th>"
      "<th>answers</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>max</th><th>outcome</th></tr>\n");
  for (const Row* row : group.rows)
    for (const auto& [answer, latency] : row->latencies) {
      fmt::format_to(out, "<tr><td>{}</td><td>{}</td>", escaped(row->way.id), grouped(latency.count()));
      for (const double share : {0.5, 0.9, 0.99, 0.999, 1.0})
        fmt::format_to(out, "<td>{}</td>", figure(in_ms(latency.quantile(share))));
      fmt::format_to(out, "<td>{}</td></tr>\n", escaped(answer));
    }
  fmt::format_to(out, "</table></div></details>\n");
}

void write_broken(const RowGroup& group, Lines out) {
  for (const Row* row : group.rows) {
    if (!is_broken(*row) && !row->invalid) continue;
    fmt::format_to(out, "<h3>{}: {}</h3><ul>", escaped(row->way.id), escaped(verdict_of(*row)));
    if (row->error) fmt::format_to(out, "<li>{}</li>", escaped(*row->error));
    if (row->invalid) fmt::format_to(out, "<li>INVALID: {}</li>", escaped(*row->invalid));
    for (const std::string& sentence : row->worst.cases) fmt::format_to(out, "<li>{}</li>", escaped(sentence));
    fmt::format_to(out, "</ul>\n");
  }
}

// Each way once, however many tables it is in.
void write_explanations(const Comparison& comparison, Lines out) {
  std::set<std::string> told;
  std::set<std::string> broken;
  for (const Row& row : comparison.rows)
    if (is_broken(row)) broken.insert(row.way.id);
  fmt::format_to(out, "<h2>The ways</h2><dl>\n");
  for (const Row& row : comparison.rows) {
    if (!told.insert(row.way.id).second) continue;
    fmt::format_to(out, "<dt{}>{}{}</dt><dd>{}</dd><dd class=\"soft\">An answer survives: {}.</dd>\n",
                   broken.contains(row.way.id) ? " class=\"broken\"" : "", escaped(row.way.id),
                   broken.contains(row.way.id) ? " (broken)" : "", escaped(row.way.explanation),
                   escaped(row.way.survives));
  }
  fmt::format_to(out, "</dl>\n");
}

}  // namespace

std::string compare_html(const Comparison& comparison) {
  std::string html;
  Lines out(html);
  fmt::format_to(
      out,
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>One crowd, every known way to "
      "sell</title>\n<meta name=\"viewport\" content=\"width=device-width\"><style>{}</style></head><body>\n"
      "<h1>One crowd, every known way to sell</h1>\n",
      page_style);
  fmt::format_to(out,
                 "<p>{} s for each way, {} times, in crossed order. Green: ours; red: it breaks its promise.{}</p>\n",
                 static_cast<double>(comparison.options.time.count()) / 1e3, comparison.options.repeats,
                 comparison.valid() ? "" : " <b>Some of these runs are INVALID: see below.</b>");
  for (const RowGroup& group : groups_of(comparison)) {
    fmt::format_to(out, "<h2>{}</h2>\n", escaped(title_of(group)));
    for (const Scenario& scenario : comparison.options.scenarios)
      if (scenario.name == group.scenario) fmt::format_to(out, "<p>{}.</p>\n", escaped(scenario.about));
    if (const auto line = headline(comparison.rows, group.scenario, group.table))
      fmt::format_to(out, "<p>{}.</p>\n", escaped(sentence_of(*line)));
    html += sold_chart(group);
    html += latency_chart(group);
    write_table(group, out);
    write_outcomes(group, out);
    write_broken(group, out);
  }
  write_explanations(comparison, out);
  if (!comparison.left_out.empty()) fmt::format_to(out, "<h2>Left out</h2><ul>");
  for (const std::string& line : left_out_lines(comparison)) fmt::format_to(out, "<li>{}</li>", escaped(line));
  html += comparison.left_out.empty() ? "</body></html>\n" : "</ul></body></html>\n";
  return html;
}

}  // namespace firstcome::rush
