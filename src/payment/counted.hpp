// Counts what is under way.
#pragma once

#include <atomic>
#include <cstdint>

namespace firstcome::payment {

/// Adds one to a count while it lives.
class Counted {
 public:
  explicit Counted(std::atomic<std::uint64_t>& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::atomic<std::uint64_t>& count_;
};

}  // namespace firstcome::payment
