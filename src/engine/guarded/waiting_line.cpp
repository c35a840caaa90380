#include "engine/guarded/waiting_line.hpp"

#include <utility>
#include <variant>

namespace firstcome::engine {
namespace {

Operation* taken_from(std::deque<Operation*>& line) {
  Operation* const first = line.front();
  line.pop_front();
  return first;
}

}  // namespace

const std::deque<Operation*>& WaitingLine::line_of(const Operation& operation) const {
  return admit_ > 0 && std::holds_alternative<Reserve>(operation.command) ? buyers_ : others_;
}

void WaitingLine::join(Operation& operation) {
  (&line_of(operation) == &buyers_ ? buyers_ : others_).push_back(&operation);
}

Operation* WaitingLine::next(Moment now) {
  if (!others_.empty()) return taken_from(others_);
  if (buyers_.empty()) return nullptr;
  if (now >= tick_began_ + tick_) {
    tick_began_ = now;
    admitted_ = 0;
  }
  if (admitted_ >= admit_) return nullptr;
  ++admitted_;
  return taken_from(buyers_);
}

std::optional<WaitingLine::Moment> WaitingLine::next_tick() const {
  if (buyers_.empty()) return std::nullopt;
  return admitted_ < admit_ ? Moment{} : tick_began_ + tick_;
}

std::deque<Operation*> WaitingLine::disband() {
  std::deque<Operation*> all = std::exchange(others_, {});
  all.insert(all.end(), buyers_.begin(), buyers_.end());
  buyers_.clear();
  return all;
}

}  // namespace firstcome::engine
