// How many rows a statement has that may be of any size.
//
// A database may be so slow that a full statement never ends in its time, however often it is sent. So after one that
// took too long the next have half as many rows, down to one; and after some that did not, twice as many again.
#pragma once

#include <algorithm>
#include <cstddef>

namespace firstcome::events {

/// Pure. Not thread-safe.
class StatementRows {
 public:
  /// So many full batches that were stored, before more rows are tried: each try may cost a whole time-out.
  static constexpr std::size_t calm = 16;

  explicit StatementRows(std::size_t most) : most_(most), now_(most) {}

  std::size_t now() const { return now_; }
  /// `rows` were to be written: where they were fewer than `now`, it is them that were too many.
  void took_too_long(std::size_t rows) {
    if (rows <= 1) return;  // there are no fewer: it was for another reason
    now_ = std::max<std::size_t>(std::min(now_, rows) / 2, 1);
    stored_ = 0;
  }
  /// Fewer than `now` say nothing of what more would take.
  void stored(std::size_t rows) {
    if (now_ == most_ || rows < now_ || ++stored_ < calm) return;
    now_ = std::min(most_, 2 * now_);
    stored_ = 0;
  }

 private:
  const std::size_t most_;
  std::size_t now_;
  std::size_t stored_ = 0;  ///< full batches, since the last change
};

}  // namespace firstcome::events
