// The result of a comparison, for people and for machines (docs/compare.md says what each member means).
#pragma once

#include "rush/compare/compare.hpp"

#include <cstdio>
#include <string>

namespace firstcome::rush {

/// A table for each scenario, what broke and how, and the verdict in a word.
std::string compare_report(const Comparison& comparison);

/// One JSON object, with a newline at its end.
std::string compare_json(const Comparison& comparison);

/// One HTML file that needs no other: charts, explanations, tables; light and dark.
std::string compare_html(const Comparison& comparison);

/// The chart of the first scenario's first table, as an SVG file.
std::string compare_picture(const Comparison& comparison);

// Parts that several of them need.

/// The rows of one scenario and table, in the order of the ways; of all of them, in order of appearance.
struct RowGroup {
  std::string scenario;
  Table table;
  std::vector<const Row*> rows;
};
std::vector<RowGroup> groups_of(const Comparison& comparison);

/// "coupon, payment of 5 ms inside the guard"
std::string title_of(const RowGroup& group);

/// What is said of a row at a glance: "exact", "oversells 37", "error", with "expected" or "NOT EXPECTED" where it is
/// not exact as expected.
std::string verdict_of(const Row& row);

/// "12 345", "0.84"; an empty text for 0.
std::string figure(double value);

/// What was left out and why, one line for each reason.
std::vector<std::string> left_out_lines(const Comparison& comparison);

/// As HTML and SVG have it, in an attribute as well.
std::string escaped(std::string_view text);

/// A bar chart of units sold per second on a logarithmic axis, as an <svg> element.
std::string sold_chart(const RowGroup& group);
/// The same of the latencies p50 and p99.
std::string latency_chart(const RowGroup& group);

/// Shows a comparison while it runs: each run as it ends a line of the table; below them, on a terminal one line that
/// renews itself, elsewhere one line every five seconds.
class CompareView {
 public:
  explicit CompareView(std::FILE* out);
  ~CompareView();
  CompareView(const CompareView&) = delete;
  CompareView& operator=(const CompareView&) = delete;

  void step(const Step& step);
  void row(const Row& row);

 private:
  void clear_line();

  std::FILE* out_;
  bool terminal_;
  bool headed_ = false;
  bool line_open_ = false;
  std::optional<std::chrono::milliseconds> shown_at_;
};

/// One line, without a newline.
std::string step_line(const Step& step);

}  // namespace firstcome::rush
