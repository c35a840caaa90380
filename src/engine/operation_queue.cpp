#include "engine/operation_queue.hpp"

#include <cassert>
#include <utility>

namespace firstcome {

void OperationQueue::List::append(Operation& operation) {
  operation.next_ = nullptr;
  (last == nullptr ? first : last->next_) = &operation;
  last = &operation;
}

OperationQueue::Pushed OperationQueue::push(Operation& operation) {
  const std::lock_guard lock(mutex_);
  const bool nothing_waited = pushed_.first == nullptr && rejected_.first == nullptr;
  if (waiting_ >= bound_) {
    rejected_.append(operation);
  } else {
    pushed_.append(operation);
    ++waiting_;
  }
  return nothing_waited ? Pushed::first : Pushed::behind;
}

void OperationQueue::gather() {
  const std::lock_guard lock(mutex_);
  left_ = std::exchange(pushed_, List{});
}

void OperationQueue::took(std::size_t count) {
  const std::lock_guard lock(mutex_);
  assert(waiting_ >= count);
  waiting_ -= count;
}

void OperationQueue::take_rejected(std::vector<Operation*>& rejected) {
  List list;
  {
    const std::lock_guard lock(mutex_);
    list = std::exchange(rejected_, List{});
  }
  for (Operation* operation = list.first; operation != nullptr; operation = operation->next_)
    rejected.push_back(operation);
}

std::size_t OperationQueue::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_;
}

bool OperationQueue::idle() const {
  if (left_.first != nullptr) return false;
  const std::lock_guard lock(mutex_);
  return pushed_.first == nullptr && rejected_.first == nullptr;
}

}  // namespace firstcome
