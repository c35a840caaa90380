// Pauses between attempts of blocking code.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace firstcome::engine {

/// Blocks for so long.
void rest_for(std::chrono::microseconds pause);

/// Random ones, so that those who met do not meet again: half a millisecond at most, then up to twice as long each
/// time, 16 ms at most. Not thread-safe.
class RandomPauses {
 public:
  /// Each object pauses otherwise than the last.
  RandomPauses();
  void rest();

 private:
  std::minstd_rand random_;
  std::int64_t longest_us_ = 500;
};

}  // namespace firstcome::engine
