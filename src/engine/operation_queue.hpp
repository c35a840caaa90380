// The bounded queue between those who submit operations and the one thread that decides them.
//
// Intrusive: an Operation carries its own link, so pushing allocates nothing. What does not fit goes to a second list,
// which the taker completes with `overloaded`; that list needs no bound, because each operation is its caller's own.
#pragma once

#include <firstcome/engine.hpp>

#include <cstddef>
#include <mutex>
#include <vector>

namespace firstcome {

/// Thread safety: `push` and `waiting` from any thread, the others from one thread only, the taker.
class OperationQueue {
 public:
  /// At most `bound` operations wait, counting those that `take` has left for its next call.
  explicit OperationQueue(std::size_t bound) : bound_(bound) {}

  enum class Pushed {
    first,  ///< nothing waited: the taker must be woken
    behind,
  };
  Pushed push(Operation& operation);

  /// Appends to `batch` the operations that wait, in order, at most `limit`, and ends before the first for which
  /// `starts_anew` holds unless that is the first of all. Those left come first in the next call.
  template <class Predicate>
  void take(std::vector<Operation*>& batch, std::size_t limit, Predicate starts_anew);

  /// Appends the operations that did not fit.
  void take_rejected(std::vector<Operation*>& rejected);

  /// Operations that were pushed and neither taken nor rejected.
  std::size_t waiting() const;
  /// Whether a call of either `take` would bring something.
  bool idle() const;

 private:
  struct List {
    void append(Operation& operation);
    Operation* first = nullptr;
    Operation* last = nullptr;
  };

  void gather();
  void took(std::size_t count);
  static Operation* next_of(const Operation& operation) { return operation.next_; }

  const std::size_t bound_;
  List left_;  ///< the taker's alone: gathered, not yet taken

  mutable std::mutex mutex_;  ///< protects what follows
  List pushed_;
  List rejected_;
  std::size_t waiting_ = 0;
};

template <class Predicate>
void OperationQueue::take(std::vector<Operation*>& batch, std::size_t limit, Predicate starts_anew) {
  if (left_.first == nullptr) gather();
  std::size_t count = 0;
  for (; left_.first != nullptr && count < limit; ++count) {
    Operation& operation = *left_.first;
    if (count > 0 && starts_anew(operation)) break;
    left_.first = next_of(operation);
    batch.push_back(&operation);
  }
  if (left_.first == nullptr) left_.last = nullptr;
  if (count > 0) took(count);
}

}  // namespace firstcome
