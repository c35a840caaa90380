// Shows a rush while it runs: one line that renews itself on a terminal, one line a second elsewhere.
#pragma once

#include "rush/rush.hpp"

#include <cstdio>
#include <string>

namespace firstcome::rush {

/// One line, without a newline.
std::string progress_line(const Progress& progress);

class ProgressPrinter {
 public:
  explicit ProgressPrinter(std::FILE* out);
  /// Leaves the terminal's line behind.
  ~ProgressPrinter();
  ProgressPrinter(const ProgressPrinter&) = delete;
  ProgressPrinter& operator=(const ProgressPrinter&) = delete;

  void show(const Progress& progress);
  /// How often it wants to be called.
  Milliseconds every() const;

 private:
  std::FILE* out_;
  bool terminal_;
  bool line_open_ = false;
};

}  // namespace firstcome::rush
