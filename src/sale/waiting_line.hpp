// The line of those who wait in one sale: a cursor over the numbers.
//
// All numbers up to `serving` were granted or passed over. Those in (serving, last] wait, but for the departed, who
// left out of turn; they are kept as bits with counts, so that a position is exact however many leave.
#pragma once

#include "sale/chunked.hpp"

#include <array>
#include <cassert>
#include <cstdint>
#include <map>

namespace firstcome::sale {

/// Numbers that left the line, countable by range.
class Departures {
 public:
  void add(ShortNumber number);
  bool contains(ShortNumber number) const;
  /// Returns the first number, from `number` on, that has not left. Cost: 64 numbers a step.
  ShortNumber end_of_run(ShortNumber number) const;
  /// How many in [first, last]. Cost: the blocks of 4096 numbers between them in which somebody left.
  std::uint64_t count(ShortNumber first, ShortNumber last) const;
  /// Forgets all whole blocks up to `number`.
  void forget_upto(ShortNumber number);
  void clear() { blocks_.clear(); }
  bool empty() const { return blocks_.empty(); }

 private:
  static constexpr ShortNumber block_size = 4'096;
  struct Block {
    std::uint32_t count = 0;
    std::array<std::uint64_t, block_size / 64> bits{};
    std::uint32_t count_between(std::uint32_t first, std::uint32_t last) const;
  };
  std::map<ShortNumber, Block> blocks_;
};

/// Not thread-safe.
class WaitingLine {
 public:
  ShortNumber serving() const { return serving_; }
  ShortNumber last() const { return last_; }
  std::uint64_t waiting() const { return waiting_; }
  bool empty() const { return waiting_ == 0; }

  /// The first who waits. REQUIRES: not empty.
  ShortNumber head() const {
    assert(waiting_ > 0);
    return serving_ + 1;
  }

  /// A number that never waits. REQUIRES: empty.
  ShortNumber pass() {
    assert(waiting_ == 0 && last_ < UINT32_MAX);
    serving_ = ++last_;
    return last_;
  }
  /// A number that waits; its position is `waiting()` now.
  ShortNumber join() {
    assert(last_ < UINT32_MAX);
    ++waiting_;
    return ++last_;
  }
  /// `number`, which waits, does so no longer: granted, refused or gone.
  void leave(ShortNumber number);
  /// Nobody waits any longer.
  void leave_all();

  /// 1 is next. REQUIRES: number waits.
  std::uint64_t position(ShortNumber number) const {
    return number - serving_ - (departures_.empty() ? 0 : departures_.count(serving_ + 1, number));
  }

  /// How many wait in (first, last]. REQUIRES: both numbers wait, first < last.
  std::uint64_t waiting_between(ShortNumber first, ShortNumber last) const {
    return last - first - (departures_.empty() ? 0 : departures_.count(first + 1, last));
  }

  /// Builds again. `waits(number)` is asked for each number in (serving, last].
  template <class Waits>
  void restore(ShortNumber serving, ShortNumber last, Waits waits) {
    serving_ = serving;
    last_ = last;
    for (ShortNumber number = serving; number < last;) {
      if (waits(++number)) {
        ++waiting_;
      } else {
        departures_.add(number);
      }
    }
    skip_departed();
  }

 private:
  void skip_departed();

  ShortNumber serving_ = 0;
  ShortNumber last_ = 0;
  std::uint64_t waiting_ = 0;
  Departures departures_;
};

}  // namespace firstcome::sale
