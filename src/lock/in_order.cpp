#include "lock/in_order.hpp"

#include <deque>

namespace firstcome::lock {

namespace {

struct Completions {
  bool running = false;
  std::deque<std::move_only_function<void()>> later;
};

Completions& of_this_thread() {
  thread_local Completions completions;
  return completions;
}

}  // namespace

bool completing() { return of_this_thread().running; }

void complete(std::move_only_function<void()> completion) {
  Completions& mine = of_this_thread();
  if (mine.running) {
    mine.later.push_back(std::move(completion));
    return;
  }
  mine.running = true;
  completion();
  completion = nullptr;  // what it keeps alive may complete others
  while (!mine.later.empty()) {
    std::move_only_function<void()> next = std::move(mine.later.front());
    mine.later.pop_front();
    next();
  }
  mine.running = false;
}

}  // namespace firstcome::lock
