// Operations that wait for a worker of a guarded engine, in the order of their arrival; of those that buy, only so many
// are let in each tick where that is wished: a waiting room before the guard. Pure: whoever asks says what time it is.
#pragma once

#include <firstcome/engine.hpp>
#include <firstcome/types.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

namespace firstcome::engine {

/// Not thread-safe.
class WaitingLine {
 public:
  using Moment = std::chrono::steady_clock::time_point;

  /// `admit_per_tick` 0: everybody is let in at once.
  WaitingLine(std::uint32_t admit_per_tick, Milliseconds tick) : admit_(admit_per_tick), tick_(tick) {}

  void join(Operation& operation);
  /// How many wait where this one would wait: buyers before the guard take nobody else's place.
  std::size_t waiting_with(const Operation& operation) const { return line_of(operation).size(); }
  /// Who is next; null: nobody is, or not yet.
  Operation* next(Moment now);
  /// When the next may be let in who waits for a tick; nothing: nobody waits for one.
  std::optional<Moment> next_tick() const;
  /// One who was let in has found nothing to buy, so the next may come instead: a line before an empty shop moves on.
  void found_nothing() {
    if (admitted_ > 0) --admitted_;
  }
  std::size_t size() const { return buyers_.size() + others_.size(); }
  /// Everybody leaves, in order.
  std::deque<Operation*> disband();

 private:
  const std::deque<Operation*>& line_of(const Operation& operation) const;

  const std::uint32_t admit_;
  const Milliseconds tick_;
  std::deque<Operation*> buyers_;  ///< where there is a waiting room; else all are among the others
  std::deque<Operation*> others_;
  std::uint32_t admitted_ = 0;  ///< in this tick
  Moment tick_began_{};
};

}  // namespace firstcome::engine
