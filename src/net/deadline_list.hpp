// Deadlines that all lie the same time ahead, so the first to be added is the first to be due.
//
// An intrusive list: adding and removing are O(1), without a timer or an allocation each.
#pragma once

#include <chrono>
#include <optional>

namespace firstcome::net {

using TimePoint = std::chrono::steady_clock::time_point;

class DeadlineList;

/// What has at most one deadline at a time. Leaves its list when it is destroyed.
class Deadline {
 public:
  Deadline() = default;
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() { cancel(); }

  void cancel() noexcept;

 private:
  friend class DeadlineList;
  Deadline* previous_ = nullptr;
  Deadline* next_ = nullptr;
  DeadlineList* list_ = nullptr;
  TimePoint due_;
};

class DeadlineList {
 public:
  explicit DeadlineList(std::chrono::milliseconds ahead) : ahead_(ahead) {}
  DeadlineList(const DeadlineList&) = delete;
  DeadlineList& operator=(const DeadlineList&) = delete;
  ~DeadlineList() {
    while (first_ != nullptr) first_->cancel();
  }

  /// Moves `deadline` here, from whatever list it was in. `now` must never run back.
  void add(Deadline& deadline, TimePoint now) {
    deadline.cancel();
    deadline.list_ = this;
    deadline.due_ = now + ahead_;
    deadline.previous_ = last_;
    (last_ == nullptr ? first_ : last_->next_) = &deadline;
    last_ = &deadline;
  }

  bool holds(const Deadline& deadline) const { return deadline.list_ == this; }

  /// The first that is due; it stays in the list. nullptr: none.
  Deadline* due(TimePoint now) const { return first_ != nullptr && first_->due_ <= now ? first_ : nullptr; }

  std::optional<TimePoint> next() const { return first_ == nullptr ? std::nullopt : std::optional{first_->due_}; }

 private:
  friend class Deadline;
  std::chrono::milliseconds ahead_;
  Deadline* first_ = nullptr;
  Deadline* last_ = nullptr;
};

inline void Deadline::cancel() noexcept {
  if (list_ == nullptr) return;
  (previous_ == nullptr ? list_->first_ : previous_->next_) = next_;
  (next_ == nullptr ? list_->last_ : next_->previous_) = previous_;
  list_ = nullptr;
  previous_ = next_ = nullptr;
}

}  // namespace firstcome::net
