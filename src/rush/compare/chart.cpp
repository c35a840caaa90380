// Bar charts as SVG, on a logarithmic axis. Colours are classes, so that the page around them can be light or dark; a
// file of its own brings its own style.
#include "rush/compare/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <vector>

namespace firstcome::rush {
namespace {

using Lines = std::back_insert_iterator<std::string>;

constexpr double names_wide = 230;
constexpr double bars_wide = 440;
constexpr double values_wide = 230;
constexpr double line_high = 20;
constexpr double head_high = 46;
constexpr double wide = names_wide + bars_wide + values_wide;

struct Bar {
  double value = 0;  ///< 0: none
  std::string_view style;
};

struct ChartLine {
  std::string name;
  std::vector<Bar> bars;  ///< one above the other
  std::string said;       ///< behind them
  std::string_view said_style = "text";
};

struct Chart {
  std::string title;
  std::vector<ChartLine> lines;
};

/// Powers of ten around all values.
struct Axis {
  int from = 0;
  int to = 1;

  explicit Axis(const Chart& chart) {
    std::optional<double> least, most;
    for (const ChartLine& line : chart.lines)
      for (const Bar& bar : line.bars)
        if (bar.value > 0) {
          least = std::min(least.value_or(bar.value), bar.value);
          most = std::max(most.value_or(bar.value), bar.value);
        }
    if (!least) return;
    from = static_cast<int>(std::floor(std::log10(*least)));
    to = std::max(static_cast<int>(std::ceil(std::log10(*most))), from + 1);
  }
  double at(double value) const { return bars_wide * (std::log10(value) - from) / (to - from); }
};

std::string power_of_ten(int power) {
  if (power >= 0) return figure(std::pow(10.0, power));
  return fmt::format("{:.{}f}", std::pow(10.0, power), -power);
}

void draw_axis(const Axis& axis, double high, Lines out) {
  for (int power = axis.from; power <= axis.to; ++power) {
    const double x = names_wide + axis.at(std::pow(10.0, power));
    fmt::format_to(out, R"(<line class="grid" x1="{0:.1f}" y1="{1}" x2="{0:.1f}" y2="{2:.0f}"/>)", x, head_high - 8,
                   high);
    fmt::format_to(out, R"(<text class="small" x="{:.1f}" y="{}" text-anchor="middle">{}</text>)", x, head_high - 14,
                   power_of_ten(power));
  }
}

void draw_line(const ChartLine& line, const Axis& axis, double y, Lines out) {
  fmt::format_to(out, R"(<text class="text" x="{}" y="{:.0f}" text-anchor="end">{}</text>)", names_wide - 8,
                 y + line_high / 2 + 4, escaped(line.name));
  const double high = (line_high - 6) / static_cast<double>(std::max<std::size_t>(line.bars.size(), 1));
  double longest = 0;
  double top = y + 3;
  for (const Bar& bar : line.bars) {
    const double length = bar.value > 0 ? std::max(axis.at(bar.value), 2.0) : 0;
    if (length > 0)
      fmt::format_to(out, R"(<rect class="{}" x="{}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="2"/>)", bar.style,
                     names_wide, top, length, high);
    top += high;
    longest = std::max(longest, length);
  }
  fmt::format_to(out, R"(<text class="{}" x="{:.1f}" y="{:.0f}">{}</text>)", line.said_style, names_wide + longest + 6,
                 y + line_high / 2 + 4, escaped(line.said));
}

std::string draw(const Chart& chart) {
  const Axis axis(chart);
  const double high = head_high + line_high * static_cast<double>(chart.lines.size()) + 6;
  std::string svg;
  Lines out(svg);
  fmt::format_to(out,
                 R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0:.0f} {1:.0f}" width="{0:.0f}" role="img" )"
                 R"(font-family="system-ui, sans-serif" font-size="12">)",
                 wide, high);
  svg += "<!--style-->";
  fmt::format_to(out, R"(<title>{0}</title><text class="title" x="8" y="18">{0}</text>)", escaped(chart.title));
  draw_axis(axis, high - 6, out);
  double y = head_high;
  for (const ChartLine& line : chart.lines) {
    draw_line(line, axis, y, out);
    y += line_high;
  }
  svg += "</svg>\n";
  return svg;
}

std::string_view style_of(const Row& row) {
  if (row.found() != "exact") return "broken";
  return row.way.is_guarded() ? "bar" : "ours";
}

std::string name_of(const Row& row) { return row.way.id; }

constexpr std::string_view picture_style =
    "<style>svg{background:#fff}.text{fill:#222}.small{fill:#777;font-size:10px}.title{fill:#222;font-weight:600;"
    "font-size:14px}.grid{stroke:#ddd}.bar{fill:#7a8ca5}.ours{fill:#2b7a4b}.broken{fill:#c0392b}"
    ".wrong{fill:#c0392b;font-weight:600}"
    "@media(prefers-color-scheme:dark){svg{background:#0d1117}.text,.title{fill:#ddd}.small{fill:#999}"
    ".grid{stroke:#333}.ours{fill:#4caf78}.broken{fill:#e06c5f}.wrong{fill:#e06c5f}}</style>";

}  // namespace

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '&')
      safe += "&amp;";
    else if (c == '<')
      safe += "&lt;";
    else if (c == '>')
      safe += "&gt;";
    else if (c == '"')
      safe += "&quot;";
    else
      safe += c;
  }
  return safe;
}

std::string sold_chart(const RowGroup& group) {
  Chart chart{title_of(group) + ": units sold per second, logarithmic; red: it breaks its promise", {}};
  for (const Row* row : group.rows) {
    ChartLine line{name_of(*row), {{row->sold_per_s, style_of(*row)}}, {}, "text"};
    const bool broken = row->found() != "exact";
    line.said = fmt::format("{}{}", row->bound == Row::Bound::generator ? "more than " : "", figure(row->sold_per_s));
    if (broken) line.said += fmt::format("{}{}", line.said.empty() ? "" : ", ", verdict_of(*row));
    if (broken) line.said_style = "wrong";
    chart.lines.push_back(std::move(line));
  }
  return draw(chart);
}

std::string latency_chart(const RowGroup& group) {
  Chart chart{title_of(group) + ": latency from the intended arrival in ms, logarithmic; p50 above, p99 below", {}};
  for (const Row* row : group.rows) {
    if (row->all.count() == 0) continue;
    const auto in_ms = [&](double share) {
      return std::chrono::duration<double, std::milli>{row->all.quantile(share)}.count();
    };
    chart.lines.push_back({name_of(*row),
                           {{in_ms(0.5), style_of(*row)}, {in_ms(0.99), style_of(*row)}},
                           fmt::format("{}, {}", figure(in_ms(0.5)), figure(in_ms(0.99))),
                           "text"});
  }
  return draw(chart);
}

std::string compare_picture(const Comparison& comparison) {
  const auto groups = groups_of(comparison);
  if (groups.empty()) return {};
  std::string svg = sold_chart(groups.front());
  constexpr std::string_view mark = "<!--style-->";
  svg.replace(svg.find(mark), mark.size(), picture_style);
  return svg;
}

}  // namespace firstcome::rush
